//! Ends reservations (A2), claims that wait (B504) and wrap-ups that have run out.
//!
//! One task sleeps until the next deadline; a slow scan finds what it missed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use baton_api::common::v1::Reason;
use baton_api::event::v1::agent_state_changed::Cause;
use baton_runtime::auth::TenantId;
use baton_store::{StoreError, change};
use prost::Message as _;
use tonic::Status;

use crate::core::PresenceCore;
use crate::edit::Edit;
use crate::ids::AgentId;
use crate::record::ClaimMedium;
use crate::status::StatusChange;
use crate::store::claims::{self, ClaimRow, ClaimState};
use crate::store::{queue, statuses};

const SCAN_EVERY: Duration = Duration::from_secs(30);
/// After a failure: soon enough for a reservation not to outlive its lease by more than a second.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// Claims, and agents, in one transaction; the next one takes the rest.
const BATCH: i64 = 200;

/// Runs until the service stops.
pub(crate) async fn run(core: Arc<PresenceCore>) {
    loop {
        let pause = match pass(&core).await {
            Ok(true) => SCAN_EVERY,
            Ok(false) => RETRY_AFTER,
            Err(error) => {
                tracing::warn!(%error, "what has run out could not be read; trying again soon");
                RETRY_AFTER
            }
        };
        tokio::select! {
            () = core.lifecycle.stopping() => return,
            () = core.deadline.reached(&core.clock), if pause == SCAN_EVERY => {}
            () = core.clock.sleep(pause) => {}
        }
    }
}

/// `true` when nothing that has run out is left. A tenant whose change fails does not hold up the others.
async fn pass(core: &PresenceCore) -> Result<bool, StoreError> {
    let _busy = core.clock.busy();
    core.deadline.clear();
    let mut failed: Vec<TenantId> = Vec::new();
    loop {
        let mut due = claims::due_tenants(&mut core.db.read().await?, core.clock.now_us()).await?;
        due.retain(|tenant| !failed.contains(tenant));
        if due.is_empty() {
            break;
        }
        for tenant in due {
            if let Err(status) = expire(core, &tenant).await {
                tracing::warn!(error = status.message(), "what has run out could not be written down yet");
                failed.push(tenant);
            }
        }
    }
    core.find_deadline().await?;
    Ok(failed.is_empty())
}

async fn expire(core: &PresenceCore, tenant: &TenantId) -> Result<(), Status> {
    core.change(
        tenant,
        "system",
        change!(|edit| {
            let now_us = edit.now_us();
            let claims = claims::run_out(&mut edit.tx, tenant, now_us, BATCH).await?;
            let queued = queue::run_out(&mut edit.tx, tenant, now_us, BATCH).await?;
            let agents = statuses::wrapped_up(&mut edit.tx, tenant, now_us, BATCH).await?;
            let agents = agents.into_iter().chain(queued.into_iter().map(|it| it.agent));
            let (locked, phones) =
                (claims.iter().map(|it| it.agent_id).chain(agents), claims.iter().map(|it| it.phone.clone()));
            let locked: BTreeSet<AgentId> = locked.collect();
            edit.lock_agents(locked.iter().copied(), phones).await?;
            end_reservations(edit, &locked).await?;
            end_waiting(edit, &locked).await?;
            end_wrap_ups(edit, &locked).await
        }),
    )
    .await
}

/// Those of the locked agents. They are read again, because another change may have come first.
async fn end_reservations(edit: &mut Edit<'_>, locked: &BTreeSet<AgentId>) -> Result<(), Status> {
    let now_us = edit.now_us();
    let run_out = claims::run_out(&mut edit.tx, edit.context.tenant, now_us, BATCH).await?;
    for claim in run_out.into_iter().filter(|it| locked.contains(&it.agent_id)) {
        let before = edit.agent(claim.agent_id).await?;
        let sharing = edit.sharing_phone(&claim).await?;
        claims::end(&mut edit.tx, edit.context.tenant, &claim.claim_id, ClaimState::Expired, Reason::Expired).await?;
        edit.effects.to_report = true;
        if claim.medium == ClaimMedium::Voice {
            edit.settle_sharing(sharing, &StatusChange::PhoneFreed).await?;
        }
        if let Some(before) = before {
            edit.settle(claim.agent_id, &before.status, [StatusChange::freed(claim.medium)], Cause::Unspecified)
                .await?;
        }
    }
    Ok(())
}

/// The same for claims that have waited for their agent in vain (B504).
async fn end_waiting(edit: &mut Edit<'_>, locked: &BTreeSet<AgentId>) -> Result<(), Status> {
    let (tenant, now_us) = (edit.context.tenant, edit.now_us());
    let run_out = queue::run_out(&mut edit.tx, tenant, now_us, BATCH).await?;
    for queued in run_out.into_iter().filter(|it| locked.contains(&it.agent)) {
        queue::remove(&mut edit.tx, tenant, &queued.claim_id).await?;
        let medium = queued.medium();
        let expired = ClaimRow {
            claim_id: queued.claim_id,
            interaction_id: queued.interaction_id,
            agent_id: queued.agent,
            medium,
            phone: String::new(),
            state: ClaimState::Expired,
            reason: Reason::Expired,
            expires_at_us: queued.expires_at_us,
            inbox: queued.inbox.encode_to_vec(),
            since_us: queued.since_us,
        };
        claims::insert(&mut edit.tx, tenant, &expired).await?;
        edit.effects.to_report = true;
        edit.touch_agent(queued.agent);
    }
    Ok(())
}

async fn end_wrap_ups(edit: &mut Edit<'_>, locked: &BTreeSet<AgentId>) -> Result<(), Status> {
    let now_us = edit.now_us();
    let wrapped_up = statuses::wrapped_up(&mut edit.tx, edit.context.tenant, now_us, BATCH).await?;
    for agent in wrapped_up.into_iter().filter(|it| locked.contains(it)) {
        if let Some(before) = edit.agent(agent).await? {
            edit.settle(agent, &before.status, [StatusChange::WrapUpEnded], Cause::WrapUpOver).await?;
        }
    }
    Ok(())
}
