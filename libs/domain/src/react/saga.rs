//! The saga of a transfer: from the recipient's answer to its end. Which way it goes is the policy's; where the customer is follows from
//! the state.

use super::step::Step;
use crate::{
    event::EventKind,
    ids::AgentId,
    interaction::{Hop, Phase, Stage},
    policy::{AfterFailure, AnsweredWhileResumed, Fallback, HoldAfterComplete, OnRefused},
    words::{Actor, Kind, Reason, Room, Target},
};

impl Step<'_> {
    /// Moves the open transfer to another open phase.
    pub(super) fn enter(&mut self, phase: Phase) {
        let now = self.now;
        let Some(transfer) = self.transfer() else { return };
        transfer.phase = phase;
        transfer.phase_since_us = now;
        let (no, recipient) = (transfer.no, transfer.recipient);
        match (phase, recipient) {
            (Phase::Consulting, Some(recipient)) => {
                self.emit(EventKind::TransferConsulting { transfer: no, recipient });
            }
            (Phase::Joined, _) => self.emit(EventKind::TransferJoined { transfer: no }),
            _ => self.touch(),
        }
    }

    pub(super) fn join(&mut self) {
        self.enter(Phase::Joined);
    }

    /// The recipient's phone was answered.
    pub(super) fn recipient_answered(&mut self, recipient: AgentId) {
        let Some(transfer) = self.transfer() else { return };
        transfer.recipient = Some(recipient);
        let warm = transfer.kind == Kind::Warm;
        if !(warm && self.initiator_present()) {
            return self.hand_over(true);
        }
        if !self.i.customer.held && self.i.policy.warm.answered_while_resumed == AnsweredWhileResumed::Join {
            return self.join();
        }
        self.hold(true);
        self.enter(Phase::Consulting);
    }

    /// The recipient takes over. The transfer is completed as soon as telephony has the customer where they belong.
    pub(super) fn hand_over(&mut self, release_initiator: bool) {
        let Some(recipient) = self.transfer().and_then(|transfer| transfer.recipient) else { return };
        let from_consult = self.phase() == Some(Phase::Consulting);
        self.make_primary(recipient);
        if release_initiator {
            self.release_initiator();
        }
        self.enter(Phase::HandedOver);
        let keep = from_consult && self.i.policy.warm.hold_after_complete == HoldAfterComplete::Keep;
        if !keep {
            self.hold(false);
            self.take_tenure(recipient);
        }
        self.end_suspended_but(Some(recipient));
    }

    /// The initiator's part is over; a cold transfer's customer is then with nobody.
    pub(super) fn release_initiator(&mut self) {
        let Some(transfer) = self.i.open_transfer() else { return };
        let initiator = transfer.initiator.id;
        if self.remove_agent(initiator, Reason::Requested).is_some() && self.i.primary == Some(initiator) {
            self.with_nobody();
        }
    }

    /// Nobody has the customer: they are no longer held by anybody, and wait. An agent who handed over before and stayed goes, too: they
    /// would be left alone in a room.
    pub(super) fn with_nobody(&mut self) {
        while let Some(agent) = self.i.agents.first().map(|engaged| engaged.who.id) {
            self.remove_agent(agent, Reason::Requested);
        }
        self.i.primary = None;
        self.i.stage = Stage::Seeking;
        self.hold(false);
    }

    /// `transfer.completed` follows the fact: the customer is seen with the recipient, or held for them (see `HoldAfterComplete`). Looked at
    /// after every change: what was seen before may be what is wanted only now.
    pub(super) fn complete_if_placed(&mut self) {
        let Some(transfer) = self.i.open_transfer().filter(|transfer| transfer.phase == Phase::HandedOver) else {
            return;
        };
        let Some(recipient) = transfer.recipient else { return };
        let recipient_in = self.i.agent(recipient).and_then(|engaged| engaged.seen_in);
        let customer_in = self.i.customer.seen_in;
        let placed = if self.i.customer.held {
            customer_in == Some(Room::Hold)
        } else {
            customer_in == Some(Room::Talk) && recipient_in == Some(Room::Talk)
        };
        if placed {
            let no = transfer.no;
            self.close(Phase::Completed, None, Some(recipient));
            self.emit(EventKind::TransferCompleted { transfer: no, recipient });
        }
    }

    /// Ends the saga and writes the hop into the journey.
    pub(super) fn close(&mut self, outcome: Phase, reason: Option<Reason>, to: Option<AgentId>) {
        let now = self.now;
        let Some(transfer) = self.transfer() else { return };
        transfer.phase = outcome;
        transfer.phase_since_us = now;
        transfer.ended_at_us = now;
        transfer.reason = reason;
        let hop = Hop {
            transfer: Some(transfer.no),
            kind: Some(transfer.kind),
            from: Some(transfer.initiator.id),
            target: transfer.target.clone(),
            to,
            outcome,
            reason,
            started_at_us: transfer.started_at_us,
            ended_at_us: now,
        };
        self.i.journey.push(hop);
        self.touch();
    }

    /// Nobody answered, or nobody could be had.
    pub(super) fn transfer_unanswered(&mut self, reason: Reason) {
        let Some(transfer) = self.i.open_transfer() else { return };
        let refused_cold = transfer.kind == Kind::Cold && self.i.policy.cold.on_refused == OnRefused::Fail;
        let stays = transfer.kind == Kind::Warm || refused_cold;
        if self.initiator_present() && stays {
            return self.fail(reason);
        }
        self.release_initiator();
        self.divert(reason);
    }

    /// It did not go through; the initiator still has the customer, and is told why (T9).
    pub(super) fn fail(&mut self, reason: Reason) {
        let Some(no) = self.transfer_no() else { return };
        self.close(Phase::Failed, Some(reason), None);
        self.emit(EventKind::TransferFailed { transfer: no, reason });
        self.after_failure();
    }

    /// Takes the transfer back: the recipient is released, or no longer rung.
    pub(super) fn cancel_transfer(&mut self, reason: Reason) {
        let Some(no) = self.transfer_no() else { return };
        if !self.initiator_present() {
            self.drop_search(reason);
            return self.divert(reason);
        }
        self.drop_search(reason);
        if let Some(recipient) = self.transfer().and_then(|transfer| transfer.recipient) {
            self.remove_agent(recipient, reason);
        }
        self.close(Phase::Cancelled, Some(reason), None);
        self.emit(EventKind::TransferCancelled { transfer: no, reason });
        self.back_with_the_initiator();
    }

    /// How the customer is after a failure: B105 has them on hold, also when it never rang.
    fn after_failure(&mut self) {
        let Some(transfer) = self.i.transfer.as_ref() else { return };
        if self.i.policy.warm.after_failure == AfterFailure::Held && transfer.kind == Kind::Warm && !transfer.resumed {
            self.hold(true);
        }
        self.back_with_the_initiator();
    }

    /// The initiator still has the customer, and what is said from here on is of their recording again (B206).
    fn back_with_the_initiator(&mut self) {
        let Some(transfer) = self.i.transfer.as_ref() else { return };
        if self.i.policy.warm.after_failure == AfterFailure::Resumed && transfer.kind == Kind::Warm {
            self.hold(false);
        }
        if let Some(primary) = self.i.primary {
            self.take_tenure(primary);
        }
        self.end_suspended_but(None);
    }

    /// Neither recipient nor initiator: the customer goes where the fallback says (B102).
    pub(super) fn divert(&mut self, reason: Reason) {
        let Some(transfer) = self.i.open_transfer() else { return };
        let no = transfer.no;
        let box_of = match &transfer.target {
            Target::Agent(agent) if agent.voicemail && !self.i.flow.skip_voicemail => Some(agent.id),
            _ => None,
        };
        let more_steps = self.i.flow.next < self.i.flow.steps.len();
        let chain = &self.i.policy.offer(transfer.kind).fallback;
        let to = chain.iter().copied().find(|fallback| match fallback {
            Fallback::Voicemail => box_of.is_some(),
            Fallback::NextStep => more_steps,
            Fallback::Disconnect => true,
        });
        let word = match to {
            Some(Fallback::Voicemail) => Reason::Voicemail,
            Some(Fallback::NextStep) => Reason::NextStep,
            _ => Reason::Disconnected,
        };
        self.close(Phase::Diverted, Some(reason), None);
        self.act_as(Actor::System);
        self.emit(EventKind::TransferDiverted { transfer: no, to: word, reason });
        match (to, box_of) {
            (Some(Fallback::Voicemail), Some(agent)) => self.exit_to(agent.to_string().into()),
            (Some(Fallback::NextStep), _) => self.advance_flow(),
            _ => self.end(Reason::Disconnected),
        }
    }
}
