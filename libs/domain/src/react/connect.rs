//! The table of the house: what comes of one machine, carried to the others. The search finds an agent, and the transfer or the flow gets
//! them; the transfer takes a course, and parties, hold, recorder and journey follow it; the flow takes a step, and a search begins.

use super::advance::Advance;
use crate::{
    actor::{Actor, ExternalRef, Recipient, Target},
    cause::{ConsultField, HouseField, MethodField, RuleField, Trigger},
    event::{Ended, EventKind},
    input::FlowEnd,
    interaction::{
        Closing, Counters, Exit, ExitTo, Hop, HopOutcome, Interaction, Leg, LegSource, LegState, Party, PartyNo,
        ReleasedClaim, Seeker, Stage, Who,
    },
    machine::{
        AgentAnswered, Course, Failed, FlowStep, Numbers, OutsideCall, Overflowed, Search, SearchEffect, SearchInput,
        SearchRules, Situation, TransferInput, TransferState,
    },
    policy::{CustomerMeanwhile, Fallback, Method},
    queue::{FromQueue, Pool},
};
use baton_words::{
    AgentId, DivertedTo, ExitNo, ExitOutcome, FlowOutcome, Phase, Reason, Room, TransferKind, TransferNo,
};
use std::sync::Arc;

/// The search, and what comes of it.
impl Advance<'_> {
    /// Begins to look for somebody while no agent has the customer.
    pub(super) fn seek(&mut self, target: Target, rules: SearchRules, seeker: fn(Box<Search>) -> Seeker) {
        let search = self.begin_search(target, rules, None);
        self.i.stage = Stage::Seeking(seeker(Box::new(search)));
        self.touch();
    }

    pub(super) fn begin_search(&mut self, target: Target, rules: SearchRules, skip: Option<AgentId>) -> Search {
        let Interaction { counters, parties, medium, .. } = &mut *self.i;
        let rules = if medium.is_written() { rules.accepted_in_the_application() } else { rules };
        Search::begin(target, rules, skip, &mut Numbers { counters, now_us: self.now, in_call: parties })
    }

    /// Gives the search that is under way something to think of.
    pub(super) fn search(&mut self, input: SearchInput) {
        let Interaction { stage, transfer, counters, parties, .. } = &mut *self.i;
        let search = match (stage, transfer) {
            (Stage::Seeking(Seeker::Flow(search) | Seeker::Caller(search)), _) => search,
            (_, Some(transfer)) => match &mut transfer.state {
                TransferState::Seeking(search) => search,
                _ => return,
            },
            _ => return,
        };
        let effects = search.take(input, &mut Numbers { counters, now_us: self.now, in_call: parties });
        for effect in effects {
            match effect {
                SearchEffect::Adjusted => self.touch(),
                SearchEffect::Entered(position) => self.queued(position),
                SearchEffect::AwaitsAgent(agent) => self.awaits_agent(agent),
                SearchEffect::Reserved(agent) => self.agent_reserved(agent),
                SearchEffect::Failed(failed) => self.offer_failed(&failed, self.pool_sought()),
                SearchEffect::Answered(answered) => self.agent_answered(answered),
                SearchEffect::OutsideAnswered(call) => self.outside_answered(call),
                SearchEffect::OutsideFailed(call, reason) => self.outside_failed(call, reason),
                SearchEffect::Over(reason) => self.nobody_found(reason),
                SearchEffect::Overflowed(overflowed) => self.overflowed(&overflowed),
            }
        }
    }

    fn queued(&mut self, position: u32) {
        if let Some(pool) = self.pool_sought() {
            self.emit(EventKind::Queued { pool, transfer: self.transfer_no(), position });
            self.transfer(TransferInput::Enqueued);
        }
    }

    /// It waits on in another queue.
    fn overflowed(&mut self, overflowed: &Overflowed) {
        let Overflowed { from, entered, reason, by, withdrawn } = overflowed;
        let (transfer, since_us) = (self.transfer_no(), self.i.search().map_or(self.now, |search| search.since_us));
        // Of a time that is up it is the time that says why.
        let timed = self.cause.trigger == Trigger::Deadline;
        let by = by.map(RuleField::Queue);
        if timed {
            self.limited(by);
        }
        self.by(by.filter(|_| !timed), |it| {
            for failed in withdrawn {
                it.offer_failed(failed, Some(*from));
            }
            match entered {
                true => {
                    let (pool, waited_us) = (*from, it.now - since_us);
                    it.emit(EventKind::Dequeued { pool, transfer, reason: Some(*reason), waited_us });
                }
                false => it.touch(),
            }
        });
    }

    /// The recipient is in another call (B504). Nothing changes for the customer before they are reserved (F2).
    fn awaits_agent(&mut self, recipient: AgentId) {
        match self.transfer_no() {
            Some(transfer) => {
                let rule = self.of_busy();
                self.by(rule, |it| it.emit(EventKind::TransferWaiting { transfer, recipient }));
            }
            None => self.touch(),
        }
    }

    fn agent_reserved(&mut self, agent: AgentId) {
        let (transfer, pool) = (self.transfer_no(), self.pool_sought());
        self.emit(EventKind::AgentOffered { agent, transfer, pool });
        if let Some(transfer) = transfer {
            self.emit(EventKind::TransferOffered { transfer, recipient: Recipient::Agent(agent) });
        }
        self.transfer(TransferInput::Reserved);
    }

    fn offer_failed(&mut self, failed: &Failed, pool: Option<Pool>) {
        let Failed { agent, claim, reason, rang_us, by_agent } = *failed;
        // A phone that was hung up while it rang: by its agent. Who declined by command is the actor already.
        if by_agent && *self.actor() == Actor::System {
            self.act_as(Actor::Agent(agent));
        }
        self.release(ReleasedClaim { claim, agent, reason, wrap_up_ms: 0, closing: Closing::Free });
        let transfer = self.transfer_no();
        let rule = self.of_failure(failed);
        let rang_us = rang_us.unwrap_or_default();
        self.by(rule, |it| it.emit(EventKind::OfferFailed { agent, transfer, pool, reason, rang_us }));
    }

    /// They are in, and all other offers are taken back (A7).
    fn agent_answered(&mut self, answered: AgentAnswered) {
        let AgentAnswered { agent, claim, leg, rang_us } = answered;
        let (id, transfer, pool) = (agent.id, self.transfer_no(), self.pool_sought());
        let since_us = self.i.search().map_or(self.now, |search| search.since_us);
        let queue = pool.and_then(Pool::queue);
        let from_queue = queue.map(|queue| FromQueue { queue, waited_us: self.now - since_us });
        self.stop_search(None);
        self.act_as(Actor::Agent(id));
        let no = PartyNo(Counters::take(&mut self.i.counters.party));
        let written = self.i.medium.is_written();
        let origin = if written { LegSource::Written } else { LegSource::Phone(agent.phone.clone()) };
        self.i.parties.push(Party {
            no,
            who: Who::Agent { agent: agent.clone(), claim },
            leg: Leg { no: leg, origin, state: LegState::Up { seen_in: None } },
            muted: false,
            since_us: self.now,
            from_queue,
        });
        self.emit(EventKind::AgentJoined { agent: id, leg, transfer, pool, rang_us });
        if transfer.is_some() {
            self.note_what_was_written_to_the_recipient(id);
            return self.transfer(TransferInput::RecipientAnswered(no));
        }
        self.make_primary(no, id);
        self.take_tenure(id);
        self.dial_customer();
        if self.i.customer().leg.is_up() {
            self.i.journey.push(Hop::of_flow(&agent, since_us, self.now));
        }
    }

    /// A number outside is called at once: there is nobody to reserve.
    pub(super) fn outside_dialled(&mut self) {
        let Some((transfer, call, external)) = self.outside_call() else { return };
        self.emit(EventKind::ExternalDialled { transfer, leg: call.leg, external: external.clone() });
        self.emit(EventKind::TransferOffered { transfer, recipient: Recipient::External(external) });
        self.transfer(TransferInput::Reserved);
    }

    /// The number outside that is called, and for which transfer.
    fn outside_call(&self) -> Option<(TransferNo, OutsideCall, Arc<ExternalRef>)> {
        let search = self.i.search()?;
        Some((self.transfer_no()?, search.outside?, search.target.external()?.clone()))
    }

    fn outside_answered(&mut self, call: OutsideCall) {
        let Some(transfer) = self.transfer_no() else { return };
        let Some(external) = self.i.search().and_then(|search| search.target.external()).cloned() else { return };
        self.stop_search(None);
        self.act_as(Actor::External);
        let no = PartyNo(Counters::take(&mut self.i.counters.party));
        let origin = LegSource::Outside(external.outside());
        self.i.parties.push(Party {
            no,
            who: Who::External(external.clone()),
            leg: Leg { no: call.leg, origin, state: LegState::Up { seen_in: None } },
            muted: false,
            since_us: self.now,
            from_queue: None,
        });
        let rang_us = self.now - call.since_us;
        self.emit(EventKind::ExternalJoined { transfer, leg: call.leg, external, rang_us });
        self.transfer(TransferInput::RecipientAnswered(no));
    }

    fn outside_failed(&mut self, call: OutsideCall, reason: Reason) {
        let Some(transfer) = self.transfer_no() else { return };
        let Some(external) = self.i.search().and_then(|search| search.target.external()).cloned() else { return };
        self.of_outside_failure(reason);
        self.tell_outside_failed(transfer, external, reason, self.now - call.since_us);
    }

    fn tell_outside_failed(&mut self, transfer: TransferNo, external: Arc<ExternalRef>, reason: Reason, rang_us: i64) {
        self.emit(EventKind::ExternalFailed { transfer, external, reason, rang_us });
    }

    fn nobody_found(&mut self, reason: Reason) {
        let rule = self.of_nobody();
        self.by(rule, |it| {
            // Whose phone still rings has let nothing ring out (B604).
            it.stop_search(Some(Reason::Timeout));
            match &it.i.stage {
                Stage::Seeking(Seeker::Flow(_)) => it.advance_flow(),
                // The agent's own phone was not answered: there is nobody to call for.
                Stage::Seeking(Seeker::Caller(_)) => it.end(reason),
                _ => it.transfer(TransferInput::SearchOver(reason)),
            }
        });
    }

    /// Stops looking; whoever rings stops ringing. No reason: somebody answered.
    pub(super) fn stop_search(&mut self, reason: Option<Reason>) {
        let (transfer, now) = (self.transfer_no(), self.now);
        let Interaction { stage, transfer: open, .. } = &mut *self.i;
        let search = match (stage, open) {
            (Stage::Seeking(Seeker::Flow(search) | Seeker::Caller(search)), _) => search,
            (_, Some(open)) => match &mut open.state {
                TransferState::Seeking(search) => search,
                _ => return,
            },
            _ => return,
        };
        let (pool, entered, since_us) = (search.target.pool(), search.entered, search.since_us);
        let outside = search.outside.take().zip(search.target.external().cloned());
        let Some(withdrawn) = search.stop(reason.unwrap_or(Reason::Taken), now) else { return };
        if let (Some((call, external)), Some(transfer)) = (outside, transfer) {
            self.tell_outside_failed(transfer, external, reason.unwrap_or(Reason::Taken), now - call.since_us);
        }
        for Failed { agent, claim, reason, rang_us, .. } in withdrawn {
            self.release(ReleasedClaim { claim, agent, reason, wrap_up_ms: 0, closing: Closing::Free });
            if let Some(rang_us) = rang_us {
                self.emit(EventKind::OfferFailed { agent, transfer, pool, reason, rang_us });
            }
        }
        if let Some(pool) = pool.filter(|_| entered) {
            self.emit(EventKind::Dequeued { pool, transfer, reason, waited_us: now - since_us });
        }
        self.touch();
    }

    fn pool_sought(&self) -> Option<Pool> {
        self.i.search().and_then(|search| search.target.pool())
    }
}

