//! Looking for an agent to take the customer: one agent, or whoever of a team is free. The call flow and the transfers use the same.
//!
//! A team is waited for in rounds: routing proposes agents for the open round; each is claimed, and each granted one's phone rings. Who
//! declines or misses is skipped (A5), for good or until the pause is over that the policy names; the place in the queue is kept (A6). A queue is
//! waited for in the same way; where it says so, one waits on in another queue.
//!
//! An agent who was chosen by name and is in another call may be waited for (B504): presence keeps the claim, and grants it when they are free.

use crate::{
    actor::{AgentRef, Target},
    cause::QueueRule,
    interaction::{Counters, Party},
    queue::{Instead, Pool, Queue},
};
use baton_words::{AgentId, AgentState, ClaimNo, LegNo, Reason, WaitNo};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::mem;

/// How much longer a reservation lasts than the phone may ring: the saga's own deadline, and then some (A2).
const LEASE_MARGIN_US: i64 = 15_000_000;
/// After so long a team of which nobody can be asked is asked anew, where the policy waits for it.
const NOBODY_PAUSE_US: i64 = 5_000_000;

/// Looking for an agent. Times are microseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    pub target: Target,
    pub(crate) rules: SearchRules,
    /// The place in the queue, kept over failed offers (A6).
    pub since_us: i64,
    /// When to stop.
    pub until_us: i64,
    pub round: Round,
    /// Routing has taken it into the queue, or that of the team.
    pub entered: bool,
    /// Who is not offered the customer (again) (A5).
    pub skip: SmallVec<[Skipped; 2]>,
    pub offers: SmallVec<[Offer; 1]>,
    /// Why the last offer failed.
    pub last_failure: Option<Reason>,
    /// The number outside that is called. It is reserved by nobody, and is dialled once (S2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<OutsideCall>,
}

/// A phone outside that rings, or is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideCall {
    pub leg: LegNo,
    pub since_us: i64,
    /// Until when it may ring; judged by telephony (T4).
    pub until_us: i64,
}

/// How long, whom, and how often: from the policy's method, or from the step of the call flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SearchRules {
    /// How long each phone may ring.
    pub(crate) ring_us: i64,
    /// How long a team, or an agent in another call, is waited for in all.
    pub(crate) wait_us: i64,
    /// How often one phone that could not be reached is dialled anew.
    pub(crate) redials: u8,
    /// The states in which an agent may be chosen.
    pub(crate) choosable: SmallVec<[AgentState; 2]>,
    /// After how long who declined or missed is asked again; 0: never.
    pub(crate) again_after_us: i64,
    /// A team is waited for though nobody in it can be asked.
    pub(crate) waits_for_nobody: bool,
    /// An agent chosen by name who is in another call is waited for (B504).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) waits_if_busy: bool,
    /// How long presence may take to answer for a claim.
    pub(crate) claim_answer_us: i64,
    /// How much later than telephony's own ring time a silent phone counts as unreachable (T4).
    pub(crate) silence_us: i64,
    /// No phone rings: the agent accepts in the application. Then nobody but Baton knows when the time is up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) accepts: bool,
}

impl SearchRules {
    /// The same where no phone rings.
    pub(crate) fn accepted_in_the_application(self) -> Self {
        Self { silence_us: 0, accepts: true, ..self }
    }
}

/// Where the asking for proposals stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Round {
    /// Routing is asked.
    Open(WaitNo),
    /// Whoever was proposed, or is the target, is being offered the customer.
    Proposed,
    /// Nobody can be asked; the next round opens then.
    Paused { until_us: i64 },
    /// It looks no more.
    Over,
}

/// An agent who is not proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub agent: AgentId,
    /// Until then; none: for good.
    pub until_us: Option<i64>,
}

/// One agent who is being offered the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub agent: AgentRef,
    pub claim: ClaimNo,
    pub state: OfferState,
    /// When presence was asked.
    pub since_us: i64,
    /// When the reservation runs out by itself (A2).
    pub expires_at_us: i64,
    /// How often their phone may still be dialled anew.
    pub redials: u8,
}

/// How far an offer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferState {
    /// Presence was asked.
    Claiming {
        /// When to stop waiting for its answer.
        until_us: i64,
    },
    /// The agent is in another call, and presence keeps the claim until they are free (B504).
    Queued {
        /// When to stop waiting for the agent.
        until_us: i64,
    },
    /// The phone rings, or is about to.
    Ringing {
        leg: LegNo,
        since_us: i64,
        /// Until when it may ring; judged by telephony (T4).
        until_us: i64,
    },
}

