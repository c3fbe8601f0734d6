//! Facts: what was observed. A fact about something that is no longer there, or that is known already, changes nothing (S5).

use super::step::Step;
use crate::{
    ids::{AnnouncementNo, ClaimNo, LegNo},
    input::Fact,
    interaction::Stage,
    words::{Actor, Reason, Room},
};

/// The customer's leg.
const CUSTOMER: LegNo = LegNo(1);

impl Step<'_> {
    pub(super) fn fact(&mut self, fact: Fact) {
        match fact {
            Fact::SegmentLive(segment) => self.segment_live(segment),
            Fact::SegmentEnded(segment, end) => self.segment_ended(segment, end),
            // What is over stays over: of the rest only the segments' ends are still to come.
            _ if self.i.ended() => {}
            Fact::LegRinging(_) => {}
            Fact::LegUp(leg, room) => self.leg_up(leg, room),
            // A customer's phone that is hung up while it rings was declined.
            Fact::LegEnded(CUSTOMER, Reason::HungUp) if self.i.customer.ringing() => {
                self.customer_gone(Reason::Declined);
            }
            Fact::LegEnded(CUSTOMER, reason) => self.customer_gone(reason),
            Fact::LegEnded(leg, reason) => self.leg_ended(leg, reason),
            Fact::AnnouncementOver(no) => self.announcement_over(no),
            Fact::ExitOver(exit, outcome) => self.exit_over(exit, outcome),
            Fact::ClaimGranted(claim) => self.claim_granted(claim),
            Fact::ClaimRefused(claim, reason) => self.claim_refused(claim, reason),
            Fact::Proposed(wait, agents) => self.proposed(wait, agents),
            Fact::Exhausted(wait) => self.exhausted(wait),
            Fact::SwitchLost => self.switch_lost(),
        }
    }

    fn leg_up(&mut self, leg: LegNo, room: Option<Room>) {
        if let Some(at) = self.i.search.as_ref().and_then(|search| search.by_leg(leg)) {
            self.offer_answered(at, leg);
        }
        if leg == CUSTOMER && !self.i.customer.gone {
            self.customer_answered();
        }
        let seen = if leg == CUSTOMER {
            Some(&mut self.i.customer.seen_in).filter(|_| !self.i.customer.gone)
        } else {
            self.i.agents.iter_mut().find(|agent| agent.leg == leg).map(|agent| &mut agent.seen_in)
        };
        if let Some(seen) = seen
            && *seen != room
        {
            *seen = room;
            self.touch();
        }
    }

    fn leg_ended(&mut self, leg: LegNo, reason: Reason) {
        if let Some(at) = self.i.search.as_ref().and_then(|search| search.by_leg(leg)) {
            if reason == Reason::Unreachable && self.redial(at) {
                return;
            }
            return match reason {
                Reason::HungUp => self.declined(at),
                _ => self.offer_failed(at, reason),
            };
        }
        let agent = self.i.agents.iter().find(|agent| agent.leg == leg).map(|agent| agent.who.id);
        if let Some(agent) = agent {
            // A leg that was lost is nobody's doing.
            if reason == Reason::HungUp {
                self.act_as(Actor::Agent(agent));
            }
            self.agent_gone(agent, reason);
        }
    }

    /// A phone that is hung up while it rings was declined.
    fn declined(&mut self, at: usize) {
        if let Some(offer) = self.i.search.as_ref().and_then(|search| search.offers.get(at)) {
            self.act_as(Actor::Agent(offer.who.id));
        }
        self.offer_failed(at, Reason::Declined);
    }

    fn announcement_over(&mut self, no: AnnouncementNo) {
        if matches!(self.i.stage, Stage::Farewell { announcement, .. } if announcement == no) {
            self.end(Reason::CustomerLeft);
        }
    }

    /// A reservation that is refused, or runs out before the phone was answered, is a failed offer. One that runs out later than that says
    /// nothing: who has answered is in the call.
    fn claim_refused(&mut self, claim: ClaimNo, reason: Reason) {
        if let Some(at) = self.i.search.as_ref().and_then(|search| search.by_claim(claim)) {
            self.offer_failed(at, reason);
        }
    }

    /// No leg lives (S4).
    fn switch_lost(&mut self) {
        self.i.customer.gone = true;
        self.end(Reason::SwitchLost);
    }
}
