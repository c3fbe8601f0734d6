//! Conversions between the engine's types and the contract's.

use baton_api::simulator::v1 as proto;

use crate::driver::SwitchState;
use crate::engine::flows::CollectedDatum;
use crate::engine::ids::{ExitId, LegId};
use crate::engine::model::{
    EndCause, ExitReport, FinishedRecording, LegDirection, PlayTarget, PlaybackEnd, RoomTreatment, Side, SwitchLegState,
};
use crate::engine::{AnswerBehaviour, HeardRecord, PhoneRecord, RecordingView, Selector, SwitchError, SwitchLeg};

/// Keeps a snapshot well below the largest gRPC message.
const MOST_FINISHED: usize = 5_000;

macro_rules! same_words {
    ($ours:ident, $theirs:ident { $($word:ident),+ $(,)? }) => {
        impl From<$ours> for proto::$theirs {
            fn from(ours: $ours) -> Self {
                match ours { $($ours::$word => Self::$word),+ }
            }
        }
    };
}

same_words!(SwitchLegState, LegState { Ringing, Up, Exited });
same_words!(LegDirection, LegDirection { Inbound, Outbound });
same_words!(EndCause, EndCause { Normal, Busy, NoAnswer, Declined, Unreachable, Cancelled, SwitchShutdown });
same_words!(Side, Side { Phone, Controller, Switch });
same_words!(RoomTreatment, RoomTreatment { Conversation, HoldMusic, Ringback, Silence });
same_words!(PlaybackEnd, PlaybackEnd { Completed, Stopped, TargetGone });
same_words!(ExitReport, ExitOutcome { Left, Returned, FlowEnded, Transferred, Recalled, Failed });

/// `None` for UNSPECIFIED, the ordinary cause.
pub(crate) fn end_cause(cause: i32) -> Result<Option<EndCause>, SwitchError> {
    use proto::EndCause as Theirs;
    let cause = Theirs::try_from(cause).map_err(|_| SwitchError::invalid("cause", "is not known"))?;
    Ok(match cause {
        Theirs::Unspecified => None,
        Theirs::Normal => Some(EndCause::Normal),
        Theirs::Busy => Some(EndCause::Busy),
        Theirs::NoAnswer => Some(EndCause::NoAnswer),
        Theirs::Declined => Some(EndCause::Declined),
        Theirs::Unreachable => Some(EndCause::Unreachable),
        Theirs::Cancelled => Some(EndCause::Cancelled),
        Theirs::SwitchShutdown => Some(EndCause::SwitchShutdown),
    })
}

pub(crate) fn treatment(treatment: i32) -> Result<RoomTreatment, SwitchError> {
    use proto::RoomTreatment as Theirs;
    match Theirs::try_from(treatment) {
        Ok(Theirs::Conversation) => Ok(RoomTreatment::Conversation),
        Ok(Theirs::HoldMusic) => Ok(RoomTreatment::HoldMusic),
        Ok(Theirs::Ringback) => Ok(RoomTreatment::Ringback),
        Ok(Theirs::Silence) => Ok(RoomTreatment::Silence),
        Ok(Theirs::Unspecified) | Err(_) => Err(SwitchError::invalid("treatment", "must be set")),
    }
}

pub(crate) fn leg(id: &LegId, leg: &SwitchLeg) -> proto::Leg {
    proto::Leg {
        leg_id: id.to_string(),
        tenant: leg.tenant.clone(),
        state: proto::LegState::from(leg.state).into(),
        direction: proto::LegDirection::from(leg.direction).into(),
        address: leg.address.clone(),
        called_number: leg.called.clone().unwrap_or_default(),
        room_id: text(leg.room.as_ref()),
        muted: leg.muted,
        phone_muted: leg.phone_muted,
        started_at_us: leg.started_at_us,
        answered_at_us: leg.answered_at_us.unwrap_or_default(),
        variables: leg.variables.clone().into_iter().collect(),
        exit_id: text(leg.exit.as_ref()),
    }
}

pub(crate) fn live_recording(view: RecordingView) -> proto::LiveRecording {
    proto::LiveRecording {
        recording_id: view.recording_id.to_string(),
        tenant: view.tenant,
        room_id: text(view.room_id.as_ref()),
        started_at_us: view.started_at_us,
    }
}

pub(crate) fn finished_recording(recording: &FinishedRecording) -> proto::FinishedRecording {
    proto::FinishedRecording {
        recording_id: recording.recording_id.to_string(),
        tenant: recording.tenant.clone(),
        room_id: text(recording.room_id.as_ref()),
        started_at_us: recording.started_at_us,
        ended_at_us: recording.ended_at_us,
        duration_ms: (recording.ended_at_us - recording.started_at_us) / 1_000,
        sample_count: recording.sample_count,
        sha256: recording.sha256.clone(),
        torn: recording.torn,
    }
}

pub(crate) fn snapshot(state: &SwitchState) -> proto::GetSnapshotResponse {
    let engine = &state.engine;
    proto::GetSnapshotResponse {
        boot_id: engine.boot_id().to_owned(),
        now_us: engine.now_us(),
        sequence: engine.event_sequence(),
        epoch: engine.epoch(),
        legs: engine.legs().iter().map(|(id, it)| leg(id, it)).collect(),
        rooms: rooms(state),
        playbacks: playbacks(state),
        live_recordings: engine.live_recordings().into_iter().map(live_recording).collect(),
        finished_recordings: engine.finished_recordings().take(MOST_FINISHED).map(finished_recording).collect(),
        flows: engine.flows().map(|(id, it)| flow_state(id, &it.leg, it.outcome, it.at, &it.data)).collect(),
    }
}

