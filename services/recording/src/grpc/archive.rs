//! `ArchiveService`, for the other services.

use std::sync::Arc;

use baton_api::recording::v1 as proto;
use baton_api::recording::v1::archive_service_server::ArchiveService;
use baton_api::recording::v1::store_segment_request::Message;
use baton_api::{ApiError, fields};
use baton_bus::actor_text;
use baton_runtime::auth::TenantId;
use bytes::Bytes;
use futures::StreamExt as _;
use tonic::{Request, Response, Status, Streaming};

use super::parse;
use crate::core::RecordingCore;
use crate::ops::{forget, settings, store_message, store_segment};
use crate::store::messages::MailboxVisit;
use crate::store::segments::SegmentKey;

#[derive(Debug)]
pub struct ArchiveApi {
    core: Arc<RecordingCore>,
}

impl ArchiveApi {
    pub(crate) fn new(core: Arc<RecordingCore>) -> Self {
        Self { core }
    }
}

#[tonic::async_trait]
impl ArchiveService for ArchiveApi {
    async fn resolve_mode(
        &self,
        request: Request<proto::ResolveModeRequest>,
    ) -> Result<Response<proto::ResolveModeResponse>, Status> {
        let it = request.get_ref();
        // The form of the number is not checked: a call must not fail because of it, and such a number just has no setting.
        let settings = settings::of_number(&self.core, tenant(&it.tenant)?, &it.number).await?;
        Ok(Response::new(proto::ResolveModeResponse { mode: settings.mode.into() }))
    }

    async fn forget_customer(
        &self,
        request: Request<proto::ForgetCustomerRequest>,
    ) -> Result<Response<proto::ForgetCustomerResponse>, Status> {
        let it = request.get_ref();
        if it.customer_key.is_empty() {
            return Err(ApiError::invalid_argument("customer_key", "is missing").into());
        }
        let by = actor_text(&it.actor.clone().unwrap_or_default());
        let forgotten = forget::forget(&self.core, (tenant(&it.tenant)?, &it.customer_key), &by).await?;
        Ok(Response::new(forgotten))
    }

    async fn store_segment(
        &self,
        request: Request<Streaming<proto::StoreSegmentRequest>>,
    ) -> Result<Response<proto::StoreSegmentResponse>, Status> {
        let mut messages = request.into_inner();
        let Some(Message::Header(header)) = messages.message().await?.and_then(|it| it.message) else {
            return Err(ApiError::invalid_argument("header", "the first message must be the header").into());
        };
        let chunks = messages.map(chunk);
        let response = match &header.voicemail {
            Some(of) => store_message::store(&self.core, &visit(&header, of)?, &header, chunks).await?,
            None => store_segment::store(&self.core, segment_key(&header)?, &header, chunks).await?,
        };
        Ok(Response::new(response))
    }
}

fn chunk(message: Result<proto::StoreSegmentRequest, Status>) -> Result<Bytes, Status> {
    match message?.message {
        Some(Message::Chunk(chunk)) => Ok(chunk),
        Some(Message::Header(_)) | None => {
            Err(ApiError::invalid_argument("chunk", "only chunks may follow the header").into())
        }
    }
}

fn segment_key(header: &proto::SegmentHeader) -> Result<SegmentKey, ApiError> {
    let (tenant, interaction_id, recording_id, segment_id) = fields::all((
        tenant(&header.tenant),
        parse::id("header.interaction_id", &header.interaction_id),
        parse::id("header.recording_id", &header.recording_id),
        parse::id("header.segment_id", &header.segment_id),
    ))?;
    Ok(SegmentKey {
        tenant: tenant.to_owned(),
        interaction_id: interaction_id.to_owned(),
        recording_id: recording_id.to_owned(),
        segment_id: segment_id.to_owned(),
    })
}

fn visit(header: &proto::SegmentHeader, of: &proto::VoicemailBox) -> Result<MailboxVisit, ApiError> {
    let (tenant, interaction_id, message_id, mailbox) = fields::all((
        tenant(&header.tenant),
        parse::id("header.interaction_id", &header.interaction_id),
        parse::id("header.segment_id", &header.segment_id),
        parse::mailbox("header.voicemail.mailbox", &of.mailbox),
    ))?;
    let customer = of.customer.clone().unwrap_or_default();
    Ok(MailboxVisit {
        tenant: tenant.to_owned(),
        message_id: message_id.to_owned(),
        interaction_id: interaction_id.to_owned(),
        mailbox: mailbox.to_owned(),
        customer: customer.address,
        customer_key: customer.key,
        phone_number: of.number.clone(),
    })
}

fn tenant(text: &str) -> Result<&str, ApiError> {
    let parsed: Result<TenantId, _> = text.parse();
    parsed.map(|_| text).map_err(|error| ApiError::invalid_argument("tenant", error.to_string()))
}