/// The transfer, and the course that it takes.
impl Advance<'_> {
    pub(super) fn transfer_no(&self) -> Option<TransferNo> {
        self.i.transfer.as_ref().map(|transfer| transfer.no)
    }

    /// Gives the open transfer something to think of, and follows it.
    pub(super) fn transfer(&mut self, input: TransferInput) {
        let Some(transfer) = &self.i.transfer else { return };
        let Some(method) = self.policy.method(transfer.kind) else { return };
        let initiator_present = self.i.agent(transfer.initiator.id).is_some();
        // In a chat nobody is held (B309): a recipient who would come to a held customer is apart from them all the same.
        let apart = self.i.medium.is_written() && method.customer == CustomerMeanwhile::Hold;
        let situation = Situation { initiator_present, held: self.i.held() || apart };
        let course = transfer.course(input, method, situation);
        self.by(transfer.decided_by(input, method, situation), |it| it.follow(course, method));
    }

    fn follow(&mut self, course: Course, method: &Method) {
        let Some(kind) = self.i.transfer.as_ref().map(|transfer| transfer.kind) else { return };
        match course {
            Course::Same => {}
            Course::Offering { hold, release_initiator } => {
                if hold {
                    self.by(RuleField::Method(kind, MethodField::Customer), |it| it.hold(true));
                }
                if release_initiator {
                    let queue = self.pool_sought().and_then(Pool::queue).is_some();
                    let released = if queue { MethodField::QueueSuccess } else { MethodField::Released };
                    self.by(RuleField::Method(kind, released), Self::release_initiator);
                }
            }
            Course::Consult { recipient } => {
                self.hold(true);
                self.enter(TransferState::Consulting { recipient });
            }
            Course::Join { recipient } => self.enter(TransferState::Joined { recipient }),
            Course::Accept { recipient } => self.enter(TransferState::Accepted { recipient }),
            Course::Swap { recipient } => {
                self.hold(false);
                self.enter(TransferState::Swapped { recipient });
            }
            Course::HandOver { recipient, release_initiator, keep_hold } => {
                self.hand_over(recipient, release_initiator, keep_hold);
            }
            Course::WithoutInitiator => self.without_initiator(method),
            Course::Fail { reason, hold } => {
                self.out_of_flow(FlowOutcome::Failed);
                self.close(HopOutcome::Failed { reason, to: None });
                self.back_with_the_initiator(kind, hold);
            }
            Course::Cancel { reason, hold } => {
                self.out_of_flow(FlowOutcome::TakenBack);
                self.stop_search(Some(reason));
                self.release_recipient(reason);
                self.close(HopOutcome::Cancelled { reason });
                self.back_with_the_initiator(kind, hold);
            }
            Course::CancelByLeaving => {
                let reason = Reason::InitiatorLeft;
                self.stop_search(Some(reason));
                self.release_recipient(reason);
                self.close(HopOutcome::Cancelled { reason });
            }
            Course::Divert(reason) => {
                self.out_of_flow(FlowOutcome::TakenBack);
                self.stop_search(Some(reason));
                self.release_initiator();
                self.by(RuleField::Method(kind, MethodField::Fallback), |it| it.divert(reason, method));
            }
            Course::Lose(reason) => {
                let late = reason == Reason::Timeout;
                let outside = self.i.primary_party().is_some_and(|party| party.external().is_some());
                let to = self.i.primary().filter(|_| late);
                self.close(if late && outside {
                    HopOutcome::FailedOutside { reason }
                } else {
                    HopOutcome::Failed { reason, to }
                });
            }
            Course::SendAway { release_initiator } => {
                if release_initiator {
                    self.by(RuleField::Method(kind, MethodField::Released), Self::release_initiator);
                }
            }
            Course::LeftInFlow => self.close(HopOutcome::InFlow),
            Course::Return => {
                self.out_of_flow(FlowOutcome::Returned);
                self.close(HopOutcome::Returned);
                self.back_with_the_initiator(kind, None);
            }
        }
    }

    /// Moves the open transfer on to another state, once.
    fn enter(&mut self, state: TransferState) {
        let now = self.now;
        let Some(transfer) = self.i.transfer.as_mut().filter(|transfer| transfer.state != state) else { return };
        transfer.state = state;
        transfer.since_us = now;
        let (no, phase, recipient) = (transfer.no, transfer.phase(), transfer.recipient());
        let recipient = recipient.and_then(|no| self.i.party(no)).and_then(Party::recipient);
        match (phase, recipient) {
            (Phase::Consulting, Some(recipient)) => {
                self.emit(EventKind::TransferConsulting { transfer: no, recipient });
            }
            (Phase::Joined, Some(recipient)) => self.emit(EventKind::TransferJoined { transfer: no, recipient }),
            (Phase::Accepted, Some(recipient)) => {
                self.emit(EventKind::TransferAccepted { transfer: no, recipient });
            }
            (Phase::Swapped, Some(recipient)) => self.emit(EventKind::TransferSwapped { transfer: no, recipient }),
            _ => self.touch(),
        }
    }

    /// The recipient takes over. The transfer is completed as soon as telephony has the customer where they belong.
    fn hand_over(&mut self, recipient: PartyNo, release_initiator: bool, keep_hold: bool) {
        let Some(to) = self.i.party(recipient).map(|party| party.who.clone()) else { return };
        let consult = self.i.transfer.as_ref().filter(|open| matches!(open.state, TransferState::Consulting { .. }));
        let off_hold_by = consult.map(|open| RuleField::Consult(open.kind, ConsultField::HoldAfterComplete));
        let agent = match &to {
            Who::Agent { agent, .. } => Some(agent.id),
            Who::External(_) | Who::Customer { .. } => None,
        };
        match (&to, agent) {
            (_, Some(agent)) => self.make_primary(recipient, agent),
            (Who::External(external), None) => self.take_outside(recipient, external.clone()),
            (_, None) => return,
        }
        if release_initiator {
            self.release_initiator();
        }
        self.enter(TransferState::HandingOver { recipient });
        if !keep_hold {
            self.by(off_hold_by, |it| it.hold(false));
            // What is said without an agent is nobody's recording.
            if let Some(agent) = agent {
                self.take_tenure(agent);
            }
        }
        self.record(|recorder| recorder.end_suspended_but(agent));
    }

    /// `transfer.completed` follows the fact: the customer is seen with the recipient, or held for them. Looked at after every change: what
    /// was seen before may be what is wanted only now.
    pub(super) fn complete_if_placed(&mut self) {
        let Some(transfer) = &self.i.transfer else { return };
        let TransferState::HandingOver { recipient } = transfer.state else { return };
        let Some(party) = self.i.party(recipient) else { return };
        let (customer_in, recipient_in) = (self.i.customer().leg.seen_in(), party.leg.seen_in());
        let placed = if self.i.held() {
            customer_in == Some(Room::Hold)
        } else {
            customer_in == Some(Room::Talk) && recipient_in == Some(Room::Talk)
        };
        let outcome = party.agent_id().map_or(HopOutcome::CompletedOutside, |to| HopOutcome::Completed { to });
        if placed {
            self.close(outcome);
        }
    }

    /// The initiator's part is over; where the customer is still theirs, nobody has the customer.
    fn release_initiator(&mut self) {
        let Some(initiator) = self.i.transfer.as_ref().map(|transfer| transfer.initiator.id) else { return };
        let was_primary = self.i.primary() == Some(initiator);
        if self.remove_agent(initiator, Reason::Requested) && was_primary {
            self.with_nobody();
        }
    }

    fn release_recipient(&mut self, reason: Reason) {
        let recipient = self.i.transfer.as_ref().and_then(crate::machine::Transfer::recipient);
        match recipient.and_then(|no| self.i.party(no)).map(|party| (party.no, party.agent_id())) {
            Some((_, Some(agent))) => drop(self.remove_agent(agent, reason)),
            Some((no, None)) => drop(self.remove_external(no, reason)),
            None => {}
        }
    }

    /// It still looks for somebody. Where the customer is with the initiator or on hold for them, an agent who handed over before and stayed
    /// takes the initiator's part over; otherwise nobody has the customer until the recipient answers.
    fn without_initiator(&mut self, method: &Method) {
        let alone = method.customer == CustomerMeanwhile::Lobby;
        let successor = self.i.agents().next().filter(|_| !alone);
        let successor = successor.and_then(|party| party.agent().map(|agent| (party.no, agent.clone())));
        let (Some((no, agent)), Some(transfer)) = (successor, &mut self.i.transfer) else { return self.with_nobody() };
        let id = agent.id;
        transfer.initiator = agent;
        if let TransferState::Seeking(search) = &mut transfer.state {
            search.skip_for_good(id);
        }
        self.take_over(no, id);
    }

    /// The initiator still has the customer, and what is said from here on is of their recording again (B206).
    fn back_with_the_initiator(&mut self, kind: TransferKind, hold: Option<bool>) {
        if let Some(held) = hold {
            self.by(RuleField::Method(kind, MethodField::AfterFailure), |it| it.hold(held));
        }
        self.primary_takes_tenure();
        self.record(|recorder| recorder.end_suspended_but(None));
    }

    /// Ends the transfer: it becomes a hop of the journey.
    pub(super) fn close(&mut self, outcome: HopOutcome) {
        let Some(open) = self.i.transfer.take() else { return };
        let (transfer, initiator, duration_us) = (open.no, open.initiator.id, self.now - open.started_at_us);
        let outside = open.target.external().cloned();
        self.i.journey.push(Hop::of(open, outcome, self.now));
        self.emit(match outcome {
            HopOutcome::Completed { to } => {
                EventKind::TransferCompleted { transfer, initiator, recipient: Recipient::Agent(to), duration_us }
            }
            HopOutcome::CompletedOutside => match outside.map(Recipient::External) {
                Some(recipient) => EventKind::TransferCompleted { transfer, initiator, recipient, duration_us },
                None => EventKind::TransferFailed { transfer, reason: Reason::RecipientLeft, duration_us },
            },
            HopOutcome::Diverted { to, reason } => EventKind::TransferDiverted { transfer, to, reason, duration_us },
            HopOutcome::Failed { reason, .. } | HopOutcome::FailedOutside { reason } => {
                EventKind::TransferFailed { transfer, reason, duration_us }
            }
            HopOutcome::Cancelled { reason } => EventKind::TransferCancelled { transfer, reason, duration_us },
            HopOutcome::Abandoned => EventKind::TransferAbandoned { transfer, duration_us },
            HopOutcome::Returned => EventKind::TransferReturned { transfer, initiator, duration_us },
            HopOutcome::InFlow => EventKind::TransferInFlow { transfer, initiator, duration_us },
        });
    }

    /// Neither recipient nor initiator: the customer goes where the fallback says (B102).
    fn divert(&mut self, reason: Reason, method: &Method) {
        let Some(transfer) = &self.i.transfer else { return };
        let to = transfer.diverted_to(method, self.i.flow.skip_voicemail, self.i.flow.has_more());
        let mailbox: Option<Arc<str>> = match &transfer.target {
            Target::Agent(agent) => Some(agent.id.to_string().into()),
            Target::Team { .. } | Target::Queue(_) | Target::External(_) | Target::IvrFlow(_) => None,
        };
        self.act_as(Actor::System);
        self.close(HopOutcome::Diverted { to, reason });
        match (to, mailbox) {
            (DivertedTo::Voicemail, Some(mailbox)) => self.exit_to(mailbox),
            (DivertedTo::NextStep, _) => self.advance_flow(),
            _ => self.end(Reason::Disconnected),
        }
    }
}