/// What a search takes in.
#[derive(Debug)]
pub(crate) enum SearchInput {
    Granted(ClaimNo),
    /// The agent is in another call; presence keeps the claim.
    Kept(ClaimNo),
    Refused(ClaimNo, Reason),
    Answered(LegNo),
    LegEnded(LegNo, Reason),
    Declined(AgentId),
    /// They take it in the application.
    Accepted(AgentId),
    /// Routing has taken it into the queue, at this position.
    Entered(WaitNo, u32),
    Proposed(WaitNo, Vec<AgentRef>),
    Exhausted(WaitNo),
    /// Nobody who serves the queue is signed in.
    Unattended(WaitNo),
    /// The queue is closed.
    Closed(WaitNo),
    Tick,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum SearchEffect {
    /// Something has changed that nobody is told.
    Adjusted,
    /// It is in the queue of a team, at this position.
    Entered(u32),
    /// The agent is in another call, and is waited for.
    AwaitsAgent(AgentId),
    /// An agent is reserved; their phone is to ring.
    Reserved(AgentId),
    Failed(Failed),
    Answered(AgentAnswered),
    /// The phone outside was answered.
    OutsideAnswered(OutsideCall),
    /// Nobody answered outside.
    OutsideFailed(OutsideCall, Reason),
    /// Nobody was found.
    Over(Reason),
    /// It waits on in another queue.
    Overflowed(Overflowed),
}

/// A search that has left one queue for another.
#[derive(Debug)]
pub(crate) struct Overflowed {
    pub(crate) from: Pool,
    /// Routing had taken it into that queue.
    pub(crate) entered: bool,
    pub(crate) reason: Reason,
    /// What the queue says of it; none where it closed.
    pub(crate) by: Option<QueueRule>,
    /// Whoever was being asked.
    pub(crate) withdrawn: SmallVec<[Failed; 1]>,
}

/// An offer that came to nothing.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) agent: AgentId,
    pub(crate) claim: ClaimNo,
    pub(crate) reason: Reason,
    /// How long the phone rang, 0 for an agent who was waited for; none: they have seen nothing of it.
    pub(crate) rang_us: Option<i64>,
    /// They declined, by command or by hanging up the ringing phone.
    pub(crate) by_agent: bool,
}

/// An agent who has answered.
#[derive(Debug)]
pub(crate) struct AgentAnswered {
    pub(crate) agent: AgentRef,
    pub(crate) claim: ClaimNo,
    pub(crate) leg: LegNo,
    pub(crate) rang_us: i64,
}

pub(crate) type SearchEffects = SmallVec<[SearchEffect; 2]>;

/// Where new numbers come from, what time it is, and who needs no offer because they are in the call.
pub(crate) struct Numbers<'a> {
    pub(crate) counters: &'a mut Counters,
    pub(crate) now_us: i64,
    pub(crate) in_call: &'a [Party],
}

impl Search {
    /// Begins to look. `skip`: who hands over; nobody gets back what they hand over.
    pub(crate) fn begin(target: Target, rules: SearchRules, skip: Option<AgentId>, numbers: &mut Numbers<'_>) -> Self {
        let limit_us = match &target {
            Target::Agent(_) | Target::External(_) => rules.ring_us + rules.claim_answer_us + LEASE_MARGIN_US,
            // Nobody is looked for in an IVR flow; see `Advance::send_away`.
            Target::Team { .. } | Target::IvrFlow(_) => rules.wait_us,
            Target::Queue(queue) => rules.wait_us.min(queue.wait_ms * 1000),
        };
        let first = target.clone();
        let mut search = Self {
            target,
            rules,
            since_us: numbers.now_us,
            until_us: numbers.now_us + limit_us,
            round: Round::Proposed,
            entered: false,
            skip: skip.into_iter().map(|agent| Skipped { agent, until_us: None }).collect(),
            offers: SmallVec::new(),
            last_failure: None,
            outside: None,
        };
        match first {
            Target::Agent(agent) => search.offer(agent, numbers),
            Target::Team { .. } | Target::Queue(_) | Target::IvrFlow(_) => search.open_round(numbers),
            Target::External(_) => search.dial(numbers),
        }
        search
    }

    /// From here on it is this agent who hands over, and nobody gets back what they hand over.
    pub(crate) fn skip_for_good(&mut self, agent: AgentId) {
        self.skip.push(Skipped { agent, until_us: None });
    }

