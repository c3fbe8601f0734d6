//! The bus as services see it, independent of its implementation.

use futures::stream::BoxStream;
use uuid::Uuid;

use crate::{BusError, Envelope, EventLog, EventMatcher, Logged, Page};

/// Events as they come, without end. After an error the stream may or may not continue: subscribe again from the last
/// position.
pub type EventStream = BoxStream<'static, Result<Logged, BusError>>;

/// Where events are published and read. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Bus {
    /// The log inside `baton up`.
    Embedded(EventLog),
}

impl Bus {
    /// Publishes events in this order and durably. Events that were published before are skipped.
    pub async fn publish(&self, events: &[Envelope]) -> Result<(), BusError> {
        match self {
            Self::Embedded(log) => log.append(events).await,
        }
    }

    /// Events after a position, at most `limit` and [`MAX_PAGE`](crate::MAX_PAGE).
    pub async fn read(&self, after: u64, filter: &EventMatcher, limit: usize) -> Result<Page, BusError> {
        match self {
            Self::Embedded(log) => log.read(after, filter, limit).await,
        }
    }

    /// Events after a position, and then new ones as they come.
    pub fn subscribe(&self, after: u64, filter: EventMatcher) -> EventStream {
        match self {
            Self::Embedded(log) => Box::pin(log.subscribe(after, filter)),
        }
    }

    /// The position of the last event; 0 if there is none yet.
    pub fn last(&self) -> u64 {
        match self {
            Self::Embedded(log) => log.last(),
        }
    }

    /// Distinguishes this stream of events from one that was rebuilt with other positions.
    pub(crate) fn generation(&self) -> Uuid {
        match self {
            Self::Embedded(log) => log.generation(),
        }
    }
}

impl From<EventLog> for Bus {
    fn from(log: EventLog) -> Self {
        Self::Embedded(log)
    }
}
