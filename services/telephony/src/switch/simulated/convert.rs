//! Messages of the simulated switch to the types of the port, and back.

use std::collections::BTreeMap;

use baton_api::simulator::v1 as wire;
use baton_api::simulator::v1::command::Command;
use baton_api::simulator::v1::exit_request::Kind;
use baton_api::simulator::v1::switch_event::Event as WireEvent;
use baton_api::transfer::v1::FlowDatum;

use super::INTERACTION_VARIABLE;
use crate::plan::Treatment;
use crate::switch::{
    ClosedRecording, ExitEnd, FlowEnding, FlowReport, InboundCall, LegEnd, LegEnding, LegOrigin, LegProgress,
    LegSnapshot, RoomSnapshot, SwitchCommand, SwitchEvent, SwitchEventKind, SwitchSnapshot,
};

/// The command of the controller with this epoch.
pub(super) fn command_out(command: &SwitchCommand, epoch: i64) -> Command {
    match command.clone() {
        SwitchCommand::Dial(call) => Command::Dial(wire::DialRequest {
            epoch,
            leg_id: call.leg,
            tenant: call.tenant,
            address: call.phone,
            caller_id: call.caller,
            ring_timeout_ms: call.ring_ms,
            variables: BTreeMap::from([(INTERACTION_VARIABLE.to_owned(), call.interaction)]),
        }),
        SwitchCommand::Answer { leg } => Command::Answer(wire::AnswerRequest { epoch, leg_id: leg }),
        SwitchCommand::HangUp { leg, no_answer } => {
            let cause = if no_answer { wire::EndCause::NoAnswer } else { wire::EndCause::Unspecified };
            Command::Hangup(wire::HangupRequest { epoch, leg_id: leg, cause: cause.into() })
        }
        SwitchCommand::Move { leg, room } => Command::Move(wire::MoveRequest { epoch, leg_id: leg, room_id: room }),
        SwitchCommand::TakeOut { leg } => Command::Remove(wire::RemoveRequest { epoch, leg_id: leg }),
        SwitchCommand::SetMute { leg, muted } => Command::SetMute(wire::SetMuteRequest { epoch, leg_id: leg, muted }),
        SwitchCommand::EnsureRoom { room, tenant, treatment } => {
            let treatment = treatment_out(treatment).into();
            Command::EnsureRoom(wire::EnsureRoomRequest { epoch, room_id: room, tenant, treatment })
        }
        SwitchCommand::DestroyRoom { room } => Command::DestroyRoom(wire::DestroyRoomRequest { epoch, room_id: room }),
        SwitchCommand::Play { playback, room, announcement } => {
            let target = Some(wire::play_request::Target::RoomId(room));
            Command::Play(wire::PlayRequest { epoch, playback_id: playback, target, announcement })
        }
        SwitchCommand::StopPlayback { playback } => {
            Command::StopPlayback(wire::StopPlaybackRequest { epoch, playback_id: playback })
        }
        SwitchCommand::StartRecording { recording, room, tenant } => {
            let (recording_id, room_id) = (recording, room);
            Command::StartRecording(wire::StartRecordingRequest { epoch, recording_id, room_id, tenant })
        }
        SwitchCommand::StopRecording { recording } => {
            Command::StopRecording(wire::StopRecordingRequest { epoch, recording_id: recording })
        }
        SwitchCommand::Exit { exit, leg, mailbox } => {
            let kind = Kind::Voicemail(wire::VoicemailExit { mailbox, max_message_ms: 0 });
            Command::Exit(wire::ExitRequest { epoch, leg_id: leg, exit_id: exit, kind: Some(kind) })
        }
        SwitchCommand::RunFlow { exit, leg, flow } => {
            let kind = Kind::Flow(wire::FlowExit { elements: flow });
            Command::Exit(wire::ExitRequest { epoch, leg_id: leg, exit_id: exit, kind: Some(kind) })
        }
        SwitchCommand::Recall { exit } => Command::RecallExit(wire::RecallExitRequest { epoch, exit_id: exit }),
    }
}

pub(super) fn event(answer: wire::StreamEventsResponse) -> SwitchEvent {
    let event = answer.event.unwrap_or_default();
    let kind = event.event.map_or(SwitchEventKind::Other, |it| kind(it, event.tenant));
    SwitchEvent { sequence: event.sequence, at_us: event.occurred_at_us, kind }
}

fn kind(event: WireEvent, tenant: String) -> SwitchEventKind {
    match event {
        WireEvent::InboundCall(it) => {
            SwitchEventKind::InboundCall(InboundCall { leg: it.leg_id, tenant, from: it.from, to: it.to })
        }
        WireEvent::LegRinging(it) => SwitchEventKind::Ringing { leg: it.leg_id },
        WireEvent::LegAnswered(it) => SwitchEventKind::Answered { leg: it.leg_id },
        WireEvent::LegEnded(it) => SwitchEventKind::Ended { why: ending(it.cause()), leg: it.leg_id },
        WireEvent::PlaybackFinished(it) => SwitchEventKind::PlaybackOver { playback: it.playback_id },
        WireEvent::PlaybackFailed(it) => SwitchEventKind::PlaybackOver { playback: it.playback_id },
        WireEvent::RecordingStarted(it) => started(it.recording.unwrap_or_default()),
        WireEvent::RecordingFinished(it) => SwitchEventKind::RecordingClosed(closed(it.recording.unwrap_or_default())),
        WireEvent::RecordingFailed(it) => SwitchEventKind::RecordingFailed { recording: it.recording_id },
        WireEvent::ExitEnded(wire::ExitEnded { flow: Some(it), .. })
        | WireEvent::FlowProgressed(wire::FlowProgressed { flow: Some(it) }) => SwitchEventKind::Flow(flow(it)),
        WireEvent::ExitEnded(it) => {
            SwitchEventKind::ExitOver { end: exit_end(it.outcome()), exit: it.exit_id, leg: it.leg_id }
        }
        WireEvent::StreamOpened(_)
        | WireEvent::LegMoved(_)
        | WireEvent::LegMuted(_)
        | WireEvent::FlowProgressed(wire::FlowProgressed { flow: None }) => SwitchEventKind::Other,
    }
}

