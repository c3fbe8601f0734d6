//! Looking for an agent: waits, claims, ringing phones. The call flow and the transfers share it.

use super::step::Step;
use crate::{
    event::EventKind,
    ids::{ClaimNo, LegNo, WaitNo},
    interaction::{Counters, CustomerLine, Engaged, Offer, OfferState, ReleasedClaim, Search},
    words::{Actor, AgentRef, AgentState, Reason, Target},
};
use smallvec::SmallVec;

/// How long presence may take to answer for a claim, before it counts as unreachable.
const CLAIM_ANSWER_US: i64 = 10_000_000;
/// How much longer a reservation lasts than the phone may ring: the saga's own deadline, and then some.
const LEASE_MARGIN_US: i64 = 15_000_000;

/// How often a call flow, or an agent's own call, dials an agent's phone anew.
const FLOW_REDIALS: u8 = 1;

impl Step<'_> {
    /// Begins to look for an agent.
    pub(super) fn search(&mut self, target: Target, ring_ms: i64, wait_ms: i64, choosable: SmallVec<[AgentState; 2]>) {
        let limit_ms = match target {
            Target::Agent(_) => ring_ms + (CLAIM_ANSWER_US + LEASE_MARGIN_US) / 1000,
            Target::Team { .. } => wait_ms,
        };
        let agent = match &target {
            Target::Agent(agent) => Some(agent.clone()),
            Target::Team { .. } => None,
        };
        self.i.search = Some(Search {
            target,
            ring_ms,
            choosable,
            since_us: self.now,
            until_us: self.now + limit_ms * 1000,
            wait: None,
            // Nobody gets back what they hand over, though they may be of the team and free by now.
            skip: self.i.open_transfer().map(|transfer| transfer.initiator.id).into_iter().collect(),
            offers: SmallVec::new(),
            last_failure: None,
        });
        match agent {
            Some(agent) => self.offer(agent),
            None => self.wait_anew(),
        }
        self.touch();
    }

    /// Asks routing for the next proposal.
    fn wait_anew(&mut self) {
        let wait = WaitNo(Counters::take(&mut self.i.counters.wait));
        if let Some(search) = &mut self.i.search {
            search.wait = Some(wait);
        }
        self.touch();
    }

    /// Routing proposes these.
    pub(super) fn proposed(&mut self, wait: WaitNo, agents: Vec<AgentRef>) {
        let Some(search) = self.i.search.as_mut().filter(|search| search.wait == Some(wait)) else { return };
        let skip = search.skip.clone();
        let fresh: Vec<_> = agents.into_iter().filter(|agent| !skip.contains(&agent.id)).collect();
        if fresh.is_empty() {
            return;
        }
        search.wait = None;
        for agent in fresh {
            if self.i.agent(agent.id).is_none() {
                self.offer(agent);
            }
        }
        if self.i.search.as_ref().is_some_and(|search| search.offers.is_empty()) {
            self.wait_anew();
        }
    }

    /// Routing has nobody left.
    pub(super) fn exhausted(&mut self, wait: WaitNo) {
        if let Some(search) = self.i.search.as_ref().filter(|search| search.wait == Some(wait)) {
            let reason = search.last_failure.unwrap_or(Reason::NobodyAvailable);
            self.search_over(reason);
        }
    }

    /// Asks presence for an agent.
    fn offer(&mut self, who: AgentRef) {
        let claim = self.next_claim();
        let now = self.now;
        let redials = match self.i.open_transfer() {
            Some(transfer) => self.i.policy.offer(transfer.kind).redials,
            None => FLOW_REDIALS,
        };
        let Some(search) = &mut self.i.search else { return };
        search.offers.push(Offer {
            who,
            claim,
            state: OfferState::Claiming { until_us: now + CLAIM_ANSWER_US },
            expires_at_us: now + CLAIM_ANSWER_US + search.ring_ms * 1000 + LEASE_MARGIN_US,
            redials,
        });
        self.touch();
    }

    /// Presence has reserved the agent: their phone is to ring.
    pub(super) fn claim_granted(&mut self, claim: ClaimNo) {
        let Some(at) = self.i.search.as_ref().and_then(|search| search.by_claim(claim)) else { return };
        let leg = LegNo(self.i.counters.leg + 1);
        let now = self.now;
        let Some(search) = &mut self.i.search else { return };
        let until_us = now + search.ring_ms * 1000;
        let offer = &mut search.offers[at];
        let OfferState::Claiming { .. } = offer.state else { return };
        offer.state = OfferState::Ringing { leg, until_us };
        let agent = offer.who.id;
        self.i.counters.leg = leg.0;
        let transfer = self.transfer_no();
        self.emit(EventKind::AgentOffered { agent, transfer });
        if let Some(transfer) = transfer {
            self.emit(EventKind::TransferOffered { transfer, recipient: agent });
            let kind = self.i.open_transfer().map(|transfer| transfer.kind);
            if let Some(kind) = kind {
                self.begin_offering(kind);
            }
        }
    }

    /// A phone could not be reached, or nobody knows whether it was dialled: it is dialled anew, under a new id, within the same ring time.
    /// False: there is no try left.
    pub(super) fn redial(&mut self, at: usize) -> bool {
        let (leg, now) = (LegNo(self.i.counters.leg + 1), self.now);
        let Some(search) = &mut self.i.search else { return false };
        let offer = &mut search.offers[at];
        let OfferState::Ringing { until_us, .. } = offer.state else { return false };
        if offer.redials == 0 || until_us <= now {
            return false;
        }
        offer.redials -= 1;
        offer.state = OfferState::Ringing { leg, until_us };
        self.i.counters.leg = leg.0;
        self.touch();
        true
    }

    /// An offer came to nothing: the agent could not be had, did not answer, or declined.
    pub(super) fn offer_failed(&mut self, at: usize, reason: Reason) {
        let Some(search) = &mut self.i.search else { return };
        let offer = search.offers.remove(at);
        let agent = offer.who.id;
        search.last_failure = Some(reason);
        if matches!(offer.state, OfferState::Ringing { .. }) {
            // A5: who declines or does not answer is not offered the same interaction again by the system.
            search.skip.push(agent);
        }
        let one_agent = matches!(search.target, Target::Agent(_));
        let none_left = search.offers.is_empty() && search.wait.is_none();
        self.release(ReleasedClaim { claim: offer.claim, agent, reason, wrap_up_ms: 0 });
        let transfer = self.transfer_no();
        self.emit(EventKind::OfferFailed { agent, transfer, reason });
        match (none_left, one_agent) {
            (true, true) => self.search_over(reason),
            (true, false) => self.wait_anew(),
            _ => {}
        }
    }

    /// Nobody was found.
    pub(super) fn search_over(&mut self, reason: Reason) {
        self.drop_search(reason);
        match self.phase() {
            Some(_) => self.transfer_unanswered(reason),
            // The agent's own phone was not answered: there is nobody to call for.
            None if matches!(self.i.customer.line, CustomerLine::ToDial(_)) => self.end(reason),
            None => self.advance_flow(),
        }
    }

    /// Stops looking; whoever rings stops ringing.
    pub(super) fn drop_search(&mut self, reason: Reason) {
        let Some(search) = self.i.search.take() else { return };
        let transfer = self.transfer_no();
        for offer in search.offers {
            let agent = offer.who.id;
            self.release(ReleasedClaim { claim: offer.claim, agent, reason, wrap_up_ms: 0 });
            if matches!(offer.state, OfferState::Ringing { .. }) {
                self.emit(EventKind::OfferFailed { agent, transfer, reason });
            }
        }
        self.touch();
    }

    /// Somebody answered: they are in, and all other offers are taken back (A7).
    pub(super) fn offer_answered(&mut self, at: usize, leg: LegNo) {
        let Some(search) = &mut self.i.search else { return };
        let (offer, since_us) = (search.offers.remove(at), search.since_us);
        let agent = offer.who.id;
        self.drop_search(Reason::Taken);
        self.act_as(Actor::Agent(agent));
        self.i.agents.push(Engaged {
            who: offer.who,
            leg,
            claim: offer.claim,
            muted: false,
            seen_in: None,
            since_us: self.now,
        });
        self.emit(EventKind::AgentJoined { agent, leg });
        match self.phase() {
            Some(_) => self.recipient_answered(agent),
            None => self.flow_answered(agent, since_us),
        }
    }
}
