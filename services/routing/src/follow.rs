//! The task of one tenant's line: it looks whenever there is news.
//!
//! News is that presence announced somebody, or that an interaction let somebody go. A new wait is none: it has been looked at
//! when it came. Behind the news stands a scan every second, and a look when an agent is no longer held; while nobody waits,
//! there is neither.

use std::sync::Arc;

use baton_runtime::auth::TenantId;
use tonic::Status;

use crate::core::Core;
use crate::line::Line;
use crate::look::Look;
use crate::store::waits::{self, Place};

/// Waits that a scan asks about one by one; those who come next, the next scan.
const ASKED_PER_SCAN: i64 = 50;

/// Looks after a line until the service stops.
pub(crate) async fn follow(core: Arc<Core>, tenant: TenantId, line: Arc<Line>) {
    let clock = &core.clock;
    let mut asked = Place::default();
    // `None` while nobody waits.
    let mut scan_at_us: Option<i64> = None;
    loop {
        let next_end_us = line.held().next_end_us(clock.now_us());
        let look_at_us = scan_at_us.map(|at_us| next_end_us.map_or(at_us, |end_us| end_us.min(at_us)));
        tokio::select! {
            () = core.lifecycle.stopping() => return,
            () = line.joined.notified() => {
                scan_at_us.get_or_insert_with(|| clock.after(core.rescan));
                continue;
            }
            () = line.news.notified() => {}
            () = clock.sleep_until(look_at_us.unwrap_or(i64::MAX)), if look_at_us.is_some() => {}
        }
        let _busy = clock.busy();
        let is_scan = scan_at_us.is_none_or(|at_us| at_us <= clock.now_us());
        let looked = look(&core, &tenant, &line, is_scan.then_some(&mut asked)).await;
        let somebody_waits = looked.unwrap_or_else(|status| {
            tracing::warn!(error = status.message(), "waits could not be looked at; trying again soon");
            true
        });
        scan_at_us = match scan_at_us {
            Some(at_us) if !is_scan && somebody_waits => Some(at_us),
            _ => somebody_waits.then(|| clock.after(core.rescan)),
        };
    }
}

/// `true` if somebody waits. A scan goes on where the last one has stopped asking.
async fn look(core: &Core, tenant: &TenantId, line: &Line, asked: Option<&mut Place>) -> Result<bool, Status> {
    let teams = waits::teams(&mut core.db.read().await?, tenant).await?;
    if teams.is_empty() {
        return Ok(false);
    }
    Look::begin(core, tenant, line, None).await.propose(&teams).await?;
    let Some(asked) = asked else { return Ok(true) };
    let rows = waits::choosy(&mut core.db.read().await?, tenant, asked, ASKED_PER_SCAN).await?;
    let more = rows.last().filter(|_| rows.len() as i64 == ASKED_PER_SCAN);
    *asked = more.map(waits::WaitRow::place).unwrap_or_default();
    Look::begin(core, tenant, line, None).await.ask(rows).await?;
    Ok(true)
}
