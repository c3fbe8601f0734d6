//! Deletes the rows of interactions that stopped waiting long ago.

use std::sync::Arc;
use std::time::Duration;

use baton_runtime::clock::micros;
use baton_runtime::lifecycle::Lifecycle;
use baton_store::StoreError;

use crate::core::RoutingCore;
use crate::store::waits;

const EVERY: Duration = Duration::from_hours(1);
/// No projection comes this long after the last one of its interaction.
const KEPT: Duration = Duration::from_hours(24);
const BATCH: i64 = 500;

/// Runs until the service stops.
pub(crate) async fn run(core: Arc<RoutingCore>, lifecycle: Lifecycle) {
    let mut interval = core.clock.interval(EVERY);
    loop {
        tokio::select! {
            () = lifecycle.stopping() => return,
            now_us = interval.tick() => {
                if let Err(error) = delete(&core, now_us - micros(KEPT)).await {
                    tracing::warn!(%error, "old waits could not be deleted; trying again later");
                }
            }
        }
    }
}

async fn delete(core: &RoutingCore, over_before_us: i64) -> Result<(), StoreError> {
    let _busy = core.clock.busy();
    loop {
        let mut tx = core.db.begin().await?;
        let deleted = waits::prune(&mut tx, over_before_us, BATCH).await?;
        tx.commit().await?;
        if deleted == 0 {
            return Ok(());
        }
    }
}
