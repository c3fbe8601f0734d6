//! Facts: what was observed. A fact about something that is no longer there, or that is known already, changes nothing (S5).

use super::advance::Advance;
use crate::{
    actor::Actor,
    event::EventKind,
    input::Fact,
    interaction::{Hop, LegSource, LegState, Stage},
    machine::SearchInput,
    project::is_parked,
};
use baton_words::{AnnouncementNo, LegNo, Reason, Room};

impl Advance<'_> {
    pub(super) fn fact(&mut self, fact: Fact) {
        match fact {
            Fact::SegmentLive(segment) => {
                let heard = self.i.agents().filter(|party| !is_parked(self.i, party));
                let agents = heard.filter_map(crate::interaction::Party::agent_id).collect();
                self.record(|recorder| recorder.segment_live(segment, agents));
            }
            Fact::SegmentEnded(segment, end) => self.record(|recorder| recorder.segment_ended(segment, end)),
            // There is no switch that could say so.
            Fact::LegUp(..)
            | Fact::LegEnded(..)
            | Fact::AnnouncementOver(_)
            | Fact::ExitOver(..)
            | Fact::SwitchLost
                if self.i.medium.is_written() => {}
            // What is over stays over: of the rest only the segments' ends are still to come.
            _ if self.i.ended() => {}
            Fact::LegUp(leg, room) => self.leg_up(leg, room),
            Fact::LegEnded(leg, reason) if leg == self.i.customer().leg.no => self.customer_leg_ended(reason),
            Fact::LegEnded(leg, reason) => self.leg_ended(leg, reason),
            Fact::AnnouncementOver(no) => self.announcement_over(no),
            Fact::ExitOver(exit, outcome) => self.exit_over(exit, outcome),
            Fact::InFlow(exit, data) => self.in_flow(exit, data),
            Fact::FlowOver(exit, end, data) => self.flow_over(exit, end, data),
            Fact::ClaimGranted(claim) => self.search(SearchInput::Granted(claim)),
            Fact::ClaimQueued(claim) => self.search(SearchInput::Kept(claim)),
            // A reservation that runs out after the phone was answered says nothing: who has answered is in the call, and in no search.
            Fact::ClaimRefused(claim, reason) => self.search(SearchInput::Refused(claim, reason)),
            Fact::Queued(wait, position) => self.search(SearchInput::Entered(wait, position)),
            Fact::Proposed(wait, agents) => self.search(SearchInput::Proposed(wait, agents)),
            Fact::Exhausted(wait) => self.search(SearchInput::Exhausted(wait)),
            Fact::SwitchLost => self.switch_lost(),
            Fact::Unattended(wait) => self.search(SearchInput::Unattended(wait)),
            Fact::Closed(wait) => self.search(SearchInput::Closed(wait)),
        }
    }

    fn leg_up(&mut self, leg: LegNo, room: Option<Room>) {
        self.search(SearchInput::Answered(leg));
        if leg == self.i.customer().leg.no {
            self.customer_answered();
        }
        let known = self.i.parties.iter_mut().find(|party| party.leg.no == leg && party.leg.is_up());
        let seen = LegState::Up { seen_in: room };
        if let Some(party) = known.filter(|party| party.leg.state != seen) {
            party.leg.state = seen;
            self.touch();
        }
    }

    fn leg_ended(&mut self, leg: LegNo, reason: Reason) {
        self.search(SearchInput::LegEnded(leg, reason));
        let agent = self.i.agents().find(|party| party.leg.no == leg).and_then(crate::interaction::Party::agent_id);
        if let Some(agent) = agent {
            // A leg that was lost is nobody's doing.
            if reason == Reason::HungUp {
                self.act_as(Actor::Agent(agent));
            }
            return self.agent_gone(agent, reason);
        }
        let external = self.i.externals().find(|party| party.leg.no == leg).map(|party| party.no);
        if let Some(no) = external {
            if reason == Reason::HungUp {
                self.act_as(Actor::External);
            }
            self.external_gone(no, reason);
        }
    }

    /// A customer's phone that is hung up while it rings was declined.
    fn customer_leg_ended(&mut self, reason: Reason) {
        let declined = reason == Reason::HungUp && self.i.customer().leg.is_ringing();
        self.of_customers_phone(reason);
        self.customer_gone(if declined { Reason::Declined } else { reason });
    }

    /// The customer whom an agent called is on the line.
    fn customer_answered(&mut self) {
        let (now, opened_at_us) = (self.now, self.i.opened_at_us);
        let leg = &mut self.i.customer_mut().leg;
        let (LegState::Ringing { since_us, .. }, LegSource::Outside(outside)) = (leg.state, &leg.origin) else {
            return;
        };
        let allowed_by = outside.allowed_by.clone();
        leg.state = LegState::Up { seen_in: None };
        self.act_as(Actor::Customer);
        self.emit(EventKind::CustomerAnswered { allowed_by, rang_us: now - since_us });
        let primary = self.i.primary().and_then(|agent| self.i.agent(agent)).and_then(crate::interaction::Party::agent);
        if let Some(agent) = primary.cloned() {
            self.i.journey.push(Hop::of_flow(&agent, opened_at_us, now));
        }
    }

    fn announcement_over(&mut self, no: AnnouncementNo) {
        if matches!(self.i.stage, Stage::Farewell { announcement, .. } if announcement == no) {
            self.end(Reason::CustomerLeft);
        }
    }

    /// No leg lives (S4).
    fn switch_lost(&mut self) {
        self.i.customer_mut().leg.state = LegState::Over;
        self.end(Reason::SwitchLost);
    }
}
