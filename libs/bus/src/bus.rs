//! The bus as services see it, independent of its implementation.

use std::time::Duration;

use futures::stream::BoxStream;
use uuid::Uuid;

use crate::{BusError, Envelope, EventLog, EventMatcher, Logged, Page, Tailed};

/// Events as they come, without end. After an error the stream may or may not continue: subscribe again from the last
/// position.
pub type EventStream = BoxStream<'static, Result<Logged, BusError>>;
/// The same, and a checkpoint after each silence of some length.
pub type TailStream = BoxStream<'static, Result<Tailed, BusError>>;

/// From where to where the cursor of a source moves: a service's outbox, of which the bus has a copy.
#[derive(Debug, Clone, Copy)]
pub struct CursorMove<'a> {
    /// The service's name.
    pub source: &'a str,
    /// `None`: the bus does not know the source yet.
    pub from: Option<&'a str>,
    pub to: &'a str,
}

/// Where events are published and read. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Bus {
    /// The log inside `baton up`.
    Embedded(EventLog),
}

impl Bus {
    /// Publishes events of a source in this order and durably, and moves the source's cursor: both, or neither. Events that were published
    /// before are skipped.
    ///
    /// # Errors
    /// [`BusError::CursorMoved`] if the cursor is not where the caller believes it is: somebody else has published meanwhile.
    pub async fn publish(&self, moved: &CursorMove<'_>, events: &[Envelope]) -> Result<(), BusError> {
        match self {
            Self::Embedded(log) => log.append_from(moved, events).await,
        }
    }

    /// How far a source has been published; `None` if this bus does not know it.
    pub async fn cursor(&self, source: &str) -> Result<Option<String>, BusError> {
        match self {
            Self::Embedded(log) => log.cursor(source).await,
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

    /// Like [`Bus::subscribe`], with a checkpoint whenever no event came for so long.
    pub fn tail(&self, after: u64, filter: EventMatcher, checkpoint_every: Duration) -> TailStream {
        match self {
            Self::Embedded(log) => Box::pin(log.tail(after, filter, checkpoint_every)),
        }
    }

    /// The last position that the filter's reader may find; 0 if there is none yet.
    pub fn last(&self, filter: &EventMatcher) -> u64 {
        match self {
            Self::Embedded(log) => log.last(filter),
        }
    }

    /// The position before the first event of a tenant that happened at this time or later.
    pub async fn before(&self, tenant: &str, time_us: i64) -> Result<u64, BusError> {
        match self {
            Self::Embedded(log) => log.before(tenant, time_us).await,
        }
    }

    /// Distinguishes this stream of events from one that was rebuilt with other positions.
    pub fn generation(&self) -> Uuid {
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
