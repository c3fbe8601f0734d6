//! Rules for numbers outside. No number outside is dialled without one (X3), so a new tenant can dial none.

use baton_api::error::ErrorReason;
use baton_api::{ApiError, ErrorKind};
use baton_runtime::auth::TenantId;

/// Rules of one tenant: enough for every country, and for the networks in them that need a rule of their own.
pub(crate) const MOST: i64 = 1_000;
const MOST_DIGITS: usize = 15;

/// Reads the prefix that a client sent in `field`.
pub(crate) fn prefix(field: &str, text: &str) -> Result<String, ApiError> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let is_prefix = (1..=MOST_DIGITS).contains(&digits.len())
        && digits.bytes().all(|it| it.is_ascii_digit())
        && !digits.starts_with('0');
    if is_prefix {
        Ok(text.to_owned())
    } else {
        let why = format!("must be how E.164 numbers begin: + and 1 to {MOST_DIGITS} digits, for example +32");
        Err(ApiError::invalid_argument(field, why))
    }
}

/// The error for a rule that leads where the operator has not granted.
pub(crate) fn not_granted(tenant: &TenantId) -> ApiError {
    let message = format!(
        "The operator of this Baton has not granted the tenant to dial there, and can: baton tenant update {tenant} --destinations PREFIX,…"
    );
    ApiError::new(ErrorKind::PermissionDenied, ErrorReason::NotGranted, message)
}

/// The error when no rule fits. It does not repeat the number, because errors are logged.
pub(crate) fn not_allowed() -> ApiError {
    let message = "No rule allows this number to be dialled; an admin can allow it: baton number allow PREFIX";
    ApiError::failed_precondition(ErrorReason::DialNotAllowed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_how_numbers_begin() {
        for good in ["+1", "+32", "+123456789012345"] {
            assert!(prefix("rule.prefix", good).is_ok(), "{good}");
        }
        for bad in ["", "+", "32", "+0", "+1234567890123456", "+3 2", "+3%", "++3", "+3a"] {
            assert_eq!(prefix("rule.prefix", bad).unwrap_err().fields[0].0, "rule.prefix", "{bad}");
        }
    }
}
