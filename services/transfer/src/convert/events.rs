//! Events of the core as published.

use super::words::{at, direction, kind, mode, reason, target};
use baton_api::event::v1::{self as wire, EventData, event_data::Data};
use baton_domain::{
    EventKind, Interaction,
    ids::{RecordingNo, TransferNo},
    interaction::CustomerLine,
};

/// The type of an event: `<area>.<event>`.
pub(crate) fn type_of(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Opened => "interaction.opened",
        EventKind::Ended { .. } => "interaction.ended",
        EventKind::FlowStep { .. } => "interaction.flow_step",
        EventKind::AgentOffered { .. } => "interaction.agent_offered",
        EventKind::OfferFailed { .. } => "interaction.offer_failed",
        EventKind::AgentJoined { .. } => "interaction.agent_joined",
        EventKind::AgentLeft { .. } => "interaction.agent_left",
        EventKind::PrimaryChanged { .. } => "interaction.primary_changed",
        EventKind::CustomerHeld => "interaction.customer_held",
        EventKind::CustomerResumed => "interaction.customer_resumed",
        EventKind::MuteChanged { .. } => "interaction.mute_changed",
        EventKind::NoteAdded => "interaction.note_added",
        EventKind::DataChanged { .. } => "interaction.data_changed",
        EventKind::Announced { .. } => "interaction.announced",
        EventKind::CustomerLeft => "interaction.customer_left",
        EventKind::CustomerAnswered => "interaction.customer_answered",
        EventKind::TransferStarted { .. } => "transfer.started",
        EventKind::TransferOffered { .. } => "transfer.offered",
        EventKind::TransferConsulting { .. } => "transfer.consulting",
        EventKind::TransferJoined { .. } => "transfer.joined",
        EventKind::TransferCompleted { .. } => "transfer.completed",
        EventKind::TransferDiverted { .. } => "transfer.diverted",
        EventKind::TransferFailed { .. } => "transfer.failed",
        EventKind::TransferCancelled { .. } => "transfer.cancelled",
        EventKind::TransferAbandoned { .. } => "transfer.abandoned",
        EventKind::RecordingStarted { .. } => "recording.started",
        EventKind::RecordingEnded { .. } => "recording.ended",
        EventKind::RecordingPaused { .. } => "recording.paused",
        EventKind::RecordingResumed { .. } => "recording.resumed",
        EventKind::SegmentStarted { .. } => "recording.segment_started",
        EventKind::SegmentEnded { .. } => "recording.segment_ended",
        EventKind::Excluded { .. } => "recording.excluded",
    }
}

/// The data of an event. `i` is the interaction after it.
pub(crate) fn data(i: &Interaction, kind: &EventKind, now_us: i64) -> EventData {
    let data = if type_of(kind).starts_with("transfer.") {
        transfer_data(i, kind, now_us)
    } else if type_of(kind).starts_with("recording.") {
        recording_data(i, kind)
    } else {
        interaction_data(i, kind, now_us)
    };
    EventData { data }
}

fn interaction_data(i: &Interaction, event: &EventKind, now_us: i64) -> Option<Data> {
    let transfer_id = |no: Option<TransferNo>| no.map(|no| no.of(i.id)).unwrap_or_default();
    Some(match event {
        EventKind::Opened => Data::InteractionOpened(wire::InteractionOpened {
            direction: direction(i.direction).into(),
            number: i.number.to_string(),
            customer: i.customer.address.to_string(),
            recording_mode: mode(i.recording.mode).into(),
        }),
        EventKind::Ended { reason: own } => Data::InteractionEnded(wire::InteractionEnded {
            reason: reason(*own).into(),
            duration_ms: (now_us - i.opened_at_us) / 1000,
        }),
        EventKind::FlowStep { step, name } => {
            Data::InteractionFlowStep(wire::InteractionFlowStep { step: step.cast_signed(), name: (*name).into() })
        }
        EventKind::AgentOffered { agent, transfer } => Data::InteractionAgentOffered(wire::InteractionAgentOffered {
            agent_id: agent.to_string(),
            transfer_id: transfer_id(*transfer),
        }),
        EventKind::OfferFailed { agent, transfer, reason: own } => {
            Data::InteractionOfferFailed(wire::InteractionOfferFailed {
                agent_id: agent.to_string(),
                transfer_id: transfer_id(*transfer),
                reason: reason(*own).into(),
            })
        }
        EventKind::AgentJoined { agent, leg } => Data::InteractionAgentJoined(wire::InteractionAgentJoined {
            agent_id: agent.to_string(),
            leg_id: leg.of(i.id),
        }),
        EventKind::AgentLeft { agent, reason: own } => Data::InteractionAgentLeft(wire::InteractionAgentLeft {
            agent_id: agent.to_string(),
            reason: reason(*own).into(),
        }),
        EventKind::PrimaryChanged { from, to } => Data::InteractionPrimaryChanged(wire::InteractionPrimaryChanged {
            from_agent_id: from.map(|agent| agent.to_string()).unwrap_or_default(),
            to_agent_id: to.to_string(),
        }),
        EventKind::CustomerHeld => Data::InteractionCustomerHeld(wire::InteractionCustomerHeld {}),
        EventKind::CustomerResumed => Data::InteractionCustomerResumed(wire::InteractionCustomerResumed {}),
        EventKind::MuteChanged { agent, muted } => {
            Data::InteractionMuteChanged(wire::InteractionMuteChanged { agent_id: agent.to_string(), muted: *muted })
        }
        EventKind::NoteAdded => {
            Data::InteractionNoteAdded(wire::InteractionNoteAdded { author_agent_id: last_author(i) })
        }
        EventKind::DataChanged { set, removed } => Data::InteractionDataChanged(wire::InteractionDataChanged {
            set: set.iter().map(ToString::to_string).collect(),
            removed: removed.iter().map(ToString::to_string).collect(),
        }),
        EventKind::Announced { name } => {
            Data::InteractionAnnounced(wire::InteractionAnnounced { name: (*name).into() })
        }
        EventKind::CustomerLeft => Data::InteractionCustomerLeft(wire::InteractionCustomerLeft {}),
        EventKind::CustomerAnswered => Data::InteractionCustomerAnswered(wire::InteractionCustomerAnswered {
            allowed_by: match &i.customer.line {
                CustomerLine::Answered(outside) => outside.allowed_by.to_string(),
                _ => String::new(),
            },
        }),
        _ => return None,
    })
}

