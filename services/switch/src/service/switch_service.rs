//! `SwitchService`: the control interface, for the telephony service.

use baton_api::simulator::v1 as proto;
use baton_api::simulator::v1::command::Command;
use baton_api::simulator::v1::switch_service_server::SwitchService;
use futures::{StreamExt as _, future, stream};
use tonic::{Request, Response, Status};

use crate::driver::SwitchHandle;
use crate::engine::ids::{LegId, RecordingId};
use crate::engine::{Engine, SwitchError, TrackKey};
use crate::storage::TrackFolder;

use super::commands::{self, CommandAnswer};
use super::events::{Answers, opened, stream_events};
use super::{convert, files, status};

/// In one request.
const MOST_COMMANDS: usize = 64;

#[derive(Clone)]
pub struct SwitchApi {
    switch: SwitchHandle,
    tracks: TrackFolder,
}

impl SwitchApi {
    pub(crate) fn new(switch: SwitchHandle, tracks: TrackFolder) -> Self {
        Self { switch, tracks }
    }

    async fn execute_one(&self, command: Command) -> Result<CommandAnswer, Status> {
        let command = commands::read(command)?;
        Ok(self.switch.with(move |state| command.execute(&mut state.engine)).await??)
    }
}

#[tonic::async_trait]
impl SwitchService for SwitchApi {
    type StreamEventsStream = Answers<proto::StreamEventsResponse>;
    type FetchRecordingStream = Answers<proto::FetchRecordingResponse>;

    async fn take_control(
        &self,
        request: Request<proto::TakeControlRequest>,
    ) -> Result<Response<proto::TakeControlResponse>, Status> {
        let proto::TakeControlRequest { epoch, controller } = request.into_inner();
        let answer = self.switch.with(move |state| {
            let epoch = state.engine.take_control(epoch, &controller)?;
            Ok::<_, SwitchError>(proto::TakeControlResponse { epoch, boot_id: state.engine.boot_id().to_owned() })
        });
        Ok(Response::new(answer.await??))
    }

    async fn get_snapshot(
        &self,
        _request: Request<proto::GetSnapshotRequest>,
    ) -> Result<Response<proto::GetSnapshotResponse>, Status> {
        Ok(Response::new(self.switch.with(|state| convert::snapshot(state)).await?))
    }

    async fn stream_events(
        &self,
        _request: Request<proto::StreamEventsRequest>,
    ) -> Result<Response<Self::StreamEventsStream>, Status> {
        let subscribed = self.switch.with(|state| {
            let (sequence, events) = state.subscribe();
            (opened(state.engine.boot_id(), sequence, state.engine.now_us()), events)
        });
        let (opened, events) = subscribed.await?;
        Ok(Response::new(stream_events(opened, events)))
    }

    async fn dial(&self, request: Request<proto::DialRequest>) -> Result<Response<proto::DialResponse>, Status> {
        self.execute_one(Command::Dial(request.into_inner())).await?;
        Ok(Response::new(proto::DialResponse {}))
    }

    async fn answer(&self, request: Request<proto::AnswerRequest>) -> Result<Response<proto::AnswerResponse>, Status> {
        self.execute_one(Command::Answer(request.into_inner())).await?;
        Ok(Response::new(proto::AnswerResponse {}))
    }

    async fn hangup(&self, request: Request<proto::HangupRequest>) -> Result<Response<proto::HangupResponse>, Status> {
        self.execute_one(Command::Hangup(request.into_inner())).await?;
        Ok(Response::new(proto::HangupResponse {}))
    }

    async fn get_leg_end(
        &self,
        request: Request<proto::GetLegEndRequest>,
    ) -> Result<Response<proto::GetLegEndResponse>, Status> {
        let leg = LegId::parse(&request.into_inner().leg_id)?;
        let end = self.switch.with(move |state| state.engine.leg_end(&leg)).await??;
        let cause = proto::EndCause::from(end.cause).into();
        Ok(Response::new(proto::GetLegEndResponse { cause, ended_at_us: end.at_us }))
    }

