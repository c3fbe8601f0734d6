//! `PresenceService`.

use std::sync::Arc;

use baton_api::picker::{ListTargetsResponse, WatchTargetsResponse};
use baton_api::presence::v1::presence_service_server::PresenceService;
use baton_api::presence::v1::{
    CloseSessionRequest, CloseSessionResponse, ConnectRequest, ConnectResponse, GetPresenceRequest,
    GetPresenceResponse, ListInboxRequest, ListInboxResponse, ListTargetsRequest, OpenSessionRequest,
    OpenSessionResponse, PickerTarget, RenewSessionRequest, RenewSessionResponse, SetStateRequest, SetStateResponse,
    WatchAgentRequest, WatchAgentResponse, WatchTargetsRequest,
};
use baton_api::read_mask::ReadMask;
use baton_api::{ApiError, fields, page};
use baton_runtime::CallerExt as _;
use baton_runtime::auth::{Caller, Role};
use baton_runtime::stream;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::agent_feed::AgentFeed;
use super::{PresenceApi, connect, parse, watch_agent, watch_targets};
use crate::convert;
use crate::ids::{AgentId, SessionId};
use crate::index;
use crate::ops::{session, set_state};
use crate::page::DirectoryCursor;
use crate::record::AgentRecord;
use crate::sessions::{AgentKey, AgentSession};

#[tonic::async_trait]
impl PresenceService for PresenceApi {
    type WatchAgentStream = BoxStream<'static, Result<WatchAgentResponse, Status>>;
    type ConnectStream = ReceiverStream<Result<ConnectResponse, Status>>;
    type WatchTargetsStream = BoxStream<'static, Result<WatchTargetsResponse, Status>>;

    async fn open_session(
        &self,
        request: Request<OpenSessionRequest>,
    ) -> Result<Response<OpenSessionResponse>, Status> {
        let caller = request.caller()?;
        let key = agent_key(caller)?;
        let wanted = parse::session_wanted(caller, request.get_ref())?;
        let session = session::open(&self.core, key.clone(), wanted).await?;
        let client = &request.get_ref().client;
        tracing::debug!(session.id = %session.id, client, "an agent's client opened a session");
        let response = OpenSessionResponse {
            session_id: session.id.to_string(),
            lease_ms: self.core.lease_us / 1_000,
            presence: Some(convert::presence(&*self.agent(caller, key.1)?)),
        };
        Ok(Response::new(response))
    }

    async fn renew_session(
        &self,
        request: Request<RenewSessionRequest>,
    ) -> Result<Response<RenewSessionResponse>, Status> {
        let key = agent_key(request.caller()?)?;
        let until_us = session::renew(&self.core, &key, SessionId::parse(&request.get_ref().session_id)?)?;
        Ok(Response::new(RenewSessionResponse { lease_expire_time: Some(convert::timestamp(until_us)) }))
    }

    async fn close_session(
        &self,
        request: Request<CloseSessionRequest>,
    ) -> Result<Response<CloseSessionResponse>, Status> {
        let key = agent_key(request.caller()?)?;
        session::close(&self.core, &key, SessionId::parse(&request.get_ref().session_id)?).await?;
        Ok(Response::new(CloseSessionResponse {}))
    }

    async fn watch_agent(
        &self,
        request: Request<WatchAgentRequest>,
    ) -> Result<Response<Self::WatchAgentStream>, Status> {
        let key = agent_key(request.caller()?)?;
        let session = self.named_session(&key, &request.get_ref().session_id)?;
        let feed = AgentFeed::of(&self.core, &key)?;
        let permit = self.stream_permit(&key.0)?;
        let (out, messages) = mpsc::channel(watch_agent::BUFFER);
        let core = Arc::clone(&self.core);
        self.core.lifecycle.spawn("presence watch", async move {
            let _permit = permit;
            watch_agent::serve(core, feed, session, out).await;
        });
        Ok(Response::new(stream::endless(ReceiverStream::new(messages))))
    }

    async fn connect(
        &self,
        request: Request<Streaming<ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let caller = request.caller()?;
        let key = agent_key(caller)?;
        let permit = self.stream_permit(&key.0)?;
        let (out, responses) = mpsc::channel(connect::BUFFER);
        let core = Arc::clone(&self.core);
        let inbound = request.into_inner();
        // Not the handler's work: it would hold back the stream, and simulated time, until the client has said hello.
        self.core.lifecycle.spawn("presence connection", async move {
            let _permit = permit;
            connect::serve(&core, key, inbound, out).await;
        });
        Ok(Response::new(ReceiverStream::new(responses)))
    }

