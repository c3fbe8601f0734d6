//! The task of one tenant's queue worker: it runs a match pass at each change notice.
//!
//! There is a notice when presence announces an available agent, or when an interaction frees one. A new wait is none: it was
//! matched when it came. What a notice missed is found by a scan every `routing.rescan_interval_ms`, and by a pass when a
//! hold-off ends; while no interaction waits, there is neither.

use std::sync::Arc;

use baton_runtime::auth::TenantId;
use tonic::Status;

use crate::core::RoutingCore;
use crate::match_pass::MatchPass;
use crate::queue_worker::QueueWorker;
use crate::store::waits::{self, QueuePosition};

/// Waits for which a scan asks presence one by one; the next scan goes on with the others.
const ASKED_PER_SCAN: i64 = 50;

/// Runs until the service stops.
pub(crate) async fn run(core: Arc<RoutingCore>, tenant: TenantId, worker: Arc<QueueWorker>) {
    let clock = &core.clock;
    let mut asked = QueuePosition::default();
    // `None` while no interaction waits.
    let mut scan_at_us: Option<i64> = None;
    loop {
        let next_end_us = worker.hold_off().next_end_us(clock.now_us());
        let pass_at_us = scan_at_us.map(|at_us| next_end_us.map_or(at_us, |end_us| end_us.min(at_us)));
        tokio::select! {
            () = core.lifecycle.stopping() => return,
            () = worker.reschedule.notified() => {
                scan_at_us.get_or_insert_with(|| clock.after(core.rescan));
                continue;
            }
            () = worker.change_notice.notified() => {}
            () = clock.sleep_until(pass_at_us.unwrap_or(i64::MAX)), if pass_at_us.is_some() => {}
        }
        let _busy = clock.busy();
        let is_scan = scan_at_us.is_none_or(|at_us| at_us <= clock.now_us());
        let result = pass(&core, &tenant, &worker, is_scan.then_some(&mut asked)).await;
        let has_waits = result.unwrap_or_else(|status| {
            tracing::warn!(error = status.message(), "waits could not be looked at; trying again soon");
            true
        });
        scan_at_us = match scan_at_us {
            Some(at_us) if !is_scan && has_waits => Some(at_us),
            _ => has_waits.then(|| clock.after(core.rescan)),
        };
    }
}

/// `true` if an interaction waits. A scan (`asked` is given) goes on after the position where the last one stopped.
async fn pass(
    core: &RoutingCore,
    tenant: &TenantId,
    worker: &QueueWorker,
    asked: Option<&mut QueuePosition>,
) -> Result<bool, Status> {
    let pools = waits::pools(&mut core.db.read().await?, tenant).await?;
    if pools.is_empty() {
        return Ok(false);
    }
    MatchPass::begin(core, tenant, worker, None).await.propose(&pools).await?;
    let Some(asked) = asked else { return Ok(true) };
    let rows = waits::with_skips(&mut core.db.read().await?, tenant, asked, ASKED_PER_SCAN).await?;
    let more = rows.last().filter(|_| rows.len() as i64 == ASKED_PER_SCAN);
    *asked = more.map(waits::WaitRow::position).unwrap_or_default();
    MatchPass::begin(core, tenant, worker, None).await.propose_individually(rows).await?;
    Ok(true)
}
