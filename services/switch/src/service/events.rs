//! Ledger entries as events for the controller.

use std::pin::Pin;
use std::sync::Arc;

use baton_api::simulator::v1 as proto;
use baton_api::simulator::v1::switch_event::Event;
use futures::{Stream, StreamExt as _, future, stream};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tonic::Status;

use crate::engine::{LedgerAction, LedgerEntry};

use super::convert::{self, finished_recording, text};
use super::status::too_slow;

pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// `opened`, then all events from `receiver`. Ends with an error when the reader is too slow, and in order when the switch is stopped.
pub(crate) fn stream_events(
    opened: proto::SwitchEvent,
    receiver: broadcast::Receiver<Arc<LedgerEntry>>,
) -> Answers<proto::StreamEventsResponse> {
    let rest = BroadcastStream::new(receiver).filter_map(|item| {
        future::ready(match item {
            Ok(entry) => event(&entry).map(Ok),
            Err(BroadcastStreamRecvError::Lagged(missed)) => Some(Err(too_slow(missed))),
        })
    });
    let all = stream::once(future::ready(Ok(opened))).chain(rest).scan(false, |failed, item| {
        let over = *failed;
        *failed = item.is_err();
        future::ready((!over).then_some(item))
    });
    let answers = all.map(|item| item.map(|event| proto::StreamEventsResponse { event: Some(event) }));
    Box::pin(answers)
}

/// The first message of a stream.
pub(crate) fn opened(boot_id: &str, sequence: i64, now_us: i64) -> proto::SwitchEvent {
    proto::SwitchEvent {
        boot_id: boot_id.to_owned(),
        sequence,
        occurred_at_us: now_us,
        tenant: String::new(),
        event: Some(Event::StreamOpened(proto::StreamOpened {})),
    }
}

fn event(entry: &LedgerEntry) -> Option<proto::SwitchEvent> {
    Some(proto::SwitchEvent {
        boot_id: entry.boot_id.to_string(),
        sequence: entry.event_sequence,
        occurred_at_us: entry.occurred_at_us,
        tenant: entry.tenant.clone(),
        event: Some(body(&entry.tenant, &entry.action)?),
    })
}

fn body(tenant: &str, action: &LedgerAction) -> Option<Event> {
    leg_event(action).or_else(|| sound_event(tenant, action))
}

fn leg_event(action: &LedgerAction) -> Option<Event> {
    Some(match action {
        LedgerAction::CallPlaced { leg_id, address, called } => Event::InboundCall(proto::InboundCall {
            leg_id: leg_id.to_string(),
            from: address.clone(),
            to: called.clone(),
        }),
        LedgerAction::LegRinging { leg_id } => Event::LegRinging(proto::LegRinging { leg_id: leg_id.to_string() }),
        LedgerAction::LegAnswered { leg_id } => Event::LegAnswered(proto::LegAnswered { leg_id: leg_id.to_string() }),
        LedgerAction::LegEnded { leg_id, cause, side } => Event::LegEnded(proto::LegEnded {
            leg_id: leg_id.to_string(),
            cause: proto::EndCause::from(*cause).into(),
            ended_by: proto::Side::from(*side).into(),
        }),
        LedgerAction::LegMoved { leg_id, room_id, from_room_id } => Event::LegMoved(proto::LegMoved {
            leg_id: leg_id.to_string(),
            room_id: text(room_id.as_ref()),
            from_room_id: text(from_room_id.as_ref()),
        }),
        LedgerAction::LegMuted { leg_id, muted, side } => Event::LegMuted(proto::LegMuted {
            leg_id: leg_id.to_string(),
            muted: *muted,
            muted_by: proto::Side::from(*side).into(),
        }),
        LedgerAction::ExitEnded { exit_id, leg_id, outcome, recording_id } => Event::ExitEnded(proto::ExitEnded {
            exit_id: exit_id.to_string(),
            leg_id: leg_id.to_string(),
            outcome: proto::ExitOutcome::from(*outcome).into(),
            recording_id: text(recording_id.as_ref()),
            flow: None,
        }),
        LedgerAction::FlowProgressed { exit_id, leg_id, data, .. } => Event::FlowProgressed(proto::FlowProgressed {
            flow: Some(convert::flow_state(exit_id, leg_id, None, 0, data)),
        }),
        LedgerAction::FlowEnded { exit_id, leg_id, outcome, element, data } => Event::ExitEnded(proto::ExitEnded {
            exit_id: exit_id.to_string(),
            leg_id: leg_id.to_string(),
            outcome: proto::ExitOutcome::from(*outcome).into(),
            recording_id: String::new(),
            flow: Some(convert::flow_state(exit_id, leg_id, Some(*outcome), *element, data)),
        }),
        _ => return None,
    })
}

fn sound_event(tenant: &str, action: &LedgerAction) -> Option<Event> {
    Some(match action {
        LedgerAction::PlaybackFinished { playback_id, end, .. } => Event::PlaybackFinished(proto::PlaybackFinished {
            playback_id: playback_id.to_string(),
            end: proto::PlaybackEnd::from(*end).into(),
        }),
        LedgerAction::PlaybackFailed { playback_id, message, .. } => Event::PlaybackFailed(proto::PlaybackFailed {
            playback_id: playback_id.to_string(),
            message: message.clone(),
        }),
        LedgerAction::RecordingStarted { recording_id, room_id, started_at_us } => {
            let recording = proto::LiveRecording {
                recording_id: recording_id.to_string(),
                tenant: tenant.to_owned(),
                room_id: text(room_id.as_ref()),
                started_at_us: *started_at_us,
            };
            Event::RecordingStarted(proto::RecordingStarted { recording: Some(recording) })
        }
        LedgerAction::RecordingFinished { recording } => {
            Event::RecordingFinished(proto::RecordingFinished { recording: Some(finished_recording(recording)) })
        }
        LedgerAction::RecordingFailed { recording_id, message, .. } => Event::RecordingFailed(proto::RecordingFailed {
            recording_id: recording_id.to_string(),
            message: message.clone(),
        }),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ids::LegId;

    fn ringing(sequence: i64) -> Arc<LedgerEntry> {
        let leg_id = LegId::parse("l").expect("a leg id");
        Arc::new(LedgerEntry {
            sequence,
            event_sequence: sequence,
            boot_id: "boot".into(),
            occurred_at_us: 0,
            tenant: "demo".to_owned(),
            action: LedgerAction::LegRinging { leg_id },
        })
    }

    #[tokio::test]
    async fn a_reader_that_is_too_slow_is_cut_off() {
        let (sender, receiver) = broadcast::channel(4);
        let stream = stream_events(opened("boot", 0, 0), receiver);
        for sequence in 1..=9 {
            sender.send(ringing(sequence)).expect("a reader");
        }
        let seen: Vec<_> = stream.collect().await;
        assert_eq!(seen.len(), 2, "the opening, and why it is over");
        let status = seen[1].as_ref().expect_err("cut off");
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    }

    #[tokio::test]
    async fn a_stream_ends_with_the_switch_after_its_last_event() {
        let (sender, receiver) = broadcast::channel(4);
        sender.send(ringing(1)).expect("a reader");
        drop(sender);
        let seen: Vec<_> = stream_events(opened("boot", 0, 0), receiver).collect().await;
        assert!(seen.len() == 2 && seen.iter().all(Result::is_ok));
    }
}
