//! The parties: who has the customer, who is held, and those who leave, by command, by hanging up, or because their leg was lost. What an
//! agent's leaving means for a transfer is the transfer's to say.

use super::advance::Advance;
use crate::{
    actor::{Actor, ExternalRef},
    cause::{ConsultField, HouseField, RuleField},
    event::EventKind,
    input::Disposition,
    interaction::{
        Closing, Counters, Dispositioned, Exit, ExitTo, Hold, HopOutcome, LegState, MAX_PARTICIPATIONS, Participation,
        Party, PartyNo, RELEASED_KEPT, ReleasedClaim, Seeker, Service, Stage, Who,
    },
    machine::TransferInput,
    policy::{ConsultCustomerGone, CustomerGone},
    project::{CUSTOMER_DISCONNECTED, is_parked},
};
use baton_words::{AgentId, AnnouncementNo, ClaimNo, FlowOutcome, Reason};
use smallvec::SmallVec;
use std::sync::Arc;

impl Advance<'_> {
    /// Puts the customer on hold, or takes them off.
    pub(super) fn hold(&mut self, on: bool) {
        let now = self.now;
        // In a chat the customer goes on writing (B309).
        if self.i.medium.is_written() {
            return;
        }
        let Stage::Served(service) = &mut self.i.stage else { return };
        match (on, service.hold.take()) {
            (true, None) => {
                service.hold = Some(Hold { since_us: now, reminded_at_us: now });
                self.i.tally.holds += 1;
                self.emit(EventKind::CustomerHeld);
            }
            (false, Some(ended)) => self.emit(EventKind::CustomerResumed { held_us: now - ended.since_us }),
            (_, unchanged) => service.hold = unchanged,
        }
    }

    /// Gives the customer to an agent.
    pub(super) fn make_primary(&mut self, party: PartyNo, agent: AgentId) {
        let (hold, away) = match &mut self.i.stage {
            Stage::Served(service) => (service.hold.take(), service.away.take()),
            _ => (None, None),
        };
        self.i.stage = Stage::Served(Service { primary: party, hold, away });
        if self.last_primary != Some(agent) {
            let from = self.last_primary.replace(agent);
            self.emit(EventKind::PrimaryChanged { from, to: agent });
        }
    }

    /// Gives the customer to a party outside: no agent has them any more.
    pub(super) fn take_outside(&mut self, party: PartyNo, external: Arc<ExternalRef>) {
        let hold = match &mut self.i.stage {
            Stage::Served(service) => service.hold.take(),
            _ => None,
        };
        self.i.stage = Stage::Served(Service { primary: party, hold, away: None });
        let from = self.last_primary.take();
        self.emit(EventKind::ExternalTookOver { from, external });
    }

    pub(super) fn take_over(&mut self, party: PartyNo, agent: AgentId) {
        self.make_primary(party, agent);
        self.take_tenure(agent);
    }

    /// From here on the conversation is of this agent's recording. Whose it was may come back while the transfer is undecided (B206).
    pub(super) fn take_tenure(&mut self, agent: AgentId) {
        let other = self.i.recorder.tenure.map(|tenure| tenure.agent);
        let undecided = self.i.transfer.as_ref().filter(|transfer| transfer.is_undecided());
        let may_come_back = other.zip(undecided).is_some_and(|(other, transfer)| {
            let recipient = transfer.recipient().and_then(|no| self.i.party(no)).and_then(Party::agent_id);
            let takes_part = transfer.initiator.id == other || recipient == Some(other);
            takes_part && self.i.agent(other).is_some()
        });
        let now = self.now;
        self.record(|recorder| recorder.take_tenure(agent, may_come_back, now));
    }

    pub(super) fn primary_takes_tenure(&mut self) {
        if let Some(primary) = self.i.primary() {
            self.take_tenure(primary);
        }
    }

    /// Takes an agent out: their leg and claim leave the projections. False: they were not in it.
    pub(super) fn remove_agent(&mut self, agent: AgentId, reason: Reason) -> bool {
        let Some(at) = self.i.parties.iter().position(|party| party.agent_id() == Some(agent)) else { return false };
        let party = self.i.parties.remove(at);
        let wrap_up_ms = self.policy.interaction.wrap_up_ms;
        if let Who::Agent { claim, .. } = party.who {
            let closing = self.note_participation(party.no, agent, claim);
            self.release(ReleasedClaim { claim, agent, reason, wrap_up_ms, closing });
        }
        let in_call_us = self.now - party.since_us;
        self.emit(EventKind::AgentLeft { agent, reason, in_call_us, wrap_up_us: wrap_up_ms * 1000 });
        self.record(|recorder| recorder.agent_left(agent));
        true
    }

    /// Where the policy has dispositions, whoever leaves may say how their participation ended (B507).
    fn note_participation(&mut self, party: PartyNo, agent: AgentId, claim: ClaimNo) -> Closing {
        let house = &self.policy.interaction;
        if house.dispositions.is_empty() {
            return Closing::Free;
        }
        let due = house.needs_disposition;
        let received = self.i.transfer.as_ref().filter(|it| it.is_undecided() && it.recipient() == Some(party));
        let transfer = received.map(|transfer| transfer.no);
        if self.i.participations.len() == MAX_PARTICIPATIONS {
            self.i.participations.remove(0);
        }
        self.i.participations.push(Participation { agent, claim, transfer, left_at_us: self.now, due, given: None });
        if due { Closing::Due } else { Closing::Free }
    }

    /// An agent says how their participation ended; if they wrap up because of it, they are done.
    pub(super) fn disposition(&mut self, agent: AgentId, disposition: Disposition) {
        let now = self.now;
        let Some(participation) = self
            .i
            .participations
            .iter_mut()
            .find(|participation| participation.agent == agent && participation.given.is_none())
        else {
            return;
        };
        let (claim, transfer, after_us) = (participation.claim, participation.transfer, now - participation.left_at_us);
        let name = disposition.name.clone();
        participation.given = Some(Dispositioned { disposition, at_us: now });
        let done = Closing::Done;
        match self.i.released.iter_mut().find(|released| released.claim == claim) {
            Some(released) => released.closing = done,
            None => {
                self.release(ReleasedClaim { claim, agent, reason: Reason::Requested, wrap_up_ms: 0, closing: done });
            }
        }
        self.emit(EventKind::Dispositioned { agent, transfer, disposition: name, after_us });
    }

    pub(super) fn remove_everybody(&mut self, reason: Reason) {
        let everybody: SmallVec<[AgentId; 3]> = self.i.agents().filter_map(Party::agent_id).collect();
        for agent in everybody {
            self.remove_agent(agent, reason);
        }
        let outside: SmallVec<[PartyNo; 1]> = self.i.externals().map(|party| party.no).collect();
        for no in outside {
            self.remove_external(no, reason);
        }
    }

    /// Takes a party outside out: their leg leaves the projections. False: they were not in it.
    pub(super) fn remove_external(&mut self, no: PartyNo, reason: Reason) -> bool {
        let Some(at) = self.i.parties.iter().position(|party| party.no == no) else { return false };
        let Some(external) = self.i.parties[at].external().cloned() else { return false };
        let party = self.i.parties.remove(at);
        self.emit(EventKind::ExternalLeft { external, reason, in_call_us: self.now - party.since_us });
        true
    }

    /// Remembers why a claim is over, for a while.
    pub(super) fn release(&mut self, released: ReleasedClaim) {
        if self.i.released.len() == RELEASED_KEPT {
            self.i.released.remove(0);
        }
        self.i.released.push(released);
        self.touch();
    }

    /// Nobody has the customer: they are no longer held by anybody, and wait. An agent who handed over before and stayed goes, too: they
    /// would be left alone in a room. A customer who is in an IVR flow stays there.
    pub(super) fn with_nobody(&mut self) {
        self.remove_everybody(Reason::Requested);
        self.hold(false);
        self.last_primary = None;
        let away = match &mut self.i.stage {
            Stage::Served(service) => service.away.take(),
            _ => None,
        };
        self.i.stage = away.map_or(Stage::Seeking(Seeker::Transfer), Stage::Exiting);
        self.touch();
    }

    /// An agent is gone.
    pub(super) fn agent_gone(&mut self, agent: AgentId, reason: Reason) {
        let part = self.i.transfer.as_ref().map(|transfer| {
            let recipient = transfer.recipient().and_then(|no| self.i.party(no)).and_then(Party::agent_id);
            (transfer.is_undecided() && transfer.initiator.id == agent, recipient == Some(agent))
        });
        let was_primary = self.i.primary() == Some(agent);
        if !self.remove_agent(agent, reason) {
            return;
        }
        match part {
            Some((true, _)) => self.transfer(TransferInput::InitiatorLeft),
            Some((_, true)) => self.transfer(TransferInput::RecipientLeft(reason)),
            _ => return self.bystander_gone(was_primary, reason),
        }
        self.if_cut_off(reason);
    }

    /// Whoever took part in a transfer and left it without a successor left the customer cut off.
    fn if_cut_off(&mut self, reason: Reason) {
        if self.i.service().is_some() && self.i.primary_party().is_none() {
            self.primary_gone(reason, true);
        }
    }

    /// A party outside is gone who is not the customer: the recipient of a transfer, or to whom the customer was handed over.
    pub(super) fn external_gone(&mut self, no: PartyNo, reason: Reason) {
        let received = self.i.transfer.as_ref().is_some_and(|transfer| transfer.recipient() == Some(no));
        let was_primary = self.i.service().is_some_and(|service| service.primary == no);
        if !self.remove_external(no, reason) {
            return;
        }
        if received {
            self.transfer(TransferInput::RecipientLeft(reason));
            self.if_cut_off(reason);
        } else if was_primary {
            self.primary_gone(reason, self.i.held() || reason != Reason::HungUp);
        }
    }

    /// Somebody has left who was not part of an undecided transfer.
    fn bystander_gone(&mut self, was_primary: bool, reason: Reason) {
        if let Stage::Farewell { .. } = self.i.stage {
            if self.i.agents().next().is_none() {
                self.end(Reason::CustomerLeft);
            }
        } else if was_primary {
            let cut_off = self.i.held() || reason != Reason::HungUp;
            self.primary_gone(reason, cut_off);
        }
    }

    /// The primary agent is gone: another who is still there takes over; otherwise the call ends, or the customer who was held or cut off
    /// goes where the fallback says.
    fn primary_gone(&mut self, reason: Reason, cut_off: bool) {
        let next = self.i.agents().next().and_then(|party| Some((party.no, party.agent_id()?)));
        match next {
            Some((party, agent)) => self.take_over(party, agent),
            None if cut_off => self.orphaned(),
            None => self.end(reason),
        }
    }

    /// The customer's leg is over.
    pub(super) fn customer_gone(&mut self, reason: Reason) {
        if self.i.customer().leg.is_over() || self.i.ended() {
            return;
        }
        let was_there = self.i.customer().leg.is_up();
        self.i.customer_mut().leg.state = LegState::Over;
        self.touch();
        if !was_there || reason == Reason::SwitchLost {
            return self.end(reason);
        }
        self.act_as(Actor::Customer);
        self.emit(EventKind::CustomerLeft);
        if let Stage::Exiting(Exit { to: ExitTo::Mailbox(_), .. }) = self.i.stage {
            return self.end(Reason::Voicemail);
        }
        if let Some((rule, other)) = self.goes_on_with() {
            return self.by(rule, |it| it.go_on_with(other));
        }
        let away = self.i.away();
        self.out_of_flow(FlowOutcome::Left);
        self.stop_search(Some(Reason::CustomerLeft));
        let parked = self.i.parties.iter().any(|party| is_parked(self.i, party));
        self.close(HopOutcome::Abandoned);
        let apart = parked || (self.i.held() || away) && self.i.agents().next().is_some();
        let heard = !self.i.medium.is_written();
        let announced = heard && self.policy.interaction.customer_gone == CustomerGone::Announce;
        self.by(apart.then_some(RuleField::House(HouseField::CustomerGone)), |it| {
            if apart && announced { it.farewell() } else { it.end(Reason::CustomerLeft) }
        });
    }

    /// With whom the initiator goes on when the customer has left: with whom they called outside, where the policy says so (B409).
    fn goes_on_with(&self) -> Option<(RuleField, PartyNo)> {
        let open = self.i.transfer.as_ref().filter(|open| open.is_undecided() && open.goes_outside())?;
        let goes_on = self.policy.method(open.kind)?.consult.as_ref()?.customer_gone == ConsultCustomerGone::GoOn;
        let is_there = self.i.agent(open.initiator.id).is_some() && self.i.primary() == Some(open.initiator.id);
        let rule = RuleField::Consult(open.kind, ConsultField::CustomerGone);
        open.recipient().filter(|_| goes_on && is_there).map(|other| (rule, other))
    }

    /// Who was called outside is the customer from here on, and what is said with them is a recording of its own.
    fn go_on_with(&mut self, other: PartyNo) {
        let Some(external) = self.i.party(other).and_then(Party::external).cloned() else { return };
        self.close(HopOutcome::Abandoned);
        let before = self.i.customer;
        self.i.customer = other;
        self.i.parties.retain(|party| party.no != before);
        self.act_as(Actor::System);
        self.hold(false);
        self.emit(EventKind::CustomerChanged { external });
        let now = self.now;
        self.record(|recorder| recorder.end_tenure(now));
        self.primary_takes_tenure();
    }

    /// The agents who were apart from the customer hear that the customer has left, and are then released (B209).
    fn farewell(&mut self) {
        let announcement = AnnouncementNo(Counters::take(&mut self.i.counters.announcement));
        let until_us = self.now + self.policy.interaction.farewell_ms * 1000;
        self.i.stage = Stage::Farewell { announcement, until_us };
        self.act_as(Actor::System);
        self.emit(EventKind::Announced { name: CUSTOMER_DISCONNECTED });
    }
}