/// What a flow has come to.
pub(crate) fn flow_state(
    exit_id: &ExitId,
    leg_id: &LegId,
    outcome: Option<ExitReport>,
    element: usize,
    data: &[CollectedDatum],
) -> proto::FlowState {
    let data = data.iter().map(|it| proto::FlowDatum {
        key: it.key.clone(),
        value: it.value.clone().unwrap_or_default(),
        pressed: it.pressed,
        sensitive: it.value.is_none(),
    });
    proto::FlowState {
        exit_id: exit_id.to_string(),
        leg_id: leg_id.to_string(),
        outcome: outcome.map(proto::ExitOutcome::from).unwrap_or_default().into(),
        element: i32::try_from(element).unwrap_or(i32::MAX),
        data: data.collect(),
    }
}

fn rooms(state: &SwitchState) -> Vec<proto::Room> {
    let rooms = state.engine.rooms().iter();
    rooms
        .map(|(id, room)| proto::Room {
            room_id: id.to_string(),
            tenant: room.tenant.clone(),
            treatment: proto::RoomTreatment::from(room.treatment).into(),
            leg_ids: room.members.iter().map(ToString::to_string).collect(),
        })
        .collect()
}

fn playbacks(state: &SwitchState) -> Vec<proto::Playback> {
    let playbacks = state.engine.playbacks().iter();
    playbacks
        .map(|(id, playback)| {
            let (room_id, leg_id) = match &playback.target {
                PlayTarget::Room(room) => (room.to_string(), String::new()),
                PlayTarget::Leg(leg) => (String::new(), leg.to_string()),
            };
            proto::Playback {
                playback_id: id.to_string(),
                tenant: playback.tenant.clone(),
                room_id,
                leg_id,
                announcement: playback.announcement.to_owned(),
                started_at_us: playback.started_at_us,
            }
        })
        .collect()
}

pub(crate) fn behaviour(behaviour: Option<proto::PhoneBehaviour>) -> AnswerBehaviour {
    use proto::phone_behaviour::Behaviour as Theirs;
    match behaviour.and_then(|it| it.behaviour) {
        None | Some(Theirs::Manual(_)) => AnswerBehaviour::Manual,
        Some(Theirs::AnswersAfter(it)) => AnswerBehaviour::AnswersAfter { delay_ms: it.delay_ms },
        Some(Theirs::NeverAnswers(_)) => AnswerBehaviour::NeverAnswers,
        Some(Theirs::Busy(_)) => AnswerBehaviour::Busy,
        Some(Theirs::Declines(it)) => AnswerBehaviour::Declines { delay_ms: it.delay_ms },
        Some(Theirs::Unreachable(_)) => AnswerBehaviour::Unreachable,
    }
}

fn behaviour_out(behaviour: AnswerBehaviour) -> proto::PhoneBehaviour {
    use proto::phone_behaviour::Behaviour as Theirs;
    let behaviour = match behaviour {
        AnswerBehaviour::AnswersAfter { delay_ms } => Theirs::AnswersAfter(proto::AnswersAfter { delay_ms }),
        AnswerBehaviour::NeverAnswers => Theirs::NeverAnswers(proto::NeverAnswers {}),
        AnswerBehaviour::Busy => Theirs::Busy(proto::Busy {}),
        AnswerBehaviour::Declines { delay_ms } => Theirs::Declines(proto::Declines { delay_ms }),
        AnswerBehaviour::Manual => Theirs::Manual(proto::Manual {}),
        AnswerBehaviour::Unreachable => Theirs::Unreachable(proto::Unreachable {}),
    };
    proto::PhoneBehaviour { behaviour: Some(behaviour) }
}

pub(crate) fn phone(state: &SwitchState, record: &PhoneRecord) -> proto::Phone {
    let legs = state.engine.legs().iter();
    let own = legs.filter(|(_, leg)| leg.tenant == record.tenant && leg.address == record.address);
    proto::Phone {
        address: record.address.clone(),
        tone_hz: record.tone_hz as i32,
        behaviour: Some(behaviour_out(record.behaviour)),
        legs: own.map(|(id, it)| leg(id, it)).collect(),
    }
}

pub(crate) fn selector(selector: Option<&proto::PhoneSelector>) -> Result<Selector, SwitchError> {
    use proto::phone_selector::Selector as Theirs;
    match selector.and_then(|it| it.selector.as_ref()) {
        Some(Theirs::Address(address)) => Ok(Selector::Address(address.clone())),
        Some(Theirs::LegId(id)) => Ok(Selector::Leg(LegId::parse(id)?)),
        None => Err(SwitchError::invalid("phone", "must name an address or a leg")),
    }
}

pub(crate) fn heard(record: &HeardRecord) -> proto::Heard {
    proto::Heard {
        leg_id: record.leg_id.to_string(),
        address: record.address.clone(),
        started_at_us: record.started_at_us,
        sample_count: record.sample_count,
        ended: record.ended_at_us.is_some(),
        truncated: record.truncated,
    }
}

/// An id as text; empty when there is none.
pub(crate) fn text(id: Option<&impl ToString>) -> String {
    id.map(ToString::to_string).unwrap_or_default()
}
