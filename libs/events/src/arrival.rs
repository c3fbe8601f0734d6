//! Whether an event is new to whoever keeps the last sequence of each source and subject.

use crate::ReceivedEvent;

/// What an event's sequence says beside the last one that the caller has had of its tenant, source and subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The next one.
    New,
    /// One that the caller has had: leave it out. It was published twice, or the stream was made anew and is read from its beginning.
    Again,
    /// New, and there are others before it that did not come: they were deleted before they were read, or the options leave
    /// out the events that are between ([`FeedOptions::services`](crate::FeedOptions::services) does not).
    AfterGap {
        /// How many; at least 1.
        missing: i64,
    },
}

impl ReceivedEvent {
    /// Compares with the last sequence that the caller has had of the same tenant, source and subject; 0 if it has had none.
    pub fn arrival(&self, last: i64) -> Arrival {
        Arrival::of(self.event.sequence, last)
    }
}

impl Arrival {
    pub(crate) fn of(sequence: i64, last: i64) -> Self {
        match sequence.saturating_sub(last) {
            ..=0 => Self::Again,
            1 => Self::New,
            more => Self::AfterGap { missing: more - 1 },
        }
    }
}
