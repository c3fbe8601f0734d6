//! From a service's outbox to the bus: once, in order, and at once, or some milliseconds later where many come.
//!
//! The bus keeps how far it has the outbox, and moves that cursor in the same write as the events. So a relay that dies at any moment,
//! or does not hear that it has succeeded, asks the bus where to go on; and of two relays one moves the cursor, and the other one looks
//! again. A bus that knows nothing of the outbox gets all that the outbox still has: it was lost, and is built again. Commits wake the
//! relay; a slow scan finds what another process wrote. If the bus does not answer, rows wait in the outbox, and no caller waits.

use std::time::Duration;

use baton_runtime::client::Backoff;
use baton_runtime::clock::{Clock, micros};
use baton_store::Db;
use baton_store::outbox::{self, OutboxCursor, OutboxRow, PublishedCopy};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{Bus, BusError, CursorMove, Envelope, EventMatcher, SourceCursor, log_line};

/// How many events are published together: one commit of the log instead of five hundred.
const BATCH: usize = 500;
/// The shortest time from one publication to the next: what comes meanwhile goes together. Each of them is a commit of the bus and a sync of its disk.
const PACE: Duration = Duration::from_millis(10);
/// For rows of which no commit of this process has woken the relay.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);
/// How often another relay may have been first before it is worth a line.
const PATIENCE: u32 = 5;
/// How many bytes of payload are published together, roughly: they are one write on each server.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// An event of this age below the limit of deletion may be deleted already: clocks differ, and the deletion takes its time.
const CLOCKS_DIFFER: Duration = Duration::from_hours(24);

/// Publishes the outbox of one database; run one per database.
#[derive(Debug)]
pub struct Relay {
    source: &'static str,
    db: Db,
    bus: Bus,
    clock: Clock,
    /// Where to go on, as far as this relay knows.
    progress: Mutex<Option<RelayProgress>>,
}

#[derive(Debug, Clone)]
struct RelayProgress {
    cursor: OutboxCursor,
    /// Whether the bus has it; otherwise the bus does not know the source yet.
    is_in_bus: bool,
}

impl Relay {
    /// `source` is the service's name.
    pub fn new(source: &'static str, db: Db, bus: impl Into<Bus>, clock: Clock) -> Self {
        Self { source, db, bus: bus.into(), clock, progress: Mutex::default() }
    }

    /// Publishes until `shutdown`, then once more for what was committed until then.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut commits = self.db.outbox_commits();
        let mut failures = 0;
        loop {
            commits.mark_unchanged();
            let next_us = self.clock.now_us() + micros(PACE);
            // While the bus is away, commits must not turn the wait into a busy loop.
            let (wait, is_well) = match self.publish_all().await {
                Ok(()) => {
                    if failures > 0 {
                        tracing::info!(source = self.source, failures, "events are published again");
                    }
                    failures = 0;
                    (SCAN_INTERVAL, true)
                }
                Err(error) => {
                    self.note_failure(&error, failures);
                    failures += 1;
                    (Backoff::default().pause(failures), false)
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                changed = commits.changed(), if is_well => if changed.is_err() { break },
                () = self.clock.sleep(wait) => {}
            }
            // Simulated time may stand still.
            if !self.clock.is_simulated()
                && shutdown.run_until_cancelled(self.clock.sleep_until(next_us)).await.is_none()
            {
                break;
            }
        }
        if let Err(error) = self.publish_all().await {
            tracing::warn!(error = %error, "events wait in the outbox for the next start");
        }
    }

    /// The first of a series is worth a line; that it goes on is not.
    fn note_failure(&self, error: &BusError, failures: u32) {
        match error {
            BusError::OldDatabase { .. } | BusError::ForeignDatabase { .. } if failures == 0 => {
                tracing::error!(source = self.source, error = %error, "events are not published");
            }
            // Another relay has done it, if it does not go on.
            BusError::CursorMoved if failures < PATIENCE => {}
            error if failures == 0 || matches!(error, BusError::CursorMoved) && failures == PATIENCE => {
                tracing::warn!(source = self.source, error = %error, "events could not be published; they wait in the outbox");
            }
            error => tracing::debug!(source = self.source, error = %error, failures, "events could not be published"),
        }
    }

    /// Publishes everything that is committed now.
    pub async fn publish_all(&self) -> Result<(), BusError> {
        let _busy = self.clock.busy();
        while self.publish_batch().await? {}
        Ok(())
    }

    /// Returns whether there may be more: a batch that is not full is the last, and a later commit wakes the relay again.
    async fn publish_batch(&self) -> Result<bool, BusError> {
        let known = self.progress.lock().take();
        let progress = match known {
            Some(progress) => progress,
            None => self.find_progress().await?,
        };
        let (rows, next, limit) = self.next_rows(&progress.cursor).await?;
        if rows.is_empty() {
            *self.progress.lock() = Some(progress);
            return Ok(false);
        }
        let is_full = rows.len() == limit;
        let events: Vec<_> = rows.into_iter().map(Envelope::from).collect();
        let (from, to) = (progress.is_in_bus.then(|| progress.cursor.to_string()), next.to_string());
        let moved = CursorMove { source: self.source, from: from.as_deref(), to: &to };
        // After an error it is not known where the cursor is.
        self.bus.publish(&moved, &events).await?;
        *self.progress.lock() = Some(RelayProgress { cursor: next, is_in_bus: true });
        events.iter().for_each(log_line::write);
        Ok(is_full)
    }

