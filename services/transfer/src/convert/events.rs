//! Events of the core as published. An event carries its own facts: nothing is read from the state, and a new one does not compile until it
//! is written here.

use super::{
    cause,
    words::{at, ms, target},
};
use crate::live::Live;
use baton_api::event::v1::{self as wire, EventData, FlowStepKind, event_data::Data};
use baton_domain::{
    Event, EventKind, ExternalRef,
    event::{Ended, Opened, RecordingStarted, StepTaken, TransferStarted},
    queue::Pool,
};
use baton_words::{AgentId, InteractionId, RecordingNo, TransferNo};

/// An event as the outbox takes it: its type, `<area>.<event>`, and its data.
pub(crate) fn published(live: &Live, event: &Event) -> (&'static str, EventData) {
    let (name, data) = written(live.id, &event.kind);
    (name, EventData { cause: Some(cause::written(live, &event.cause)), data: Some(data) })
}

#[expect(clippy::too_many_lines, reason = "one line or so for each event: the table of what is published")]
fn written(id: InteractionId, kind: &EventKind) -> (&'static str, Data) {
    let transfer_id = |no: &TransferNo| no.of(id);
    let recording_id = |no: &RecordingNo| no.of(id);
    let maybe_transfer = |no: &Option<TransferNo>| no.map(|no| no.of(id)).unwrap_or_default();
    let maybe_recording = |no: &Option<RecordingNo>| no.map(|no| no.of(id)).unwrap_or_default();
    match kind {
        EventKind::Opened(it) => ("interaction.opened", Data::InteractionOpened(opened(it))),
        EventKind::Ended(it) => ("interaction.ended", Data::InteractionEnded(ended(it))),
        EventKind::FlowStep { step, what } => {
            ("interaction.flow_step", Data::InteractionFlowStep(flow_step(*step, what)))
        }
        EventKind::Queued { pool, transfer, position } => (
            "interaction.queued",
            Data::InteractionQueued(wire::InteractionQueued {
                team_id: team_id(Some(*pool)),
                queue_id: queue_id(Some(*pool)),
                transfer_id: maybe_transfer(transfer),
                position: position.cast_signed(),
            }),
        ),
        EventKind::Dequeued { pool, transfer, reason, waited_us } => (
            "interaction.dequeued",
            Data::InteractionDequeued(wire::InteractionDequeued {
                team_id: team_id(Some(*pool)),
                queue_id: queue_id(Some(*pool)),
                transfer_id: maybe_transfer(transfer),
                reason: reason.map(Into::<baton_api::common::v1::Reason>::into).unwrap_or_default().into(),
                wait_ms: ms(*waited_us),
            }),
        ),
        EventKind::AgentOffered { agent, transfer, pool } => (
            "interaction.agent_offered",
            Data::InteractionAgentOffered(wire::InteractionAgentOffered {
                agent_id: agent.to_string(),
                transfer_id: maybe_transfer(transfer),
                team_id: team_id(*pool),
                queue_id: queue_id(*pool),
            }),
        ),
        EventKind::OfferFailed { agent, transfer, pool, reason, rang_us } => (
            "interaction.offer_failed",
            Data::InteractionOfferFailed(wire::InteractionOfferFailed {
                agent_id: agent.to_string(),
                transfer_id: maybe_transfer(transfer),
                reason: super::words::reason(*reason),
                team_id: team_id(*pool),
                queue_id: queue_id(*pool),
                ring_ms: ms(*rang_us),
            }),
        ),
        EventKind::AgentJoined { agent, leg, transfer, pool, rang_us } => (
            "interaction.agent_joined",
            Data::InteractionAgentJoined(wire::InteractionAgentJoined {
                agent_id: agent.to_string(),
                leg_id: leg.of(id),
                transfer_id: maybe_transfer(transfer),
                team_id: team_id(*pool),
                queue_id: queue_id(*pool),
                ring_ms: ms(*rang_us),
            }),
        ),
        EventKind::AgentLeft { agent, reason, in_call_us, wrap_up_us } => (
            "interaction.agent_left",
            Data::InteractionAgentLeft(wire::InteractionAgentLeft {
                agent_id: agent.to_string(),
                reason: super::words::reason(*reason),
                duration_ms: ms(*in_call_us),
                wrap_up_ms: ms(*wrap_up_us),
            }),
        ),
        EventKind::PrimaryChanged { from, to } => (
            "interaction.primary_changed",
            Data::InteractionPrimaryChanged(wire::InteractionPrimaryChanged {
                from_agent_id: maybe_agent(*from),
                to_agent_id: to.to_string(),
            }),
        ),
        EventKind::CustomerHeld => {
            ("interaction.customer_held", Data::InteractionCustomerHeld(wire::InteractionCustomerHeld {}))
        }
        EventKind::CustomerResumed { held_us } => (
            "interaction.customer_resumed",
            Data::InteractionCustomerResumed(wire::InteractionCustomerResumed { hold_ms: ms(*held_us) }),
        ),
        EventKind::HoldReminder { held_us } => (
            "interaction.hold_reminder",
            Data::InteractionHoldReminder(wire::InteractionHoldReminder { hold_ms: ms(*held_us) }),
        ),
        EventKind::MuteChanged { agent, muted } => (
            "interaction.mute_changed",
            Data::InteractionMuteChanged(wire::InteractionMuteChanged { agent_id: agent.to_string(), muted: *muted }),
        ),
        EventKind::NoteAdded { note } => (
            "interaction.note_added",
            Data::InteractionNoteAdded(wire::InteractionNoteAdded { note: note.cast_signed() }),
        ),
        EventKind::DataChanged { set, removed } => (
            "interaction.data_changed",
            Data::InteractionDataChanged(wire::InteractionDataChanged {
                set: set.iter().map(ToString::to_string).collect(),
                removed: removed.iter().map(ToString::to_string).collect(),
            }),
        ),
        EventKind::Dispositioned { agent, transfer, disposition, after_us } => (
            "interaction.dispositioned",
            Data::InteractionDispositioned(wire::InteractionDispositioned {
                agent_id: agent.to_string(),
                transfer_id: maybe_transfer(transfer),
                disposition: disposition.to_string(),
                after_ms: ms(*after_us),
            }),
        ),
        EventKind::Announced { name } => {
            ("interaction.announced", Data::InteractionAnnounced(wire::InteractionAnnounced { name: (*name).into() }))
        }
        EventKind::CustomerLeft => {
            ("interaction.customer_left", Data::InteractionCustomerLeft(wire::InteractionCustomerLeft {}))
        }
        EventKind::CustomerAnswered { allowed_by, rang_us } => (
            "interaction.customer_answered",
            Data::InteractionCustomerAnswered(wire::InteractionCustomerAnswered {
                allowed_by: allowed_by.to_string(),
                ring_ms: ms(*rang_us),
            }),
        ),
        EventKind::TransferStarted(it) => ("transfer.started", Data::TransferStarted(transfer_started(id, it))),
        EventKind::TransferOffered { transfer, recipient } => {
            let (recipient_agent_id, recipient_external) = super::words::recipient(recipient);
            let transfer_id = transfer_id(transfer);
            let it = wire::TransferOffered { transfer_id, recipient_agent_id, recipient_external };
            ("transfer.offered", Data::TransferOffered(it))
        }
        EventKind::TransferWaiting { transfer, recipient } => (
            "transfer.waiting",
            Data::TransferWaiting(wire::TransferWaiting {
                transfer_id: transfer_id(transfer),
                recipient_agent_id: recipient.to_string(),
            }),
        ),
        EventKind::TransferConsulting { transfer, recipient } => {
            let (recipient_agent_id, recipient_external) = super::words::recipient(recipient);
            let transfer_id = transfer_id(transfer);
            let it = wire::TransferConsulting { transfer_id, recipient_agent_id, recipient_external };
            ("transfer.consulting", Data::TransferConsulting(it))
        }
        EventKind::TransferJoined { transfer, recipient } => {
            let (recipient_agent_id, recipient_external) = super::words::recipient(recipient);
            let transfer_id = transfer_id(transfer);
            let it = wire::TransferJoined { transfer_id, recipient_agent_id, recipient_external };
            ("transfer.joined", Data::TransferJoined(it))
        }
        EventKind::TransferAccepted { transfer, recipient } => {
            let (recipient_agent_id, recipient_external) = super::words::recipient(recipient);
            let transfer_id = transfer_id(transfer);
            let it = wire::TransferAccepted { transfer_id, recipient_agent_id, recipient_external };
            ("transfer.accepted", Data::TransferAccepted(it))
        }
        EventKind::TransferSwapped { transfer, recipient } => {
            let (recipient_agent_id, recipient_external) = super::words::recipient(recipient);
            let transfer_id = transfer_id(transfer);
            let it = wire::TransferSwapped { transfer_id, recipient_agent_id, recipient_external };
            ("transfer.swapped", Data::TransferSwapped(it))
        }
        EventKind::TransferCompleted { transfer, initiator, recipient, duration_us } => {
            let (recipient_agent_id, recipient_external) = super::words::recipient(recipient);
            let it = wire::TransferCompleted {
                transfer_id: transfer_id(transfer),
                initiator_agent_id: initiator.to_string(),
                recipient_agent_id,
                duration_ms: ms(*duration_us),
                recipient_external,
                returned: false,
            };
            ("transfer.completed", Data::TransferCompleted(it))
        }
        EventKind::TransferReturned { transfer, initiator, duration_us } => {
            ("transfer.completed", completed_by_flow(transfer.of(id), *initiator, *duration_us, true))
        }
        EventKind::TransferInFlow { transfer, initiator, duration_us } => {
            ("transfer.completed", completed_by_flow(transfer.of(id), *initiator, *duration_us, false))
        }
        EventKind::FlowEntered { flow, transfer } => (
            "ivr.entered",
            Data::IvrEntered(wire::IvrEntered { ivr_flow_id: flow.to_string(), transfer_id: transfer_id(transfer) }),
        ),
        EventKind::FlowCollected { flow, transfer, key, digits } => (
            "ivr.collected",
            Data::IvrCollected(wire::IvrCollected {
                ivr_flow_id: flow.to_string(),
                transfer_id: transfer_id(transfer),
                key: key.to_string(),
                digits: digits.unwrap_or_default().cast_signed(),
                sensitive: digits.is_none(),
            }),
        ),
        EventKind::FlowLeft { flow, transfer, outcome, duration_us } => (
            "ivr.left",
            Data::IvrLeft(wire::IvrLeft {
                ivr_flow_id: flow.to_string(),
                transfer_id: transfer_id(transfer),
                outcome: wire::ivr_left::Outcome::from(*outcome).into(),
                duration_ms: ms(*duration_us),
            }),
        ),
        EventKind::TransferDiverted { transfer, to, reason, duration_us } => (
            "transfer.diverted",
            Data::TransferDiverted(wire::TransferDiverted {
                transfer_id: transfer_id(transfer),
                to: super::words::diverted_to(*to),
                reason: super::words::reason(*reason),
                duration_ms: ms(*duration_us),
            }),
        ),
        EventKind::TransferFailed { transfer, reason, duration_us } => (
            "transfer.failed",
            Data::TransferFailed(wire::TransferFailed {
                transfer_id: transfer_id(transfer),
                reason: super::words::reason(*reason),
                duration_ms: ms(*duration_us),
            }),
        ),
        EventKind::TransferCancelled { transfer, reason, duration_us } => (
            "transfer.cancelled",
            Data::TransferCancelled(wire::TransferCancelled {
                transfer_id: transfer_id(transfer),
                reason: super::words::reason(*reason),
                duration_ms: ms(*duration_us),
            }),
        ),
        EventKind::TransferAbandoned { transfer, duration_us } => (
            "transfer.abandoned",
            Data::TransferAbandoned(wire::TransferAbandoned {
                transfer_id: transfer_id(transfer),
                duration_ms: ms(*duration_us),
            }),
        ),
        EventKind::RecordingStarted(it) => ("recording.started", Data::RecordingStarted(recording_started(id, it))),
        EventKind::RecordingEnded { recording } => {
            ("recording.ended", Data::RecordingEnded(wire::RecordingEnded { recording_id: recording_id(recording) }))
        }
        EventKind::RecordingPaused { recording } => (
            "recording.paused",
            Data::RecordingPaused(wire::RecordingPaused { recording_id: maybe_recording(recording) }),
        ),
        EventKind::RecordingResumed { recording } => (
            "recording.resumed",
            Data::RecordingResumed(wire::RecordingResumed { recording_id: maybe_recording(recording) }),
        ),
        EventKind::SegmentStarted { recording, segment, agents } => (
            "recording.segment_started",
            Data::RecordingSegmentStarted(wire::RecordingSegmentStarted {
                recording_id: recording_id(recording),
                segment_id: segment.of(id),
                agent_ids: agents.iter().map(ToString::to_string).collect(),
            }),
        ),
        EventKind::SegmentEnded { recording, segment, end } => (
            "recording.segment_ended",
            Data::RecordingSegmentEnded(wire::RecordingSegmentEnded {
                recording_id: recording_id(recording),
                segment_id: segment.of(id),
                start_time: (end.started_at_us != 0).then(|| at(end.started_at_us)),
                end_time: (end.ended_at_us != 0).then(|| at(end.ended_at_us)),
                failed: end.failed,
            }),
        ),
        EventKind::Excluded { recording, from_us, to_us, reason } => (
            "recording.excluded",
            Data::RecordingExcluded(wire::RecordingExcluded {
                recording_id: recording_id(recording),
                start_time: Some(at(*from_us)),
                end_time: Some(at(*to_us)),
                reason: baton_api::common::v1::ExclusionReason::from(*reason).into(),
            }),
        ),
        kind @ (EventKind::ExternalDialled { .. }
        | EventKind::ExternalFailed { .. }
        | EventKind::ExternalJoined { .. }
        | EventKind::ExternalLeft { .. }
        | EventKind::ExternalTookOver { .. }
        | EventKind::CustomerChanged { .. }) => outside(id, kind),
        EventKind::MessageSent { message, shown, text } => (
            "chat.message_sent",
            Data::ChatMessageSent(wire::ChatMessageSent {
                message_id: message.of(id),
                sequence: message.0.cast_signed(),
                agents_only: shown.is_none(),
                length: text.chars().count() as i32,
            }),
        ),
    }
}

