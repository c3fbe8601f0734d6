//! The backend for the simulated switch: a client of `baton.simulator.v1.SwitchService`.

mod convert;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use baton_api::common::v1::IvrElement;
use baton_api::simulator::v1 as wire;
use baton_api::simulator::v1::fetch_recording_response::Part;
use baton_api::simulator::v1::switch_service_client::SwitchServiceClient;
use baton_runtime::client::InternalChannel;
use baton_runtime::ids;
use futures::StreamExt as _;
use tonic::{Code, Status};

use super::{DialCall, FetchedRecording, LegEnd, SwitchPort, SwitchPortError, SwitchSession, SwitchSnapshot};
use crate::plan::Treatment;

/// A switch on the same machine answers in a millisecond; one that takes as long as this is stuck.
const COMMAND_DEADLINE: Duration = Duration::from_secs(3);
/// The variable of a leg that holds its interaction.
pub(super) const INTERACTION_VARIABLE: &str = "baton-interaction";

pub struct SimulatedSwitch {
    client: SwitchServiceClient<InternalChannel>,
    /// Names one run of this service, so that two runs can't hold the same epoch.
    controller: String,
    epoch: AtomicI64,
}

impl SimulatedSwitch {
    /// Nothing is connected before the first use.
    pub fn new(channel: &InternalChannel) -> Self {
        Self {
            client: SwitchServiceClient::new(channel.with_default_deadline(COMMAND_DEADLINE)),
            controller: format!("telephony-{}", ids::new_uuid()),
            epoch: AtomicI64::new(0),
        }
    }

    fn client(&self) -> SwitchServiceClient<InternalChannel> {
        self.client.clone()
    }

    fn epoch(&self) -> i64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// When the switch's epoch is not smaller (another data folder has controlled it), the switch chooses the next one.
    async fn take_control(&self, after_epoch: i64) -> Result<wire::TakeControlResponse, SwitchPortError> {
        let take = |epoch| wire::TakeControlRequest { epoch, controller: self.controller.clone() };
        let taken = match self.client().take_control(take(after_epoch.saturating_add(1))).await {
            Err(status) if status.code() == Code::Aborted => self.client().take_control(take(0)).await,
            other => other,
        };
        Ok(taken.map_err(|it| error(&it))?.into_inner())
    }
}

#[async_trait]
impl SwitchPort for SimulatedSwitch {
    async fn connect(&self, after_epoch: i64) -> Result<SwitchSession, SwitchPortError> {
        let taken = self.take_control(after_epoch).await?;
        self.epoch.store(taken.epoch, Ordering::Relaxed);
        let mut answers = ok(self.client().stream_events(wire::StreamEventsRequest {}).await)?;
        // The first message says that the stream is open: a snapshot that is taken from now on leaves no gap to it.
        let opened = match answers.message().await {
            Ok(Some(opened)) => convert::event(opened),
            Ok(None) => return Err(SwitchPortError::Unknown("the stream ended".to_owned())),
            Err(status) => return Err(error(&status)),
        };
        let events = answers.map(|item| item.map(convert::event).map_err(|status| error(&status)));
        let (epoch, boot_id) = (taken.epoch, taken.boot_id);
        Ok(SwitchSession { epoch, boot_id, sequence: opened.sequence, events: events.boxed() })
    }

    async fn snapshot(&self) -> Result<SwitchSnapshot, SwitchPortError> {
        Ok(convert::snapshot(ok(self.client().get_snapshot(wire::GetSnapshotRequest {}).await)?))
    }

    async fn dial(&self, call: &DialCall) -> Result<(), SwitchPortError> {
        let request = wire::DialRequest {
            epoch: self.epoch(),
            leg_id: call.leg.clone(),
            tenant: call.tenant.clone(),
            address: call.phone.clone(),
            caller_id: call.caller.clone(),
            ring_timeout_ms: call.ring_ms,
            variables: BTreeMap::from([(INTERACTION_VARIABLE.to_owned(), call.interaction.clone())]),
        };
        ok(self.client().dial(request).await).map(drop)
    }

    async fn answer(&self, leg: &str) -> Result<(), SwitchPortError> {
        let request = wire::AnswerRequest { epoch: self.epoch(), leg_id: leg.to_owned() };
        ok(self.client().answer(request).await).map(drop)
    }

    async fn hang_up(&self, leg: &str, no_answer: bool) -> Result<(), SwitchPortError> {
        let cause = if no_answer { wire::EndCause::NoAnswer } else { wire::EndCause::Unspecified };
        let request = wire::HangupRequest { epoch: self.epoch(), leg_id: leg.to_owned(), cause: cause.into() };
        ok(self.client().hangup(request).await).map(drop)
    }

    async fn how_ended(&self, leg: &str) -> Result<Option<LegEnd>, SwitchPortError> {
        let request = wire::GetLegEndRequest { leg_id: leg.to_owned() };
        match self.client().get_leg_end(request).await {
            Ok(end) => Ok(Some(convert::leg_end(end.into_inner()))),
            // A switch that an older version started has no such method.
            Err(status) if matches!(status.code(), Code::NotFound | Code::Unimplemented | Code::PermissionDenied) => {
                Ok(None)
            }
            Err(status) => Err(error(&status)),
        }
    }