    async fn r#move(&self, request: Request<proto::MoveRequest>) -> Result<Response<proto::MoveResponse>, Status> {
        self.execute_one(Command::Move(request.into_inner())).await?;
        Ok(Response::new(proto::MoveResponse {}))
    }

    async fn remove(&self, request: Request<proto::RemoveRequest>) -> Result<Response<proto::RemoveResponse>, Status> {
        self.execute_one(Command::Remove(request.into_inner())).await?;
        Ok(Response::new(proto::RemoveResponse {}))
    }

    async fn set_mute(
        &self,
        request: Request<proto::SetMuteRequest>,
    ) -> Result<Response<proto::SetMuteResponse>, Status> {
        self.execute_one(Command::SetMute(request.into_inner())).await?;
        Ok(Response::new(proto::SetMuteResponse {}))
    }

    async fn ensure_room(
        &self,
        request: Request<proto::EnsureRoomRequest>,
    ) -> Result<Response<proto::EnsureRoomResponse>, Status> {
        self.execute_one(Command::EnsureRoom(request.into_inner())).await?;
        Ok(Response::new(proto::EnsureRoomResponse {}))
    }

    async fn destroy_room(
        &self,
        request: Request<proto::DestroyRoomRequest>,
    ) -> Result<Response<proto::DestroyRoomResponse>, Status> {
        self.execute_one(Command::DestroyRoom(request.into_inner())).await?;
        Ok(Response::new(proto::DestroyRoomResponse {}))
    }

    async fn play(&self, request: Request<proto::PlayRequest>) -> Result<Response<proto::PlayResponse>, Status> {
        let answer = self.execute_one(Command::Play(request.into_inner())).await?;
        Ok(Response::new(proto::PlayResponse { duration_ms: answer.duration_ms }))
    }

    async fn stop_playback(
        &self,
        request: Request<proto::StopPlaybackRequest>,
    ) -> Result<Response<proto::StopPlaybackResponse>, Status> {
        self.execute_one(Command::StopPlayback(request.into_inner())).await?;
        Ok(Response::new(proto::StopPlaybackResponse {}))
    }

    async fn start_recording(
        &self,
        request: Request<proto::StartRecordingRequest>,
    ) -> Result<Response<proto::StartRecordingResponse>, Status> {
        let answer = self.execute_one(Command::StartRecording(request.into_inner())).await?;
        Ok(Response::new(proto::StartRecordingResponse { started_at_us: answer.at_us }))
    }

    async fn stop_recording(
        &self,
        request: Request<proto::StopRecordingRequest>,
    ) -> Result<Response<proto::StopRecordingResponse>, Status> {
        let answer = self.execute_one(Command::StopRecording(request.into_inner())).await?;
        Ok(Response::new(proto::StopRecordingResponse { ended_at_us: answer.at_us }))
    }

    async fn fetch_recording(
        &self,
        request: Request<proto::FetchRecordingRequest>,
    ) -> Result<Response<Self::FetchRecordingStream>, Status> {
        use proto::fetch_recording_response::Part;
        let id = RecordingId::parse(&request.into_inner().recording_id)?;
        let path = self.tracks.wav(&TrackKey::Recording(id.clone()));
        let finished = move |engine: &Engine| engine.finished_recording(&id).map(convert::finished_recording);
        let recording = self.switch.with(move |state| finished(&state.engine)).await??;
        let data = files::whole(&path).await.map_err(|error| status::unreadable(&error))?;
        let data = data.map(|piece| piece.map(Part::Data).map_err(|error| status::unreadable(&error)));
        let parts = stream::once(future::ready(Ok(Part::Recording(recording)))).chain(data);
        let answers = parts.map(|part| part.map(|part| proto::FetchRecordingResponse { part: Some(part) }));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn delete_recording(
        &self,
        request: Request<proto::DeleteRecordingRequest>,
    ) -> Result<Response<proto::DeleteRecordingResponse>, Status> {
        let it = request.into_inner();
        let recording = RecordingId::parse(&it.recording_id)?;
        let delete = move |engine: &mut Engine| engine.delete_recording(&recording);
        self.switch.with(move |state| state.engine.controlled(it.epoch, "DeleteRecording", delete)).await??;
        Ok(Response::new(proto::DeleteRecordingResponse {}))
    }

    async fn exit(&self, request: Request<proto::ExitRequest>) -> Result<Response<proto::ExitResponse>, Status> {
        let answer = self.execute_one(Command::Exit(request.into_inner())).await?;
        Ok(Response::new(proto::ExitResponse { recording_id: answer.recording_id }))
    }

    async fn recall_exit(
        &self,
        request: Request<proto::RecallExitRequest>,
    ) -> Result<Response<proto::RecallExitResponse>, Status> {
        self.execute_one(Command::RecallExit(request.into_inner())).await?;
        Ok(Response::new(proto::RecallExitResponse {}))
    }

    async fn execute(
        &self,
        request: Request<proto::ExecuteRequest>,
    ) -> Result<Response<proto::ExecuteResponse>, Status> {
        let commands = request.into_inner().commands;
        if commands.is_empty() || commands.len() > MOST_COMMANDS {
            let why = format!("must have 1 to {MOST_COMMANDS} elements");
            return Err(SwitchError::Invalid { field: "commands", why }.into());
        }
        let outcomes = self.switch.with(move |state| commands::execute_all(&mut state.engine, commands)).await?;
        Ok(Response::new(proto::ExecuteResponse { outcomes }))
    }
}
