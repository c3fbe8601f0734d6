//! Forgetting interactions that have long waited for nothing.

use std::sync::Arc;
use std::time::Duration;

use baton_runtime::clock::micros;
use baton_runtime::lifecycle::Lifecycle;
use baton_store::StoreError;

use crate::core::Core;
use crate::store::waits;

const EVERY: Duration = Duration::from_hours(1);
/// A projection that is later than this comes from nowhere.
const KEPT: Duration = Duration::from_hours(24);
const BATCH: i64 = 500;

/// Runs until the service stops.
pub(crate) async fn run(core: Arc<Core>, lifecycle: Lifecycle) {
    let mut interval = core.clock.interval(EVERY);
    loop {
        tokio::select! {
            () = lifecycle.stopping() => return,
            now_us = interval.tick() => {
                if let Err(error) = forget(&core, now_us - micros(KEPT)).await {
                    tracing::warn!(%error, "old waits could not be deleted; trying again later");
                }
            }
        }
    }
}

async fn forget(core: &Core, over_before_us: i64) -> Result<(), StoreError> {
    let _busy = core.clock.busy();
    loop {
        let mut tx = core.db.begin().await?;
        let forgotten = waits::prune(&mut tx, over_before_us, BATCH).await?;
        tx.commit().await?;
        if forgotten == 0 {
            return Ok(());
        }
    }
}
