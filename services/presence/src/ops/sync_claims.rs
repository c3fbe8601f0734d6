//! Makes the claims of one interaction those that it wants.
//!
//! The projection lists all claims that are wanted at its version. An active claim that is not in the list is released; one that
//! is in the list and not in the database is inserted, and the unique index decides whether it is granted (A1). A claim that is
//! over stays over under its id, so a repeated or late projection gets the same answers and changes nothing. (The one exception
//! is in [`revive`].)
//! Releases come before grants: an interaction may release an agent and claim the same one in one step.

use std::collections::{BTreeMap, BTreeSet};

use baton_api::ApiError;
use baton_api::common::v1::Reason;
use baton_api::error::ErrorReason;
use baton_api::event::v1::agent_state_changed::Cause;
use tonic::Status;

use super::repeated_claims;
use crate::core::PresenceCore;
use crate::edit::Edit;
use crate::events::StateCause;
use crate::projection::{ClaimDecision, ClaimsProjection, KnownClaims, Released, Wanted, known, updated};
use crate::record::AgentRecord;
use crate::status::{AgentStatus, Occupied, ShownState, StatusChange, WrapUp};
use crate::store::claims::{self, ClaimRow, ClaimState};
use crate::store::versions::{self, Seen};

/// The decisions are in the order of the wanted claims.
pub(crate) async fn sync_claims(
    core: &PresenceCore,
    projection: ClaimsProjection,
) -> Result<Vec<ClaimDecision>, Status> {
    if let Some(decisions) = repeated_claims::answer(core, &projection).await? {
        return Ok(decisions);
    }
    core.change(&projection.tenant, "system", async |edit| {
        let seen = check_version(edit, &projection).await?;
        let known = known(claims::of_interaction(edit.tx, &projection.tenant, &projection.interaction_id).await?);
        release_unwanted(edit, &projection, &known).await?;
        // An interaction that has ended and is unknown was dealt with and deleted (`prune`): no wrap-up begins once more (A4).
        if !(projection.ended && seen == Seen::First) {
            tombstone_unseen(edit, &projection, &known).await?;
        }
        let mut decisions = Vec::with_capacity(projection.wanted.len());
        for wanted in &projection.wanted {
            let claim = known.get(&wanted.claim_id);
            decisions.push(decide(edit, &projection.interaction_id, wanted, claim).await?);
        }
        Ok(decisions)
    })
    .await
}

async fn check_version(edit: &mut Edit<'_>, projection: &ClaimsProjection) -> Result<Seen, Status> {
    let version = (projection.version, projection.ended);
    let now_us = edit.now_us();
    match versions::advance(edit.tx, &projection.tenant, &projection.interaction_id, version, now_us).await? {
        seen @ (Seen::First | Seen::Newer | Seen::Same) => Ok(seen),
        Seen::Older => {
            let message = "A newer version of these claims was applied already. Load the interaction again.";
            Err(ApiError::aborted(ErrorReason::Stale, message).into())
        }
    }
}

/// Releases each active claim that is not wanted.
async fn release_unwanted(
    edit: &mut Edit<'_>,
    projection: &ClaimsProjection,
    known: &KnownClaims,
) -> Result<(), Status> {
    let wanted: BTreeSet<&str> = projection.wanted.iter().map(|it| it.claim_id.as_str()).collect();
    let released: BTreeMap<&str, &Released> = projection.released.iter().map(|it| (it.claim_id.as_str(), it)).collect();
    for claim in known.values() {
        if claim.state.is_active() && !wanted.contains(claim.claim_id.as_str()) {
            release(edit, claim, released.get(claim.claim_id.as_str()).copied()).await?;
        }
    }
    Ok(())
}

async fn release(edit: &mut Edit<'_>, claim: &ClaimRow, released: Option<&Released>) -> Result<(), Status> {
    let reason = released.map_or(Reason::Unspecified, |it| it.reason);
    // Read before the claim ends: afterwards the agent would seem to have been free all the time.
    let before = edit.agent(claim.agent_id).await?;
    claims::end(edit.tx, edit.context.tenant, &claim.claim_id, ClaimState::Released, reason).await?;
    if let Some(before) = before {
        let (mut changes, cause) = aftermath(released, &claim.interaction_id, edit.now_us());
        changes.insert(0, StatusChange::Freed);
        edit.settle(claim.agent_id, &before.status, changes, cause).await?;
    }
    Ok(())
}

