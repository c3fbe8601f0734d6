//! The embedded event log: what NATS `JetStream` is to a distributed Baton, this is to `baton up`.
//!
//! One `SQLite` file, one table. Positions are 1, 2, 3… without holes, handed out in the appending transaction; there is one
//! writer, so they become visible in their order and a reader that has seen position n has seen all before it. A reader
//! that is at the end waits on a watched number, the last position, which the appender moves after its commit: nobody
//! polls. An event is known by its id, so appending it again does nothing.

mod head;
mod rows;
mod tail;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use baton_runtime::clock::{Clock, micros};
use baton_runtime::ids::new_uuid;
use baton_store::{Db, StoreError};
use futures::Stream;
use sqlx::migrate::Migrator;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::head::Head;
use crate::{BusError, Envelope, Filter, Logged};

static MIGRATOR: Migrator = sqlx::migrate!();

/// The most events in one page.
pub const MAX_PAGE: usize = 1_000;
/// How long events can be replayed. Longer ago, only what the services' own databases keep.
const RETENTION: Duration = Duration::from_hours(7 * 24);
/// How often old events are looked for: a few minutes more than seven days hurt nobody.
const RETENTION_EVERY: Duration = Duration::from_mins(10);

/// The log. Cheap to clone; all clones are the same log. A file belongs to one process at a time.
#[derive(Debug, Clone)]
pub struct EventLog {
    db: Db,
    clock: Clock,
    head: Arc<watch::Sender<Head>>,
    generation: Uuid,
}

/// Some events, and how far the log was searched for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In the order of the log.
    pub events: Vec<Logged>,
    /// Go on after this: no event up to here fits the filter but those given.
    pub searched_to: u64,
}

impl EventLog {
    /// Opens the log's file, or makes it.
    pub async fn open(file: impl AsRef<Path>, clock: Clock) -> Result<Self, BusError> {
        let db = Db::open(file).await?;
        db.migrate(&MIGRATOR).await?;
        let head = rows::head(&db, new_uuid()).await?;
        let generation = head.generation;
        let head = Arc::new(watch::Sender::new(Head::new(head.last as u64)));
        Ok(Self { db, clock, head, generation })
    }

    /// Appends events in this order, durably. Those that are in the log already are skipped; none is given twice.
    pub async fn append(&self, events: &[Envelope]) -> Result<(), BusError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        let last = rows::append(&mut tx, events, self.clock.now_us()).await?;
        tx.commit().await?;
        self.head.send_modify(|head| head.advance(last, events));
        Ok(())
    }

    /// Events after a position, at most `limit` and [`MAX_PAGE`].
    pub async fn read(&self, after: u64, filter: &Filter, limit: usize) -> Result<Page, BusError> {
        // What lies behind it may not be durable yet: after a power cut other events could have its positions.
        let last = self.last();
        let limit = limit.clamp(1, MAX_PAGE);
        let events = rows::read(&self.db, after..last, filter, limit).await?;
        let found = events.last().map_or(after, |event| event.position);
        let searched_to = if events.len() < limit { found.max(last) } else { found };
        Ok(Page { events, searched_to })
    }

    /// Events after a position, and then those that come. Slow readers slow nobody: the log is their buffer.
    pub fn subscribe(&self, after: u64, filter: Filter) -> impl Stream<Item = Result<Logged, BusError>> + use<> {
        tail::stream(self.clone(), after, filter)
    }

    /// The position of the last event; 0 if there is none yet.
    pub fn last(&self) -> u64 {
        self.head.borrow().last()
    }

    /// Resolves, with the cause, when the log's disk has failed: see [`Db::failed`].
    pub fn failed(&self) -> impl Future<Output = StoreError> + Send + use<> {
        self.db.failed()
    }

    /// Deletes events that were appended more than seven days ago, until `shutdown`.
    pub async fn run_retention(self, shutdown: CancellationToken) {
        let mut interval = self.clock.interval(RETENTION_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                now_us = interval.tick() => {
                    if let Err(error) = self.prune(now_us - micros(RETENTION)).await {
                        tracing::warn!(error = %error, "old events could not be deleted; trying again later");
                    }
                }
            }
        }
    }

    /// Deletes events that were appended before then. Positions go on from where they are.
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

    /// Made up with the log: another one, though rebuilt from the same outboxes, numbers events differently.
    pub(crate) fn generation(&self) -> Uuid {
        self.generation
    }

    fn changes(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }
}
