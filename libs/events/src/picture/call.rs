//! One call, event by event.
//!
//! Events of one change are published together, so what the picture is between two of them (the primary agent has left, and the next one is named
//! by the event after) nobody sees who reads on to the end.

use std::collections::BTreeSet;

use baton_api::common::v1::{
    Actor, Customer, Direction, ExternalTarget, Reason, RecordingState, Target, TransferPhase, actor, target,
};
use baton_api::event::v1::{
    FlowStepKind, InteractionAgentJoined, InteractionCustomerChanged, InteractionDataChanged, InteractionDequeued,
    InteractionDispositioned, InteractionEnded, InteractionExternalDialled, InteractionExternalJoined,
    InteractionFlowStep, InteractionOfferFailed, InteractionOpened, InteractionPrimaryChanged, InteractionQueued,
};
use baton_api::transfer::v1::interaction::State;
use baton_api::transfer::v1::party::{LegState, Role};
use baton_api::transfer::v1::{Hop, Interaction, Participation, Party};
use prost_types::Timestamp;

use crate::{Data, Event};

/// A call, as its events tell of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallPicture {
    /// In the form of the API. `parties` are the agents: who is in it, who rings, and who is to be reserved. `data` has keys without values. `turns` are
    /// those of which an agent has said how theirs ended.
    pub interaction: Interaction,
    /// The queue in which it waits; `None`: in none.
    pub queued: Option<QueuedCall>,
    /// Who has answered for the open transfer.
    pub(super) answered: Option<String>,
    /// Somebody outside has: their leg.
    pub(super) answered_outside: Option<String>,
    /// The recipient of the open transfer is in another call, and is waited for.
    pub(super) awaits_recipient: bool,
    /// Since when it waited in a queue that it has left without an answer: in the one that follows it keeps its place.
    pub(super) left_queue_since: Option<Timestamp>,
    customer_is_up: bool,
    /// When somebody was last begun to be looked for.
    sought_since: Option<Timestamp>,
    /// The segments that the switch writes.
    segments: BTreeSet<String>,
}

/// Where a call waits.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedCall {
    /// The team in whose queue it is; empty for a queue.
    pub team_id: String,
    /// The queue that it is in; empty for a team.
    pub queue_id: String,
    /// The transfer that waits; empty for a call flow.
    pub transfer_id: String,
    /// When it entered the queue.
    pub since: Option<Timestamp>,
    /// Its position when it entered, from 1.
    pub position: i32,
}

impl CallPicture {
    pub(super) fn opened(id: &str, it: &InteractionOpened, event: &Event) -> Self {
        let recording = RecordingState { mode: it.recording_mode, ..RecordingState::default() };
        let interaction = Interaction {
            interaction_id: id.to_owned(),
            state: State::InFlow.into(),
            direction: it.direction,
            number: it.number.clone(),
            customer: it.customer.clone(),
            medium: it.medium,
            switch_id: it.switch_id.clone(),
            recording: Some(recording),
            create_time: event.time,
            update_time: event.time,
            ..Interaction::default()
        };
        let is_inbound = it.direction() != Direction::Outbound;
        let mut call = Self {
            interaction,
            queued: None,
            answered: None,
            answered_outside: None,
            awaits_recipient: false,
            left_queue_since: None,
            customer_is_up: is_inbound,
            sought_since: event.time,
            segments: BTreeSet::new(),
        };
        // Whoever calls is rung first.
        if let Some(caller) = event.actor.as_ref().and_then(agent_of).filter(|_| !is_inbound) {
            call.offer(caller, LegState::Reserving);
        }
        call.name_roles();
        call
    }

