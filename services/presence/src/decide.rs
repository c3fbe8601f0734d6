//! What the claims of one interaction become: a pure function of its projection, of the claims that are known of it, and of the agents.
//!
//! The projection lists all claims that are wanted at its version. An active claim that is not in the list is released; one that is in
//! the list and not known is granted, if its agent is free and may be chosen. A claim that is over stays over under its id, so a
//! repeated or late projection gets the same answers and writes nothing. (The one exception is a [revived](Decider::revive) claim.)
//! Releases come before grants: an interaction may release an agent and claim the same one in one step.

use std::collections::{BTreeMap, BTreeSet};

use baton_api::ApiError;
use baton_api::common::v1::Reason;
use baton_api::event::v1::agent_state_changed::Cause;
use baton_api::presence::v1::released_claim::Closing;
use prost::Message as _;

use crate::ids::AgentId;
use crate::projection::{ClaimDecision, ClaimsProjection, Released, Wanted};
use crate::record::{ClaimMedium, QueuedClaim};
use crate::status::{AgentStatus, Occupied, ShownState, StatusChange, WrapUp};
use crate::store::claims::{ClaimRow, ClaimState};

/// What is known when a projection comes.
pub(crate) struct KnownState {
    /// All claims of the interaction that were ever seen, by id.
    pub(crate) claims: BTreeMap<String, ClaimRow>,
    /// Those of them that wait until their agent is free.
    pub(crate) queued: BTreeMap<String, QueuedClaim>,
    /// The agents whom the projection or a claim names; who is not in the directory is not here.
    pub(crate) agents: BTreeMap<AgentId, AgentStatus>,
    /// Their phones.
    pub(crate) phones: BTreeMap<AgentId, String>,
    /// No projection of the interaction was seen before.
    pub(crate) is_first: bool,
    pub(crate) now_us: i64,
}

/// The answers, and what makes them true.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ClaimsDecision {
    /// In the order of the wanted claims.
    pub(crate) answers: Vec<ClaimDecision>,
    pub(crate) writes: Vec<ClaimWrite>,
    pub(crate) queue: Vec<QueueWrite>,
    /// Who has dispositioned their turn: their wrap-up is over. With their status until now.
    pub(crate) wrapped_up: Vec<(AgentId, AgentStatus)>,
}

/// How the claims that wait change.
#[derive(Debug, PartialEq)]
pub(crate) enum QueueWrite {
    Put(QueuedClaim),
    /// It is decided, or no longer wanted.
    Remove(QueuedClaim),
}

/// One claim that changes, with its agent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClaimWrite {
    pub(crate) row: RowWrite,
    pub(crate) agent: AgentId,
    /// The agent's status until now, and how it changes; `None` if the claim has no effect on them.
    pub(crate) effect: Option<(AgentStatus, Vec<StatusChange>)>,
    /// What the event says if the agent is shown otherwise afterwards.
    pub(crate) cause: Cause,
}

/// How the row of a claim changes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RowWrite {
    Insert(ClaimRow),
    Update(ClaimRow),
    Revive(ClaimRow),
    /// The claim is released, for this reason.
    Release(ClaimRow, Reason),
}

impl RowWrite {
    /// What becomes of others who have the same phone.
    pub(crate) fn phone_change(&self) -> Option<StatusChange> {
        // Nobody writes by phone.
        if self.claim().medium != ClaimMedium::Voice {
            return None;
        }
        match self {
            Self::Insert(claim) => claim.state.is_active().then_some(StatusChange::PhoneTaken),
            Self::Revive(_) => Some(StatusChange::PhoneTaken),
            Self::Update(_) => None,
            Self::Release(..) => Some(StatusChange::PhoneFreed),
        }
    }

    pub(crate) fn claim(&self) -> &ClaimRow {
        match self {
            Self::Insert(claim) | Self::Update(claim) | Self::Revive(claim) | Self::Release(claim, _) => claim,
        }
    }
}

/// Answers each wanted claim, and says what is to be written for that.
///
/// # Errors
/// `INVALID_ARGUMENT` if a claim's id was used for another agent.
pub(crate) fn decide(projection: &ClaimsProjection, known: KnownState) -> Result<ClaimsDecision, ApiError> {
    let mut decider = Decider { projection, known, writes: Vec::new(), queue: Vec::new() };
    decider.release_unwanted();
    decider.unqueue_unwanted();
    // An interaction that has ended and is unknown was dealt with and deleted (`prune`): no wrap-up begins once more (A4).
    if !(projection.ended && decider.known.is_first) {
        decider.tombstone_unseen();
    }
    let wrapped_up = decider.wrapped_up();
    let answers = projection.wanted.iter().map(|wanted| decider.answer(wanted)).collect::<Result<_, _>>()?;
    Ok(ClaimsDecision { answers, writes: decider.writes, queue: decider.queue, wrapped_up })
}

