//! Periodic cleaning, by default once an hour: old audio and messages are deleted, deletions that a crash interrupted are finished, audio that
//! never came is given up, and what is known of recordings goes with the calls that they are of.
//!
//! It works in limited batches, each recording in a transaction of its own, and with the same code as a deletion by hand.
//! Failures are logged and left for the next round.

use std::sync::Arc;
use std::time::Duration;

use baton_runtime::clock::micros;
use baton_store::{StoreError, change};
use object_store::path::Path;

use crate::core::RecordingCore;
use crate::ops::delete::PurgeError;
use crate::ops::{delete, delete_message};
use crate::settle::{SYSTEM, settle};
use crate::state::AudioState;
use crate::store::recordings::{self, Row};
use crate::store::segments::{self, Orphan};
use crate::store::{messages, old};

/// Rows read by one query.
const BATCH: i64 = 200;
/// Batches of each kind in one round; the rest waits for the next round.
const MAX_BATCHES: usize = 50;
/// Telephony sends audio until it is stored. Audio that has not come for this long after the tenure never will.
const GIVE_UP_AFTER: Duration = Duration::from_hours(24);

/// Starts it, for as long as the service runs: a round now, and one each `period`. Audio is kept for `retention_us` after its tenure, what is
/// known of a recording for `rows_kept`, and longer where its audio is.
pub(crate) fn start(core: &Arc<RecordingCore>, (retention_us, rows_kept): (i64, Duration), period: Duration) {
    let sweeper = Arc::new(Sweeper { core: Arc::clone(core), retention_us, rows_kept });
    core.lifecycle.every("recording retention", (&core.clock, period), move |now_us| {
        let sweeper = Arc::clone(&sweeper);
        async move { sweeper.round(now_us).await }
    });
}

#[derive(Debug)]
struct Sweeper {
    core: Arc<RecordingCore>,
    retention_us: i64,
    rows_kept: Duration,
}

impl Sweeper {
    async fn round(&self, now_us: i64) -> Result<(), StoreError> {
        let trusted_us = self.core.db.trusted_us(now_us).await?;
        self.expire(trusted_us).await?;
        self.expire_messages(trusted_us).await?;
        self.purge_all().await?;
        self.purge_messages().await?;
        self.give_up().await?;
        self.remove_orphans(trusted_us.saturating_sub(self.retention_us)).await?;
        self.forget(trusted_us.saturating_sub(micros(self.rows_kept))).await
    }

    /// Marks expired recordings as deleted.
    async fn expire(&self, trusted_us: i64) -> Result<(), StoreError> {
        let expired = || recordings::expired(&self.core.db, trusted_us, BATCH);
        in_batches(expired, |row: Row| async move { delete::mark(&self.core, &row, SYSTEM).await.map(|()| true) }).await
    }

    async fn expire_messages(&self, trusted_us: i64) -> Result<(), StoreError> {
        let expired = || messages::expired(&self.core.db, trusted_us, BATCH);
        in_batches(expired, |row: messages::Row| async move {
            delete_message::mark(&self.core, &row, SYSTEM).await.map(|()| true)
        })
        .await
    }

    async fn purge_all(&self) -> Result<(), StoreError> {
        let unpurged = || recordings::unpurged(&self.core.db, BATCH);
        in_batches(unpurged, |row: Row| async move {
            Ok(log_failure(&row.recording_id, &delete::purge(&self.core, &row).await))
        })
        .await
    }

    async fn purge_messages(&self) -> Result<(), StoreError> {
        let unpurged = || messages::unpurged(&self.core.db, BATCH);
        in_batches(unpurged, |row: messages::Row| async move {
            Ok(log_failure(&row.message_id, &delete_message::purge(&self.core, &row).await))
        })
        .await
    }

    /// Marks segments that were announced and never sent as lost, and gives up waiting for the recording's end.
    async fn give_up(&self) -> Result<(), StoreError> {
        let now_us = self.core.clock.now_us();
        let before_us = now_us.saturating_sub(micros(GIVE_UP_AFTER));
        for row in recordings::waiting_since(&self.core.db, before_us, BATCH).await? {
            let row = &row;
            let change = self.core.db.change(change!(|tx| {
                recordings::lock(tx, &row.tenant, &row.recording_id).await?;
                for segment in segments::load(tx, &row.tenant, &row.recording_id).await? {
                    if segment.state()?.audio == AudioState::Awaited {
                        tracing::error!(
                            segment.id = segment.segment_id,
                            "a segment's audio never came; it is given up"
                        );
                        segments::lost(tx, &row.tenant, &segment.segment_id, now_us).await?;
                    }
                }
                let end_us = row.end_us.unwrap_or(now_us);
                recordings::end(tx, &row.tenant, &row.recording_id, end_us, row.expire_us).await?;
                settle(tx, &row.tenant, &row.recording_id, now_us).await
            }));
            change.await?;
        }
        Ok(())
    }

    /// Deletes old audio of which no event has come: it belongs to no recording, so no caller can find or delete it.
    async fn remove_orphans(&self, before_us: i64) -> Result<(), StoreError> {
        for orphan in segments::orphans(&self.core.db, before_us, BATCH).await? {
            self.remove_orphan(&orphan).await?;
        }
        Ok(())
    }

    /// Deletes what is known of recordings and messages whose audio is gone and which ended before then, and who has listened before
    /// then.
    async fn forget(&self, before_us: i64) -> Result<(), StoreError> {
        for _ in 0..MAX_BATCHES {
            let change = self.core.db.change(change!(|tx| {
                let old = old::purged_before(tx, before_us, BATCH).await?;
                for recording in &old {
                    old::delete(tx, recording).await?;
                }
                let downloads = old::delete_downloads(tx, before_us, BATCH).await?;
                let visits = old::delete_messages(tx, before_us, BATCH).await?;
                Ok::<_, StoreError>(old.is_empty() && downloads == 0 && visits == 0)
            }));
            let is_all = change.await?;
            if is_all {
                break;
            }
        }
        Ok(())
    }

    async fn remove_orphan(&self, orphan: &Orphan) -> Result<(), StoreError> {
        if let Err(error) = self.core.files.delete(&Path::from(orphan.location.as_str())).await {
            tracing::warn!(error = ?error, segment.id = orphan.segment_id, "old audio could not be removed");
            return Ok(());
        }
        self.core.db.change(change!(|tx| { segments::delete(tx, orphan).await.map(drop) })).await
    }
}

/// Handles what a query returns, and what it returns then, until there is nothing left. Also until one of them could not be handled: the query
/// would return it again at once.
async fn in_batches<R, Q, H>(query: impl Fn() -> Q, handle: impl Fn(R) -> H) -> Result<(), StoreError>
where
    Q: Future<Output = Result<Vec<R>, StoreError>>,
    H: Future<Output = Result<bool, StoreError>>,
{
    for _ in 0..MAX_BATCHES {
        let rows = query().await?;
        let (count, mut handled) = (rows.len(), 0);
        for row in rows {
            handled += usize::from(handle(row).await?);
        }
        if handled == 0 || handled < count {
            break;
        }
    }
    Ok(())
}

/// Logs a failure; returns whether it succeeded.
fn log_failure(id: &str, result: &Result<(), PurgeError>) -> bool {
    if let Err(error) = result {
        tracing::warn!(error = ?error, recording.id = id, "old audio could not be removed");
    }
    result.is_ok()
}
