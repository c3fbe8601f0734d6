//! How a queue stands: who waits, who serves it, and how long a new call would wait (B302).

use baton_api::presence::v1::ListCandidatesResponse;
use baton_api::routing::v1::queue::Instead;
use baton_api::routing::v1::{Queue, QueueStatistics};
use baton_runtime::auth::TenantId;
use prost_types::Timestamp;
use tonic::Status;
use uuid::Uuid;

use crate::core::RoutingCore;
use crate::estimate::{self, LAST_CALLS, Load};
use crate::hours::Hours;
use crate::pool_rules;
use crate::store::{served, waits};

const NO_ESTIMATE: i64 = -1;

pub(crate) async fn of(core: &RoutingCore, tenant: &TenantId, queue: &Queue) -> Result<QueueStatistics, Status> {
    let ListCandidatesResponse { signed_in, free, .. } =
        core.presence.candidates(tenant, &pool_rules::asked(queue), &[]).await?;
    let id = Uuid::try_parse(&queue.queue_id).unwrap_or_default();
    let mut reader = core.db.read().await?;
    let (waiting, since_us) = waits::in_queue(&mut reader, tenant, id).await?;
    let being_served = served::being_served(&mut reader, tenant, id).await?;
    let handling_us = served::handling_us(&mut reader, tenant, id, LAST_CALLS).await?;
    drop(reader);
    let now_us = core.clock.now_us();
    let hours = Hours::of(queue);
    let open = hours.is_open(now_us);
    let load = Load { ahead: waiting, signed_in: signed_in.into(), free: free.into(), handling_us: &handling_us };
    Ok(QueueStatistics {
        queue_id: queue.queue_id.clone(),
        name: queue.name.clone(),
        waiting: count(waiting),
        signed_in,
        free,
        being_served: count(being_served),
        longest_wait_ms: if waiting == 0 { 0 } else { (now_us - since_us).max(0) / 1_000 },
        estimated_wait_ms: estimate::wait_us(load).map_or(NO_ESTIMATE, |us| us / 1_000),
        open,
        open_time: hours.opens_us(now_us).map(timestamp),
        lets_in: open && (signed_in > 0 || queue.when_unattended() != Instead::GiveUp),
    })
}

fn count(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn timestamp(at_us: i64) -> Timestamp {
    Timestamp { seconds: at_us.div_euclid(1_000_000), nanos: (at_us.rem_euclid(1_000_000) * 1_000) as i32 }
}
