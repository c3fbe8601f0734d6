//! `SwitchService`: the control interface, for the telephony service.

use baton_api::simulator::v1 as proto;
use baton_api::simulator::v1::switch_service_server::SwitchService;
use futures::{StreamExt as _, future, stream};
use tonic::{Request, Response, Status};

use crate::driver::SwitchHandle;
use crate::engine::ids::{ExitId, LegId, PlaybackId, RecordingId, RoomId};
use crate::engine::model::PlayTarget;
use crate::engine::{DialRequest, Engine, PlaybackRequest, SwitchError, TrackKey};
use crate::storage::TrackFolder;

use super::events::{Answers, opened, stream_events};
use super::{convert, files, status};

#[derive(Clone)]
pub struct SwitchApi {
    switch: SwitchHandle,
    tracks: TrackFolder,
}

impl SwitchApi {
    pub(crate) fn new(switch: SwitchHandle, tracks: TrackFolder) -> Self {
        Self { switch, tracks }
    }

    /// Runs a command of the controller with this epoch.
    async fn command<R: Send + 'static>(
        &self,
        epoch: i64,
        name: &'static str,
        act: impl FnOnce(&mut Engine) -> Result<R, SwitchError> + Send + 'static,
    ) -> Result<R, Status> {
        Ok(self.switch.with(move |state| state.engine.controlled(epoch, name, act)).await??)
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
        let it = request.into_inner();
        let dial = DialRequest {
            leg_id: LegId::parse(&it.leg_id)?,
            tenant: it.tenant,
            address: it.address,
            caller_id: it.caller_id,
            ring_timeout_ms: it.ring_timeout_ms,
            variables: it.variables.into_iter().collect(),
        };
        self.command(it.epoch, "Dial", |engine| engine.dial(dial)).await?;
        Ok(Response::new(proto::DialResponse {}))
    }

    async fn answer(&self, request: Request<proto::AnswerRequest>) -> Result<Response<proto::AnswerResponse>, Status> {
        let it = request.into_inner();
        let leg = LegId::parse(&it.leg_id)?;
        self.command(it.epoch, "Answer", move |engine| engine.answer(&leg)).await?;
        Ok(Response::new(proto::AnswerResponse {}))
    }

    async fn hangup(&self, request: Request<proto::HangupRequest>) -> Result<Response<proto::HangupResponse>, Status> {
        let it = request.into_inner();
        let (leg, cause) = (LegId::parse(&it.leg_id)?, convert::end_cause(it.cause)?);
        self.command(it.epoch, "Hangup", move |engine| engine.hang_up(&leg, cause)).await?;
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
        let it = request.into_inner();
        let (leg, room) = (LegId::parse(&it.leg_id)?, RoomId::parse(&it.room_id)?);
        self.command(it.epoch, "Move", move |engine| engine.move_leg(&leg, &room)).await?;
        Ok(Response::new(proto::MoveResponse {}))
    }

    async fn remove(&self, request: Request<proto::RemoveRequest>) -> Result<Response<proto::RemoveResponse>, Status> {
        let it = request.into_inner();
        let leg = LegId::parse(&it.leg_id)?;
        self.command(it.epoch, "Remove", move |engine| engine.remove_leg(&leg)).await?;
        Ok(Response::new(proto::RemoveResponse {}))
    }

    async fn set_mute(
        &self,
        request: Request<proto::SetMuteRequest>,
    ) -> Result<Response<proto::SetMuteResponse>, Status> {
        let it = request.into_inner();
        let leg = LegId::parse(&it.leg_id)?;
        self.command(it.epoch, "SetMute", move |engine| engine.set_mute(&leg, it.muted)).await?;
        Ok(Response::new(proto::SetMuteResponse {}))
    }

    async fn ensure_room(
        &self,
        request: Request<proto::EnsureRoomRequest>,
    ) -> Result<Response<proto::EnsureRoomResponse>, Status> {
        let it = request.into_inner();
        let (room, treatment) = (RoomId::parse(&it.room_id)?, convert::treatment(it.treatment)?);
        let ensure = move |engine: &mut Engine| engine.ensure_room(&room, &it.tenant, treatment);
        self.command(it.epoch, "EnsureRoom", ensure).await?;
        Ok(Response::new(proto::EnsureRoomResponse {}))
    }

    async fn destroy_room(
        &self,
        request: Request<proto::DestroyRoomRequest>,
    ) -> Result<Response<proto::DestroyRoomResponse>, Status> {
        let it = request.into_inner();
        let room = RoomId::parse(&it.room_id)?;
        self.command(it.epoch, "DestroyRoom", move |engine| engine.destroy_room(&room)).await?;
        Ok(Response::new(proto::DestroyRoomResponse {}))
    }

    async fn play(&self, request: Request<proto::PlayRequest>) -> Result<Response<proto::PlayResponse>, Status> {
        use proto::play_request::Target;
        let it = request.into_inner();
        let target = match it.target {
            Some(Target::RoomId(id)) => PlayTarget::Room(RoomId::parse(&id)?),
            Some(Target::LegId(id)) => PlayTarget::Leg(LegId::parse(&id)?),
            None => return Err(SwitchError::invalid("target", "must be a room or a leg").into()),
        };
        let playback_id = PlaybackId::parse(&it.playback_id)?;
        let request = PlaybackRequest { playback_id, target, announcement: it.announcement };
        let duration_ms = self.command(it.epoch, "Play", |engine| engine.play(request)).await?;
        Ok(Response::new(proto::PlayResponse { duration_ms }))
    }

    async fn stop_playback(
        &self,
        request: Request<proto::StopPlaybackRequest>,
    ) -> Result<Response<proto::StopPlaybackResponse>, Status> {
        let it = request.into_inner();
        let playback = PlaybackId::parse(&it.playback_id)?;
        self.command(it.epoch, "StopPlayback", move |engine| engine.stop_playback(&playback)).await?;
        Ok(Response::new(proto::StopPlaybackResponse {}))
    }

    async fn start_recording(
        &self,
        request: Request<proto::StartRecordingRequest>,
    ) -> Result<Response<proto::StartRecordingResponse>, Status> {
        let it = request.into_inner();
        let (recording, room) = (RecordingId::parse(&it.recording_id)?, RoomId::parse(&it.room_id)?);
        let start = move |engine: &mut Engine| engine.start_recording(&recording, &room, &it.tenant);
        let started_at_us = self.command(it.epoch, "StartRecording", start).await?;
        Ok(Response::new(proto::StartRecordingResponse { started_at_us }))
    }

    async fn stop_recording(
        &self,
        request: Request<proto::StopRecordingRequest>,
    ) -> Result<Response<proto::StopRecordingResponse>, Status> {
        let it = request.into_inner();
        let recording = RecordingId::parse(&it.recording_id)?;
        let stop = move |engine: &mut Engine| engine.stop_recording(&recording);
        let ended_at_us = self.command(it.epoch, "StopRecording", stop).await?;
        Ok(Response::new(proto::StopRecordingResponse { ended_at_us }))
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
        self.command(it.epoch, "DeleteRecording", move |engine| engine.delete_recording(&recording)).await?;
        Ok(Response::new(proto::DeleteRecordingResponse {}))
    }

    async fn exit(&self, request: Request<proto::ExitRequest>) -> Result<Response<proto::ExitResponse>, Status> {
        use proto::exit_request::Kind;
        let it = request.into_inner();
        let (leg, exit) = (LegId::parse(&it.leg_id)?, ExitId::parse(&it.exit_id)?);
        let voicemail = match it.kind {
            Some(Kind::Voicemail(voicemail)) => voicemail,
            Some(Kind::Flow(flow)) => {
                let go = move |engine: &mut Engine| engine.exit_to_flow(&leg, &exit, flow.elements);
                self.command(it.epoch, "Exit", go).await?;
                return Ok(Response::new(proto::ExitResponse { recording_id: String::new() }));
            }
            None => return Err(SwitchError::invalid("kind", "must be voicemail or a flow").into()),
        };
        let go = move |engine: &mut Engine| {
            engine.exit_to_voicemail(&leg, &exit, &voicemail.mailbox, voicemail.max_message_ms)
        };
        let recording = self.command(it.epoch, "Exit", go).await?;
        Ok(Response::new(proto::ExitResponse { recording_id: recording.to_string() }))
    }

    async fn recall_exit(
        &self,
        request: Request<proto::RecallExitRequest>,
    ) -> Result<Response<proto::RecallExitResponse>, Status> {
        let it = request.into_inner();
        let exit = ExitId::parse(&it.exit_id)?;
        self.command(it.epoch, "RecallExit", move |engine: &mut Engine| engine.recall(&exit)).await?;
        Ok(Response::new(proto::RecallExitResponse {}))
    }
}
