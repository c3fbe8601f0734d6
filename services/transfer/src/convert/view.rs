//! The view: an interaction as one party sees it, with what they may do now.

use super::words::{
    action, actor, at, customer, direction, diverted_to, external, kind, medium, mode, phase, reason, refusal_reason,
    target,
};
use crate::live::Live;
use baton_api::{
    common::v1::{Reason, RecordingState, RefusedAction, TransferKind},
    data_class,
    transfer::v1::{
        self as wire,
        interaction::State,
        party::{LegState, Role},
    },
};
use baton_domain::{
    Actor, Interaction,
    interaction::{ExitTo, Hop, LegSource, LegState as OwnLegState, Note, Participation, Party, Stage},
    machine::{Offer, OfferState},
    project::TransferRecord,
};
use baton_words::InteractionId;

/// The interaction as `viewer` sees it, who may be nobody in particular: an analyst, who may do nothing and is shown nothing personal.
pub(crate) fn interaction(live: &Live, viewer: Option<&Actor>) -> wire::Interaction {
    let notes = live.notes.iter().map(note).collect();
    seen_by(viewer, live, wire::Interaction { notes, ..without_notes(live) })
}

/// The same among others: without notes, of which a call may have 400 kB (S1).
pub(crate) fn listed(live: &Live, viewer: Option<&Actor>) -> wire::Interaction {
    seen_by(viewer, live, without_notes(live))
}

fn seen_by(viewer: Option<&Actor>, live: &Live, mut view: wire::Interaction) -> wire::Interaction {
    match viewer {
        Some(viewer) => add_actions(&mut view, live, viewer),
        None => return data_class::conceal(&view),
    }
    view
}

/// The view that fits into a refusal: without journey, notes, attached data and reasons.
pub(crate) fn brief(live: &Live, viewer: &Actor) -> wire::Interaction {
    let mut view = listed(live, Some(viewer));
    view.journey.clear();
    view.data.clear();
    view.refused_actions.clear();
    view
}

fn add_actions(view: &mut wire::Interaction, live: &Live, viewer: &Actor) {
    let (allowed, refused) = live.actions(viewer);
    view.allowed_actions = allowed.iter().map(|own| action(own).into()).collect();
    let refused = refused
        .into_iter()
        .map(|(own, refusal)| RefusedAction { action: action(own).into(), reason: refusal_reason(refusal).into() });
    view.refused_actions = refused.collect();
}

fn without_notes(live: &Live) -> wire::Interaction {
    let i = &live.state;
    let open = i.transfer.as_ref().and_then(|_| live.last_transfer());
    wire::Interaction {
        interaction_id: i.id.to_string(),
        version: i.version,
        state: state(i).into(),
        direction: direction(i.direction),
        number: i.number.to_string(),
        customer: Some(customer(i.customer().address(), i.present_customer_key())),
        switch_id: i.switch.to_string(),
        parties: parties(i),
        primary_agent_id: i.primary().map(|agent| agent.to_string()).unwrap_or_default(),
        customer_on_hold: i.held(),
        transfer: live.last_transfer().map(|own| transfer(i.id, &own)),
        journey: i.journey.iter().map(|own| hop(i.id, own)).chain(open.map(|own| open_hop(i.id, &own))).collect(),
        notes: Vec::new(),
        note_count: i.notes.len() as i32,
        participations: i.participations.iter().map(|own| participation(i.id, own)).collect(),
        data: i.data.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        recording: Some(recording(i)),
        allowed_actions: Vec::new(),
        create_time: Some(at(i.opened_at_us)),
        update_time: Some(at(i.updated_at_us)),
        end_reason: if let Stage::Ended(own) = i.stage { reason(own) } else { Reason::Unspecified.into() },
        medium: medium(i.medium),
        refused_actions: Vec::new(),
    }
}

/// A transfer, open or ended.
pub(crate) fn transfer(id: InteractionId, own: &TransferRecord) -> wire::Transfer {
    wire::Transfer {
        transfer_id: own.no.of(id),
        interaction_id: id.to_string(),
        kind: kind(own.kind),
        phase: phase(own.phase),
        reason: own.reason.map_or(Reason::Unspecified.into(), reason),
        initiator_agent_id: own.initiator.to_string(),
        target: Some(target(&own.target)),
        recipient_agent_id: own.recipient.map(|agent| agent.to_string()).unwrap_or_default(),
        message: own.message.to_string(),
        create_time: Some(at(own.started_at_us)),
        end_time: own.ended_at_us.map(at),
        deadline_time: own.deadline_us.map(at),
        diverted_to: own.diverted_to.map(diverted_to).unwrap_or_default(),
        outcome: own.outcome.to_string(),
        recipient_external: own.target.external().filter(|_| own.outside).map(|own| external(own)),
    }
}

fn state(i: &Interaction) -> State {
    match &i.stage {
        Stage::Seeking(_) => State::InFlow,
        Stage::Exiting(exit) if matches!(exit.to, ExitTo::Flow(_)) => State::InFlow,
        Stage::Exiting(_) => State::InVoicemail,
        Stage::Served(_) if i.primary().is_none() => State::WithExternal,
        Stage::Served(_) => State::WithAgent,
        Stage::Farewell { .. } => State::Ending,
        Stage::Ended(_) => State::Ended,
    }
}

/// The customer's leg as the switch names it.
pub(crate) fn switch_leg(i: &Interaction) -> String {
    let leg = &i.customer().leg;
    match &leg.origin {
        LegSource::Inbound(name) => name.to_string(),
        _ => leg.no.of(i.id),
    }
}

