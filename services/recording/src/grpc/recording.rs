//! `RecordingService`, for agents, supervisors, admins and analysts.

use std::pin::Pin;
use std::sync::Arc;

use baton_api::common::v1::Action;
use baton_api::recording::v1 as proto;
use baton_api::recording::v1::recording_service_server::RecordingService;
use baton_runtime::auth::CallerExt as _;
use futures::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use super::parse::{self, Viewer};
use crate::core::RecordingCore;
use crate::ops::control::ControlRequest;
use crate::ops::{accesses, control, delete, download, list, settings};

#[derive(Debug)]
pub struct RecordingApi {
    core: Arc<RecordingCore>,
}

impl RecordingApi {
    pub(crate) fn new(core: Arc<RecordingCore>) -> Self {
        Self { core }
    }
}

type Chunks = Pin<Box<dyn Stream<Item = Result<proto::DownloadRecordingResponse, Status>> + Send>>;
type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl RecordingService for RecordingApi {
    async fn get_number_settings(
        &self,
        request: Request<proto::GetNumberSettingsRequest>,
    ) -> Answer<proto::GetNumberSettingsResponse> {
        let tenant = request.caller()?.tenant()?.as_str();
        let number = parse::phone_number("number", &request.get_ref().number)?;
        let found = settings::of_number(&self.core, tenant, number).await?;
        Ok(Response::new(proto::GetNumberSettingsResponse { settings: Some(settings::shown(found)) }))
    }

    async fn list_number_settings(
        &self,
        request: Request<proto::ListNumberSettingsRequest>,
    ) -> Answer<proto::ListNumberSettingsResponse> {
        let tenant = request.caller()?.tenant()?.as_str();
        let response = settings::list(&self.core, tenant, request.get_ref()).await?;
        Ok(Response::new(response))
    }

    async fn update_number_settings(
        &self,
        request: Request<proto::UpdateNumberSettingsRequest>,
    ) -> Answer<proto::UpdateNumberSettingsResponse> {
        let response = settings::update(&self.core, request.caller()?, request.get_ref()).await?;
        Ok(Response::new(response))
    }

    async fn start_recording(
        &self,
        request: Request<proto::StartRecordingRequest>,
    ) -> Answer<proto::StartRecordingResponse> {
        let it = request.get_ref();
        let control = ControlRequest::new(&it.request_id, &it.interaction_id, Action::StartRecording)?;
        let recording = control::forward(&self.core, request.caller()?, control).await?;
        Ok(Response::new(proto::StartRecordingResponse { recording }))
    }

    async fn stop_recording(
        &self,
        request: Request<proto::StopRecordingRequest>,
    ) -> Answer<proto::StopRecordingResponse> {
        let it = request.get_ref();
        let control = ControlRequest::new(&it.request_id, &it.interaction_id, Action::StopRecording)?;
        let recording = control::forward(&self.core, request.caller()?, control).await?;
        Ok(Response::new(proto::StopRecordingResponse { recording }))
    }

    async fn pause_recording(
        &self,
        request: Request<proto::PauseRecordingRequest>,
    ) -> Answer<proto::PauseRecordingResponse> {
        let it = request.get_ref();
        let control = ControlRequest::new(&it.request_id, &it.interaction_id, Action::PauseRecording)?;
        let recording = control::forward(&self.core, request.caller()?, control).await?;
        Ok(Response::new(proto::PauseRecordingResponse { recording }))
    }

    async fn resume_recording(
        &self,
        request: Request<proto::ResumeRecordingRequest>,
    ) -> Answer<proto::ResumeRecordingResponse> {
        let it = request.get_ref();
        let control = ControlRequest::new(&it.request_id, &it.interaction_id, Action::ResumeRecording)?;
        let recording = control::forward(&self.core, request.caller()?, control).await?;
        Ok(Response::new(proto::ResumeRecordingResponse { recording }))
    }

    async fn list_recordings(
        &self,
        request: Request<proto::ListRecordingsRequest>,
    ) -> Answer<proto::ListRecordingsResponse> {
        let viewer = Viewer::of(request.caller()?)?;
        let response = list::page(&self.core, &viewer, request.get_ref()).await?;
        Ok(Response::new(response))
    }

    async fn get_recording(&self, request: Request<proto::GetRecordingRequest>) -> Answer<proto::GetRecordingResponse> {
        let viewer = Viewer::of(request.caller()?)?;
        let recording = list::get(&self.core, &viewer, &request.get_ref().recording_id).await?;
        Ok(Response::new(proto::GetRecordingResponse { recording: Some(recording) }))
    }

    type DownloadRecordingStream = Chunks;

    async fn download_recording(&self, request: Request<proto::DownloadRecordingRequest>) -> Answer<Chunks> {
        let chunks = download::start(&self.core, request.caller()?, request.get_ref()).await?;
        Ok(Response::new(Box::pin(chunks.map(|it| it.map(|chunk| proto::DownloadRecordingResponse { chunk })))))
    }

    async fn list_accesses(&self, request: Request<proto::ListAccessesRequest>) -> Answer<proto::ListAccessesResponse> {
        let tenant = request.caller()?.tenant()?.as_str();
        let response = accesses::list(&self.core, tenant, request.get_ref()).await?;
        Ok(Response::new(response))
    }

    async fn delete_recording(
        &self,
        request: Request<proto::DeleteRecordingRequest>,
    ) -> Answer<proto::DeleteRecordingResponse> {
        let response = delete::delete(&self.core, request.caller()?, request.get_ref()).await?;
        Ok(Response::new(response))
    }
}
