//! Periodic cleaning, by default once an hour: old audio is deleted, deletions that a crash interrupted are finished, and
//! audio that never came is given up.
//!
//! It works in limited batches, each recording in a transaction of its own, and with the same code as a deletion by hand.
//! Failures are logged and left for the next round.

use std::sync::Arc;
use std::time::Duration;

use baton_runtime::clock::micros;
use baton_store::StoreError;
use object_store::path::Path;

use crate::core::RecordingCore;
use crate::ops::delete::{PurgeError, purge};
use crate::settle::{SYSTEM, settle};
use crate::state::AudioState;
use crate::store::recordings::{self, Row};
use crate::store::segments::{self, Orphan};

/// Rows read by one query.
const BATCH: i64 = 200;
/// Batches of each kind in one round; the rest waits for the next round.
const MAX_BATCHES: usize = 50;
/// Telephony sends audio until it is stored. Audio that has not come for this long after the tenure never will.
const GIVE_UP_AFTER: Duration = Duration::from_hours(24);

/// Starts it, for as long as the service runs: a round now, and one each `period`.
pub(crate) fn start(core: &Arc<RecordingCore>, retention_us: i64, period: Duration) {
    let sweeper = Arc::new(Sweeper { core: Arc::clone(core), retention_us });
    core.lifecycle.every("recording retention", (&core.clock, period), move |_| {
        let sweeper = Arc::clone(&sweeper);
        async move { sweeper.round().await }
    });
}

#[derive(Debug)]
struct Sweeper {
    core: Arc<RecordingCore>,
    retention_us: i64,
}

impl Sweeper {
    async fn round(&self) -> Result<(), StoreError> {
        self.expire().await?;
        self.purge_all().await?;
        self.give_up().await?;
        self.remove_orphans().await
    }

    /// Marks expired recordings as deleted.
    async fn expire(&self) -> Result<(), StoreError> {
        for _ in 0..MAX_BATCHES {
            let now_us = self.core.clock.now_us();
            let rows = recordings::expired(&self.core.db, now_us, BATCH).await?;
            for row in &rows {
                let mut tx = self.core.db.begin().await?;
                recordings::mark_deleted(&mut tx, &row.tenant, &row.recording_id, SYSTEM, now_us).await?;
                tx.commit().await?;
            }
            if rows.is_empty() {
                break;
            }
        }
        Ok(())
    }

    async fn purge_all(&self) -> Result<(), StoreError> {
        for _ in 0..MAX_BATCHES {
            let rows = recordings::unpurged(&self.core.db, BATCH).await?;
            let mut purged = 0;
            for row in &rows {
                purged += usize::from(log_failure(row, &purge(&self.core, row).await));
            }
            // The query would return the failed ones again at once.
            if purged == 0 || purged < rows.len() {
                break;
            }
        }
        Ok(())
    }

    /// Marks segments that were announced and never sent as lost, and gives up waiting for the recording's end.
    async fn give_up(&self) -> Result<(), StoreError> {
        let now_us = self.core.clock.now_us();
        let before_us = now_us.saturating_sub(micros(GIVE_UP_AFTER));
        for row in recordings::waiting_since(&self.core.db, before_us, BATCH).await? {
            let mut tx = self.core.db.begin().await?;
            for segment in segments::load(&mut tx, &row.tenant, &row.recording_id).await? {
                if segment.state()?.audio == AudioState::Awaited {
                    tracing::error!(segment.id = segment.segment_id, "a segment's audio never came; it is given up");
                    segments::lost(&mut tx, &row.tenant, &segment.segment_id, now_us).await?;
                }
            }
            let end_us = row.end_us.unwrap_or(now_us);
            recordings::end(&mut tx, &row.tenant, &row.recording_id, end_us, row.expire_us).await?;
            settle(&mut tx, &row.tenant, &row.recording_id, now_us).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Deletes old audio of which no event has come: it belongs to no recording, so no caller can find or delete it.
    async fn remove_orphans(&self) -> Result<(), StoreError> {
        let before_us = self.core.clock.now_us().saturating_sub(self.retention_us);
        for orphan in segments::orphans(&self.core.db, before_us, BATCH).await? {
            self.remove_orphan(&orphan).await?;
        }
        Ok(())
    }

    async fn remove_orphan(&self, orphan: &Orphan) -> Result<(), StoreError> {
        if let Err(error) = self.core.files.delete(&Path::from(orphan.location.as_str())).await {
            tracing::warn!(error = ?error, segment.id = orphan.segment_id, "old audio could not be removed");
            return Ok(());
        }
        let mut tx = self.core.db.begin().await?;
        segments::deleted(&mut tx, &orphan.tenant, &orphan.segment_id).await?;
        tx.commit().await
    }
}

/// Logs a failure; returns whether it succeeded.
fn log_failure(row: &Row, result: &Result<(), PurgeError>) -> bool {
    if let Err(error) = result {
        tracing::warn!(error = ?error, recording.id = row.recording_id, "old audio could not be removed");
    }
    result.is_ok()
}
