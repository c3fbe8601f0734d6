//! The bus as services see it, independent of its implementation.

use std::time::Duration;

use futures::stream::BoxStream;
use uuid::Uuid;

use crate::cursor::Cursors;
use crate::jetstream::FollowStart;
use crate::log::events_alone;
use crate::{BusError, Envelope, EventLog, EventMatcher, JetStreamBus, Logged, Page, Tailed};

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

/// How far a bus has a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCursor {
    /// Where the source's outbox goes on.
    pub cursor: String,
    /// The last event of the source and when it happened, in microseconds since the Unix epoch; `None` if the bus does not keep it
    /// beside the cursor.
    pub last_event: Option<(Uuid, i64)>,
}

/// Where events are published and read. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Bus {
    /// The log inside `baton up`.
    Embedded(EventLog),
    /// A stream on NATS servers.
    JetStream(JetStreamBus),
}

impl Bus {
    /// Publishes events of a source in this order and durably, and moves the source's cursor: both, or neither. The embedded log skips
    /// events that it has already.
    ///
    /// # Errors
    /// [`BusError::CursorMoved`] if the cursor is not where the caller believes it is: somebody else has published meanwhile. After any
    /// other error it is not known whether the events were published: [`Bus::cursor`] says it.
    pub async fn publish(&self, moved: &CursorMove<'_>, events: &[Envelope]) -> Result<(), BusError> {
        match self {
            Self::Embedded(log) => log.append_from(moved, events).await,
            Self::JetStream(stream) => stream.publish(moved, events).await,
        }
    }

    /// How far a source has been published; `None` if this bus does not know it, or has deleted all of its events for their age.
    pub async fn cursor(&self, source: &str) -> Result<Option<SourceCursor>, BusError> {
        match self {
            Self::Embedded(log) => {
                Ok(log.cursor(source).await?.map(|cursor| SourceCursor { cursor, last_event: None }))
            }
            Self::JetStream(stream) => stream.cursor(source).await,
        }
    }

    /// Events after a position, at most `limit` and [`MAX_PAGE`](crate::MAX_PAGE).
    pub async fn read(&self, after: u64, filter: &EventMatcher, limit: usize) -> Result<Page, BusError> {
        match self {
            Self::Embedded(log) => log.read(after, filter, limit).await,
            Self::JetStream(stream) => stream.read(after, filter, limit).await,
        }
    }

    /// Events after a position, and then new ones as they come. On servers that are away it waits.
    pub fn subscribe(&self, after: u64, filter: EventMatcher) -> EventStream {
        self.subscribe_in(None, after, filter)
    }

    /// The same, for a position that is known to be of this generation.
    pub(crate) fn subscribe_in(&self, generation: Option<Uuid>, after: u64, filter: EventMatcher) -> EventStream {
        match self {
            Self::Embedded(log) => Box::pin(log.subscribe(after, filter)),
            Self::JetStream(stream) => {
                Box::pin(events_alone(stream.follow(FollowStart { generation, after }, filter, None)))
            }
        }
    }

    /// Like [`Bus::subscribe`], with a checkpoint whenever no event came for so long. The position is of this generation.
    pub fn tail(&self, generation: Uuid, after: u64, filter: EventMatcher, checkpoint_every: Duration) -> TailStream {
        match self {
            Self::Embedded(log) => Box::pin(log.tail(after, filter, checkpoint_every)),
            Self::JetStream(stream) => {
                let start = FollowStart { generation: Some(generation), after };
                Box::pin(stream.follow(start, filter, Some(checkpoint_every)))
            }
        }
    }

    /// The last position that the filter's reader may find; 0 if there is none yet.
    pub async fn last(&self, filter: &EventMatcher) -> Result<u64, BusError> {
        match self {
            Self::Embedded(log) => Ok(log.last(filter)),
            Self::JetStream(stream) => stream.last(filter).await,
        }
    }

    /// The position before the first event of a tenant that happened at this time or later.
    pub async fn before(&self, tenant: &str, time_us: i64) -> Result<u64, BusError> {
        match self {
            Self::Embedded(log) => log.before(tenant, time_us).await,
            Self::JetStream(stream) => stream.before(tenant, time_us).await,
        }
    }

    /// Distinguishes this stream of events from one that was rebuilt with other positions, also while the process runs.
    pub async fn generation(&self) -> Result<Uuid, BusError> {
        match self {
            Self::Embedded(log) => Ok(log.generation()),
            Self::JetStream(stream) => stream.generation().await,
        }
    }
}

impl Bus {
    /// Positions of a tenant's events as the tenant sees them.
    pub(crate) fn cursors(&self, generation: Uuid, tenant: &str) -> Cursors {
        match self {
            Self::Embedded(_) => Cursors::new(generation, tenant),
            Self::JetStream(_) => Cursors::sealed(generation, tenant),
        }
    }
}

impl From<EventLog> for Bus {
    fn from(log: EventLog) -> Self {
        Self::Embedded(log)
    }
}

impl From<JetStreamBus> for Bus {
    fn from(stream: JetStreamBus) -> Self {
        Self::JetStream(stream)
    }
}
