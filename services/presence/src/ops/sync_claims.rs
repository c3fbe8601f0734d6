//! The claims of one interaction become what it wants.
//!
//! The projection lists all that is wanted at its version. Who is in the database and not in the list is released; who is in
//! the list and not in the database is inserted, and the unique index says whether they could be had (A1). A claim that is
//! over stays over under its id, so a repeated or late projection gets the same answers and changes nothing. (The one
//! exception is in [`revive`].)
//! Releases come before grants: an interaction may let an agent go and ask for the same one in one step.

use std::collections::{BTreeMap, BTreeSet};

use baton_api::ApiError;
use baton_api::common::v1::Reason;
use baton_api::error::ErrorReason;
use tonic::Status;

use super::repeated_claims;
use crate::core::Core;
use crate::edit::Edit;
use crate::projection::{Known, Projection, Released, Verdict, Wanted, kept, known};
use crate::record::AgentRecord;
use crate::state::{Change, Standing, State, Taken};
use crate::store::claims::{self, ClaimRow, ClaimState};
use crate::store::versions::{self, Seen};

/// Answers in the order of the wanted claims.
pub(crate) async fn sync_claims(core: &Core, projection: Projection) -> Result<Vec<Verdict>, Status> {
    if let Some(verdicts) = repeated_claims::answer(core, &projection).await? {
        return Ok(verdicts);
    }
    core.change(&projection.tenant, "system", async |edit| {
        let seen = check_version(edit, &projection).await?;
        let known = known(claims::of_interaction(edit.tx, &projection.tenant, &projection.interaction_id).await?);
        release_unwanted(edit, &projection, &known).await?;
        // Of an interaction that is over and unknown here, all has been done and forgotten (`prune`): not once more (A4).
        if !(projection.ended && seen == Seen::First) {
            bury_unseen(edit, &projection, &known).await?;
        }
        let mut verdicts = Vec::with_capacity(projection.wanted.len());
        for wanted in &projection.wanted {
            let claim = known.get(&wanted.claim_id);
            verdicts.push(judge(edit, &projection.interaction_id, wanted, claim).await?);
        }
        Ok(verdicts)
    })
    .await
}

async fn check_version(edit: &mut Edit<'_>, projection: &Projection) -> Result<Seen, Status> {
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

/// Lets go of every active claim that is not wanted.
async fn release_unwanted(edit: &mut Edit<'_>, projection: &Projection, known: &Known) -> Result<(), Status> {
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
    // Before the claim goes: afterwards the agent would look as if they had been free all the time.
    let before = edit.agent(claim.agent_id).await?;
    claims::end(edit.tx, edit.occasion.tenant, &claim.claim_id, ClaimState::Released, reason).await?;
    if let Some(before) = before {
        let (mut changes, cause) = aftermath(released, edit.now_us());
        changes.insert(0, Change::Freed);
        edit.settle(claim.agent_id, &before.standing, changes, cause).await?;
    }
    Ok(())
}

/// A claim that came and went between two versions that were seen: it held nobody here, but what follows from it is due,
/// once (A4).
async fn bury_unseen(edit: &mut Edit<'_>, projection: &Projection, known: &Known) -> Result<(), Status> {
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
        let is_new = claims::insert(edit.tx, edit.occasion.tenant, &tombstone).await?;
        let before = edit.agent(released.agent).await?.filter(|it| is_new && it.claim.is_none());
        if let Some(before) = before {
            let (changes, cause) = aftermath(Some(released), edit.now_us());
            edit.settle(released.agent, &before.standing, changes, cause).await?;
        }
    }
    Ok(())
}

/// What a released claim does to its agent, and why.
fn aftermath(released: Option<&Released>, now_us: i64) -> (Vec<Change>, &'static str) {
    match released {
        Some(it) if it.wrap_up_us > 0 => (vec![Change::WrapUpBegan(now_us + it.wrap_up_us)], "wrap_up"),
        Some(it) if it.reason == Reason::NoAnswer => (vec![Change::LetRing], "no_answer"),
        _ => (Vec::new(), ""),
    }
}

async fn judge(
    edit: &mut Edit<'_>,
    interaction_id: &str,
    wanted: &Wanted,
    known: Option<&ClaimRow>,
) -> Result<Verdict, Status> {
    match known {
        None => grant(edit, interaction_id, wanted).await,
        Some(claim) if claim.agent_id != wanted.agent => {
            let why = "was used for another agent; each attempt has a claim id of its own";
            Err(ApiError::invalid_argument("claims.claim_id", why).into())
        }
        Some(claim) => match claim.state {
            ClaimState::Reserved | ClaimState::Engaged => keep(edit, wanted, claim).await,
            ClaimState::Expired if wanted.taken == Taken::Engaged => revive(edit, wanted, claim).await,
            ClaimState::Expired => Ok(Verdict::Expired),
            ClaimState::Released | ClaimState::Refused => Ok(Verdict::Refused(claim.reason)),
        },
    }
}

