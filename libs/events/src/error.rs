//! What can end reading, and what to do then.

use std::path::PathBuf;

use async_nats::jetstream;

/// Why events could not be read. The texts have no secrets.
///
/// That NATS is away or slow ends reading only while the feed is opened; later it waits. Whoever mends the cause of another error
/// may call [`EventFeed::next`](crate::EventFeed::next) again: it goes on where it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// An option can't be used.
    #[error("the option `{option}` can't be used: {why}")]
    Options { option: &'static str, why: String },
    /// A file that an option names can't be read.
    #[error("{} can't be read: check that it is there, that it is readable, and what it should be", file.display())]
    File { file: PathBuf, source: std::io::Error },
    /// No server answers at these addresses.
    #[error("NATS does not answer at {servers} ({why}): check that it runs and can be reached from here")]
    Away { servers: String, why: String },
    /// A request was not answered in time.
    #[error("NATS did not answer in time ({doing}): look whether its servers agree on a leader")]
    Unanswered { doing: &'static str },
    /// The server does not know this user, or does not let them do this.
    #[error(
        "NATS does not permit this ({doing}): {text}; check the login, the stream's name and, if the user has an inbox of their own, \
         `inbox_prefix`, or give the user this permission (docs/events says which)"
    )]
    Denied { doing: &'static str, text: String },
    /// The servers run without `JetStream`, this account may not use it, or it has no leader at the moment.
    #[error(
        "JetStream does not answer: check that the servers have it on, that this account may use it, and that a majority of them runs"
    )]
    NoJetStream,
    /// There is no stream of this name in this user's account.
    #[error("the stream {stream} does not exist here: check its name; `baton migrate` makes BATON_EVT")]
    NoStream { stream: String },
    /// The cursor is of a stream with another name.
    #[error(
        "the cursor is of the stream {cursor}, and this is {stream}: keep a cursor for each, or begin at the beginning"
    )]
    OtherStream { cursor: String, stream: String },
    /// The stream was deleted and made again, or is a copy that was restored and is shorter than what was read: positions mean
    /// something else now.
    #[error(
        "the stream {stream} was made anew: begin at its beginning, and leave out the events that are known by source, subject and sequence"
    )]
    Rebuilt { stream: String },
    /// The stream keeps no more what came after the cursor: there may be events that nobody can read here any more.
    #[error(
        "the stream {stream} begins at {first} now and was read up to {position}: events between them may be lost here; begin at its \
         beginning, and look for gaps in the sequences"
    )]
    Expired { stream: String, position: u64, first: u64 },
    /// The server refused a request for another cause.
    #[error("NATS refused this ({doing}): {error}")]
    Refused { doing: &'static str, error: jetstream::Error },
}

impl FeedError {
    /// Whether waiting helps, without anybody doing anything about what was asked.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Unanswered { .. } | Self::NoJetStream)
    }
}
