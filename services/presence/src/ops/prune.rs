//! Deletes the claims of interactions that ended long ago.

use std::sync::Arc;
use std::time::Duration;

use baton_runtime::clock::micros;
use baton_store::StoreError;

use crate::core::PresenceCore;
use crate::store::versions;

const EVERY: Duration = Duration::from_hours(1);
/// No projection comes this long after the end of its interaction.
const KEPT: Duration = Duration::from_hours(24);
const BATCH: i64 = 500;

/// Runs until the service stops.
pub(crate) async fn run(core: Arc<PresenceCore>) {
    let mut interval = core.clock.interval(EVERY);
    loop {
        tokio::select! {
            () = core.lifecycle.stopping() => return,
            now_us = interval.tick() => {
                if let Err(error) = delete(&core, now_us - micros(KEPT)).await {
                    tracing::warn!(%error, "old claims could not be deleted; trying again later");
                }
            }
        }
    }
}

async fn delete(core: &PresenceCore, ended_before_us: i64) -> Result<(), StoreError> {
    let _busy = core.clock.busy();
    loop {
        let mut tx = core.db.begin().await?;
        let deleted = versions::prune(&mut tx, ended_before_us, BATCH).await?;
        tx.commit().await?;
        if deleted == 0 {
            return Ok(());
        }
    }
}
