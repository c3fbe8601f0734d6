//! Deletes what the store keeps only for a while, so that a database does not grow for ever.

use std::time::Duration;

use baton_runtime::clock::{Clock, micros};
use baton_store::{Db, StoreError, inbox, outbox, requests};
use tokio_util::sync::CancellationToken;

const SCAN_INTERVAL: Duration = Duration::from_mins(10);
const DAY: Duration = Duration::from_hours(24);
/// How long published events are kept in the outbox: a lost stream can be rebuilt from them.
const OUTBOX_DAYS: u32 = 30;
/// Longer than the outbox, so that an event that is published again is always recognised. Dead letters go at the same time:
/// a month is enough to look at them, and they have personal data in them.
const INBOX_DAYS: u32 = 31;

/// Deletes what is older than it needs to be, for one database.
#[derive(Debug)]
pub struct Janitor {
    db: Db,
    clock: Clock,
}

impl Janitor {
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Prunes every ten minutes, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut interval = self.clock.interval(SCAN_INTERVAL);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                now_us = interval.tick() => {
                    if let Err(error) = self.prune(now_us).await {
                        tracing::warn!(error = %error, "old rows could not be deleted; trying again later");
                    }
                }
            }
        }
    }

    /// Deletes in small transactions, so that no caller waits long for the writer.
    pub async fn prune(&self, now_us: i64) -> Result<(), StoreError> {
        while requests::prune(&self.db, now_us).await? > 0 {}
        while outbox::prune(&self.db, now_us - micros(DAY * OUTBOX_DAYS)).await? > 0 {}
        while inbox::prune(&self.db, now_us - micros(DAY * INBOX_DAYS)).await? > 0 {}
        Ok(())
    }
}
