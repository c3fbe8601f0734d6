//! The transfers of a call: the open one is the last hop of its journey, and those that have ended are the hops before.

use baton_api::common::v1::{DivertedTo, ExternalTarget, Reason, TransferPhase, target};
use baton_api::event::v1::TransferStarted;
use baton_api::transfer::v1::interaction::State;
use baton_api::transfer::v1::party::LegState;
use baton_api::transfer::v1::{Hop, Transfer};
use prost_types::Timestamp;

use super::CallPicture;
use crate::Data;

/// How a transfer ended.
struct TransferEnd {
    phase: TransferPhase,
    reason: i32,
    /// Who got the customer; empty if no agent did.
    to_agent_id: String,
    /// Who outside did.
    to_external: Option<ExternalTarget>,
    diverted_to: DivertedTo,
}

impl TransferEnd {
    fn without_successor(phase: TransferPhase, reason: i32) -> Self {
        Self { phase, reason, to_agent_id: String::new(), to_external: None, diverted_to: DivertedTo::Unspecified }
    }
}

impl CallPicture {
    /// The transfer that has not ended yet.
    pub(super) fn open_transfer(&mut self) -> Option<&mut Transfer> {
        self.interaction.transfer.as_mut().filter(|it| it.end_time.is_none())
    }

    pub(super) fn apply_to_transfer(&mut self, data: &Data, time: Option<Timestamp>) {
        match data {
            Data::TransferStarted(it) => self.start_transfer(it, time),
            Data::TransferWaiting(_) => self.awaits_recipient = true,
            Data::TransferConsulting(_) => self.enter(TransferPhase::Consulting),
            Data::TransferJoined(_) => self.enter(TransferPhase::Joined),
            Data::TransferAccepted(_) => self.enter(TransferPhase::Accepted),
            Data::TransferSwapped(_) => self.enter(TransferPhase::Swapped),
            Data::TransferCompleted(it) => {
                // It may be another than who started it: an agent who stayed takes the part over.
                self.set_initiator(&it.initiator_agent_id);
                let to_agent_id = it.recipient_agent_id.clone();
                let end = TransferEnd::without_successor(TransferPhase::Completed, Reason::Unspecified.into());
                let to_external = it.recipient_external.clone();
                self.end_transfer(TransferEnd { to_agent_id, to_external, ..end }, time);
            }
            Data::TransferDiverted(it) => {
                let end = TransferEnd::without_successor(TransferPhase::Diverted, it.reason);
                self.end_transfer(TransferEnd { diverted_to: it.to(), ..end }, time);
                if it.to() == DivertedTo::Voicemail {
                    self.nobody_has_the_customer(State::InVoicemail);
                }
            }
            Data::TransferFailed(it) => {
                let (to_agent_id, to_external) = self.lost_with(it.reason());
                let end = TransferEnd::without_successor(TransferPhase::Failed, it.reason);
                self.end_transfer(TransferEnd { to_agent_id, to_external, ..end }, time);
            }
            Data::TransferCancelled(it) => {
                self.end_transfer(TransferEnd::without_successor(TransferPhase::Cancelled, it.reason), time);
            }
            Data::TransferAbandoned(_) => {
                let reason = Reason::CustomerLeft.into();
                self.end_transfer(TransferEnd::without_successor(TransferPhase::Abandoned, reason), time);
            }
            // Who is reserved, interaction.agent_offered has said; the rest is about other things.
            _ => {}
        }
    }

    fn start_transfer(&mut self, it: &TransferStarted, time: Option<Timestamp>) {
        self.left_queue_since = None;
        let to = it.target.as_ref().and_then(|it| it.target.as_ref());
        let to_flow = matches!(to, Some(target::Target::IvrFlowId(_)));
        self.interaction.transfer = Some(Transfer {
            transfer_id: it.transfer_id.clone(),
            interaction_id: self.interaction.interaction_id.clone(),
            kind: it.kind,
            phase: if to_flow { TransferPhase::Away } else { TransferPhase::Offered }.into(),
            initiator_agent_id: it.initiator_agent_id.clone(),
            target: it.target.clone(),
            create_time: time,
            outcome: it.outcome.clone(),
            ..Transfer::default()
        });
        self.interaction.journey.push(Hop {
            transfer_id: it.transfer_id.clone(),
            kind: it.kind,
            from_agent_id: it.initiator_agent_id.clone(),
            target: it.target.clone(),
            start_time: time,
            chosen_outcome: it.outcome.clone(),
            ..Hop::default()
        });
        (self.answered, self.answered_outside) = (None, None);
        if let Some(target::Target::AgentId(agent_id)) = to {
            self.offer(agent_id, LegState::Reserving);
        }
    }