    /// Whether somebody's phone rings.
    pub fn ringing(&self) -> bool {
        self.outside.is_some() || self.offers.iter().any(|offer| matches!(offer.state, OfferState::Ringing { .. }))
    }

    /// Whether it waits for a team, and nobody is being asked; or for an agent who is in another call.
    pub fn waiting(&self) -> bool {
        self.outside.is_none() && self.offers.iter().all(|offer| matches!(offer.state, OfferState::Queued { .. }))
    }

    /// How long each phone may ring.
    fn ring_us(&self) -> i64 {
        let most_us = self.target.queue().map_or(i64::MAX, |queue| queue.ring_ms * 1000);
        self.rules.ring_us.min(most_us)
    }

    /// Whether the queue says how long a phone may ring, because it says less than the method or the step.
    pub(crate) fn ring_of_queue(&self) -> Option<&Queue> {
        self.target.queue().filter(|queue| queue.ring_ms * 1000 < self.rules.ring_us)
    }

    /// Whether the queue says how long is waited, because it says less than the method or the step.
    pub(crate) fn wait_of_queue(&self) -> Option<&Queue> {
        self.target.queue().filter(|_| self.until_us < self.since_us + self.rules.wait_us)
    }

    /// Whether the chosen agent is waited for if they are in another call: only one who was chosen by name.
    pub(crate) fn waits_if_busy(&self) -> bool {
        self.rules.waits_if_busy && matches!(self.target, Target::Agent(_))
    }

    /// The states in which an agent may be chosen.
    pub(crate) fn choosable(&self) -> &[AgentState] {
        &self.rules.choosable
    }

    /// When a tick changes something.
    pub(crate) fn deadline_us(&self) -> i64 {
        let offers = self.offers.iter().map(|offer| offer.deadline_us(self.rules.silence_us));
        let pause = match self.round {
            Round::Paused { until_us } => Some(until_us),
            Round::Open(_) => self.back_at_us(),
            Round::Proposed | Round::Over => None,
        };
        let outside = self.outside.map(|call| call.until_us + self.rules.silence_us);
        offers.chain(pause).chain(outside).fold(self.until_us, i64::min)
    }

    pub(crate) fn take(&mut self, input: SearchInput, numbers: &mut Numbers<'_>) -> SearchEffects {
        let mut effects = SearchEffects::new();
        match input {
            SearchInput::Granted(claim) => effects.extend(self.granted(claim, numbers)),
            SearchInput::Kept(claim) => effects.extend(self.kept(claim, numbers.now_us)),
            SearchInput::Refused(claim, reason) => {
                let at = self.offers.iter().position(|offer| offer.claim == claim);
                self.fail(at, reason, false, numbers, &mut effects);
            }
            SearchInput::Answered(leg) => effects.extend(self.answered(leg, numbers.now_us)),
            SearchInput::Accepted(agent) => {
                let leg = self.offers.iter().filter(|offer| offer.agent.id == agent).find_map(Offer::leg);
                effects.extend(leg.and_then(|leg| self.answered(leg, numbers.now_us)));
            }
            SearchInput::LegEnded(leg, reason) => self.leg_ended(leg, reason, numbers, &mut effects),
            SearchInput::Declined(agent) => {
                let at = self.offers.iter().position(|offer| offer.agent.id == agent);
                self.fail(at, Reason::Declined, true, numbers, &mut effects);
            }
            SearchInput::Entered(wait, position) => effects.extend(self.enter(wait, position)),
            // Who is proposed at once was first in the queue.
            SearchInput::Proposed(wait, agents) => {
                effects.extend(self.enter(wait, 1));
                effects.extend(self.proposed(wait, agents, numbers));
            }
            SearchInput::Exhausted(wait) => self.exhausted(wait, Reason::NobodyAvailable, numbers, &mut effects),
            SearchInput::Unattended(wait) => self.exhausted(wait, Reason::NobodySignedIn, numbers, &mut effects),
            SearchInput::Closed(wait) => self.exhausted(wait, Reason::QueueClosed, numbers, &mut effects),
            SearchInput::Tick => self.tick(numbers, &mut effects),
        }
        effects
    }

    /// Stops looking: whoever is being asked is asked no more. None: it had stopped before.
    pub(crate) fn stop(&mut self, reason: Reason, now_us: i64) -> Option<SmallVec<[Failed; 1]>> {
        if self.round == Round::Over {
            return None;
        }
        self.round = Round::Over;
        Some(self.offers.drain(..).map(|offer| offer.failed(reason, false, now_us)).collect())
    }

