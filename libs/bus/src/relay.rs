//! From a service's outbox to the bus: at least once, in order, at once.
//!
//! Unpublished rows are published in the order of writing and marked after the bus has them. A relay that dies between the
//! two publishes again, and the bus recognises the events by their ids. Commits wake the relay; a slow scan finds rows that a
//! former process left. If the bus does not answer, rows wait in the outbox, and no caller waits.

use std::time::Duration;

use baton_runtime::client::Backoff;
use baton_runtime::clock::Clock;
use baton_store::{Db, outbox};
use tokio_util::sync::CancellationToken;

use crate::{Bus, BusError, Envelope, log_line};

/// How many events are published together: one commit of the log instead of five hundred.
const BATCH: usize = 500;
/// For rows of which no commit of this process has woken the relay.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);

/// Publishes the outbox of one database; run one per database.
#[derive(Debug)]
pub struct Relay {
    db: Db,
    bus: Bus,
    clock: Clock,
}

impl Relay {
    pub fn new(db: Db, bus: impl Into<Bus>, clock: Clock) -> Self {
        Self { db, bus: bus.into(), clock }
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
        let rows = outbox::unpublished(&self.db, BATCH).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let events: Vec<_> = rows.into_iter().map(Envelope::from).collect();
        self.bus.publish(&events).await?;
        outbox::mark_published(&self.db, &ids, self.clock.now_us()).await?;
        events.iter().for_each(log_line::write);
        Ok(ids.len())
    }
}
