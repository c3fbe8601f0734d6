//! The view: an interaction as one party sees it, with what they may do now.

use super::words::{action, at, direction, kind, mode, reason, target};
use baton_api::{
    common::v1::{Reason, TransferPhase},
    transfer::v1::{
        self as wire,
        interaction::State,
        party::{LegState, Role},
    },
};
use baton_domain::{
    AgentId, Interaction, InteractionId, Transfer,
    ids::LegNo,
    interaction::{CustomerLine, Hop, OfferState, Phase, Stage},
    permit::allowed,
    project,
    words::Actor,
};

/// The interaction as `viewer` sees it, who may be nobody in particular: an analyst, who may do nothing and is shown nothing personal.
pub(crate) fn interaction(i: &Interaction, viewer: Option<&Actor>) -> wire::Interaction {
    let mut view = whole(i);
    match viewer {
        Some(actor) => view.allowed_actions = allowed(i, actor).iter().map(action).collect(),
        None => conceal(&mut view),
    }
    view
}

/// Takes out what is personal.
fn conceal(view: &mut wire::Interaction) {
    view.customer.clear();
    view.data.clear();
    for party in view.parties.iter_mut().filter(|party| party.role() == Role::Customer) {
        party.name.clear();
    }
    for note in &mut view.notes {
        note.text.clear();
    }
    view.transfer.iter_mut().for_each(conceal_transfer);
}

/// Takes out what is personal.
pub(crate) fn conceal_transfer(view: &mut wire::Transfer) {
    view.message.clear();
}

fn whole(i: &Interaction) -> wire::Interaction {
    wire::Interaction {
        interaction_id: i.id.to_string(),
        version: i.version,
        state: state(i).into(),
        direction: direction(i.direction).into(),
        number: i.number.to_string(),
        customer: i.customer.address.to_string(),
        parties: parties(i),
        primary_agent_id: i.primary.map(|agent| agent.to_string()).unwrap_or_default(),
        customer_on_hold: i.customer.held,
        transfer: i.transfer.as_ref().map(|own| with_deadline(transfer(i.id, own), i, own)),
        journey: i.journey.iter().map(|own| hop(i.id, own)).collect(),
        notes: i.notes.iter().map(note).collect(),
        data: i.data.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        recording: Some(recording(i)),
        allowed_actions: Vec::new(),
        create_time: Some(at(i.opened_at_us)),
        update_time: Some(at(i.updated_at_us)),
        end_reason: if let Stage::Ended(own) = i.stage { reason(own) } else { Reason::Unspecified }.into(),
    }
}

/// A transfer. Its deadline is known only beside its interaction.
pub(crate) fn transfer(id: InteractionId, own: &Transfer) -> wire::Transfer {
    wire::Transfer {
        transfer_id: own.no.of(id),
        interaction_id: id.to_string(),
        kind: kind(own.kind).into(),
        phase: phase(own.phase).into(),
        reason: own.reason.map_or(Reason::Unspecified, reason).into(),
        initiator_agent_id: own.initiator.id.to_string(),
        target: Some(target(&own.target)),
        recipient_agent_id: recipient(own).map(|agent| agent.to_string()).unwrap_or_default(),
        message: own.message.to_string(),
        create_time: Some(at(own.started_at_us)),
        end_time: (own.ended_at_us != 0).then(|| at(own.ended_at_us)),
        deadline_time: None,
    }
}

/// Who receives, or has received; nobody after a failure.
fn recipient(own: &Transfer) -> Option<AgentId> {
    own.recipient.filter(|_| own.phase.is_open() || own.phase == Phase::Completed)
}

fn with_deadline(mut wire: wire::Transfer, i: &Interaction, own: &Transfer) -> wire::Transfer {
    if own.phase.is_open() {
        wire.deadline_time = project::deadline(i).map(at);
    }
    if own.phase == Phase::Offered && i.search.as_ref().is_some_and(|search| search.wait.is_some()) {
        wire.phase = TransferPhase::Waiting.into();
    }
    wire
}

/// *Handed over* is the moment between the decision and its being heard; to people it is a three-way that is ending.
fn phase(phase: Phase) -> TransferPhase {
    match phase {
        Phase::Offered => TransferPhase::Offered,
        Phase::Consulting => TransferPhase::Consulting,
        Phase::Joined | Phase::HandedOver => TransferPhase::Joined,
        Phase::Completed => TransferPhase::Completed,
        Phase::Diverted => TransferPhase::Diverted,
        Phase::Failed => TransferPhase::Failed,
        Phase::Cancelled => TransferPhase::Cancelled,
        Phase::Abandoned => TransferPhase::Abandoned,
    }
}