/// Writes a tombstone for each released claim that began and ended between two versions that were seen: it never occupied its
/// agent here, but what follows from its release is due, once (A4).
async fn tombstone_unseen(
    edit: &mut Edit<'_>,
    projection: &ClaimsProjection,
    known: &KnownClaims,
) -> Result<(), Status> {
    let is_wanted = |id: &str| projection.wanted.iter().any(|it| it.claim_id == id);
    for released in &projection.released {
        if known.contains_key(&released.claim_id) || is_wanted(&released.claim_id) {
            continue;
        }
        let tombstone = ClaimRow {
            claim_id: released.claim_id.clone(),
            interaction_id: projection.interaction_id.clone(),
            agent_id: released.agent,
            state: ClaimState::Released,
            reason: released.reason,
            expires_at_us: 0,
            inbox: Vec::new(),
            since_us: edit.now_us(),
        };
        let is_new = claims::insert(edit.tx, edit.context.tenant, &tombstone).await?;
        let before = edit.agent(released.agent).await?.filter(|it| is_new && it.claim.is_none());
        if let Some(before) = before {
            let (changes, cause) = aftermath(Some(released), &projection.interaction_id, edit.now_us());
            edit.settle(released.agent, &before.status, changes, cause).await?;
        }
    }
    Ok(())
}

/// How a released claim changes its agent's status, and the cause for the event.
fn aftermath<'a>(
    released: Option<&Released>,
    interaction_id: &'a str,
    now_us: i64,
) -> (Vec<StatusChange>, StateCause<'a>) {
    let (change, cause) = match released {
        Some(it) if it.wrap_up_us > 0 => {
            let wrap_up = WrapUp { until_us: now_us + it.wrap_up_us, interaction_id: interaction_id.to_owned() };
            (Some(StatusChange::WrapUpBegan(wrap_up)), Cause::WrapUpBegan)
        }
        Some(it) if it.reason == Reason::NoAnswer => (Some(StatusChange::OfferMissed), Cause::NoAnswer),
        _ => (None, Cause::Unspecified),
    };
    (change.into_iter().collect(), StateCause::in_call(cause, interaction_id))
}

async fn decide(
    edit: &mut Edit<'_>,
    interaction_id: &str,
    wanted: &Wanted,
    known: Option<&ClaimRow>,
) -> Result<ClaimDecision, Status> {
    match known {
        None => grant(edit, interaction_id, wanted).await,
        Some(claim) if claim.agent_id != wanted.agent => {
            let why = "was used for another agent; each attempt has a claim id of its own";
            Err(ApiError::invalid_argument("claims.claim_id", why).into())
        }
        Some(claim) => match claim.state {
            ClaimState::Reserved | ClaimState::Engaged => keep(edit, wanted, claim).await,
            ClaimState::Expired if wanted.occupied == Occupied::Engaged => revive(edit, wanted, claim).await,
            ClaimState::Expired => Ok(ClaimDecision::Expired),
            ClaimState::Released | ClaimState::Refused => Ok(ClaimDecision::Refused(claim.reason)),
        },
    }
}

/// An active claim goes on; the agent may be in the interaction now, or the inbox item may be another.
async fn keep(edit: &mut Edit<'_>, wanted: &Wanted, claim: &ClaimRow) -> Result<ClaimDecision, Status> {
    let next = updated(wanted, claim, edit.now_us());
    if next.state == ClaimState::Reserved {
        edit.note_deadline(next.expires_at_us);
    }
    if next != *claim {
        let before = edit.agent(claim.agent_id).await?;
        claims::update(edit.tx, edit.context.tenant, &next).await?;
        if let Some(before) = before {
            let occupied = if next.state == ClaimState::Engaged { Occupied::Engaged } else { Occupied::Reserved };
            let cause = StateCause::in_call(Cause::Answered, &claim.interaction_id);
            edit.settle(claim.agent_id, &before.status, [StatusChange::Occupied(occupied)], cause).await?;
            edit.touch_agent(claim.agent_id);
        }
    }
    Ok(ClaimDecision::Granted)
}

