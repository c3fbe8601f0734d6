//! Names and numbers that nobody has used.

use baton_runtime::ids;

/// A request id or a name that nobody has used.
pub fn fresh() -> String {
    ids::new_uuid().to_string()
}

/// A number that no other test uses.
pub(crate) fn random_number(prefix: &str) -> String {
    format!("{prefix}{:09}", ids::random_below(1_000_000_000))
}
