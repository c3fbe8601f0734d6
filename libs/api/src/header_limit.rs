//! Limits the size of errors, so that they fit into headers.
//!
//! An error often quotes a part of the request, which may be as long as a message can be. A status travels in headers, and
//! most clients by default refuse more than 8 KB of them, and so lose code, reason and message. This is the only place that
//! limits errors.

use tonic::Status;

use crate::ApiError;

/// In bytes. The message is sent twice: in a header, where a byte that is not plain text takes three, and in the details,
/// where three bytes take four.
const LONGEST_MESSAGE: usize = 1_000;
/// In bytes, of a key, value, field or description.
const LONGEST_TEXT: usize = 256;
/// In bytes, of all of these together; those that do not fit are left out. So the largest status is below 6 KB.
const MAX_TEXTS: usize = 1_000;
/// In bytes, of a status with an attached message. Half a kilobyte is left for the other headers of an answer.
const LARGEST_STATUS: usize = 7_500;
const ELLIPSIS: &str = "…";

/// The error within the limits.
pub(crate) fn cut(mut error: ApiError) -> ApiError {
    shorten(&mut error.message, LONGEST_MESSAGE);
    let mut available = MAX_TEXTS;
    // Fields first: they say what the caller has to correct. Metadata gets what is left.
    for pairs in [&mut error.fields, &mut error.metadata] {
        pairs.retain_mut(|(name, text)| {
            shorten(name, LONGEST_TEXT);
            shorten(text, LONGEST_TEXT);
            let left = available.checked_sub(name.len() + text.len());
            available = left.unwrap_or(available);
            left.is_some()
        });
    }
    error
}

/// Cuts the text to this many bytes at most; an ellipsis shows that something is missing.
fn shorten(text: &mut String, longest: usize) {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest - ELLIPSIS.len()));
        text.push_str(ELLIPSIS);
    }
}

/// Whether clients accept headers with this status.
pub(crate) fn fits(status: &Status) -> bool {
    size(status) <= LARGEST_STATUS
}

/// The size of the headers as HTTP/2 counts it.
fn size(status: &Status) -> usize {
    let response = status.clone().into_http::<()>();
    response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::error::ErrorReason;

    #[test]
    fn an_error_with_texts_of_any_length_fits_into_headers() {
        for letter in ["a", "%", "ä", "\n", "漢", "🕿"] {
            let long = letter.repeat(5_000);
            let mut error = ApiError::invalid_argument(&long, &long);
            for n in 0..50 {
                error = error.with(&format!("{n}{long}"), &long);
                error.fields.push((format!("{long}{n}"), long.clone()));
            }
            let status = Status::from(error);
            assert!(size(&status) < 6_000, "{letter:?}: {}", size(&status));
            let read = ApiError::from_status(&status).expect("it is typed");
            assert_eq!(read.reason, ErrorReason::InvalidField);
            assert!(read.message.starts_with(letter) && read.message.ends_with(ELLIPSIS), "{}", read.message);
            assert_eq!(read.fields.len(), 1, "{read:?}");
        }
    }

    #[test]
    fn many_fields_are_named_as_far_as_they_fit() {
        let mut error = ApiError::invalid_argument("a", "must be set").with("what", "x");
        error.fields.extend((0..1_000).map(|n| (format!("field_{n}"), "must be set".to_owned())));
        let details = Status::from(error).get_error_details();
        assert!((30..100).contains(&details.bad_request().expect("it has fields").field_violations.len()));
    }

    #[test]
    fn what_is_short_stays_as_it_is() {
        let error = ApiError::invalid_argument("name", "x".repeat(LONGEST_TEXT)).with("what", "y".repeat(LONGEST_TEXT));
        assert_eq!(cut(error.clone()), error);
    }
}
