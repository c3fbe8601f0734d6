//! How far a stream was read, as a text that callers keep.

use std::fmt;
use std::str::FromStr;

use async_nats::jetstream::stream::Info;

/// A position in one stream, after an event. Its text ([`ToString`], [`FromStr`]) is for keeping, not for reading: at most 400 bytes of ASCII.
///
/// It knows which stream it is of. When that was deleted and made anew, the cursor is refused, and does not skip what is in the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) stream: StreamId,
    /// The sequence number, in the stream, of the last message that was read; 0 before the first.
    pub(crate) position: u64,
}

/// The text is none of a cursor's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor: give the text of one as it was, or begin at the beginning")]
pub struct CursorError;

/// Distinguishes a stream from another one under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamId {
    pub(crate) name: String,
    /// When the server made it, in nanoseconds since 1970: a copy of the configuration is another stream.
    pub(crate) created_ns: i128,
}

impl From<&Info> for StreamId {
    fn from(info: &Info) -> Self {
        Self { name: info.config.name.clone(), created_ns: info.created.unix_timestamp_nanos() }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StreamId { name, created_ns } = &self.stream;
        write!(formatter, "{name}/{created_ns}/{}", self.position)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        // The servers' names have no slash.
        let mut parts = text.split('/');
        let (Some(name), Some(created), Some(position), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(CursorError);
        };
        if name.is_empty() {
            return Err(CursorError);
        }
        Ok(Self {
            stream: StreamId { name: name.to_owned(), created_ns: created.parse().map_err(|_| CursorError)? },
            position: position.parse().map_err(|_| CursorError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_being_text() {
        let stream = StreamId { name: "BATON_EVT".into(), created_ns: 1_764_460_800_123_456_789 };
        let cursor = Cursor { stream, position: u64::MAX };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn another_text_is_refused() {
        for bad in ["", "592", "BATON_EVT/1", "/1/2", "BATON_EVT/x/2", "BATON_EVT/1/-2", "BATON_EVT/1/2/3"] {
            assert_eq!(bad.parse::<Cursor>(), Err(CursorError), "{bad}");
        }
    }
}