fn started(live: wire::LiveRecording) -> SwitchEventKind {
    SwitchEventKind::RecordingStarted { recording: live.recording_id, started_at_us: live.started_at_us }
}

fn ending(cause: wire::EndCause) -> LegEnding {
    match cause {
        wire::EndCause::Unspecified | wire::EndCause::Normal | wire::EndCause::Cancelled => LegEnding::HungUp,
        wire::EndCause::Busy => LegEnding::Busy,
        wire::EndCause::NoAnswer => LegEnding::NoAnswer,
        wire::EndCause::Declined => LegEnding::Declined,
        wire::EndCause::Unreachable => LegEnding::Unreachable,
        wire::EndCause::SwitchShutdown => LegEnding::SwitchLost,
    }
}

pub(super) fn leg_end(end: wire::GetLegEndResponse) -> LegEnd {
    LegEnd { why: ending(end.cause()), at_us: end.ended_at_us }
}

fn exit_end(outcome: wire::ExitOutcome) -> ExitEnd {
    match outcome {
        wire::ExitOutcome::Left => ExitEnd::Left,
        wire::ExitOutcome::Returned => ExitEnd::Returned,
        // The others are of flows.
        _ => ExitEnd::Unknown,
    }
}

fn flow(state: wire::FlowState) -> FlowReport {
    let end = match state.outcome() {
        wire::ExitOutcome::Unspecified => None,
        wire::ExitOutcome::Left => Some(FlowEnding::Left),
        wire::ExitOutcome::Returned | wire::ExitOutcome::Recalled => Some(FlowEnding::Returned),
        wire::ExitOutcome::FlowEnded => Some(FlowEnding::Ended),
        wire::ExitOutcome::Transferred => Some(FlowEnding::Transferred(state.element)),
        wire::ExitOutcome::Failed | wire::ExitOutcome::Unknown => Some(FlowEnding::Failed),
    };
    let data = state.data.into_iter().map(|it| FlowDatum {
        key: it.key,
        value: it.value,
        pressed: it.pressed,
        sensitive: it.sensitive,
    });
    FlowReport { exit: state.exit_id, leg: state.leg_id, end, data: data.collect() }
}

fn closed(it: wire::FinishedRecording) -> ClosedRecording {
    ClosedRecording {
        recording: it.recording_id,
        started_at_us: it.started_at_us,
        ended_at_us: it.ended_at_us,
        sha256: it.sha256,
        torn: it.torn,
    }
}

pub(super) fn snapshot(snapshot: wire::GetSnapshotResponse) -> SwitchSnapshot {
    SwitchSnapshot {
        boot_id: snapshot.boot_id,
        sequence: snapshot.sequence,
        legs: snapshot.legs.into_iter().map(leg).collect(),
        rooms: snapshot.rooms.into_iter().map(room).collect(),
        playbacks: snapshot.playbacks.into_iter().map(|it| it.playback_id).collect(),
        recordings: snapshot.live_recordings.into_iter().map(|it| (it.recording_id, it.started_at_us)).collect(),
        closed: snapshot.finished_recordings.into_iter().map(closed).collect(),
        flows: snapshot.flows.into_iter().map(flow).collect(),
    }
}

fn leg(mut leg: wire::Leg) -> LegSnapshot {
    let progress = match leg.state() {
        wire::LegState::Up => LegProgress::Up,
        wire::LegState::Exited => LegProgress::Exited(std::mem::take(&mut leg.exit_id)),
        wire::LegState::Ringing | wire::LegState::Unspecified => LegProgress::Ringing,
    };
    let (tenant, address) = (leg.tenant.clone(), leg.address.clone());
    let origin = match (leg.direction(), leg.variables.remove(INTERACTION_VARIABLE)) {
        (wire::LegDirection::Inbound, _) => LegOrigin::Inbound(InboundCall {
            leg: leg.leg_id.clone(),
            tenant: leg.tenant,
            from: leg.address,
            to: leg.called_number,
        }),
        (_, Some(interaction)) => LegOrigin::Dialled(interaction),
        (_, None) => LegOrigin::Foreign,
    };
    let room = (!leg.room_id.is_empty()).then_some(leg.room_id);
    LegSnapshot { name: leg.leg_id, tenant, address, progress, room, muted: Some(leg.muted), origin }
}

fn room(room: wire::Room) -> RoomSnapshot {
    let treatment = match room.treatment() {
        wire::RoomTreatment::Conversation => Some(Treatment::Conversation),
        wire::RoomTreatment::HoldMusic => Some(Treatment::HoldMusic),
        wire::RoomTreatment::Ringback => Some(Treatment::Ringback),
        wire::RoomTreatment::Silence | wire::RoomTreatment::Unspecified => None,
    };
    RoomSnapshot { name: room.room_id, treatment, empty: room.leg_ids.is_empty() }
}

pub(super) fn treatment_out(treatment: Treatment) -> wire::RoomTreatment {
    match treatment {
        Treatment::Conversation => wire::RoomTreatment::Conversation,
        Treatment::HoldMusic => wire::RoomTreatment::HoldMusic,
        Treatment::Ringback => wire::RoomTreatment::Ringback,
    }
}