    fn open_round(&mut self, numbers: &mut Numbers<'_>) {
        self.skip.retain(|skipped| skipped.until_us.is_none_or(|until_us| until_us > numbers.now_us));
        self.round = Round::Open(WaitNo(Counters::take(&mut numbers.counters.wait)));
    }

    /// Asks presence for an agent.
    fn offer(&mut self, agent: AgentRef, numbers: &mut Numbers<'_>) {
        let until_us = numbers.now_us + self.rules.claim_answer_us;
        self.offers.push(Offer {
            agent,
            claim: ClaimNo(Counters::take(&mut numbers.counters.claim)),
            state: OfferState::Claiming { until_us },
            since_us: numbers.now_us,
            expires_at_us: until_us + self.ring_us() + LEASE_MARGIN_US,
            redials: self.rules.redials,
        });
    }

    /// Calls the number outside, at once.
    fn dial(&mut self, numbers: &mut Numbers<'_>) {
        let (leg, since_us) = (numbers.counters.next_leg(), numbers.now_us);
        self.outside = Some(OutsideCall { leg, since_us, until_us: since_us + self.rules.ring_us });
    }

    /// The call outside came to nothing, and nobody else is asked.
    fn fail_outside(&mut self, call: OutsideCall, reason: Reason, effects: &mut SearchEffects) {
        self.outside = None;
        self.last_failure = Some(reason);
        effects.extend([SearchEffect::OutsideFailed(call, reason), SearchEffect::Over(reason)]);
    }

    fn enter(&mut self, wait: WaitNo, position: u32) -> Option<SearchEffect> {
        let first = self.round == Round::Open(wait) && !self.entered;
        self.entered |= first;
        first.then_some(SearchEffect::Entered(position))
    }

    fn proposed(&mut self, wait: WaitNo, agents: Vec<AgentRef>, numbers: &mut Numbers<'_>) -> Option<SearchEffect> {
        if self.round != Round::Open(wait) {
            return None;
        }
        let skipped = |agent: &AgentRef| self.skip.iter().any(|skipped| skipped.agent == agent.id);
        let fresh: Vec<_> = agents.into_iter().filter(|agent| !skipped(agent)).collect();
        if fresh.is_empty() {
            return None;
        }
        self.round = Round::Proposed;
        for agent in fresh {
            if !numbers.in_call.iter().any(|party| party.agent_id() == Some(agent.id)) {
                self.offer(agent, numbers);
            }
        }
        if self.offers.is_empty() {
            self.open_round(numbers);
        }
        Some(SearchEffect::Adjusted)
    }

    /// Routing has nobody to propose: all are skipped, there is nobody, or (of a queue) nobody is signed in, or it is closed.
    fn exhausted(&mut self, wait: WaitNo, why: Reason, numbers: &mut Numbers<'_>, effects: &mut SearchEffects) {
        if self.round != Round::Open(wait) {
            return;
        }
        let back_at_us = self.back_at_us();
        let by = self.target.queue().and_then(|queue| QueueRule::of_nobody(queue, why));
        let until_us = match self.target.queue() {
            None => back_at_us.or(self.rules.waits_for_nobody.then_some(numbers.now_us + NOBODY_PAUSE_US)),
            Some(_) if by.is_some_and(|rule| rule.instead() == Some(Instead::Wait)) => {
                Some(back_at_us.unwrap_or(numbers.now_us + NOBODY_PAUSE_US))
            }
            Some(_) => None,
        };
        if let Some(until_us) = until_us {
            self.round = Round::Paused { until_us };
            return effects.push(SearchEffect::Adjusted);
        }
        let gives_up = by.is_some_and(|rule| rule.instead() == Some(Instead::GiveUp));
        if gives_up || !self.overflow(why, by, numbers, effects) {
            let why = self.last_failure.filter(|_| why == Reason::NobodyAvailable).unwrap_or(why);
            effects.push(SearchEffect::Over(why));
        }
    }