    pub(super) fn apply(&mut self, data: &Data, event: &Event) {
        // What comes after the end is about the record of the call: it ended when it ended.
        if self.interaction.state() != State::Ended {
            self.interaction.update_time = event.time;
        }
        match data {
            Data::InteractionFlowStep(it) => self.flow_step(it, event.time),
            Data::InteractionQueued(it) => {
                let since = self.left_queue_since.take().or(event.time);
                self.queued = Some(queued(it, since));
            }
            Data::InteractionDequeued(it) => self.dequeued(it),
            Data::InteractionAgentOffered(it) => {
                self.awaits_recipient = false;
                self.offer(&it.agent_id, LegState::Ringing);
            }
            Data::InteractionOfferFailed(it) => self.offer_failed(it),
            Data::InteractionAgentJoined(it) => self.agent_joined(it, event.time),
            Data::InteractionAgentLeft(it) => self.agent_left(&it.agent_id),
            Data::InteractionPrimaryChanged(it) => self.primary_changed(it),
            Data::InteractionCustomerHeld(_) => self.interaction.customer_on_hold = true,
            Data::InteractionCustomerResumed(_) => self.interaction.customer_on_hold = false,
            Data::InteractionCustomerLeft(_) => self.nobody_has_the_customer(State::Ending),
            Data::InteractionCustomerAnswered(_) => self.customer_answered(event.time),
            Data::InteractionEnded(it) => self.ended(it),
            Data::InteractionExternalDialled(it) => self.external_dialled(it),
            Data::InteractionExternalFailed(it) => {
                self.withdraw_offers();
                if let Some(transfer) = self.open_transfer().filter(|open| open.transfer_id == it.transfer_id) {
                    transfer.reason = it.reason;
                }
            }
            Data::InteractionExternalJoined(it) => self.external_joined(it),
            Data::InteractionExternalLeft(it) => self.external_left(it.external.as_ref()),
            Data::InteractionExternalTookOver(_) => self.external_took_over(),
            Data::InteractionCustomerChanged(it) => self.customer_changed(it),
            data => self.apply_remark(data, event),
        }
        self.settle_transfer();
        self.name_roles();
    }

    /// What moves nobody.
    fn apply_remark(&mut self, data: &Data, event: &Event) {
        match data {
            Data::InteractionMuteChanged(it) => {
                let party = self.interaction.parties.iter_mut().find(|party| party.agent_id == it.agent_id);
                if let Some(party) = party {
                    party.muted = it.muted;
                }
            }
            Data::InteractionNoteAdded(it) => self.interaction.note_count = it.note,
            Data::InteractionDispositioned(it) => self.interaction.participations.push(turn(it, event.time)),
            Data::InteractionDataChanged(it) => self.data_changed(it),
            Data::RecordingPaused(_) => self.set_recording(|it| it.paused = true),
            Data::RecordingResumed(_) => self.set_recording(|it| it.paused = false),
            Data::RecordingSegmentStarted(it) => {
                self.segments.insert(it.segment_id.clone());
                self.set_recording(|it| it.live = true);
            }
            Data::RecordingSegmentEnded(it) => {
                self.segments.remove(&it.segment_id);
                let live = !self.segments.is_empty();
                self.set_recording(|it| it.live = live);
            }
            data => self.apply_to_transfer(data, event.time),
        }
    }

    pub(super) fn forget_customer(&mut self, customer_key: &str) {
        let Interaction { customer: Some(Customer { address, key }), data, .. } = &mut self.interaction else { return };
        if key == customer_key {
            address.clear();
            data.clear();
        }
    }

    /// Who is not connected: they ring, or are to be reserved.
    pub(super) fn offered(&self) -> impl Iterator<Item = &Party> {
        self.interaction.parties.iter().filter(|party| party.leg_state() != LegState::Up)
    }

    pub(super) fn withdraw_offers(&mut self) {
        self.interaction.parties.retain(|party| party.leg_state() == LegState::Up);
        self.awaits_recipient = false;
    }

    pub(super) fn offer(&mut self, agent_id: &str, leg_state: LegState) {
        let parties = &mut self.interaction.parties;
        parties.retain(|party| party.agent_id != agent_id || party.external.is_some());
        parties.push(Party { agent_id: agent_id.to_owned(), leg_state: leg_state.into(), ..Party::default() });
    }