/// An active claim goes on: perhaps the agent is in the interaction now, or the offer says something else.
async fn keep(edit: &mut Edit<'_>, wanted: &Wanted, claim: &ClaimRow) -> Result<Verdict, Status> {
    let next = kept(wanted, claim, edit.now_us());
    if next.state == ClaimState::Reserved {
        edit.note_deadline(next.expires_at_us);
    }
    if next != *claim {
        let before = edit.agent(claim.agent_id).await?;
        claims::update(edit.tx, edit.occasion.tenant, &next).await?;
        if let Some(before) = before {
            let taken = if next.state == ClaimState::Engaged { Taken::Engaged } else { Taken::Reserved };
            edit.settle(claim.agent_id, &before.standing, [Change::Taken(taken)], "").await?;
            edit.touch_agent(claim.agent_id);
        }
    }
    Ok(Verdict::Granted)
}

/// The agent answered, and we heard of it too late (we were down, say). They are on the phone: to show them as available
/// would be worse (A3) than a reservation that ran out and was used after all.
async fn revive(edit: &mut Edit<'_>, wanted: &Wanted, claim: &ClaimRow) -> Result<Verdict, Status> {
    let before = edit.agent(claim.agent_id).await?;
    let engaged = ClaimRow { inbox: wanted.inbox.clone(), since_us: edit.now_us(), ..claim.clone() };
    if !claims::revive(edit.tx, edit.occasion.tenant, &engaged).await? {
        return Ok(Verdict::Expired);
    }
    if let Some(before) = before {
        edit.settle(claim.agent_id, &before.standing, [Change::Taken(Taken::Engaged)], "").await?;
    }
    Ok(Verdict::Granted)
}

/// A claim that was not seen before.
async fn grant(edit: &mut Edit<'_>, interaction_id: &str, wanted: &Wanted) -> Result<Verdict, Status> {
    let before = edit.agent(wanted.agent).await?;
    let claim = ClaimRow {
        claim_id: wanted.claim_id.clone(),
        interaction_id: interaction_id.to_owned(),
        agent_id: wanted.agent,
        state: if wanted.taken == Taken::Engaged { ClaimState::Engaged } else { ClaimState::Reserved },
        reason: Reason::Unspecified,
        expires_at_us: wanted.expires_at_us,
        inbox: wanted.inbox.clone(),
        since_us: edit.now_us(),
    };
    // Who is in it already is in it, whatever state they are in; only the index may say no.
    if wanted.taken == Taken::Reserved {
        if wanted.expires_at_us <= edit.now_us() {
            return expire_at_once(edit, claim).await;
        }
        if let Err(reason) = choosable(before.as_ref(), &wanted.choosable) {
            return refuse(edit, claim, reason).await;
        }
    }
    if !claims::insert(edit.tx, edit.occasion.tenant, &claim).await? {
        return refuse(edit, claim, Reason::Busy).await;
    }
    if claim.state == ClaimState::Reserved {
        edit.note_deadline(claim.expires_at_us);
    }
    if let Some(before) = before {
        edit.settle(claim.agent_id, &before.standing, [Change::Taken(wanted.taken)], "").await?;
    }
    Ok(Verdict::Granted)
}

/// Whether an agent may be chosen as they stand.
fn choosable(agent: Option<&AgentRecord>, states: &[State]) -> Result<(), Reason> {
    let state = agent.map(|it| Standing::state(&it.standing)).ok_or(Reason::NotAvailable)?;
    match state {
        state if states.contains(&state) => Ok(()),
        State::Offline => Err(Reason::Offline),
        _ => Err(Reason::NotAvailable),
    }
}

async fn refuse(edit: &mut Edit<'_>, claim: ClaimRow, reason: Reason) -> Result<Verdict, Status> {
    let refused = ClaimRow { state: ClaimState::Refused, reason, ..claim };
    claims::insert(edit.tx, edit.occasion.tenant, &refused).await?;
    Ok(Verdict::Refused(reason))
}

async fn expire_at_once(edit: &mut Edit<'_>, claim: ClaimRow) -> Result<Verdict, Status> {
    let expired = ClaimRow { state: ClaimState::Expired, reason: Reason::Expired, ..claim };
    claims::insert(edit.tx, edit.occasion.tenant, &expired).await?;
    edit.effects.expired = true;
    Ok(Verdict::Expired)
}
