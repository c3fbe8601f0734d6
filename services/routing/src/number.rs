//! Telephone numbers as E.164 has them: `+`, a country code that does not begin with 0, and 7 to 15 digits in all.

use baton_api::ApiError;

const FEWEST: usize = 7;
const MOST: usize = 15;

/// Reads a number that a client sent in `field`.
pub(crate) fn parse(field: &str, text: &str) -> Result<String, ApiError> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let is_number = (FEWEST..=MOST).contains(&digits.len())
        && digits.bytes().all(|it| it.is_ascii_digit())
        && !digits.starts_with('0');
    if is_number {
        Ok(text.to_owned())
    } else {
        let why = format!("must be an E.164 number: + and {FEWEST} to {MOST} digits, for example +3225550100");
        Err(ApiError::invalid_argument(field, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_e164_is_a_number() {
        for good in ["+3225550100", "+1234567", "+123456789012345"] {
            assert!(parse("number", good).is_ok(), "{good}");
        }
        for bad in ["", "+", "3225550100", "+0225550100", "+123456", "+1234567890123456", "+32 2555", "+32a5550100"] {
            assert!(parse("number", bad).is_err(), "{bad}");
        }
    }
}