struct Decider<'a> {
    projection: &'a ClaimsProjection,
    /// The agents as they are after the writes so far.
    known: KnownState,
    writes: Vec<ClaimWrite>,
    queue: Vec<QueueWrite>,
}

impl Decider<'_> {
    fn is_wanted(&self, claim_id: &str) -> bool {
        self.projection.wanted.iter().any(|it| it.claim_id == claim_id)
    }

    fn write(&mut self, row: RowWrite, agent: AgentId, changes: Vec<StatusChange>, cause: Cause) {
        let effect = self.known.agents.get_mut(&agent).map(|status| {
            let before = status.clone();
            for change in changes.clone() {
                *status = status.after(change, self.known.now_us);
            }
            (before, changes)
        });
        if let Some(change) = row.phone_change() {
            self.settle_phone(agent, &change);
        }
        self.writes.push(ClaimWrite { row, agent, effect, cause });
    }

    /// Who has the same phone can use it no longer, or again (F4).
    fn settle_phone(&mut self, agent: AgentId, change: &StatusChange) {
        let KnownState { agents, phones, now_us, .. } = &mut self.known;
        let phone = phones.get(&agent);
        for (_, other) in agents.iter_mut().filter(|(id, _)| **id != agent && phones.get(*id) == phone) {
            *other = other.after(change.clone(), *now_us);
        }
    }

    /// A claim that is over as soon as it is known: it has no effect on its agent.
    fn write_over(&mut self, row: ClaimRow) {
        let agent = row.agent_id;
        self.writes.push(ClaimWrite { row: RowWrite::Insert(row), agent, effect: None, cause: Cause::Unspecified });
    }

    /// Releases each active claim that is not wanted.
    fn release_unwanted(&mut self) {
        let released: BTreeMap<_, _> = self.projection.released.iter().map(|it| (it.claim_id.as_str(), it)).collect();
        let is_unwanted = |it: &&ClaimRow| it.state.is_active() && !self.is_wanted(&it.claim_id);
        let unwanted: Vec<_> = self.known.claims.values().filter(is_unwanted).cloned().collect();
        for claim in unwanted {
            let released = released.get(claim.claim_id.as_str()).copied();
            let (mut changes, cause) = self.aftermath(released);
            changes.insert(0, StatusChange::freed(claim.medium));
            let reason = released.map_or(Reason::Unspecified, |it| it.reason);
            self.write(RowWrite::Release(claim.clone(), reason), claim.agent_id, changes, cause);
        }
    }

    /// Takes out each claim that waits and is not wanted any more.
    fn unqueue_unwanted(&mut self) {
        let unwanted: Vec<_> = self.known.queued.keys().filter(|id| !self.is_wanted(id)).cloned().collect();
        for id in unwanted {
            self.queue.extend(self.known.queued.remove(&id).map(QueueWrite::Remove));
        }
    }

    /// Who has dispositioned this call; unless another of their turns in it is due (B507).
    fn wrapped_up(&mut self) -> Vec<(AgentId, AgentStatus)> {
        let closes = |agent: AgentId, closing| {
            self.projection.released.iter().any(|it| it.agent == agent && it.closing == closing)
        };
        let here = &self.projection.interaction_id;
        let done = self.known.agents.iter_mut().filter(|(agent, status)| {
            let wraps_up =
                status.wrap_up.as_ref().is_some_and(|it| it.interaction_id == *here || it.due.contains(here));
            wraps_up && closes(**agent, Closing::Done) && !closes(**agent, Closing::Due)
        });
        let now_us = self.known.now_us;
        let ended = done.map(|(agent, status)| {
            let before = status.clone();
            *status = before.after(StatusChange::Dispositioned(here.clone()), now_us);
            (*agent, before)
        });
        ended.collect()
    }

    /// Writes a tombstone for each released claim that began and ended between two versions that were seen: it never occupied its
    /// agent here, but what follows from its release is due, once (A4).
    fn tombstone_unseen(&mut self) {
        for released in &self.projection.released {
            if self.known.claims.contains_key(&released.claim_id) || self.is_wanted(&released.claim_id) {
                continue;
            }
            let tombstone = ClaimRow {
                claim_id: released.claim_id.clone(),
                interaction_id: self.projection.interaction_id.clone(),
                agent_id: released.agent,
                // It occupied nobody here.
                medium: ClaimMedium::Voice,
                phone: self.phone_of(released.agent),
                state: ClaimState::Released,
                reason: released.reason,
                expires_at_us: 0,
                inbox: Vec::new(),
                since_us: self.known.now_us,
            };
            let is_free = self.known.agents.get(&released.agent).is_some_and(AgentStatus::is_idle);
            if is_free {
                let (changes, cause) = self.aftermath(Some(released));
                self.write(RowWrite::Insert(tombstone), released.agent, changes, cause);
            } else {
                self.write_over(tombstone);
            }
        }
    }

    /// How a released claim changes its agent's status, and the cause for the event.
    fn aftermath(&self, released: Option<&Released>) -> (Vec<StatusChange>, Cause) {
        let (change, cause) = match released {
            Some(it) if it.wrap_up_us > 0 && it.closing != Closing::Done => {
                let until_us = self.known.now_us + it.wrap_up_us;
                let interaction_id = self.projection.interaction_id.clone();
                let due = if it.closing == Closing::Due { vec![interaction_id.clone()] } else { Vec::new() };
                let wrap_up = WrapUp { until_us, interaction_id, due };
                (Some(StatusChange::WrapUpBegan(wrap_up)), Cause::WrapUpBegan)
            }
            Some(it) if it.reason == Reason::NoAnswer => (Some(StatusChange::OfferMissed), Cause::NoAnswer),
            _ => (None, Cause::Unspecified),
        };
        (change.into_iter().collect(), cause)
    }

    fn answer(&mut self, wanted: &Wanted) -> Result<ClaimDecision, ApiError> {
        let queued = self.known.queued.get(&wanted.claim_id).cloned();
        if let Some(queued) = queued.filter(|it| it.agent == wanted.agent) {
            return Ok(self.await_further(wanted, queued));
        }
        let Some(claim) = self.known.claims.get(&wanted.claim_id).cloned() else { return Ok(self.grant(wanted)) };
        if claim.agent_id != wanted.agent {
            let why = "was used for another agent; each attempt has a claim id of its own";
            return Err(ApiError::invalid_argument("claims.claim_id", why));
        }
        Ok(match claim.state {
            ClaimState::Reserved | ClaimState::Engaged => self.keep(wanted, &claim),
            ClaimState::Expired if wanted.occupied == Occupied::Engaged => self.revive(wanted, claim),
            ClaimState::Expired => ClaimDecision::Expired,
            ClaimState::Released | ClaimState::Refused => ClaimDecision::Refused(claim.reason),
        })
    }

    /// An active claim goes on; the agent may be in the interaction now, or the inbox item may be another.
    fn keep(&mut self, wanted: &Wanted, claim: &ClaimRow) -> ClaimDecision {
        let mut next = ClaimRow { inbox: wanted.inbox.encode_to_vec(), ..claim.clone() };
        if wanted.occupied == Occupied::Engaged && claim.state == ClaimState::Reserved {
            next.state = ClaimState::Engaged;
            next.since_us = self.known.now_us;
        }
        let occupied = if next.state == ClaimState::Reserved {
            next.expires_at_us = wanted.expires_at_us;
            Occupied::Reserved
        } else {
            Occupied::Engaged
        };
        if next != *claim {
            let changes = match claim.medium {
                ClaimMedium::Voice => vec![StatusChange::Occupied(occupied)],
                ClaimMedium::Chat if next.state != claim.state => vec![StatusChange::ChatAccepted],
                ClaimMedium::Chat => Vec::new(),
            };
            self.write(RowWrite::Update(next), claim.agent_id, changes, Cause::Answered);
        }
        ClaimDecision::Granted
    }

    /// The agent answered, and the projection that says so came too late (the service was down, say). They are on the phone: to show
    /// them as available would be worse (A3) than a reservation that ran out and was used after all.
    fn revive(&mut self, wanted: &Wanted, claim: ClaimRow) -> ClaimDecision {
        if self.is_occupied(claim.agent_id, claim.medium) {
            return ClaimDecision::Expired;
        }
        let agent = claim.agent_id;
        let engaged = ClaimRow { inbox: wanted.inbox.encode_to_vec(), since_us: self.known.now_us, ..claim };
        let changes = vec![StatusChange::taken(engaged.medium, Occupied::Engaged)];
        self.write(RowWrite::Revive(engaged), agent, changes, Cause::Answered);
        ClaimDecision::Granted
    }

    /// A claim that waits: it goes on waiting, unless its agent is in the interaction meanwhile. Who is freed is given to the first who waits
    /// when they are ([`Edit::promote`](crate::edit::Edit)).
    fn await_further(&mut self, wanted: &Wanted, queued: QueuedClaim) -> ClaimDecision {
        if wanted.occupied == Occupied::Engaged {
            self.queue.push(QueueWrite::Remove(queued));
            return self.grant(wanted);
        }
        let next = QueuedClaim {
            expires_at_us: wanted.expires_at_us,
            inbox: wanted.inbox.clone(),
            choosable: wanted.choosable.clone(),
            ..queued.clone()
        };
        if next != queued {
            self.queue.push(QueueWrite::Put(next));
        }
        ClaimDecision::Queued
    }

    /// A claim that was not seen before.
    fn grant(&mut self, wanted: &Wanted) -> ClaimDecision {
        let claim = ClaimRow {
            claim_id: wanted.claim_id.clone(),
            interaction_id: self.projection.interaction_id.clone(),
            agent_id: wanted.agent,
            medium: wanted.medium,
            phone: if wanted.medium == ClaimMedium::Voice { self.phone_of(wanted.agent) } else { String::new() },
            state: if wanted.occupied == Occupied::Engaged { ClaimState::Engaged } else { ClaimState::Reserved },
            reason: Reason::Unspecified,
            expires_at_us: wanted.expires_at_us,
            inbox: wanted.inbox.encode_to_vec(),
            since_us: self.known.now_us,
        };
        if wanted.occupied == Occupied::Reserved && wanted.expires_at_us <= self.known.now_us {
            self.write_over(ClaimRow { state: ClaimState::Expired, reason: Reason::Expired, ..claim });
            return ClaimDecision::Expired;
        }
        let grantable = self.grantable(wanted);
        if grantable == Err(Reason::Busy) && wanted.waits_if_busy && wanted.occupied == Occupied::Reserved {
            self.queue.push(QueueWrite::Put(QueuedClaim {
                claim_id: claim.claim_id,
                interaction_id: claim.interaction_id,
                agent: claim.agent_id,
                choosable: wanted.choosable.clone(),
                expires_at_us: claim.expires_at_us,
                since_us: claim.since_us,
                inbox: wanted.inbox.clone(),
            }));
            return ClaimDecision::Queued;
        }
        if let Err(reason) = grantable {
            self.write_over(ClaimRow { state: ClaimState::Refused, reason, ..claim });
            return ClaimDecision::Refused(reason);
        }
        let changes = vec![StatusChange::taken(wanted.medium, wanted.occupied)];
        self.write(RowWrite::Insert(claim), wanted.agent, changes, Cause::Answered);
        ClaimDecision::Granted
    }

    /// An agent who is in the interaction already is engaged in whatever state they are; only another claim, on them or on their phone,
    /// refuses that.
    fn grantable(&self, wanted: &Wanted) -> Result<(), Reason> {
        if wanted.occupied == Occupied::Reserved {
            let agent = self.known.agents.get(&wanted.agent);
            match agent.map(AgentStatus::state).ok_or(Reason::NotAvailable)? {
                state if wanted.choosable.contains(&state) => {}
                ShownState::Offline => return Err(Reason::Offline),
                _ => return Err(Reason::NotAvailable),
            }
        }
        if self.is_occupied(wanted.agent, wanted.medium) { Err(Reason::Busy) } else { Ok(()) }
    }

    /// By as many claims as they have room for, or for a call by one on somebody who has the same phone.
    fn is_occupied(&self, agent: AgentId, medium: ClaimMedium) -> bool {
        self.known.agents.get(&agent).is_some_and(|it| !it.can_be_claimed_for(medium))
    }

    fn phone_of(&self, agent: AgentId) -> String {
        self.known.phones.get(&agent).cloned().unwrap_or_default()
    }
}

impl KnownState {
    /// The agents whom a projection names, or a claim that is known of its interaction.
    pub(crate) fn agents_of(
        projection: &ClaimsProjection,
        claims: &BTreeMap<String, ClaimRow>,
        queued: &BTreeMap<String, QueuedClaim>,
    ) -> BTreeSet<AgentId> {
        let active = claims.values().filter(|it| it.state.is_active()).map(|it| it.agent_id);
        let active = active.chain(queued.values().map(|it| it.agent));
        let wanted = projection.wanted.iter().map(|it| it.agent);
        wanted.chain(projection.released.iter().map(|it| it.agent)).chain(active).collect()
    }
}

#[cfg(test)]
mod tests;