    /// Waits on in the next queue, in the same place by time (A6). False: there is none, or the time is over.
    fn overflow(
        &mut self,
        reason: Reason,
        by: Option<QueueRule>,
        numbers: &mut Numbers<'_>,
        effects: &mut SearchEffects,
    ) -> bool {
        let last_us = self.since_us + self.rules.wait_us;
        let Target::Queue(queue) = &mut self.target else { return false };
        if numbers.now_us >= last_us {
            return false;
        }
        let Some(next) = queue.overflow.take() else { return false };
        self.until_us = last_us.min(numbers.now_us + next.wait_ms * 1000);
        let from = Pool::Queue(mem::replace(queue, next).id);
        let withdrawn = self.offers.drain(..).map(|offer| offer.failed(Reason::Timeout, false, numbers.now_us));
        let withdrawn = withdrawn.collect();
        let entered = mem::take(&mut self.entered);
        effects.push(SearchEffect::Overflowed(Overflowed { from, entered, reason, by, withdrawn }));
        self.open_round(numbers);
        true
    }

    /// Presence has reserved the agent: their phone is to ring.
    fn granted(&mut self, claim: ClaimNo, numbers: &mut Numbers<'_>) -> Option<SearchEffect> {
        let ring_us = self.ring_us();
        let offer = self.offers.iter_mut().find(|offer| offer.claim == claim)?;
        let since_us = numbers.now_us;
        match offer.state {
            OfferState::Claiming { .. } => {}
            OfferState::Queued { .. } => offer.expires_at_us = since_us + ring_us + LEASE_MARGIN_US,
            OfferState::Ringing { .. } => return None,
        }
        let leg = numbers.counters.next_leg();
        offer.state = OfferState::Ringing { leg, since_us, until_us: since_us + ring_us };
        Some(SearchEffect::Reserved(offer.agent.id))
    }

    /// The agent is in another call: they are waited for, and have their whole ring time afterwards (B504).
    fn kept(&mut self, claim: ClaimNo, now_us: i64) -> Option<SearchEffect> {
        if !self.waits_if_busy() {
            return None;
        }
        let offer = self.offers.iter_mut().find(|offer| offer.claim == claim)?;
        let OfferState::Claiming { .. } = offer.state else { return None };
        let until_us = now_us + self.rules.wait_us;
        offer.state = OfferState::Queued { until_us };
        offer.expires_at_us = until_us + self.rules.ring_us + LEASE_MARGIN_US;
        self.until_us = offer.expires_at_us;
        Some(SearchEffect::AwaitsAgent(offer.agent.id))
    }

    fn answered(&mut self, leg: LegNo, now_us: i64) -> Option<SearchEffect> {
        if let Some(call) = self.outside.take_if(|call| call.leg == leg) {
            return Some(SearchEffect::OutsideAnswered(call));
        }
        let offer = self.offers.remove(self.by_leg(leg)?);
        let rang_us = offer.rang_us(now_us).unwrap_or_default();
        Some(SearchEffect::Answered(AgentAnswered { agent: offer.agent, claim: offer.claim, leg, rang_us }))
    }

    fn leg_ended(&mut self, leg: LegNo, reason: Reason, numbers: &mut Numbers<'_>, effects: &mut SearchEffects) {
        let at = self.by_leg(leg);
        if reason == Reason::Unreachable && at.is_some_and(|at| self.redial(at, numbers)) {
            return effects.push(SearchEffect::Adjusted);
        }
        // A phone that is hung up while it rings was declined.
        let declined = reason == Reason::HungUp;
        let reason = if declined { Reason::Declined } else { reason };
        if let Some(call) = self.outside.filter(|call| call.leg == leg) {
            return self.fail_outside(call, reason, effects);
        }
        self.fail(at, reason, declined, numbers, effects);
    }

    /// A phone could not be reached, or the switch no longer knows whether it was dialled: it is dialled anew, under a new id, within the
    /// same ring time. False: there is no try left.
    fn redial(&mut self, at: usize, numbers: &mut Numbers<'_>) -> bool {
        let offer = &mut self.offers[at];
        let OfferState::Ringing { leg, until_us, .. } = &mut offer.state else { return false };
        if offer.redials == 0 || *until_us <= numbers.now_us {
            return false;
        }
        offer.redials -= 1;
        *leg = numbers.counters.next_leg();
        true
    }

