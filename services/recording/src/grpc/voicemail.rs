//! `VoicemailService`, for agents, supervisors and admins.

use std::pin::Pin;
use std::sync::Arc;

use baton_api::recording::v1 as proto;
use baton_api::recording::v1::voicemail_service_server::VoicemailService;
use baton_runtime::auth::CallerExt as _;
use futures::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use crate::core::RecordingCore;
use crate::ops::{delete_message, messages};

#[derive(Debug)]
pub struct VoicemailApi {
    core: Arc<RecordingCore>,
}

impl VoicemailApi {
    pub(crate) fn new(core: Arc<RecordingCore>) -> Self {
        Self { core }
    }
}

#[tonic::async_trait]
impl VoicemailService for VoicemailApi {
    async fn list_messages(
        &self,
        request: Request<proto::ListMessagesRequest>,
    ) -> Result<Response<proto::ListMessagesResponse>, Status> {
        let response = messages::list(&self.core, request.caller()?, request.get_ref()).await?;
        Ok(Response::new(response))
    }

    async fn get_message(
        &self,
        request: Request<proto::GetMessageRequest>,
    ) -> Result<Response<proto::GetMessageResponse>, Status> {
        let message = messages::get(&self.core, request.caller()?, &request.get_ref().message_id).await?;
        Ok(Response::new(proto::GetMessageResponse { message: Some(message) }))
    }

    type DownloadMessageStream = Pin<Box<dyn Stream<Item = Result<proto::DownloadMessageResponse, Status>> + Send>>;

    async fn download_message(
        &self,
        request: Request<proto::DownloadMessageRequest>,
    ) -> Result<Response<Self::DownloadMessageStream>, Status> {
        let chunks = messages::play(&self.core, request.caller()?, request.get_ref()).await?;
        Ok(Response::new(Box::pin(chunks.map(|it| it.map(|chunk| proto::DownloadMessageResponse { chunk })))))
    }

    async fn delete_message(
        &self,
        request: Request<proto::DeleteMessageRequest>,
    ) -> Result<Response<proto::DeleteMessageResponse>, Status> {
        let response = delete_message::delete(&self.core, request.caller()?, request.get_ref()).await?;
        Ok(Response::new(response))
    }
}
