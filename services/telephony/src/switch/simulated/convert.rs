//! The simulated switch's words in telephony's.

use baton_api::simulator::v1 as wire;
use baton_api::simulator::v1::switch_event::Event as Theirs;

use super::INTERACTION_VARIABLE;
use crate::plan::Treatment;
use crate::switch::{
    ClosedRecording, Ending, Event, ExitEnd, InboundCall, LegInSight, LegOrigin, LegState, RoomInSight, Sight, What,
};

pub(super) fn event(answer: wire::StreamEventsResponse) -> Event {
    let event = answer.event.unwrap_or_default();
    let what = event.event.map_or(What::Other, |theirs| what(theirs, event.tenant));
    Event { sequence: event.sequence, at_us: event.occurred_at_us, what }
}

fn what(theirs: Theirs, tenant: String) -> What {
    match theirs {
        Theirs::InboundCall(it) => What::InboundCall(InboundCall { leg: it.leg_id, tenant, from: it.from, to: it.to }),
        Theirs::LegRinging(it) => What::Ringing { leg: it.leg_id },
        Theirs::LegAnswered(it) => What::Answered { leg: it.leg_id },
        Theirs::LegEnded(it) => What::Ended { why: ending(it.cause()), leg: it.leg_id },
        Theirs::PlaybackFinished(it) => What::PlaybackOver { playback: it.playback_id },
        Theirs::PlaybackFailed(it) => What::PlaybackOver { playback: it.playback_id },
        Theirs::RecordingStarted(it) => started(it.recording.unwrap_or_default()),
        Theirs::RecordingFinished(it) => What::RecordingClosed(closed(it.recording.unwrap_or_default())),
        Theirs::RecordingFailed(it) => What::RecordingFailed { recording: it.recording_id },
        Theirs::ExitEnded(it) => What::ExitOver { end: exit_end(it.outcome()), exit: it.exit_id, leg: it.leg_id },
        Theirs::StreamOpened(_) | Theirs::LegMoved(_) | Theirs::LegMuted(_) => What::Other,
    }
}

fn started(live: wire::LiveRecording) -> What {
    What::RecordingStarted { recording: live.recording_id, started_at_us: live.started_at_us }
}

fn ending(cause: wire::EndCause) -> Ending {
    match cause {
        wire::EndCause::Unspecified | wire::EndCause::Normal | wire::EndCause::Cancelled => Ending::HungUp,
        wire::EndCause::Busy => Ending::Busy,
        wire::EndCause::NoAnswer => Ending::NoAnswer,
        wire::EndCause::Declined => Ending::Declined,
        wire::EndCause::Unreachable => Ending::Unreachable,
        wire::EndCause::SwitchShutdown => Ending::SwitchLost,
    }
}

fn exit_end(outcome: wire::ExitOutcome) -> ExitEnd {
    match outcome {
        wire::ExitOutcome::Left => ExitEnd::Left,
        wire::ExitOutcome::Returned => ExitEnd::Returned,
        wire::ExitOutcome::Unknown | wire::ExitOutcome::Unspecified => ExitEnd::Unknown,
    }
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

pub(super) fn sight(snapshot: wire::GetSnapshotResponse) -> Sight {
    Sight {
        boot_id: snapshot.boot_id,
        sequence: snapshot.sequence,
        legs: snapshot.legs.into_iter().map(leg).collect(),
        rooms: snapshot.rooms.into_iter().map(room).collect(),
        playbacks: snapshot.playbacks.into_iter().map(|it| it.playback_id).collect(),
        recordings: snapshot.live_recordings.into_iter().map(|it| (it.recording_id, it.started_at_us)).collect(),
        closed: snapshot.finished_recordings.into_iter().map(closed).collect(),
    }
}

fn leg(mut leg: wire::Leg) -> LegInSight {
    let state = match leg.state() {
        wire::LegState::Up => LegState::Up,
        wire::LegState::Exited => LegState::Exited(std::mem::take(&mut leg.exit_id)),
        wire::LegState::Ringing | wire::LegState::Unspecified => LegState::Ringing,
    };
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
    LegInSight { name: leg.leg_id, state, room, muted: Some(leg.muted), origin }
}

fn room(room: wire::Room) -> RoomInSight {
    let treatment = match room.treatment() {
        wire::RoomTreatment::Conversation => Some(Treatment::Conversation),
        wire::RoomTreatment::HoldMusic => Some(Treatment::HoldMusic),
        wire::RoomTreatment::Ringback => Some(Treatment::Ringback),
        wire::RoomTreatment::Silence | wire::RoomTreatment::Unspecified => None,
    };
    RoomInSight { name: room.room_id, treatment, empty: room.leg_ids.is_empty() }
}

pub(super) fn treatment_out(treatment: Treatment) -> wire::RoomTreatment {
    match treatment {
        Treatment::Conversation => wire::RoomTreatment::Conversation,
        Treatment::HoldMusic => wire::RoomTreatment::HoldMusic,
        Treatment::Ringback => wire::RoomTreatment::Ringback,
    }
}