    async fn set_state(&self, request: Request<SetStateRequest>) -> Result<Response<SetStateResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.into_inner();
        let agent = parse::agent_to_set(&caller, &request.agent_id)?;
        let requested = parse::requested_state(request.state, &request.away_reason)?;
        let core = Arc::clone(&self.core);
        let done =
            self.core.detached(async move { set_state::set_state(&core, &caller, agent, requested, &request).await });
        done.await.map(Response::new)
    }

    async fn get_presence(
        &self,
        request: Request<GetPresenceRequest>,
    ) -> Result<Response<GetPresenceResponse>, Status> {
        let caller = request.caller()?;
        let agent_id = &request.get_ref().agent_id;
        let id = if agent_id.is_empty() { parse::caller_agent(caller)? } else { AgentId::parse("agent_id", agent_id)? };
        if caller.role == Role::Agent && parse::subject_agent(caller) != Some(id) {
            let message = "Agents read their own presence only. Leave agent_id empty, or ask a supervisor.";
            return Err(ApiError::permission_denied(message).into());
        }
        let record = self.agent(caller, id)?;
        Ok(Response::new(GetPresenceResponse { presence: Some(convert::presence(&record)) }))
    }

    async fn list_inbox(&self, request: Request<ListInboxRequest>) -> Result<Response<ListInboxResponse>, Status> {
        let caller = request.caller()?;
        let record = self.agent(caller, parse::caller_agent(caller)?)?;
        Ok(Response::new(ListInboxResponse { inbox: Some(convert::inbox(&record)) }))
    }

    async fn list_targets(
        &self,
        request: Request<ListTargetsRequest>,
    ) -> Result<Response<ListTargetsResponse>, Status> {
        let caller = request.caller()?;
        let message = request.get_ref();
        let (filter, size, after, wanted) = fields::all((
            parse::filter(message.filter.as_ref(), parse::subject_agent(caller)),
            page::size(message.page_size),
            DirectoryCursor::parse(&message.page_token),
            ReadMask::parse::<PickerTarget>(message.read_mask.as_ref()),
        ))?;
        let directory = self.core.index.tenant(caller.tenant()?);
        let mut buffer = index::page_buffer();
        let page = directory.targets(&filter, &after, size, |found| index::encoded(found, &wanted, &mut buffer));
        let page = page.ok_or_else(parse::another_order)?;
        Ok(Response::new(ListTargetsResponse { targets: page.targets, next_page_token: page.next_token }))
    }

    async fn watch_targets(
        &self,
        request: Request<WatchTargetsRequest>,
    ) -> Result<Response<Self::WatchTargetsStream>, Status> {
        let caller = request.caller()?;
        let message = request.get_ref();
        let (filter, wanted) = fields::all((
            parse::filter(message.filter.as_ref(), parse::subject_agent(caller)),
            ReadMask::parse::<PickerTarget>(message.read_mask.as_ref()),
        ))?;
        let index = self.core.index.tenant(caller.tenant()?);
        let permit = self.stream_permit(caller.tenant()?)?;
        let (out, responses) = mpsc::channel(watch_targets::BUFFER);
        self.core.lifecycle.spawn("presence picker", async move {
            let _permit = permit;
            watch_targets::serve(&index, &filter, &wanted, out).await;
        });
        Ok(Response::new(stream::endless(ReceiverStream::new(responses))))
    }
}

impl PresenceApi {
    fn agent(&self, caller: &Caller, id: AgentId) -> Result<Arc<AgentRecord>, Status> {
        let found = self.core.index.known(caller.tenant()?).and_then(|it| it.agent(id));
        found.ok_or_else(|| ApiError::not_found("agent").into())
    }
    /// The agent's session with this id; `None` if the id is empty.
    fn named_session(&self, key: &AgentKey, session_id: &str) -> Result<Option<Arc<AgentSession>>, ApiError> {
        if session_id.is_empty() {
            return Ok(None);
        }
        let session = self.core.sessions.get(key, SessionId::parse(session_id)?);
        session.map(Some).ok_or_else(|| ApiError::not_found("session"))
    }
}

fn agent_key(caller: &Caller) -> Result<AgentKey, Status> {
    Ok((caller.tenant()?.clone(), parse::caller_agent(caller)?))
}
