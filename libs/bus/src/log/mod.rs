//! The embedded event log: it does for `baton up` what NATS `JetStream` does for a distributed Baton.
//!
//! One `SQLite` file, one table. Positions are 1, 2, 3… without holes, handed out in the appending transaction: one in the
//! whole log, for Baton's own consumers, and one among the events of its tenant, which is all that a tenant may learn. Which of
//! the two a reader means, its filter says: one that names a tenant reads that tenant's positions. There is one writer, so they become visible in their order and a reader that has seen position n has seen all before it. A reader
//! at the end does not poll: it waits on the watched [`Watermarks`], which the appender advances after its commit. An event
//! is known by its id, so appending it again does nothing.

mod rows;
mod tail;
mod watermarks;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use baton_runtime::clock::{Clock, micros};
use baton_runtime::ids::new_uuid;
use baton_runtime::lifecycle::Lifecycle;
use baton_store::outbox::OutboxCursor;
use baton_store::{Db, Migrations, StoreError, change};
use futures::Stream;
use sqlx::migrate::Migrator;
use tokio::sync::watch;
use uuid::Uuid;

pub use self::tail::Tailed;
pub(crate) use self::tail::{events_alone, silence};
use self::watermarks::Watermarks;
use crate::{BusError, CursorMove, Envelope, EventMatcher, Logged};

/// The log is a file, wherever the services' databases are.
static MIGRATIONS: Migrations = Migrations { sqlite: sqlx::migrate!("migrations/sqlite"), postgres: Migrator::DEFAULT };

/// The most events in one page.
pub const MAX_PAGE: usize = 1_000;
/// How long events can be replayed. After that only the services' own databases know of them.
const RETENTION: Duration = Duration::from_hours(7 * 24);
/// How often old events are looked for: keeping them a few minutes longer than seven days does no harm.
const RETENTION_SCAN_INTERVAL: Duration = Duration::from_mins(10);

/// The log. Cheap to clone; all clones are the same log. A file belongs to one process at a time.
#[derive(Debug, Clone)]
pub struct EventLog {
    db: Db,
    clock: Clock,
    watermarks: Arc<watch::Sender<Watermarks>>,
    generation: Uuid,
}

/// Some events, and how far the log was searched for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In log order.
    pub events: Vec<Logged>,
    /// The next page begins after this position: up to here no other event matches the filter.
    pub searched_to: u64,
}

impl EventLog {
    /// Opens the log's file, or makes it.
    pub async fn open(file: impl AsRef<Path>, clock: Clock) -> Result<Self, BusError> {
        let db = Db::open(file).await?;
        db.migrate(&MIGRATIONS).await?;
        let head = rows::head(&db, new_uuid()).await?;
        let generation = head.generation;
        let watermarks = Arc::new(watch::Sender::new(Watermarks::new(head.last as u64, rows::tenants(&db).await?)));
        Ok(Self { db, clock, watermarks, generation })
    }

    /// Appends events in this order, durably. Events that are in the log already are skipped.
    pub async fn append(&self, events: &[Envelope]) -> Result<(), BusError> {
        if events.is_empty() {
            return Ok(());
        }
        let appended = self.db.change(change!(|tx| { rows::append(tx, events, self.clock.now_us()).await })).await?;
        self.watermarks.send_modify(|watermarks| watermarks.advance(appended));
        Ok(())
    }

    /// Appends events of a source and moves its cursor: both, or neither.
    pub(crate) async fn append_from(&self, moved: &CursorMove<'_>, events: &[Envelope]) -> Result<(), BusError> {
        let appended = self.db.change(change!(|tx| {
            rows::move_cursor(tx, moved).await?;
            rows::append(tx, events, self.clock.now_us()).await
        }));
        let appended = appended.await?;
        self.watermarks.send_modify(|watermarks| watermarks.advance(appended));
        Ok(())
    }

    /// How far a source is in the log.
    pub(crate) async fn cursor(&self, source: &str) -> Result<Option<String>, BusError> {
        rows::cursor(&self.db, source).await
    }

    /// Has a source's relay begin again with all that the source's database keeps. What is in the log already stays there once.
    ///
    /// # Errors
    /// The log's database fails.
    pub async fn republish(&self, source: &str) -> Result<(), BusError> {
        rows::set_cursor(&self.db, source, &OutboxCursor::default().to_string()).await
    }

    /// Events after a position, at most `limit` and [`MAX_PAGE`].
    pub async fn read(&self, after: u64, filter: &EventMatcher, limit: usize) -> Result<Page, BusError> {
        // A later event may not be durable yet: after a power cut another event could have its position.
        let last = self.last(filter);
        let limit = limit.clamp(1, MAX_PAGE);
        let events = rows::read(&self.db, after..last, filter, limit).await?;
        let found = events.last().map_or(after, |event| event.position);
        let searched_to = if events.len() < limit { found.max(last) } else { found };
        Ok(Page { events, searched_to })
    }

    /// Events after a position, and then new ones as they come. A slow reader slows nothing else: the log is its buffer.
    pub fn subscribe(&self, after: u64, filter: EventMatcher) -> impl Stream<Item = Result<Logged, BusError>> + use<> {
        events_alone(tail::stream(self.clone(), after, filter, None))
    }

    /// The same, with a checkpoint whenever no event came for so long.
    pub fn tail(
        &self,
        after: u64,
        filter: EventMatcher,
        checkpoint_every: Duration,
    ) -> impl Stream<Item = Result<Tailed, BusError>> + use<> {
        tail::stream(self.clone(), after, filter, Some(checkpoint_every))
    }

    /// The last position that the filter's reader may find; 0 if there is none yet.
    pub fn last(&self, filter: &EventMatcher) -> u64 {
        self.watermarks.borrow().last_for(filter)
    }

    /// The position before the first event of a tenant that happened at this time or later; the last one if there is none.
    pub async fn before(&self, tenant: &str, time_us: i64) -> Result<u64, BusError> {
        let last = self.last(&EventMatcher::all().of_tenant(tenant));
        let first = rows::first_since(&self.db, tenant, time_us).await?;
        Ok(first.map_or(last, |first| last.min(first.saturating_sub(1))))
    }

    /// Resolves, with the cause, when the log's disk has failed: see [`Db::failed`].
    pub fn failed(&self) -> impl Future<Output = StoreError> + Send + use<> {
        self.db.failed()
    }

    /// Deletes events that were appended more than seven days ago, for as long as the process runs.
    pub fn keep_retention(&self, lifecycle: &Lifecycle) {
        let log = self.clone();
        lifecycle.every("event log retention", (&self.clock, RETENTION_SCAN_INTERVAL), move |now_us| {
            let log = log.clone();
            async move {
                let now_us = log.db.trusted_us(now_us).await?;
                log.prune(now_us - micros(RETENTION)).await?;
                Ok::<_, BusError>(log.db.give_back().await?)
            }
        });
    }

    /// Deletes events that were appended before then. Positions are not reused.
    pub async fn prune(&self, before_us: i64) -> Result<u64, BusError> {
        let mut deleted = 0;
        loop {
            let batch = rows::prune(&self.db, before_us).await?;
            deleted += batch;
            if batch < rows::PRUNE_BATCH {
                return Ok(deleted);
            }
        }
    }

    /// A random id of this log: another log, even if it is rebuilt from the same outboxes, numbers events differently.
    pub(crate) fn generation(&self) -> Uuid {
        self.generation
    }

    fn changes(&self) -> watch::Receiver<Watermarks> {
        self.watermarks.subscribe()
    }
}