    /// Whether this agent is connected.
    pub(super) fn has(&self, agent_id: &str) -> bool {
        let mut parties = self.interaction.parties.iter();
        parties.any(|party| party.agent_id == agent_id && party.leg_state() == LegState::Up)
    }

    pub(super) fn nobody_has_the_customer(&mut self, state: State) {
        self.interaction.set_state(state);
        self.interaction.primary_agent_id.clear();
        self.interaction.customer_on_hold = false;
    }

    fn flow_step(&mut self, it: &InteractionFlowStep, time: Option<Timestamp>) {
        let voicemail = it.kind() == FlowStepKind::Voicemail;
        self.nobody_has_the_customer(if voicemail { State::InVoicemail } else { State::InFlow });
        self.withdraw_offers();
        self.left_queue_since = None;
        self.sought_since = time;
        if it.kind() == FlowStepKind::RingAgent {
            self.offer(&it.agent_id, LegState::Reserving);
        }
    }

    fn dequeued(&mut self, it: &InteractionDequeued) {
        let left = self.queued.take().filter(|_| it.reason() != Reason::Unspecified && !it.queue_id.is_empty());
        self.left_queue_since = left.and_then(|queued| queued.since);
    }

    fn offer_failed(&mut self, it: &InteractionOfferFailed) {
        self.interaction.parties.retain(|party| party.agent_id != it.agent_id || party.leg_state() == LegState::Up);
        self.awaits_recipient = false;
        if let Some(transfer) = self.open_transfer().filter(|open| open.transfer_id == it.transfer_id) {
            transfer.reason = it.reason;
        }
    }

    fn agent_joined(&mut self, it: &InteractionAgentJoined, time: Option<Timestamp>) {
        self.withdraw_offers();
        self.interaction.parties.push(Party {
            agent_id: it.agent_id.clone(),
            leg_state: LegState::Up.into(),
            leg_id: it.leg_id.clone(),
            ..Party::default()
        });
        if !it.transfer_id.is_empty() {
            self.answered = Some(it.agent_id.clone());
        } else if self.customer_is_up {
            self.hop_of_flow(&it.agent_id, self.sought_since, time);
        }
    }

    fn customer_answered(&mut self, time: Option<Timestamp>) {
        self.customer_is_up = true;
        let primary = self.interaction.primary_agent_id.clone();
        if !primary.is_empty() {
            self.hop_of_flow(&primary, self.interaction.create_time, time);
        }
    }

    /// A phone outside rings.
    fn external_dialled(&mut self, it: &InteractionExternalDialled) {
        self.interaction.parties.push(Party {
            leg_state: LegState::Ringing.into(),
            leg_id: it.leg_id.clone(),
            external: it.external.clone(),
            ..Party::default()
        });
    }

    fn external_joined(&mut self, it: &InteractionExternalJoined) {
        self.withdraw_offers();
        self.interaction.parties.push(Party {
            leg_state: LegState::Up.into(),
            leg_id: it.leg_id.clone(),
            external: it.external.clone(),
            ..Party::default()
        });
        self.answered_outside = Some(it.leg_id.clone());
    }

    fn external_left(&mut self, external: Option<&ExternalTarget>) {
        self.interaction.parties.retain(|party| party.external.is_none() || party.external.as_ref() != external);
        if self.interaction.state() == State::WithExternal {
            self.interaction.set_state(State::InFlow);
        }
    }

    /// No agent has the customer any more.
    fn external_took_over(&mut self) {
        let held = std::mem::take(&mut self.interaction.customer_on_hold);
        self.nobody_has_the_customer(State::WithExternal);
        self.interaction.customer_on_hold = held;
        if self.answered_outside.is_some() {
            self.enter(TransferPhase::HandingOver);
        }
    }