fn state(i: &Interaction) -> State {
    match i.stage {
        Stage::Seeking | Stage::Exiting { .. } => State::InFlow,
        Stage::Served => State::WithAgent,
        Stage::Farewell { .. } => State::Ending,
        Stage::Ended(_) => State::Ended,
    }
}

/// The customer's leg as the switch names it.
pub(crate) fn switch_leg(i: &Interaction) -> String {
    match &i.customer.line {
        CustomerLine::Inbound(name) => name.to_string(),
        _ => LegNo(1).of(i.id),
    }
}

fn parties(i: &Interaction) -> Vec<wire::Party> {
    let mut parties = Vec::new();
    if (i.customer.connected() || i.customer.ringing()) && !i.ended() {
        parties.push(wire::Party {
            role: Role::Customer.into(),
            agent_id: String::new(),
            name: i.customer.address.to_string(),
            leg_state: if i.customer.ringing() { LegState::Ringing } else { LegState::Up }.into(),
            muted: false,
            leg_id: switch_leg(i),
        });
    }
    for agent in &i.agents {
        let is_recipient = i.open_transfer().is_some_and(|transfer| transfer.recipient == Some(agent.who.id));
        let role = match i.primary {
            Some(primary) if primary == agent.who.id => Role::Primary,
            _ if is_recipient => Role::Recipient,
            _ => Role::Participant,
        };
        parties.push(wire::Party {
            role: role.into(),
            agent_id: agent.who.id.to_string(),
            name: agent.who.name.to_string(),
            leg_state: LegState::Up.into(),
            muted: agent.muted,
            leg_id: agent.leg.of(i.id),
        });
    }
    for offer in i.search.iter().flat_map(|search| &search.offers) {
        let (leg_state, leg): (_, Option<LegNo>) = match offer.state {
            OfferState::Claiming { .. } => (LegState::Reserving, None),
            OfferState::Ringing { leg, .. } => (LegState::Ringing, Some(leg)),
        };
        parties.push(wire::Party {
            role: if i.open_transfer().is_some() { Role::Recipient } else { Role::Offered }.into(),
            agent_id: offer.who.id.to_string(),
            name: offer.who.name.to_string(),
            leg_state: leg_state.into(),
            muted: false,
            leg_id: leg.map(|leg| leg.of(i.id)).unwrap_or_default(),
        });
    }
    parties
}

fn hop(id: InteractionId, own: &Hop) -> wire::Hop {
    wire::Hop {
        transfer_id: own.transfer.map(|no| no.of(id)).unwrap_or_default(),
        kind: own.kind.map_or(baton_api::common::v1::TransferKind::Unspecified, kind).into(),
        from_agent_id: own.from.map(|agent| agent.to_string()).unwrap_or_default(),
        target: Some(target(&own.target)),
        to_agent_id: own.to.map(|agent| agent.to_string()).unwrap_or_default(),
        outcome: phase(own.outcome).into(),
        reason: own.reason.map_or(Reason::Unspecified, reason).into(),
        start_time: Some(at(own.started_at_us)),
        end_time: Some(at(own.ended_at_us)),
    }
}

fn note(own: &baton_domain::interaction::Note) -> wire::Note {
    wire::Note {
        author_agent_id: own.author.map(|agent| agent.to_string()).unwrap_or_default(),
        text: own.text.to_string(),
        create_time: Some(at(own.at_us)),
        author_supervisor: own.supervisor.as_deref().unwrap_or_default().to_owned(),
    }
}

/// The recording as it is observed.
pub(crate) fn recording(i: &Interaction) -> wire::RecordingState {
    let r = &i.recording;
    let turn = r.tenure.and_then(|turn| turn.recording);
    wire::RecordingState {
        mode: mode(r.mode).into(),
        started_by_hand: r.by_hand,
        paused: r.paused,
        live: r.current.is_some_and(|segment| segment.live) || r.closing.iter().any(|segment| segment.live),
        recording_id: turn.map(|no| no.of(i.id)).unwrap_or_default(),
    }
}
