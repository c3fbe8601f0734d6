//! The call flow: what happens to a customer whom no agent has, step after step; and the end.

use super::step::Step;
use crate::{
    event::EventKind,
    ids::{AgentId, ExitNo},
    input::ExitOutcome,
    interaction::{Counters, FlowStep, Hop, Phase, Stage},
    policy::Fallback,
    words::{Actor, AgentState, Reason, Target},
};
use smallvec::smallvec;
use std::sync::Arc;

/// How long a message in voicemail may take before its end is no longer waited for.
const EXIT_US: i64 = 10 * 60 * 1_000_000;

impl Step<'_> {
    /// Takes the next step; after the last the call is disconnected.
    pub(super) fn advance_flow(&mut self) {
        let Some(step) = self.i.flow.steps.get(self.i.flow.next).cloned() else {
            return self.end(Reason::Disconnected);
        };
        self.i.flow.next += 1;
        self.i.stage = Stage::Seeking;
        let number = self.i.flow.next as u32;
        self.emit(EventKind::FlowStep { step: number, name: step.name() });
        match step {
            FlowStep::RingAgent(agent, ring_ms) => {
                self.search(Target::Agent(agent), ring_ms, 0, smallvec![AgentState::Available]);
            }
            FlowStep::RingTeam { team, name, ring_ms, wait_ms } => {
                self.search(Target::Team { id: team, name }, ring_ms, wait_ms, smallvec![AgentState::Available]);
            }
            FlowStep::Voicemail(mailbox) => self.exit_to(mailbox),
            FlowStep::Disconnect => self.end(Reason::Disconnected),
        }
    }

    /// An agent for whom the flow looked since then has answered.
    pub(super) fn flow_answered(&mut self, agent: AgentId, since_us: i64) {
        self.make_primary(agent);
        self.take_tenure(agent);
        self.dial_customer();
        if self.i.customer.connected() {
            self.first_hop(agent, since_us);
        }
    }

    /// The customer has come to an agent without a transfer.
    pub(super) fn first_hop(&mut self, agent: AgentId, since_us: i64) {
        if let Some(target) = self.i.agent(agent).map(|engaged| Target::Agent(engaged.who.clone())) {
            self.i.journey.push(Hop {
                transfer: None,
                kind: None,
                from: None,
                target,
                to: Some(agent),
                outcome: Phase::Completed,
                reason: None,
                started_at_us: since_us,
                ended_at_us: self.now,
            });
        }
    }

    /// Sends the customer to a voicemail box.
    pub(super) fn exit_to(&mut self, mailbox: Arc<str>) {
        let exit = ExitNo(Counters::take(&mut self.i.counters.exit));
        self.i.flow.mailbox = Some(mailbox);
        self.i.stage = Stage::Exiting { exit, until_us: self.now + EXIT_US };
        self.touch();
    }

    /// The exit is over.
    pub(super) fn exit_over(&mut self, exit: ExitNo, outcome: ExitOutcome) {
        if !matches!(self.i.stage, Stage::Exiting { exit: own, .. } if own == exit) {
            return;
        }
        self.i.flow.mailbox = None;
        match outcome {
            // Whichever is reported first: that they left the exit, or that their leg is over.
            ExitOutcome::Left => self.customer_gone(Reason::HungUp),
            ExitOutcome::Returned | ExitOutcome::Unknown => self.advance_flow(),
        }
    }

    /// The customer has no agent any more, and was held or cut off: the interaction's own fallback (C4).
    pub(super) fn orphaned(&mut self) {
        self.act_as(Actor::System);
        self.with_nobody();
        let more_steps = self.i.flow.next < self.i.flow.steps.len();
        let next_step = self.i.policy.interaction.orphan.contains(&Fallback::NextStep) && more_steps;
        if next_step {
            self.advance_flow();
        } else {
            self.end(Reason::Disconnected);
        }
    }

    /// The end, for everybody. What is still open is closed with the same reason.
    pub(super) fn end(&mut self, reason: Reason) {
        if self.i.ended() {
            return;
        }
        if let Some(no) = self.transfer_no() {
            let failed = if reason == Reason::Requested { Reason::Disconnected } else { reason };
            self.drop_search(failed);
            self.close(Phase::Failed, Some(failed), None);
            self.emit(EventKind::TransferFailed { transfer: no, reason: failed });
        }
        self.drop_search(reason);
        let left = if reason == Reason::SwitchLost { reason } else { Reason::HungUp };
        while let Some(agent) = self.i.agents.first().map(|engaged| engaged.who.id) {
            self.remove_agent(agent, left);
        }
        self.i.primary = None;
        self.i.stage = Stage::Ended(reason);
        self.emit(EventKind::Ended { reason });
    }
}

impl FlowStep {
    fn name(&self) -> &'static str {
        match self {
            Self::RingAgent(..) => "ring_agent",
            Self::RingTeam { .. } => "ring_team",
            Self::Voicemail(_) => "voicemail",
            Self::Disconnect => "disconnect",
        }
    }
}