    pub(super) fn enter(&mut self, phase: TransferPhase) {
        if let Some(transfer) = self.open_transfer() {
            transfer.set_phase(phase);
            transfer.set_reason(Reason::Unspecified);
        }
    }

    /// The recipient has taken over, or another agent has taken over the initiator's part.
    pub(super) fn transfer_follows_primary(&mut self, primary: &str) {
        if self.answered.as_deref() == Some(primary) {
            self.enter(TransferPhase::HandingOver);
            return;
        }
        let initiator = self.open_transfer().map(|it| it.initiator_agent_id.clone());
        if initiator.is_some_and(|initiator| !self.has(&initiator)) {
            self.set_initiator(primary);
        }
    }

    fn set_initiator(&mut self, agent_id: &str) {
        let Some(transfer) = self.open_transfer() else { return };
        agent_id.clone_into(&mut transfer.initiator_agent_id);
        if let Some(hop) = self.interaction.journey.last_mut() {
            agent_id.clone_into(&mut hop.from_agent_id);
        }
    }

    /// Who had taken over when it failed: the switch did not show the customer with them in time.
    fn lost_with(&mut self, reason: Reason) -> (String, Option<ExternalTarget>) {
        let handing_over = self.open_transfer().is_some_and(|it| it.phase() == TransferPhase::HandingOver);
        if handing_over && reason == Reason::Timeout {
            let with_external = self.interaction.state() == State::WithExternal;
            let outside = self.interaction.parties.iter().filter(|_| with_external).find_map(|it| it.external.clone());
            (self.interaction.primary_agent_id.clone(), outside)
        } else {
            (String::new(), None)
        }
    }

    fn end_transfer(&mut self, end: TransferEnd, time: Option<Timestamp>) {
        let TransferEnd { phase, reason, to_agent_id, to_external, diverted_to } = end;
        let Some(transfer) = self.open_transfer() else { return };
        transfer.set_phase(phase);
        transfer.reason = reason;
        transfer.recipient_agent_id.clone_from(&to_agent_id);
        transfer.recipient_external.clone_from(&to_external);
        transfer.set_diverted_to(diverted_to);
        transfer.end_time = time;
        if let Some(hop) = self.interaction.journey.last_mut() {
            hop.set_outcome(phase);
            hop.reason = reason;
            hop.to_agent_id = to_agent_id;
            hop.to_external = to_external;
            hop.end_time = time;
        }
        (self.answered, self.answered_outside) = (None, None);
        self.withdraw_offers();
    }

    /// Who receives, and whether somebody is being asked or all wait.
    pub(super) fn settle_transfer(&mut self) {
        let outside = self.interaction.parties.iter().find(|party| {
            party.external.is_some() && (party.leg_state() != LegState::Up || self.answered_outside.is_some())
        });
        let outside = outside.and_then(|party| party.external.clone());
        let only = match self.offered().map(|party| &party.agent_id).collect::<Vec<_>>().as_slice() {
            [only] => Some((*only).clone()),
            _ => None,
        };
        let asks_nobody = self.awaits_recipient || self.offered().next().is_none();
        let recipient = self.answered.clone().or(only).unwrap_or_default();
        let Some(transfer) = self.open_transfer() else { return };
        transfer.recipient_agent_id = recipient;
        transfer.recipient_external = outside;
        if let TransferPhase::Waiting | TransferPhase::Offered = transfer.phase() {
            transfer.set_phase(if asks_nobody { TransferPhase::Waiting } else { TransferPhase::Offered });
        }
    }
}
