//! What happens by itself, once an hour: old audio is deleted, deletions that a crash interrupted are finished, and audio
//! that never came is given up.
//!
//! Everything is done in batches with a limit, each recording in a transaction of its own, and through the same code as by
//! hand. What fails is logged and left for the next round.

use std::sync::Arc;
use std::time::Duration;

use baton_runtime::clock::micros;
use baton_store::StoreError;
use object_store::path::Path;
use tokio_util::sync::CancellationToken;

use crate::core::Core;
use crate::ops::delete::{PurgeError, purge};
use crate::settle::{SYSTEM, settle};
use crate::state::Audio;
use crate::store::recordings::{self, Row};
use crate::store::segments::{self, Orphan};

/// How many are looked up together.
const BATCH: i64 = 200;
/// How many batches one round does of each sort; the rest waits for the next.
const MAX_BATCHES: usize = 50;
/// Telephony sends audio until it is stored. What has not come for so long after the turn never will.
const GIVE_UP_AFTER: Duration = Duration::from_hours(24);

/// The background task.
#[derive(Debug)]
pub(crate) struct Sweeper {
    core: Arc<Core>,
    retention_us: i64,
}

impl Sweeper {
    pub(crate) fn new(core: Arc<Core>, retention_us: i64) -> Self {
        Self { core, retention_us }
    }

    /// A round now, and one each `period`, until `stop`.
    pub(crate) async fn run(self, period: Duration, stop: CancellationToken) {
        let mut interval = self.core.clock.interval(period);
        loop {
            {
                let _busy = self.core.clock.busy();
                if let Err(error) = self.round().await {
                    tracing::warn!(error = ?error, "old recordings could not be looked after; trying again next time");
                }
            }
            if stop.run_until_cancelled(interval.tick()).await.is_none() {
                return;
            }
        }
    }

    async fn round(&self) -> Result<(), StoreError> {
        self.expire().await?;
        self.purge_all().await?;
        self.give_up().await?;
        self.remove_orphans().await
    }

    /// Nobody may listen any more to what is older than it may be.
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
                purged += usize::from(report(row, &purge(&self.core, row).await));
            }
            // Those that failed would be found again at once.
            if purged == 0 || purged < rows.len() {
                break;
            }
        }
        Ok(())
    }

    /// Segments that were announced and never sent are lost; the recording says so.
    async fn give_up(&self) -> Result<(), StoreError> {
        let now_us = self.core.clock.now_us();
        let before_us = now_us.saturating_sub(micros(GIVE_UP_AFTER));
        for row in recordings::waiting_since(&self.core.db, before_us, BATCH).await? {
            let mut tx = self.core.db.begin().await?;
            for segment in segments::load(&mut tx, &row.tenant, &row.recording_id).await? {
                if segment.state()?.audio == Audio::Awaited {
                    tracing::error!(segment.id = segment.segment_id, "a segment's audio never came; it is given up");
                    segments::lost(&mut tx, &row.tenant, &segment.segment_id, now_us).await?;
                }
            }
            settle(&mut tx, &row.tenant, &row.recording_id, now_us).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Audio of which no event ever told can't be found by anybody, but must not stay for ever either.
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

/// Whether it worked.
fn report(row: &Row, result: &Result<(), PurgeError>) -> bool {
    if let Err(error) = result {
        tracing::warn!(error = ?error, recording.id = row.recording_id, "old audio could not be removed");
    }
    result.is_ok()
}
