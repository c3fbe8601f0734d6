//! Telephone numbers as E.164 has them: `+`, a country code that does not begin with 0, and 7 to 15 digits in all.

use baton_api::error::ErrorReason;
use baton_api::{ApiError, ErrorKind, telephone};
use baton_runtime::auth::TenantId;

/// Reads a number that a client sent in `field`.
pub(crate) fn parse(field: &str, text: &str) -> Result<String, ApiError> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    if telephone::is_e164(digits) {
        Ok(text.to_owned())
    } else {
        let why = "must be an E.164 number: + and 7 to 15 digits, for example +3225550100";
        Err(ApiError::invalid_argument(field, why))
    }
}

/// How a number begins that is an entry for chats: `chat:support`. It is on no trunk, so the operator grants none, and each tenant has its own.
const CHAT: &str = "chat:";
/// The longest name of an entry, in characters.
const MAX_ENTRY: usize = 48;

pub(crate) fn is_chat(number: &str) -> bool {
    number.starts_with(CHAT)
}

/// Reads a number of the tenant's, or an entry for chats, that a client sent in `field`.
pub(crate) fn parse_entry(field: &str, text: &str) -> Result<String, ApiError> {
    let Some(name) = text.strip_prefix(CHAT) else { return parse(field, text) };
    let good = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-_.".contains(&it);
    if (1..=MAX_ENTRY).contains(&name.len()) && name.bytes().all(good) {
        return Ok(text.to_owned());
    }
    let why = format!("must be chat: and 1 to {MAX_ENTRY} of a-z 0-9 - _ . for example chat:support");
    Err(ApiError::invalid_argument(field, why))
}

/// The error for a number that the operator has not granted. It does not repeat the number, because errors are logged.
pub(crate) fn not_granted(tenant: &TenantId) -> ApiError {
    let message = format!(
        "The operator of this Baton has not granted the tenant this number, and can: baton tenant update {tenant} --numbers PREFIX,…"
    );
    ApiError::new(ErrorKind::PermissionDenied, ErrorReason::NotGranted, message)
}

/// The error for a call that would show a number that is not granted (any more).
pub(crate) fn not_shown(tenant: &TenantId) -> ApiError {
    let message = format!(
        "The number that the call would go out from is not granted to the tenant; name another one (from), or ask the operator of \
         this Baton: baton tenant update {tenant} --numbers PREFIX,…"
    );
    ApiError::new(ErrorKind::PermissionDenied, ErrorReason::NotGranted, message)
}

/// What a switch sent as the number that was called (F1): whole numbers that may be meant, and the digits in which a national number ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CalledNumber {
    /// The likeliest first.
    pub(crate) whole: Vec<String>,
    /// Of the tenant's numbers the only one that ends so is meant, too. Longest first; empty when the number was sent in full.
    pub(crate) endings: Vec<String>,
}

/// Fewer digits could be the end of too many numbers.
const SHORTEST_ENDING: usize = 4;

/// Reads what a switch sent: with or without the plus, with `00` or a national `0`, with separators, as a `tel:` or `sip:` address.
pub(crate) fn called(text: &str) -> CalledNumber {
    if is_chat(text) {
        return CalledNumber { whole: parse_entry("number", text).into_iter().collect(), endings: Vec::new() };
    }
    let digits = telephone::dialled_digits(text);
    let whole = |digits: &str| parse("number", &format!("+{digits}")).ok();
    if let Some(international) = digits.strip_prefix('+') {
        return CalledNumber { whole: whole(international).into_iter().collect(), endings: Vec::new() };
    }
    let international = digits.strip_prefix("00").and_then(whole);
    let national = [Some(digits.as_str()), digits.strip_prefix('0')];
    let endings = national.into_iter().flatten().filter(|it| it.len() >= SHORTEST_ENDING).map(str::to_owned);
    CalledNumber { whole: whole(&digits).into_iter().chain(international).collect(), endings: endings.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_a_number_is_read_in_every_form_in_which_a_trunk_sends_it() {
        let means = |text: &str, number: &str| {
            let called = called(text);
            called.whole.iter().any(|it| it == number) || called.endings.iter().any(|it| number.ends_with(it))
        };
        for text in [
            "+3225550100",
            "3225550100",
            "003225550100",
            "tel:+3225550100",
            "tel:+32-2-555-01-00;phone-context=example.com",
            "sip:+3225550100@trunk.example.com;user=phone",
            "sips:%2B3225550100@10.0.0.1:5061",
            "SIP:3225550100@x",
            "+32 (2) 555.01.00",
            "02/555 01 00",
            "0100",
        ] {
            assert!(means(text, "+3225550100"), "{text}");
        }
        assert!(means("0612345678", "+390612345678"), "Italy's numbers keep their 0");
        for text in ["", "+", "sip:ada@x", "010", "+3225550101", "tel:", "32255501000000000000000", "12a5550100"] {
            assert!(!means(text, "+3225550100"), "{text}");
        }
        assert_eq!(called("+5550100").endings, Vec::<String>::new(), "a number that is sent in full is no other's end");
    }

    #[test]
    fn an_entry_for_chats_is_its_name_and_nothing_that_is_dialled() {
        for good in ["chat:support", "chat:a", "chat:shop-2.de"] {
            assert!(parse_entry("number", good).is_ok() && parse("number", good).is_err(), "{good}");
            assert_eq!(called(good).whole, [good]);
        }
        for bad in ["chat:", "chat:Support", "chat:a b", "chats:a", "support", "chat:\u{e9}"] {
            assert!(parse_entry("number", bad).is_err(), "{bad}");
        }
        assert!(parse_entry("number", "+3225550100").is_ok());
    }

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