/// What happens with whoever is called outside.
fn outside(id: InteractionId, kind: &EventKind) -> (&'static str, Data) {
    let external = |own: &ExternalRef| Some(super::words::external(own));
    match kind {
        EventKind::ExternalDialled { transfer, leg, external: own } => {
            let (transfer_id, leg_id, allowed_by) = (transfer.of(id), leg.of(id), own.allowed_by.to_string());
            let it = wire::InteractionExternalDialled { transfer_id, external: external(own), allowed_by, leg_id };
            ("interaction.external_dialled", Data::InteractionExternalDialled(it))
        }
        EventKind::ExternalFailed { transfer, external: own, reason, rang_us } => {
            let (transfer_id, ring_ms) = (transfer.of(id), ms(*rang_us));
            let reason = super::words::reason(*reason);
            let it = wire::InteractionExternalFailed { transfer_id, external: external(own), reason, ring_ms };
            ("interaction.external_failed", Data::InteractionExternalFailed(it))
        }
        EventKind::ExternalJoined { transfer, leg, external: own, rang_us } => {
            let (transfer_id, leg_id, ring_ms) = (transfer.of(id), leg.of(id), ms(*rang_us));
            let it = wire::InteractionExternalJoined { transfer_id, external: external(own), leg_id, ring_ms };
            ("interaction.external_joined", Data::InteractionExternalJoined(it))
        }
        EventKind::ExternalLeft { external: own, reason, in_call_us } => {
            let (reason, duration_ms) = (super::words::reason(*reason), ms(*in_call_us));
            let it = wire::InteractionExternalLeft { external: external(own), reason, duration_ms };
            ("interaction.external_left", Data::InteractionExternalLeft(it))
        }
        EventKind::ExternalTookOver { from, external: own } => {
            let it = wire::InteractionExternalTookOver { from_agent_id: maybe_agent(*from), external: external(own) };
            ("interaction.external_took_over", Data::InteractionExternalTookOver(it))
        }
        EventKind::CustomerChanged { external: own } => {
            let customer = Some(super::words::customer(&own.number, &own.key));
            let it = wire::InteractionCustomerChanged { customer, external: external(own) };
            ("interaction.customer_changed", Data::InteractionCustomerChanged(it))
        }
        other => unreachable!("written above: {other:?}"),
    }
}