fn last_author(i: &Interaction) -> String {
    i.notes.last().and_then(|note| note.author).map(|agent| agent.to_string()).unwrap_or_default()
}

fn transfer_data(i: &Interaction, event: &EventKind, now_us: i64) -> Option<Data> {
    let transfer = i.transfer.as_ref()?;
    let transfer_id = transfer.no.of(i.id);
    Some(match event {
        EventKind::TransferStarted { kind: own, .. } => Data::TransferStarted(wire::TransferStarted {
            transfer_id,
            kind: kind(*own).into(),
            initiator_agent_id: transfer.initiator.id.to_string(),
            target: Some(target(&transfer.target)),
        }),
        EventKind::TransferOffered { recipient, .. } => {
            Data::TransferOffered(wire::TransferOffered { transfer_id, recipient_agent_id: recipient.to_string() })
        }
        EventKind::TransferConsulting { recipient, .. } => Data::TransferConsulting(wire::TransferConsulting {
            transfer_id,
            recipient_agent_id: recipient.to_string(),
        }),
        EventKind::TransferJoined { .. } => Data::TransferJoined(wire::TransferJoined { transfer_id }),
        EventKind::TransferCompleted { recipient, .. } => Data::TransferCompleted(wire::TransferCompleted {
            transfer_id,
            initiator_agent_id: transfer.initiator.id.to_string(),
            recipient_agent_id: recipient.to_string(),
            duration_ms: (now_us - transfer.started_at_us) / 1000,
        }),
        EventKind::TransferDiverted { to, reason: own, .. } => Data::TransferDiverted(wire::TransferDiverted {
            transfer_id,
            to: reason(*to).into(),
            reason: reason(*own).into(),
        }),
        EventKind::TransferFailed { reason: own, .. } => {
            Data::TransferFailed(wire::TransferFailed { transfer_id, reason: reason(*own).into() })
        }
        EventKind::TransferCancelled { reason: own, .. } => {
            Data::TransferCancelled(wire::TransferCancelled { transfer_id, reason: reason(*own).into() })
        }
        EventKind::TransferAbandoned { .. } => Data::TransferAbandoned(wire::TransferAbandoned { transfer_id }),
        _ => return None,
    })
}

fn recording_data(i: &Interaction, event: &EventKind) -> Option<Data> {
    let id = |no: &RecordingNo| no.of(i.id);
    let optional = |no: &Option<RecordingNo>| no.map(|no| no.of(i.id)).unwrap_or_default();
    Some(match event {
        EventKind::RecordingStarted { recording, agent, by_hand } => Data::RecordingStarted(wire::RecordingStarted {
            recording_id: id(recording),
            number: recording.0.cast_signed(),
            agent_id: agent.to_string(),
            phone_number: i.number.to_string(),
            customer: i.customer.address.to_string(),
            direction: direction(i.direction).into(),
            by_hand: *by_hand,
        }),
        EventKind::RecordingEnded { recording } => {
            Data::RecordingEnded(wire::RecordingEnded { recording_id: id(recording) })
        }
        EventKind::RecordingPaused { recording } => {
            Data::RecordingPaused(wire::RecordingPaused { recording_id: optional(recording) })
        }
        EventKind::RecordingResumed { recording } => {
            Data::RecordingResumed(wire::RecordingResumed { recording_id: optional(recording) })
        }
        EventKind::SegmentStarted { recording, segment, agents } => {
            Data::RecordingSegmentStarted(wire::RecordingSegmentStarted {
                recording_id: id(recording),
                segment_id: segment.of(i.id),
                agent_ids: agents.iter().map(ToString::to_string).collect(),
            })
        }
        EventKind::SegmentEnded { recording, segment, end } => {
            Data::RecordingSegmentEnded(wire::RecordingSegmentEnded {
                recording_id: id(recording),
                segment_id: segment.of(i.id),
                start_time: (end.started_at_us != 0).then(|| at(end.started_at_us)),
                end_time: (end.ended_at_us != 0).then(|| at(end.ended_at_us)),
                failed: end.failed,
            })
        }
        EventKind::Excluded { recording, from_us, to_us, reason } => Data::RecordingExcluded(wire::RecordingExcluded {
            recording_id: id(recording),
            start_time: Some(at(*from_us)),
            end_time: Some(at(*to_us)),
            reason: reason.name().into(),
        }),
        _ => return None,
    })
}