    /// Whoever was called outside is the customer from here on, and no other party.
    fn customer_changed(&mut self, it: &InteractionCustomerChanged) {
        self.interaction.customer.clone_from(&it.customer);
        self.interaction.parties.retain(|party| party.external.is_none());
        let primary = self.interaction.parties.iter().find(|party| party.role() == Role::Primary);
        self.interaction.primary_agent_id = primary.map(|party| party.agent_id.clone()).unwrap_or_default();
        self.interaction.set_state(State::WithAgent);
    }

    /// The customer came to an agent without a transfer.
    fn hop_of_flow(&mut self, agent_id: &str, start_time: Option<Timestamp>, end_time: Option<Timestamp>) {
        self.interaction.journey.push(Hop {
            target: Some(Target { target: Some(target::Target::AgentId(agent_id.to_owned())) }),
            to_agent_id: agent_id.to_owned(),
            outcome: TransferPhase::Completed.into(),
            start_time,
            end_time,
            ..Hop::default()
        });
    }

    /// Who has the customer then, the events after this one say.
    fn agent_left(&mut self, agent_id: &str) {
        self.interaction.parties.retain(|party| party.agent_id != agent_id);
        if self.interaction.primary_agent_id == agent_id {
            self.interaction.primary_agent_id.clear();
            if self.interaction.state() == State::WithAgent {
                self.interaction.set_state(State::InFlow);
            }
        }
    }

    fn primary_changed(&mut self, it: &InteractionPrimaryChanged) {
        self.interaction.set_state(State::WithAgent);
        self.interaction.primary_agent_id.clone_from(&it.to_agent_id);
        self.transfer_follows_primary(&it.to_agent_id);
    }

    fn ended(&mut self, it: &InteractionEnded) {
        self.nobody_has_the_customer(State::Ended);
        self.interaction.end_reason = it.reason;
        self.interaction.parties.clear();
        self.queued = None;
    }

    fn data_changed(&mut self, it: &InteractionDataChanged) {
        for key in &it.removed {
            self.interaction.data.remove(key);
        }
        self.interaction.data.extend(it.set.iter().map(|key| (key.clone(), String::new())));
    }

    fn set_recording(&mut self, set: impl FnOnce(&mut RecordingState)) {
        set(self.interaction.recording.get_or_insert_default());
    }

    fn name_roles(&mut self) {
        let primary = self.interaction.primary_agent_id.clone();
        let is_transferred = self.open_transfer().is_some();
        let with_external = self.interaction.state() == State::WithExternal;
        for party in &mut self.interaction.parties {
            let outside = party.external.is_some();
            party.set_role(match party.leg_state() {
                LegState::Up if outside && with_external => Role::Primary,
                _ if outside => Role::Recipient,
                LegState::Up if party.agent_id == primary => Role::Primary,
                LegState::Up if self.answered.as_ref() == Some(&party.agent_id) => Role::Recipient,
                LegState::Up => Role::Participant,
                _ if is_transferred => Role::Recipient,
                _ => Role::Offered,
            });
        }
    }
}

/// The agent who did it, or for whom it was done.
fn agent_of(actor: &Actor) -> Option<&str> {
    let id = if actor.kind() == actor::Kind::Agent { &actor.id } else { &actor.for_agent_id };
    Some(id.as_str()).filter(|id| !id.is_empty())
}

fn queued(it: &InteractionQueued, since: Option<Timestamp>) -> QueuedCall {
    let (team_id, queue_id) = (it.team_id.clone(), it.queue_id.clone());
    QueuedCall { team_id, queue_id, transfer_id: it.transfer_id.clone(), since, position: it.position }
}

fn turn(it: &InteractionDispositioned, disposition_time: Option<Timestamp>) -> Participation {
    Participation {
        agent_id: it.agent_id.clone(),
        transfer_id: it.transfer_id.clone(),
        disposition: it.disposition.clone(),
        disposition_time,
        ..Participation::default()
    }
}
