//! Rules for numbers outside. No number outside is dialled without one (X3), so a new tenant can dial none.

mod dear;

use baton_api::error::ErrorReason;
use baton_api::{ApiError, ErrorKind};
use baton_runtime::auth::{Grants, TenantId};

use crate::store::dial_rules::DialRuleRow;

/// Rules of one tenant: enough for every country, and for the networks in them that need a rule of their own.
pub(crate) const MOST: i64 = 1_000;
const MOST_DIGITS: usize = 15;
/// The digits of short numbers.
const SHORT: std::ops::RangeInclusive<usize> = 3..=6;

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

/// Refuses a dear number that the rule was not made for (X3).
pub(crate) fn refuse_dear(rule: &str, number: &str) -> Result<(), ApiError> {
    let Some(dear) = dear::not_named(rule, number) else { return Ok(()) };
    let message = format!("{}; an admin can make one: baton number allow PREFIX", dear.why());
    Err(ApiError::failed_precondition(ErrorReason::DearNumber, message))
}

/// Whether a number may be dialled, by the tenant's rules and by what the operator has granted: the rule that fits best.
pub(crate) fn permitted(
    rules: &[DialRuleRow],
    number: &str,
    tenant: &TenantId,
    grants: &Grants,
) -> Result<String, ApiError> {
    let rule = longest(rules, number).ok_or_else(not_allowed)?;
    refuse_dear(&rule, number)?;
    if grants.has_destination(number) { Ok(rule) } else { Err(not_granted(tenant)) }
}

/// The rule that fits a number best, which is the longest.
fn longest(rules: &[DialRuleRow], number: &str) -> Option<String> {
    let fitting = rules.iter().map(|rule| &rule.prefix).filter(|prefix| number.starts_with(*prefix));
    fitting.max_by_key(|prefix| prefix.len()).cloned()
}

/// Refuses what people dial and no E.164 number is: 112, 911, 116117. No emergency call is made for anybody: nobody here knows where they are.
pub(crate) fn refuse_short(number: &str) -> Result<(), ApiError> {
    let digits = number.trim_start_matches('+');
    let is_short =
        SHORT.contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit()) && !digits.starts_with('0');
    if !is_short {
        return Ok(());
    }
    let message = "Emergency numbers and other short ones are not dialled; give a whole number, with + and the country";
    Err(ApiError::failed_precondition(ErrorReason::ShortNumber, message))
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
    fn x3_a_dear_number_needs_a_rule_that_names_more_than_its_country() {
        for (number, too_short, long_enough) in [
            ("+3290212345", "+32", "+3290"),
            ("+19002345678", "+1", "+1900"),
            ("+33899123456", "+33", "+338"),
            ("+449098765432", "+44", "+4490"),
            ("+881612345678", "+88", "+881"),
            ("+870773111632", "+8", "+870"),
            ("+979123456789", "+979", "+9791"),
            ("+447012345678", "+44", "+4470"),
            ("+18765551234", "+1", "+1876"),
        ] {
            let refused = refuse_dear(too_short, number).expect_err(number);
            assert_eq!(refused.reason, ErrorReason::DearNumber, "{number}");
            assert!(refuse_dear(long_enough, number).is_ok(), "{number}");
        }
        for number in ["+32470000001", "+3225550100", "+12025550100", "+33612345678"] {
            assert!(refuse_dear("+", number).is_ok(), "{number}");
        }
    }

    #[test]
    fn x3_short_numbers_are_refused_as_such() {
        for short in ["112", "911", "999", "116117", "+112"] {
            assert_eq!(refuse_short(short).expect_err(short).reason, ErrorReason::ShortNumber);
        }
        for other in ["", "0470", "+3225550100", "1234567", "12", "11a"] {
            assert!(refuse_short(other).is_ok(), "{other}");
        }
    }

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