    async fn move_leg(&self, leg: &str, room: &str) -> Result<(), SwitchPortError> {
        let request = wire::MoveRequest { epoch: self.epoch(), leg_id: leg.to_owned(), room_id: room.to_owned() };
        ok(self.client().r#move(request).await).map(drop)
    }

    async fn take_out(&self, leg: &str) -> Result<(), SwitchPortError> {
        let request = wire::RemoveRequest { epoch: self.epoch(), leg_id: leg.to_owned() };
        ok(self.client().remove(request).await).map(drop)
    }

    async fn set_mute(&self, leg: &str, muted: bool) -> Result<(), SwitchPortError> {
        let request = wire::SetMuteRequest { epoch: self.epoch(), leg_id: leg.to_owned(), muted };
        ok(self.client().set_mute(request).await).map(drop)
    }

    async fn ensure_room(&self, room: &str, tenant: &str, treatment: Treatment) -> Result<(), SwitchPortError> {
        let request = wire::EnsureRoomRequest {
            epoch: self.epoch(),
            room_id: room.to_owned(),
            tenant: tenant.to_owned(),
            treatment: convert::treatment_out(treatment).into(),
        };
        ok(self.client().ensure_room(request).await).map(drop)
    }

    async fn destroy_room(&self, room: &str) -> Result<(), SwitchPortError> {
        let request = wire::DestroyRoomRequest { epoch: self.epoch(), room_id: room.to_owned() };
        ok(self.client().destroy_room(request).await).map(drop)
    }

    async fn play(&self, playback: &str, room: &str, announcement: &str) -> Result<(), SwitchPortError> {
        let request = wire::PlayRequest {
            epoch: self.epoch(),
            playback_id: playback.to_owned(),
            target: Some(wire::play_request::Target::RoomId(room.to_owned())),
            announcement: announcement.to_owned(),
        };
        ok(self.client().play(request).await).map(drop)
    }

    async fn stop_playback(&self, playback: &str) -> Result<(), SwitchPortError> {
        let request = wire::StopPlaybackRequest { epoch: self.epoch(), playback_id: playback.to_owned() };
        ok(self.client().stop_playback(request).await).map(drop)
    }

    async fn start_recording(&self, recording: &str, room: &str, tenant: &str) -> Result<i64, SwitchPortError> {
        let request = wire::StartRecordingRequest {
            epoch: self.epoch(),
            recording_id: recording.to_owned(),
            room_id: room.to_owned(),
            tenant: tenant.to_owned(),
        };
        Ok(ok(self.client().start_recording(request).await)?.started_at_us)
    }

    async fn stop_recording(&self, recording: &str) -> Result<i64, SwitchPortError> {
        let request = wire::StopRecordingRequest { epoch: self.epoch(), recording_id: recording.to_owned() };
        Ok(ok(self.client().stop_recording(request).await)?.ended_at_us)
    }

    async fn fetch(&self, recording: &str) -> Result<FetchedRecording, SwitchPortError> {
        let request = wire::FetchRecordingRequest { recording_id: recording.to_owned() };
        let mut parts = ok(self.client().fetch_recording(request).await)?;
        let first = parts.message().await.map_err(|status| error(&status))?.and_then(|it| it.part);
        let Some(Part::Recording(about)) = first else {
            return Err(SwitchPortError::Unknown("the file does not begin with what it is".to_owned()));
        };
        let pieces = parts.filter_map(|item| async move {
            match item {
                Ok(wire::FetchRecordingResponse { part: Some(Part::Data(data)) }) => Some(Ok(data)),
                Ok(_) => None,
                Err(status) => Some(Err(error(&status))),
            }
        });
        Ok(FetchedRecording {
            started_at_us: about.started_at_us,
            ended_at_us: about.ended_at_us,
            sha256: about.sha256,
            torn: about.torn,
            file: pieces.boxed(),
        })
    }

    async fn delete_recording(&self, recording: &str) -> Result<(), SwitchPortError> {
        let request = wire::DeleteRecordingRequest { epoch: self.epoch(), recording_id: recording.to_owned() };
        ok(self.client().delete_recording(request).await).map(drop)
    }

    fn message_of(&self, exit: &str) -> String {
        format!("vm-{exit}")
    }

    async fn exit(&self, exit: &str, leg: &str, mailbox: &str) -> Result<(), SwitchPortError> {
        let voicemail = wire::VoicemailExit { mailbox: mailbox.to_owned(), max_message_ms: 0 };
        let request = wire::ExitRequest {
            epoch: self.epoch(),
            leg_id: leg.to_owned(),
            exit_id: exit.to_owned(),
            kind: Some(wire::exit_request::Kind::Voicemail(voicemail)),
        };
        ok(self.client().exit(request).await).map(drop)
    }

    async fn run_flow(&self, exit: &str, leg: &str, flow: &[IvrElement]) -> Result<(), SwitchPortError> {
        let request = wire::ExitRequest {
            epoch: self.epoch(),
            leg_id: leg.to_owned(),
            exit_id: exit.to_owned(),
            kind: Some(wire::exit_request::Kind::Flow(wire::FlowExit { elements: flow.to_vec() })),
        };
        ok(self.client().exit(request).await).map(drop)
    }

    async fn recall(&self, exit: &str) -> Result<(), SwitchPortError> {
        let request = wire::RecallExitRequest { epoch: self.epoch(), exit_id: exit.to_owned() };
        ok(self.client().recall_exit(request).await).map(drop)
    }
}

fn ok<T>(answer: Result<tonic::Response<T>, Status>) -> Result<T, SwitchPortError> {
    answer.map(tonic::Response::into_inner).map_err(|status| error(&status))
}

/// Without a clear refusal, the command may or may not have been executed.
fn error(status: &Status) -> SwitchPortError {
    match status.code() {
        Code::NotFound => SwitchPortError::Gone,
        Code::AlreadyExists => SwitchPortError::Exists,
        Code::Aborted => SwitchPortError::Fenced,
        Code::InvalidArgument | Code::FailedPrecondition | Code::ResourceExhausted => {
            SwitchPortError::Refused(status.message().to_owned())
        }
        _ => SwitchPortError::Unknown(status.message().to_owned()),
    }
}
