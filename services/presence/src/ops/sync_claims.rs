//! Makes the claims of one interaction those that it wants: reads what is known, lets [`decide`] say what follows, and writes that.
//!
//! A projection that is repeated changes nothing, and costs some reads, but neither the writer nor a sync of the disk.

use std::collections::BTreeMap;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::event::v1::agent_state_changed::Cause;
use baton_store::{StoreError, change};
use tonic::Status;

use crate::core::PresenceCore;
use crate::decide::{ClaimWrite, ClaimsDecision, KnownState, QueueWrite, RowWrite, decide};
use crate::edit::Edit;
use crate::events::StateCause;
use crate::projection::{ClaimDecision, ClaimsProjection};
use crate::record::QueuedClaim;
use crate::status::StatusChange;
use crate::store::claims::{self, ClaimRow, ClaimState};
use crate::store::versions::{self, Seen};
use crate::store::{queue, records};

/// The decisions are in the order of the wanted claims.
pub(crate) async fn sync_claims(
    core: &PresenceCore,
    projection: ClaimsProjection,
) -> Result<Vec<ClaimDecision>, Status> {
    let ClaimsProjection { tenant, interaction_id, version, ended, .. } = &projection;
    if !core.applied.is_new(interaction_id, *version)
        && let Some(answers) = repeated(core, &projection).await?
    {
        return Ok(answers);
    }
    let projection = &projection;
    let answers = core.change(tenant, "system", change!(|edit| { change(edit, projection).await })).await?;
    core.applied.note(interaction_id, *version, *ended);
    Ok(answers)
}

async fn change(edit: &mut Edit<'_>, projection: &ClaimsProjection) -> Result<Vec<ClaimDecision>, Status> {
    let ClaimsProjection { tenant, interaction_id, .. } = projection;
    edit.lock_claims_of(interaction_id).await?;
    let is_first = check_version(edit, projection).await? == Seen::First;
    let claims = by_id(claims::of_interaction(&mut edit.tx, tenant, interaction_id).await?);
    let queued = queued_by_id(queue::of_interaction(&mut edit.tx, tenant, interaction_id).await?);
    let ids = KnownState::agents_of(projection, &claims, &queued);
    edit.lock_agents(ids.iter().copied(), claims.values().map(|it| it.phone.clone())).await?;
    let (claims, queued) = if edit.tx.is_alone() {
        (claims, queued)
    } else {
        // Once more: a claim may have run out, or been granted, while this waited for its agent.
        let claims = by_id(claims::of_interaction(&mut edit.tx, tenant, interaction_id).await?);
        (claims, queued_by_id(queue::of_interaction(&mut edit.tx, tenant, interaction_id).await?))
    };
    let (mut agents, mut phones) = (BTreeMap::new(), BTreeMap::new());
    for agent in records::get_all(&mut edit.tx, tenant, &ids).await? {
        agents.insert(agent.id, agent.status);
        phones.insert(agent.id, agent.profile.phone);
    }
    let known = KnownState { claims, queued, agents, phones, is_first, now_us: edit.now_us() };
    let ClaimsDecision { answers, writes, queue, wrapped_up } = decide(projection, known)?;
    for write in queue {
        apply_queue(edit, write).await?;
    }
    for write in writes {
        apply(edit, interaction_id, write).await?;
    }
    for (agent, before) in wrapped_up {
        let cause = StateCause::in_call(Cause::WrapUpOver, interaction_id);
        edit.settle(agent, &before, [StatusChange::Dispositioned(interaction_id.clone())], cause).await?;
        // Also where another call is due, and the state is the same.
        edit.touch_agent(agent);
    }
    Ok(answers)
}

fn queued_by_id(rows: Vec<QueuedClaim>) -> BTreeMap<String, QueuedClaim> {
    rows.into_iter().map(|row| (row.claim_id.clone(), row)).collect()
}

fn by_id(rows: Vec<ClaimRow>) -> BTreeMap<String, ClaimRow> {
    rows.into_iter().map(|row| (row.claim_id.clone(), row)).collect()
}