    /// An offer came to nothing; with no other left, the search goes on with the next round, or is over.
    fn fail(
        &mut self,
        at: Option<usize>,
        reason: Reason,
        by_agent: bool,
        numbers: &mut Numbers<'_>,
        effects: &mut SearchEffects,
    ) {
        let Some(at) = at else { return };
        let failed = self.offers.remove(at).failed(reason, by_agent, numbers.now_us);
        self.last_failure = Some(reason);
        if failed.rang_us.is_some() {
            let pause_us = self.rules.again_after_us;
            let until_us = (pause_us > 0).then_some(numbers.now_us + pause_us);
            self.skip.push(Skipped { agent: failed.agent, until_us });
        }
        effects.push(SearchEffect::Failed(failed));
        match self.target {
            _ if !self.offers.is_empty() => {}
            Target::Agent(_) | Target::External(_) => effects.push(SearchEffect::Over(reason)),
            Target::Team { .. } | Target::Queue(_) if self.round == Round::Proposed => self.open_round(numbers),
            Target::Team { .. } | Target::Queue(_) | Target::IvrFlow(_) => {}
        }
    }

    fn tick(&mut self, numbers: &mut Numbers<'_>, effects: &mut SearchEffects) {
        // Silence says nothing of the agent (B604): telephony itself tells of a phone that rang out, before this (T4).
        while let Some(at) = self.overdue(numbers.now_us) {
            let reason = match self.offers[at].state {
                OfferState::Queued { .. } => Reason::Busy,
                OfferState::Ringing { .. } if self.rules.accepts => Reason::NoAnswer,
                OfferState::Claiming { .. } | OfferState::Ringing { .. } => Reason::Unreachable,
            };
            self.fail(Some(at), reason, false, numbers, effects);
            if matches!(effects.last(), Some(SearchEffect::Over(_))) {
                return;
            }
        }
        if let Some(call) = self.outside.filter(|call| call.until_us + self.rules.silence_us <= numbers.now_us) {
            return self.fail_outside(call, Reason::Unreachable, effects);
        }
        if self.until_us <= numbers.now_us {
            let by = self.wait_of_queue().map(|queue| QueueRule::MaxWait(queue.wait_ms));
            if self.overflow(Reason::Timeout, by, numbers, effects) {
                return;
            }
            let silent = if self.ringing() { Reason::NoAnswer } else { Reason::NobodyAvailable };
            return effects.push(SearchEffect::Over(self.last_failure.unwrap_or(silent)));
        }
        self.end_pauses(numbers, effects);
    }

    /// Who was skipped for a while may be asked again: in a new round, as routing answers for each round once.
    fn end_pauses(&mut self, numbers: &mut Numbers<'_>, effects: &mut SearchEffects) {
        let before = self.skip.len();
        self.skip.retain(|skipped| skipped.until_us.is_none_or(|until_us| until_us > numbers.now_us));
        let somebody_is_back = self.skip.len() < before;
        let due = match self.round {
            Round::Paused { until_us } => until_us <= numbers.now_us,
            Round::Open(_) => somebody_is_back,
            Round::Proposed | Round::Over => false,
        };
        if due {
            self.open_round(numbers);
        }
        if due || somebody_is_back {
            effects.push(SearchEffect::Adjusted);
        }
    }

    /// When the first who is skipped for a while may be asked again.
    fn back_at_us(&self) -> Option<i64> {
        self.skip.iter().filter_map(|skipped| skipped.until_us).min()
    }

    fn overdue(&self, now_us: i64) -> Option<usize> {
        self.offers.iter().position(|offer| offer.deadline_us(self.rules.silence_us) <= now_us)
    }

    fn by_leg(&self, leg: LegNo) -> Option<usize> {
        self.offers.iter().position(|offer| offer.leg() == Some(leg))
    }
}

impl Offer {
    /// When to stop waiting for it although nobody reports anything.
    fn deadline_us(&self, silence_us: i64) -> i64 {
        match self.state {
            OfferState::Claiming { until_us } | OfferState::Queued { until_us } => until_us,
            OfferState::Ringing { until_us, .. } => until_us + silence_us,
        }
    }

    /// The leg that rings, or in a chat what stands for it.
    fn leg(&self) -> Option<LegNo> {
        match self.state {
            OfferState::Ringing { leg, .. } => Some(leg),
            OfferState::Claiming { .. } | OfferState::Queued { .. } => None,
        }
    }

    fn rang_us(&self, now_us: i64) -> Option<i64> {
        match self.state {
            OfferState::Claiming { .. } => None,
            OfferState::Queued { .. } => Some(0),
            OfferState::Ringing { since_us, .. } => Some(now_us - since_us),
        }
    }

    fn failed(self, reason: Reason, by_agent: bool, now_us: i64) -> Failed {
        let rang_us = self.rang_us(now_us);
        Failed { agent: self.agent.id, claim: self.claim, reason, rang_us, by_agent }
    }
}