/// The agent answered, and the projection that says so came too late (the service was down, say). They are on the phone: to show
/// them as available would be worse (A3) than a reservation that ran out and was used after all.
async fn revive(edit: &mut Edit<'_>, wanted: &Wanted, claim: &ClaimRow) -> Result<ClaimDecision, Status> {
    let before = edit.agent(claim.agent_id).await?;
    let engaged = ClaimRow { inbox: wanted.inbox.clone(), since_us: edit.now_us(), ..claim.clone() };
    if !claims::revive(edit.tx, edit.context.tenant, &engaged).await? {
        return Ok(ClaimDecision::Expired);
    }
    if let Some(before) = before {
        let cause = StateCause::in_call(Cause::Answered, &claim.interaction_id);
        edit.settle(claim.agent_id, &before.status, [StatusChange::Occupied(Occupied::Engaged)], cause).await?;
    }
    Ok(ClaimDecision::Granted)
}

/// A claim that was not seen before.
async fn grant(edit: &mut Edit<'_>, interaction_id: &str, wanted: &Wanted) -> Result<ClaimDecision, Status> {
    let before = edit.agent(wanted.agent).await?;
    let claim = ClaimRow {
        claim_id: wanted.claim_id.clone(),
        interaction_id: interaction_id.to_owned(),
        agent_id: wanted.agent,
        state: if wanted.occupied == Occupied::Engaged { ClaimState::Engaged } else { ClaimState::Reserved },
        reason: Reason::Unspecified,
        expires_at_us: wanted.expires_at_us,
        inbox: wanted.inbox.clone(),
        since_us: edit.now_us(),
    };
    // An agent who is in the interaction already is engaged in whatever state they are; only the index may refuse that.
    if wanted.occupied == Occupied::Reserved {
        if wanted.expires_at_us <= edit.now_us() {
            return expire_immediately(edit, claim).await;
        }
        if let Err(reason) = choosable(before.as_ref(), &wanted.choosable) {
            return refuse(edit, claim, reason).await;
        }
    }
    if !claims::insert(edit.tx, edit.context.tenant, &claim).await? {
        return refuse(edit, claim, Reason::Busy).await;
    }
    if claim.state == ClaimState::Reserved {
        edit.note_deadline(claim.expires_at_us);
    }
    if let Some(before) = before {
        let cause = StateCause::in_call(Cause::Answered, interaction_id);
        edit.settle(wanted.agent, &before.status, [StatusChange::Occupied(wanted.occupied)], cause).await?;
    }
    Ok(ClaimDecision::Granted)
}

/// Whether an agent may be reserved in their present state.
fn choosable(agent: Option<&AgentRecord>, states: &[ShownState]) -> Result<(), Reason> {
    let state = agent.map(|it| AgentStatus::state(&it.status)).ok_or(Reason::NotAvailable)?;
    match state {
        state if states.contains(&state) => Ok(()),
        ShownState::Offline => Err(Reason::Offline),
        _ => Err(Reason::NotAvailable),
    }
}

async fn refuse(edit: &mut Edit<'_>, claim: ClaimRow, reason: Reason) -> Result<ClaimDecision, Status> {
    let refused = ClaimRow { state: ClaimState::Refused, reason, ..claim };
    claims::insert(edit.tx, edit.context.tenant, &refused).await?;
    Ok(ClaimDecision::Refused(reason))
}

async fn expire_immediately(edit: &mut Edit<'_>, claim: ClaimRow) -> Result<ClaimDecision, Status> {
    let expired = ClaimRow { state: ClaimState::Expired, reason: Reason::Expired, ..claim };
    claims::insert(edit.tx, edit.context.tenant, &expired).await?;
    edit.effects.expired = true;
    Ok(ClaimDecision::Expired)
}