fn parties(i: &Interaction) -> Vec<wire::Party> {
    let connected = i.parties.iter().filter(|_| !i.ended()).filter_map(|own| party(i, own));
    let offers = i.search().into_iter().flat_map(|search| &search.offers).map(|own| offered(i, own));
    connected.chain(offers).chain(called_outside(i)).collect()
}

fn party(i: &Interaction, own: &Party) -> Option<wire::Party> {
    let leg_state = match own.leg.state {
        OwnLegState::Planned | OwnLegState::Over => return None,
        OwnLegState::Ringing { .. } => LegState::Ringing,
        OwnLegState::Up { .. } => LegState::Up,
    };
    let recipient = i.transfer.as_ref().and_then(baton_domain::Transfer::recipient);
    let agent = own.agent();
    let outside = own.external();
    let is_primary = i.service().is_some_and(|service| service.primary == own.no);
    let role = match agent {
        None if own.no == i.customer => Role::Customer,
        None if is_primary => Role::Primary,
        None => Role::Recipient,
        Some(agent) if i.primary() == Some(agent.id) => Role::Primary,
        Some(_) if recipient == Some(own.no) => Role::Recipient,
        Some(_) => Role::Participant,
    };
    Some(wire::Party {
        role: role.into(),
        agent_id: agent.map(|agent| agent.id.to_string()).unwrap_or_default(),
        name: match (agent, outside) {
            (Some(agent), _) => agent.name.to_string(),
            (None, Some(outside)) if !outside.name.is_empty() => outside.name.to_string(),
            (None, _) => own.address().to_string(),
        },
        leg_state: leg_state.into(),
        muted: own.muted,
        leg_id: if own.no == i.customer { switch_leg(i) } else { own.leg.no.of(i.id) },
        external: outside.map(|own| external(own)),
    })
}

/// The phone outside that rings.
fn called_outside(i: &Interaction) -> Option<wire::Party> {
    let search = i.search()?;
    let (call, own) = (search.outside?, search.target.external()?);
    Some(wire::Party {
        role: Role::Recipient.into(),
        agent_id: String::new(),
        name: if own.name.is_empty() { own.number.to_string() } else { own.name.to_string() },
        leg_state: LegState::Ringing.into(),
        muted: false,
        leg_id: call.leg.of(i.id),
        external: Some(external(own)),
    })
}

fn offered(i: &Interaction, own: &Offer) -> wire::Party {
    let (leg_state, leg_id) = match own.state {
        OfferState::Claiming { .. } | OfferState::Queued { .. } => (LegState::Reserving, String::new()),
        OfferState::Ringing { leg, .. } => (LegState::Ringing, leg.of(i.id)),
    };
    wire::Party {
        role: if i.transfer.is_some() { Role::Recipient } else { Role::Offered }.into(),
        agent_id: own.agent.id.to_string(),
        name: own.agent.name.to_string(),
        leg_state: leg_state.into(),
        muted: false,
        leg_id,
        external: None,
    }
}

fn participation(id: InteractionId, own: &Participation) -> wire::Participation {
    let given = own.given.as_ref();
    wire::Participation {
        agent_id: own.agent.to_string(),
        transfer_id: own.transfer.map(|no| no.of(id)).unwrap_or_default(),
        end_time: Some(at(own.left_at_us)),
        disposition_due: own.due && given.is_none(),
        disposition: given.map(|given| given.disposition.name.to_string()).unwrap_or_default(),
        note: given.map(|given| given.disposition.note.to_string()).unwrap_or_default(),
        disposition_time: given.map(|given| at(given.at_us)),
    }
}

fn hop(id: InteractionId, own: &Hop) -> wire::Hop {
    let by = own.by.as_ref();
    wire::Hop {
        transfer_id: by.map(|by| by.transfer.of(id)).unwrap_or_default(),
        kind: by.map_or(TransferKind::Unspecified.into(), |by| kind(by.kind)),
        from_agent_id: by.map(|by| by.from.to_string()).unwrap_or_default(),
        target: Some(target(&own.target)),
        to_agent_id: own.outcome.to().map(|agent| agent.to_string()).unwrap_or_default(),
        outcome: phase(own.outcome.phase()),
        reason: own.outcome.reason().map_or(Reason::Unspecified.into(), reason),
        start_time: Some(at(own.started_at_us)),
        end_time: Some(at(own.ended_at_us)),
        chosen_outcome: by.map(|by| by.outcome.to_string()).unwrap_or_default(),
        message: by.map(|by| by.message.to_string()).unwrap_or_default(),
        to_external: own.target.external().filter(|_| own.outcome.to_outside()).map(|own| external(own)),
    }
}

/// The open transfer is the hop that is being made.
fn open_hop(id: InteractionId, own: &TransferRecord) -> wire::Hop {
    wire::Hop {
        transfer_id: own.no.of(id),
        kind: kind(own.kind),
        from_agent_id: own.initiator.to_string(),
        target: Some(target(&own.target)),
        start_time: Some(at(own.started_at_us)),
        chosen_outcome: own.outcome.to_string(),
        message: own.message.to_string(),
        ..wire::Hop::default()
    }
}

fn note(own: &Note) -> wire::Note {
    wire::Note { text: own.text.to_string(), create_time: Some(at(own.at_us)), author: Some(actor(&own.author)) }
}

/// The recording as it is observed.
pub(crate) fn recording(i: &Interaction) -> RecordingState {
    let r = &i.recorder;
    RecordingState {
        mode: mode(r.mode),
        started_by_hand: r.by_hand,
        paused: r.paused,
        live: r.current.is_some_and(|segment| segment.live) || r.closing.iter().any(|segment| segment.live),
        recording_id: r.recording().map(|no| no.of(i.id)).unwrap_or_default(),
    }
}