/// The answers if the projection is the newest one, again, and nothing follows from it.
async fn repeated(core: &PresenceCore, projection: &ClaimsProjection) -> Result<Option<Vec<ClaimDecision>>, Status> {
    let ClaimsProjection { tenant, interaction_id, .. } = projection;
    let mut reader = core.db.read().await?;
    if versions::newest(&mut reader, tenant, interaction_id).await? != Some(projection.version) {
        return Ok(None);
    }
    let claims = by_id(claims::look_up(&mut reader, tenant, interaction_id).await?);
    let queued = queued_by_id(queue::look_up(&mut reader, tenant, interaction_id).await?);
    // Once more, so that a newer version that came meanwhile is seen.
    if versions::newest(&mut reader, tenant, interaction_id).await? != Some(projection.version) {
        return Ok(None);
    }
    drop(reader);
    // Agents matter only to claims that are new, and then there is something to write.
    let (agents, phones) = (BTreeMap::new(), BTreeMap::new());
    let known = KnownState { claims, queued, agents, phones, is_first: false, now_us: core.clock.now_us() };
    let decision = decide(projection, known)?;
    if !decision.writes.is_empty() || !decision.queue.is_empty() {
        return Ok(None);
    }
    core.db.settled().await?;
    Ok(Some(decision.answers))
}

async fn check_version(edit: &mut Edit<'_>, projection: &ClaimsProjection) -> Result<Seen, Status> {
    let version = (projection.version, projection.ended);
    let now_us = edit.now_us();
    match versions::advance(&mut edit.tx, &projection.tenant, &projection.interaction_id, version, now_us).await? {
        seen @ (Seen::First | Seen::Newer | Seen::Same) => Ok(seen),
        Seen::Older => {
            let message = "A newer version of these claims was applied already. Load the interaction again.";
            Err(ApiError::aborted(ErrorReason::Stale, message).into())
        }
    }
}

async fn apply_queue(edit: &mut Edit<'_>, write: QueueWrite) -> Result<(), StoreError> {
    let tenant = edit.context.tenant;
    let agent = match write {
        QueueWrite::Put(claim) => {
            queue::put(&mut edit.tx, tenant, &claim).await?;
            edit.note_deadline(claim.expires_at_us);
            claim.agent
        }
        QueueWrite::Remove(claim) => {
            queue::remove(&mut edit.tx, tenant, &claim.claim_id).await?;
            claim.agent
        }
    };
    // Their inbox shows it.
    edit.touch_agent(agent);
    Ok(())
}

async fn apply(edit: &mut Edit<'_>, interaction_id: &str, write: ClaimWrite) -> Result<(), Status> {
    let sharing = edit.sharing_phone(write.row.claim()).await?;
    if !store(edit, &write.row).await? {
        // The unique indexes have the last word on who gets an agent and a phone (A1, F4).
        return Err(ApiError::unavailable("Another claim on the agent or their phone came first. Try again.").into());
    }
    if let Some(change) = write.row.phone_change() {
        edit.settle_sharing(sharing, &change).await?;
    }
    if let Some((before, changes)) = write.effect {
        edit.settle(write.agent, &before, changes, StateCause::in_call(write.cause, interaction_id)).await?;
        // Also when only what the inbox shows is another.
        edit.touch_agent(write.agent);
    }
    Ok(())
}

/// `false`: another claim occupies the agent.
async fn store(edit: &mut Edit<'_>, row: &RowWrite) -> Result<bool, StoreError> {
    let tenant = edit.context.tenant;
    match row {
        RowWrite::Release(claim, reason) => {
            claims::end(&mut edit.tx, tenant, &claim.claim_id, ClaimState::Released, *reason).await?;
        }
        RowWrite::Revive(claim) => return claims::revive(&mut edit.tx, tenant, claim).await,
        RowWrite::Update(claim) => {
            claims::update(&mut edit.tx, tenant, claim).await?;
            note(edit, claim);
        }
        RowWrite::Insert(claim) => {
            note(edit, claim);
            return claims::insert(&mut edit.tx, tenant, claim).await;
        }
    }
    Ok(true)
}

/// What is to be done when the claim is committed: wait until it runs out, or report that it has.
fn note(edit: &mut Edit<'_>, claim: &ClaimRow) {
    if claim.state == ClaimState::Reserved {
        edit.note_deadline(claim.expires_at_us);
    }
    edit.effects.to_report |= claim.state == ClaimState::Expired;
}
