//! Parsing requests: an invalid value is refused here, with the name of its field (X4).

use baton_api::common::v1::RecordingMode;
use baton_api::{ApiError, page};
use baton_runtime::auth::{Caller, Role};

const MAX_ID: usize = 128;

/// An id of the form that Baton makes: it is safe as a part of a file's name.
pub(crate) fn id<'a>(field: &str, text: &'a str) -> Result<&'a str, ApiError> {
    let fits = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
    if !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(fits) {
        return Ok(text);
    }
    let why = format!("give an id: 1 to {MAX_ID} letters, digits, - and _");
    Err(ApiError::invalid_argument(field, why))
}

/// An id, or empty.
pub(crate) fn optional_id<'a>(field: &str, text: &'a str) -> Result<&'a str, ApiError> {
    if text.is_empty() { Ok(text) } else { id(field, text) }
}

/// A voicemail box, or empty.
pub(crate) fn mailbox<'a>(field: &str, text: &'a str) -> Result<&'a str, ApiError> {
    let fits = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    if text.len() <= MAX_ID && text.bytes().all(fits) {
        return Ok(text);
    }
    Err(ApiError::invalid_argument(field, "give an agent's id, or the name of a call flow's box"))
}

/// A number in the form of E.164, like routing's numbers: a shorter one could be set here, but would never match a call.
pub(crate) fn phone_number<'a>(field: &str, text: &'a str) -> Result<&'a str, ApiError> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let fits = (7..=15).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    if fits && !digits.starts_with('0') {
        return Ok(text);
    }
    Err(ApiError::invalid_argument(field, "give a number in the form of E.164: + and 7 to 15 digits"))
}

/// A mode that can be set.
pub(crate) fn mode(field: &str, value: i32) -> Result<RecordingMode, ApiError> {
    match RecordingMode::try_from(value) {
        Ok(RecordingMode::Unspecified) | Err(_) => {
            Err(ApiError::invalid_argument(field, "give one of ALL, INCOMING, OUTGOING and MANUAL"))
        }
        Ok(mode) => Ok(mode),
    }
}

/// The interaction and number after which the page begins; both empty for the first page.
pub(crate) fn page_token(token: &str) -> Result<(&str, i64), ApiError> {
    if token.is_empty() {
        return Ok(("", 0));
    }
    let invalid = || ApiError::invalid_argument("page_token", "give the next_page_token of the page before");
    let (interaction_id, number) = token.split_once('.').ok_or_else(invalid)?;
    let number = number.parse().map_err(|_| invalid())?;
    Ok((id("page_token", interaction_id).map_err(|_| invalid())?, number))
}

/// The number after which the page begins; empty for the first page.
pub(crate) fn number_page_token(token: &str) -> Result<&str, ApiError> {
    Ok(page::after(token, |it| phone_number("page_token", it).ok())?.unwrap_or_default())
}

/// The token of the page after this recording.
pub(crate) fn next_page_token(interaction_id: &str, number: i64) -> String {
    format!("{interaction_id}.{number}")
}

/// The beginning and the id of the message after which the page begins.
pub(crate) fn message_page_token(token: &str) -> Option<(i64, &str)> {
    let (left_us, message_id) = token.split_once('.')?;
    Some((left_us.parse().ok()?, id("page_token", message_id).ok()?))
}

/// The token of the page after this message.
pub(crate) fn next_message_page_token(left_us: i64, message_id: &str) -> String {
    format!("{left_us}.{message_id}")
}

/// The recordings, and the data of each, that a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Viewer<'a> {
    pub(crate) tenant: &'a str,
    /// Only those in which this agent is heard; empty for all.
    pub(crate) agent_id: &'a str,
    /// Hide personal data: an analyst counts calls, and need not know who called.
    pub(crate) anonymous: bool,
}

impl<'a> Viewer<'a> {
    pub(crate) fn of(caller: &'a Caller) -> Result<Self, ApiError> {
        let agent_id = if caller.role == Role::Agent { caller.subject.as_str() } else { "" };
        Ok(Self { tenant: caller.tenant()?.as_str(), agent_id, anonymous: caller.role == Role::Analyst })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_never_paths() {
        assert!(id("x", "0192ab-recording-1").is_ok());
        for bad in ["", "..", "a/b", "a.wav", "a b", "ä", &"x".repeat(129)] {
            assert!(id("x", bad).is_err(), "{bad}");
        }
        assert_eq!(optional_id("x", ""), Ok(""));
    }

    #[test]
    fn numbers_are_e164() {
        assert!(phone_number("n", "+4930123456").is_ok() && phone_number("n", "+1234567").is_ok());
        for bad in ["", "+", "4930123456", "+1", "+0301234", "+49 30", "+123456", "+1234567890123456", "+49x"] {
            assert!(phone_number("n", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mode_must_be_one_that_can_be_set() {
        assert_eq!(mode("mode", 1), Ok(RecordingMode::All));
        assert!(mode("mode", 0).is_err() && mode("mode", 9).is_err());
    }

    #[test]
    fn page_tokens_read_back() {
        assert_eq!(page_token(&next_page_token("0192-ab", 3)), Ok(("0192-ab", 3)));
        for bad in ["x", "x.", ".1", "a/b.1", "x.y"] {
            assert!(page_token(bad).is_err(), "{bad}");
        }
        assert_eq!((number_page_token(""), number_page_token("+4930123456")), (Ok(""), Ok("+4930123456")));
        assert_eq!(number_page_token("x").unwrap_err().fields[0].0, "page_token");
    }
}