/// The flow, and the end.
impl Advance<'_> {
    /// Takes the next step of the call flow; after the last the call is disconnected.
    pub(super) fn advance_flow(&mut self) {
        let Some((step, next)) = self.i.flow.advance() else { return self.end(Reason::Disconnected) };
        self.emit(EventKind::FlowStep { step, what: next.taken() });
        let house = &self.policy.interaction;
        match next {
            FlowStep::RingAgent { agent, ring_ms } => {
                self.seek(Target::Agent(agent), house.search_rules(ring_ms, 0), Seeker::Flow);
            }
            FlowStep::RingTeam { team, name, ring_ms, wait_ms } => {
                self.seek(Target::Team { id: team, name }, house.search_rules(ring_ms, wait_ms), Seeker::Flow);
            }
            FlowStep::Voicemail(mailbox) => self.exit_to(mailbox),
            FlowStep::Disconnect => self.end(Reason::Disconnected),
            FlowStep::Queue(queue) => {
                let rules = house.search_rules(queue.ring_ms, queue.whole_wait_ms());
                self.seek(Target::Queue(queue), rules, Seeker::Flow);
            }
        }
    }

    /// Sends the customer to a voicemail box.
    fn exit_to(&mut self, mailbox: Arc<str>) {
        let no = ExitNo(Counters::take(&mut self.i.counters.exit));
        let until_us = self.now + self.policy.interaction.voicemail_ms * 1000;
        self.i.stage = Stage::Exiting(Exit { no, to: ExitTo::Mailbox(mailbox), until_us });
        self.touch();
    }

    /// The exit is over.
    pub(super) fn exit_over(&mut self, no: ExitNo, outcome: ExitOutcome) {
        match self.i.exit() {
            Some(Exit { to: ExitTo::Mailbox(_), no: own, .. }) if *own == no => {}
            Some(_) => {
                let end = match outcome {
                    ExitOutcome::Left => FlowEnd::Left,
                    ExitOutcome::Returned => FlowEnd::Returned,
                    ExitOutcome::Unknown => FlowEnd::Unknown,
                };
                return self.flow_over(no, end, Vec::new());
            }
            None => return,
        }
        match outcome {
            // Whichever is reported first: that they left the exit, or that their leg is over.
            ExitOutcome::Left => self.customer_gone(Reason::HungUp),
            ExitOutcome::Returned | ExitOutcome::Unknown => self.advance_flow(),
        }
    }

    /// The customer has no agent any more, and was held or cut off: the interaction's own fallback (C4).
    pub(super) fn orphaned(&mut self) {
        self.act_as(Actor::System);
        self.by(RuleField::House(HouseField::Orphan), |it| {
            it.with_nobody();
            let goes_on = it.policy.interaction.orphan.contains(&Fallback::NextStep) && it.i.flow.has_more();
            if goes_on { it.advance_flow() } else { it.end(Reason::Disconnected) }
        });
    }

    /// The end, for everybody. What is still open is closed with the same reason.
    pub(super) fn end(&mut self, reason: Reason) {
        if self.i.ended() {
            return;
        }
        let failed = if reason == Reason::Requested { Reason::Disconnected } else { reason };
        self.out_of_flow(if reason == Reason::SwitchLost { FlowOutcome::Failed } else { FlowOutcome::TakenBack });
        if self.i.transfer.is_some() {
            self.stop_search(Some(failed));
            self.close(HopOutcome::Failed { reason: failed, to: None });
        }
        self.stop_search(Some(reason));
        let left = if reason == Reason::SwitchLost { reason } else { Reason::HungUp };
        self.remove_everybody(left);
        self.i.stage = Stage::Ended(reason);
        self.count();
        self.emit(EventKind::Ended(Box::new(Ended {
            reason,
            direction: self.i.direction,
            number: self.i.number.clone(),
            flow_id: self.i.flow.id.clone(),
            customer_key: self.i.customer_key.clone(),
            summary: self.i.summary(),
        })));
    }
}
