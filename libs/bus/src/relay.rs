//! From a service's outbox to the bus: once, in order, at once.
//!
//! The bus keeps how far it has the outbox, and moves that cursor in the same write as the events. So a relay that dies at any moment,
//! or does not hear that it has succeeded, asks the bus where to go on; and of two relays one moves the cursor, and the other one looks
//! again. A bus that knows nothing of the outbox gets all that the outbox still has: it was lost, and is built again. Commits wake the
//! relay; a slow scan finds what another process wrote. If the bus does not answer, rows wait in the outbox, and no caller waits.

use std::time::Duration;

use baton_runtime::client::Backoff;
use baton_runtime::clock::Clock;
use baton_store::Db;
use baton_store::outbox::{self, OutboxCursor, PublishedCopy};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{Bus, BusError, CursorMove, Envelope, EventMatcher, log_line};

/// How many events are published together: one commit of the log instead of five hundred.
const BATCH: usize = 500;
/// For rows of which no commit of this process has woken the relay.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);

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
            // While the bus is away, commits must not turn the wait into a busy loop.
            let (wait, is_well) = match self.publish_all().await {
                Ok(()) => {
                    failures = 0;
                    (SCAN_INTERVAL, true)
                }
                Err(error) => {
                    tracing::warn!(error = %error, "events could not be published; they wait in the outbox");
                    failures += 1;
                    (Backoff::default().pause(failures), false)
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                changed = commits.changed(), if is_well => if changed.is_err() { break },
                () = self.clock.sleep(wait) => {}
            }
        }
        if let Err(error) = self.publish_all().await {
            tracing::warn!(error = %error, "events wait in the outbox for the next start");
        }
    }

    /// Publishes everything that is committed now.
    pub async fn publish_all(&self) -> Result<(), BusError> {
        let _busy = self.clock.busy();
        // A batch that is not full is the last: a later commit wakes the relay again.
        while self.publish_batch().await? == BATCH {}
        Ok(())
    }

    async fn publish_batch(&self) -> Result<usize, BusError> {
        let known = self.progress.lock().take();
        let progress = match known {
            Some(progress) => progress,
            None => self.find_progress().await?,
        };
        let (rows, next) = outbox::after(&self.db, &progress.cursor, BATCH).await?;
        if rows.is_empty() {
            *self.progress.lock() = Some(progress);
            return Ok(0);
        }
        let events: Vec<_> = rows.into_iter().map(Envelope::from).collect();
        let (from, to) = (progress.is_in_bus.then(|| progress.cursor.to_string()), next.to_string());
        let moved = CursorMove { source: self.source, from: from.as_deref(), to: &to };
        // After an error it is not known where the cursor is.
        self.bus.publish(&moved, &events).await?;
        *self.progress.lock() = Some(RelayProgress { cursor: next, is_in_bus: true });
        events.iter().for_each(log_line::write);
        Ok(events.len())
    }

    async fn find_progress(&self) -> Result<RelayProgress, BusError> {
        if let Some(cursor) = cursor_of(&self.bus, self.source).await? {
            return Ok(RelayProgress { cursor, is_in_bus: true });
        }
        let copy = outbox::published(&self.db).await?.filter(|copy| match copy.generation.as_str() {
            // Whoever wrote it had no cursors yet: it is of this bus, if that has anything at all.
            "" => self.bus.last(&EventMatcher::all()) > 0,
            generation => generation == self.bus.generation().to_string(),
        });
        Ok(RelayProgress { cursor: copy.map(|it| it.cursor).unwrap_or_default(), is_in_bus: false })
    }
}

/// Keeps a copy of how far the bus has a database's outbox, and says how far that is.
///
/// # Errors
/// The bus or the database does not answer.
pub async fn copy_cursor(source: &'static str, db: &Db, bus: &Bus) -> Result<OutboxCursor, BusError> {
    let Some(cursor) = cursor_of(bus, source).await? else { return Ok(OutboxCursor::default()) };
    let copy = PublishedCopy { generation: bus.generation().to_string(), cursor };
    outbox::keep_published(db, &copy).await?;
    Ok(copy.cursor)
}

/// How far the bus has the outbox of a service; `None` if it does not know the service.
async fn cursor_of(bus: &Bus, source: &'static str) -> Result<Option<OutboxCursor>, BusError> {
    let Some(text) = bus.cursor(source).await? else { return Ok(None) };
    let cursor = text.parse().map_err(|_| BusError::BadCursor { source_name: source, cursor: text })?;
    Ok(Some(cursor))
}