fn completed_by_flow(transfer_id: String, initiator: AgentId, duration_us: i64, returned: bool) -> Data {
    Data::TransferCompleted(wire::TransferCompleted {
        transfer_id,
        initiator_agent_id: initiator.to_string(),
        recipient_agent_id: String::new(),
        duration_ms: ms(duration_us),
        returned,
        recipient_external: None,
    })
}

fn maybe_agent(agent: Option<AgentId>) -> String {
    agent.map(|agent| agent.to_string()).unwrap_or_default()
}

fn team_id(pool: Option<Pool>) -> String {
    pool.and_then(Pool::team).map(|team| team.to_string()).unwrap_or_default()
}

fn queue_id(pool: Option<Pool>) -> String {
    pool.and_then(Pool::queue).map(|queue| queue.to_string()).unwrap_or_default()
}

fn opened(it: &Opened) -> wire::InteractionOpened {
    wire::InteractionOpened {
        switch_id: it.switch.to_string(),
        direction: super::words::direction(it.direction),
        number: it.number.to_string(),
        customer: Some(super::words::customer(&it.customer, &it.customer_key)),
        recording_mode: super::words::mode(it.recording_mode),
        medium: super::words::medium(it.medium),
        call_flow_id: it.flow_id.as_deref().unwrap_or_default().to_owned(),
    }
}