    /// The rows after a cursor that are published together, the cursor after them, and how many they are at most.
    async fn next_rows(&self, cursor: &OutboxCursor) -> Result<(Vec<OutboxRow>, OutboxCursor, usize), BusError> {
        let (rows, next) = outbox::after(&self.db, cursor, BATCH).await?;
        let fitting = fitting(&rows);
        if fitting == rows.len() {
            return Ok((rows, next, BATCH));
        }
        // A cursor is always that of the last row that was read.
        let (rows, next) = outbox::after(&self.db, cursor, fitting).await?;
        Ok((rows, next, fitting))
    }

    /// Where a relay that starts now would go on: all that comes after it is not on the bus.
    ///
    /// # Errors
    /// Why it would publish nothing, such as [`BusError::OldDatabase`].
    pub async fn look(&self) -> Result<OutboxCursor, BusError> {
        Ok(self.find_progress().await?.cursor)
    }

    async fn find_progress(&self) -> Result<RelayProgress, BusError> {
        let copy = outbox::published(&self.db).await?;
        if let Some(found) = self.bus.cursor(self.source).await? {
            let cursor = parsed(self.source, &found.cursor)?;
            self.check_database(&found, &cursor).await?;
            self.warn_of_loss(&cursor, copy).await?;
            return Ok(RelayProgress { cursor, is_in_bus: true });
        }
        let cursor = match copy {
            // Whoever wrote it had no cursors yet: it is of this bus, if that has anything at all.
            Some(copy) if copy.generation.is_empty() => {
                (self.bus.last(&EventMatcher::all()).await? > 0).then_some(copy.cursor)
            }
            Some(copy) => {
                let is_of_both = copy.generation == self.bus.generation().await?.to_string()
                    && outbox::is_own(&self.db, &copy.cursor).await?;
                is_of_both.then_some(copy.cursor)
            }
            None => None,
        };
        Ok(RelayProgress { cursor: cursor.unwrap_or_default(), is_in_bus: false })
    }

    /// What the bus had last is in the database, unless it is so old that it was deleted; or else the database was restored from a
    /// copy, and is about to give the numbers of known events to others.
    async fn check_database(&self, found: &SourceCursor, cursor: &OutboxCursor) -> Result<(), BusError> {
        let kept_from_us = self.clock.now_us() - micros(outbox::KEPT) + micros(CLOCKS_DIFFER);
        if let Some((event_id, time_us)) = found.last_event
            && time_us >= kept_from_us
            && !outbox::contains(&self.db, event_id).await?
        {
            return Err(BusError::OldDatabase { source_name: self.source, event_id });
        }
        if !outbox::is_own(&self.db, cursor).await? {
            return Err(BusError::ForeignDatabase { source_name: self.source });
        }
        Ok(())
    }

    /// A bus that has less than it had is completed by itself, and its operator should hear of it.
    async fn warn_of_loss(&self, cursor: &OutboxCursor, copy: Option<PublishedCopy>) -> Result<(), BusError> {
        let Some(copy) = copy.filter(|copy| cursor.is_before(&copy.cursor)) else { return Ok(()) };
        if copy.generation == self.bus.generation().await?.to_string() {
            tracing::warn!(source = self.source, stream = %cursor, database = %copy.cursor,
                "the stream has lost events that it had acknowledged; they are published again");
        }
        Ok(())
    }
}

/// How many of the rows are published together, at least one.
fn fitting(rows: &[OutboxRow]) -> usize {
    let mut bytes = 0;
    let fits = |row: &&OutboxRow| {
        bytes += row.payload.len();
        bytes <= BATCH_BYTES
    };
    rows.iter().take_while(fits).count().max(rows.len().min(1))
}

/// Keeps a copy of how far the bus has a database's outbox, and says how far that is.
///
/// # Errors
/// The bus or the database does not answer.
pub async fn copy_cursor(source: &'static str, db: &Db, bus: &Bus) -> Result<OutboxCursor, BusError> {
    let generation = bus.generation().await?.to_string();
    let Some(found) = bus.cursor(source).await? else { return Ok(OutboxCursor::default()) };
    let copy = PublishedCopy { generation, cursor: parsed(source, &found.cursor)? };
    outbox::keep_published(db, &copy).await?;
    Ok(copy.cursor)
}

fn parsed(source: &'static str, text: &str) -> Result<OutboxCursor, BusError> {
    text.parse().map_err(|_| BusError::BadCursor { source_name: source, cursor: text.to_owned() })
}
