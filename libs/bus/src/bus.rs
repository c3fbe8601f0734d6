//! The bus as services see it, whichever it is.

use futures::stream::BoxStream;
use uuid::Uuid;

use crate::{BusError, Envelope, EventLog, Filter, Logged, Page};

/// Events as they come, without end. After an error it may go on or be over: subscribe again from the last position.
pub type EventStream = BoxStream<'static, Result<Logged, BusError>>;

/// Where events are published and read. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Bus {
    /// The log inside `baton up`.
    Embedded(EventLog),
}

impl Bus {
    /// Publishes events in this order. Those that are there already are left alone; when it returns, all are durable.
    pub async fn publish(&self, events: &[Envelope]) -> Result<(), BusError> {
        match self {
            Self::Embedded(log) => log.append(events).await,
        }
    }

    /// Events after a position, at most `limit` and [`MAX_PAGE`](crate::MAX_PAGE).
    pub async fn read(&self, after: u64, filter: &Filter, limit: usize) -> Result<Page, BusError> {
        match self {
            Self::Embedded(log) => log.read(after, filter, limit).await,
        }
    }

    /// Events after a position, and then those that come.
    pub fn subscribe(&self, after: u64, filter: Filter) -> EventStream {
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

    /// Tells this stream of events from one that was rebuilt and numbers them anew: positions are good for one of them.
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
