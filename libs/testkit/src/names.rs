//! Fresh names and numbers.

use baton_runtime::ids;

/// A fresh request id or name.
pub fn fresh() -> String {
    ids::new_uuid().to_string()
}

/// A number that no other test uses.
pub(crate) fn random_number(prefix: &str) -> String {
    format!("{prefix}{:09}", ids::random_below(1_000_000_000))
}
