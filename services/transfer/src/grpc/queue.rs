//! Queues as transfers and call flows meet them: as routing has them now, with those that they overflow into.

use super::TransferApi;
use crate::convert;
use baton_api::{
    ApiError,
    error::ErrorReason,
    presence::v1::{PickerTarget, QueueLoad, TransferTarget},
    routing::v1::{Queue as WireQueue, QueueStatistics, ResolveQueueRequest, queue::Instead as WireInstead},
};
use baton_domain::{
    Target,
    queue::{Instead, Queue},
};
use baton_words::QueueId;
use tonic::Status;

impl TransferApi {
    /// A queue as a target. One that is closed, or lets nobody wait while nobody is signed in, is refused: the initiator has the customer, and can
    /// choose another.
    pub(super) async fn resolve_queue(&self, tenant: &str, id: &str) -> Result<Target, Status> {
        let bad = |_| ApiError::invalid_argument("target.queue_id", "is no queue id (a UUID)");
        let id: QueueId = id.parse().map_err(bad)?;
        let request = ResolveQueueRequest { tenant: tenant.to_owned(), queue_id: id.to_string() };
        let found = self.peers.routing.clone().resolve_queue(request).await?.into_inner();
        let queue = chain(&found.queues, &id.to_string())?.ok_or_else(|| ApiError::not_found("queue"))?;
        let now = found.statistics.unwrap_or_default();
        if !now.open {
            return Err(closed(&queue, &now).into());
        }
        if now.signed_in == 0 && queue.when_unattended == Instead::GiveUp {
            let message =
                "Nobody who serves the queue is signed in, and it lets nobody wait then: choose somebody else.";
            return Err(ApiError::failed_precondition(ErrorReason::NobodySignedIn, message).into());
        }
        Ok(Target::Queue(Box::new(queue)))
    }
}

fn closed(queue: &Queue, now: &QueueStatistics) -> ApiError {
    let opens = now.open_time.as_ref().map(|at| format!(", and opens at {at}")).unwrap_or_default();
    let instead =
        queue.overflow.as_ref().map(|next| format!(", or its overflow queue {}", next.name)).unwrap_or_default();
    let message = format!("The queue is closed at this hour{opens}: choose somebody else{instead}.");
    let mut error = ApiError::failed_precondition(ErrorReason::QueueClosed, message);
    if let Some(at) = &now.open_time {
        error = error.with("opens_time", at.to_string());
    }
    if let Some(next) = &queue.overflow {
        error = error.with("overflow_queue_id", next.id.to_string()).with("overflow_queue", next.name.to_string());
    }
    error
}

/// The queue with this id, and those that it overflows into; none if it is gone. Each is in it once, so that it ends.
pub(super) fn chain(queues: &[WireQueue], first: &str) -> Result<Option<Queue>, ApiError> {
    let mut ids = vec![first];
    while let Some(next) = queues.iter().find(|it| Some(&it.queue_id.as_str()) == ids.last()) {
        let next = next.overflow_queue_id.as_str();
        if next.is_empty() || ids.contains(&next) {
            break;
        }
        ids.push(next);
    }
    let known = ids.iter().rev().filter_map(|id| queues.iter().find(|it| it.queue_id == *id));
    let mut overflow = None;
    for queue in known {
        overflow = Some(Box::new(read(queue, overflow)?));
    }
    Ok(overflow.map(|queue| *queue).filter(|queue| queue.id.to_string() == first))
}

fn read(wire: &WireQueue, overflow: Option<Box<Queue>>) -> Result<Queue, ApiError> {
    let bad = |_| ApiError::invalid_argument("queue_id", "is no UUID");
    Ok(Queue {
        id: wire.queue_id.parse().map_err(bad)?,
        name: wire.name.as_str().into(),
        priority: u8::try_from(wire.priority).unwrap_or_default(),
        ring_ms: wire.ring_ms,
        wait_ms: wire.max_wait_ms,
        when_unattended: instead(wire.when_unattended()),
        when_declined: instead(wire.when_declined()),
        overflow,
    })
}

fn instead(wire: WireInstead) -> Instead {
    match wire {
        WireInstead::Unspecified | WireInstead::Wait => Instead::Wait,
        WireInstead::Overflow => Instead::Overflow,
        WireInstead::GiveUp => Instead::GiveUp,
    }
}

/// A queue in the picker of a transfer (B302).
pub(super) fn choice(now: &QueueStatistics, chosen_last: bool) -> TransferTarget {
    let choosable = now.lets_in;
    let target = PickerTarget {
        target: Some(convert::words::queue(&now.queue_id)),
        name: now.name.clone(),
        available: now.open && now.free > 0,
        available_agents: now.free,
        ..PickerTarget::default()
    };
    let load = QueueLoad {
        waiting: now.waiting,
        signed_in: now.signed_in,
        estimated_wait_ms: now.estimated_wait_ms,
        open: now.open,
    };
    TransferTarget {
        target: Some(target),
        choosable,
        would_wait: choosable && now.free <= now.waiting,
        chosen_last,
        queue_load: Some(load),
        ..TransferTarget::default()
    }
}
