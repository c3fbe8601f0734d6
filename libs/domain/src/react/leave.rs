//! Agents who leave: by command, by hanging up, or because their leg was lost. What it means is the role's and the policy's.

use super::step::Step;
use crate::{
    event::EventKind,
    ids::AgentId,
    interaction::{Phase, Stage},
    permit::rules,
    policy::Ending,
    words::{Kind, Reason},
};

impl Step<'_> {
    /// An agent is gone.
    pub(super) fn agent_gone(&mut self, agent: AgentId, reason: Reason) {
        let Some(transfer) = self.i.open_transfer() else { return self.bystander_gone(agent, reason) };
        match transfer.phase {
            Phase::HandedOver if transfer.recipient == Some(agent) => self.successor_gone(agent, reason),
            Phase::HandedOver => self.bystander_gone(agent, reason),
            _ if transfer.initiator.id == agent => self.initiator_gone(agent, reason),
            _ if transfer.recipient == Some(agent) => self.recipient_gone(agent, reason),
            _ => self.bystander_gone(agent, reason),
        }
    }

    /// The initiator leaves an undecided transfer: the policy says what that means.
    fn initiator_gone(&mut self, agent: AgentId, reason: Reason) {
        let Some(transfer) = self.i.open_transfer() else { return };
        let (phase, kind) = (transfer.phase, transfer.kind);
        let meaning = match kind {
            Kind::Cold => Ending::Continue,
            Kind::Warm => rules(self.i, phase).initiator_leaves,
        };
        self.remove_agent(agent, reason);
        match meaning {
            Ending::Cancel => self.cancelled_by_leaving(reason),
            Ending::Complete | Ending::Continue if phase != Phase::Offered => self.hand_over(false),
            Ending::Complete | Ending::Continue => self.goes_on_without_the_initiator(kind),
        }
    }

    /// It still rings. In a warm transfer an agent who handed over before and stayed takes the initiator's part over; otherwise nobody has
    /// the customer until the recipient answers.
    fn goes_on_without_the_initiator(&mut self, kind: Kind) {
        let successor = self.i.agents.first().map(|engaged| engaged.who.clone()).filter(|_| kind == Kind::Warm);
        let (Some(successor), Some(transfer)) = (successor, self.transfer()) else { return self.with_nobody() };
        let agent = successor.id;
        transfer.initiator = successor;
        self.take_over(agent);
    }

    /// The initiator took the transfer back by leaving.
    fn cancelled_by_leaving(&mut self, left: Reason) {
        let Some(no) = self.transfer_no() else { return };
        let reason = Reason::InitiatorLeft;
        self.drop_search(reason);
        if let Some(recipient) = self.transfer().and_then(|transfer| transfer.recipient) {
            self.remove_agent(recipient, reason);
        }
        self.close(Phase::Cancelled, Some(reason), None);
        self.emit(EventKind::TransferCancelled { transfer: no, reason });
        self.primary_gone(left, true);
    }

    /// The recipient leaves before taking over: the initiator still has the customer.
    fn recipient_gone(&mut self, agent: AgentId, reason: Reason) {
        self.remove_agent(agent, reason);
        self.fail(Reason::RecipientLeft);
    }

    /// The recipient leaves after taking over and before the customer was seen with them.
    fn successor_gone(&mut self, agent: AgentId, reason: Reason) {
        let Some(no) = self.transfer_no() else { return };
        let failed = if reason == Reason::SwitchLost { reason } else { Reason::RecipientLeft };
        self.close(Phase::Failed, Some(failed), None);
        self.emit(EventKind::TransferFailed { transfer: no, reason: failed });
        self.remove_agent(agent, reason);
        self.primary_gone(reason, true);
    }

    /// Somebody leaves who is not part of an undecided transfer.
    fn bystander_gone(&mut self, agent: AgentId, reason: Reason) {
        if self.remove_agent(agent, reason).is_none() {
            return;
        }
        if let Stage::Farewell { .. } = self.i.stage {
            self.i.primary.take_if(|primary| *primary == agent);
            if self.i.agents.is_empty() {
                self.end(Reason::CustomerLeft);
            }
        } else if self.i.primary == Some(agent) {
            let cut_off = self.i.customer.held || reason != Reason::HungUp;
            self.primary_gone(reason, cut_off);
        }
    }

    /// The primary agent is gone: another who is still there takes over; otherwise the call ends, or the customer who was held or cut off
    /// goes where the fallback says.
    fn primary_gone(&mut self, reason: Reason, cut_off: bool) {
        if let Some(next) = self.i.agents.first().map(|engaged| engaged.who.id) {
            self.take_over(next);
        } else if cut_off {
            self.orphaned();
        } else {
            self.end(reason);
        }
    }

    fn take_over(&mut self, agent: AgentId) {
        self.make_primary(agent);
        self.take_tenure(agent);
    }
}
