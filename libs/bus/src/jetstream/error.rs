//! What goes wrong with NATS, and what whoever runs Baton should do then.

use std::path::PathBuf;

use async_nats::jetstream;
use uuid::Uuid;

/// Why the stream could not be opened, written or read. The texts have no secrets.
#[derive(Debug, thiserror::Error)]
pub enum JetStreamError {
    /// An option can't be used.
    #[error("the NATS option `{option}` can't be used: {why}")]
    Options { option: &'static str, why: String },
    /// A file that an option names can't be read.
    #[error("{} can't be read: check that it is there, that it is readable, and what it should be", file.display())]
    File { file: PathBuf, source: std::io::Error },
    /// No server answers now. It is tried again without end.
    #[error("NATS does not answer at {servers}{why}: check that it runs, can be reached, and knows this user")]
    Away {
        servers: String,
        /// In brackets, if the connection said it.
        why: String,
    },
    /// A request was sent and not answered: what it did is not known.
    #[error("NATS did not answer in time ({doing}): look whether its servers agree on a leader")]
    Unanswered { doing: &'static str },
    /// The server says that this user may not do this.
    #[error("NATS does not permit this user what Baton needs ({doing}): {text}; give the user this permission")]
    Denied { doing: &'static str, text: String },
    /// The servers run without `JetStream`, or it has no leader at the moment.
    #[error(
        "JetStream does not answer: switch it on (`jetstream {{}}` in the servers' configuration) and look whether a majority of them runs"
    )]
    NoJetStream,
    /// Nobody has made the stream yet, or it was deleted.
    #[error("the stream {stream} does not exist: run `baton migrate`, which makes it")]
    NoStream { stream: String },
    /// The stream can only be read through its leader.
    #[error("no server gives messages of the stream {stream} directly: run `baton migrate`, which sets `allow_direct`")]
    NoDirect { stream: String },
    /// The stream can't be written in batches.
    #[error("the stream {stream} takes no atomic batches: run `baton migrate`, which sets `allow_atomic`")]
    NoBatches { stream: String },
    /// The stream has as many bytes as it may.
    #[error("the stream {stream} is full: raise `max_bytes`, or wait until events of seven days ago are deleted")]
    Full { stream: String },
    /// The server can't write several messages at once or not at all.
    #[error(
        "the NATS server is version {version} and has to be {needed} or later: it writes events all together or not at all"
    )]
    TooOld { version: String, needed: &'static str },
    /// The server refused a request for another cause.
    #[error("NATS refused this ({doing}): {error}")]
    Refused { doing: &'static str, error: jetstream::Error },
    /// The stream was deleted and made again: positions in the old one mean nothing any more.
    #[error("the stream of events was made anew; begin again at its start")]
    Rebuilt,
    /// The last message of a service is not one that its relay wrote.
    #[error(
        "the last message of {source_name} in the stream (number {sequence}) does not say where to go on: somebody else publishes on \
         these subjects; prevent that, and run `baton events new-epoch`"
    )]
    NoCursor { source_name: String, sequence: u64 },
    /// An event of another area than the relay's: the relay's fence would not hold for it.
    #[error("the relay of {source_name} has an event of {area}, which is another service's to publish")]
    ForeignArea { source_name: String, area: String },
    /// An event that no server would take.
    #[error("event {id} has {bytes} bytes and the NATS servers take {max}: raise `max_payload` in their configuration")]
    TooLarge { id: Uuid, bytes: usize, max: usize },
    /// An event that can't be written as a message.
    #[error("event {id} can't be published: its {what} can't be written")]
    Unwritable { id: Uuid, what: &'static str },
    /// The stream has a setting that can't be changed.
    #[error("the stream {stream} can't be brought to its settings: {text}")]
    Fixed { stream: String, text: String },
}

impl JetStreamError {
    /// Whether it may pass while the process runs: what failed is tried again.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Away { .. }
                | Self::Unanswered { .. }
                | Self::NoJetStream
                | Self::NoStream { .. }
                | Self::NoDirect { .. }
                | Self::NoBatches { .. }
                | Self::Full { .. }
                | Self::Refused { .. }
        )
    }
}