fn ended(it: &Ended) -> wire::InteractionEnded {
    let (summary, times) = (&it.summary, it.summary.times);
    wire::InteractionEnded {
        reason: super::words::reason(it.reason),
        duration_ms: ms(summary.duration_us),
        direction: super::words::direction(it.direction),
        number: it.number.to_string(),
        call_flow_id: it.flow_id.as_deref().unwrap_or_default().to_owned(),
        answer_time: summary.answered_at_us.map(at),
        wait_ms: ms(times.wait_us),
        ring_ms: ms(times.ring_us),
        talk_ms: ms(times.talk_us),
        hold_ms: ms(times.hold_us),
        consult_ms: ms(times.consult_us),
        holds: summary.holds.cast_signed(),
        hops: summary.hops.cast_signed(),
        transfers: summary.transfers.cast_signed(),
        first_agent_id: maybe_agent(summary.first_agent),
        last_agent_id: maybe_agent(summary.last_agent),
        voicemail: summary.voicemail,
        customer: Some(super::words::customer("", &it.customer_key)),
    }
}

fn flow_step(step: u32, what: &StepTaken) -> wire::InteractionFlowStep {
    let of = |kind: FlowStepKind| wire::InteractionFlowStep {
        step: step.cast_signed(),
        kind: kind.into(),
        ..wire::InteractionFlowStep::default()
    };
    match what {
        StepTaken::RingAgent(agent) => {
            wire::InteractionFlowStep { agent_id: agent.to_string(), ..of(FlowStepKind::RingAgent) }
        }
        StepTaken::RingTeam(team) => {
            wire::InteractionFlowStep { team_id: team.to_string(), ..of(FlowStepKind::RingTeam) }
        }
        StepTaken::Voicemail(mailbox) => {
            wire::InteractionFlowStep { mailbox: mailbox.to_string(), ..of(FlowStepKind::Voicemail) }
        }
        StepTaken::Disconnect => of(FlowStepKind::Disconnect),
        StepTaken::Queue(queue) => wire::InteractionFlowStep { queue_id: queue.to_string(), ..of(FlowStepKind::Queue) },
    }
}

fn transfer_started(id: InteractionId, it: &TransferStarted) -> wire::TransferStarted {
    wire::TransferStarted {
        transfer_id: it.transfer.of(id),
        kind: super::words::kind(it.kind),
        initiator_agent_id: it.initiator.to_string(),
        target: Some(target(&it.target)),
        outcome: it.outcome.to_string(),
    }
}

fn recording_started(id: InteractionId, it: &RecordingStarted) -> wire::RecordingStarted {
    wire::RecordingStarted {
        recording_id: it.recording.of(id),
        ordinal: it.recording.0.cast_signed(),
        agent_id: it.agent.to_string(),
        number: it.number.to_string(),
        customer: Some(super::words::customer(&it.customer, &it.customer_key)),
        direction: super::words::direction(it.direction),
        by_hand: it.by_hand,
    }
}
