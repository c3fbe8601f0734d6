//! `PresenceService`.

use std::sync::Arc;

use baton_api::presence::v1::presence_service_server::PresenceService;
use baton_api::presence::v1::{
    ConnectRequest, ConnectResponse, GetPresenceRequest, GetPresenceResponse, ListInboxRequest, ListInboxResponse,
    ListTargetsRequest, ListTargetsResponse, SetStateRequest, SetStateResponse, WatchTargetsRequest,
    WatchTargetsResponse,
};
use baton_api::{ApiError, page};
use baton_runtime::CallerExt as _;
use baton_runtime::auth::{Caller, Role};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{PresenceApi, connect, parse, watch_targets};
use crate::convert;
use crate::ids::AgentId;
use crate::ops::set_state;
use crate::page::DirectoryCursor;
use crate::record::AgentRecord;

#[tonic::async_trait]
impl PresenceService for PresenceApi {
    type ConnectStream = ReceiverStream<Result<ConnectResponse, Status>>;
    type WatchTargetsStream = ReceiverStream<Result<WatchTargetsResponse, Status>>;

    async fn connect(
        &self,
        request: Request<Streaming<ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let caller = request.caller()?;
        let key = (caller.tenant()?.clone(), parse::caller_agent(caller)?);
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
        let agent = parse::caller_agent(&caller)?;
        let request = request.into_inner();
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
        let filter = parse::filter(message.filter.as_ref(), caller)?;
        let size = page::size(message.page_size)?;
        let after = DirectoryCursor::parse(&message.page_token)?;
        let mut found = self.core.index.tenant(caller.tenant()?).targets(&filter, &after, size + 1);
        let next_page_token = page::cut(&mut found, size, |(at, _, _)| at.token());
        let targets = found.into_iter().map(|(_, _, target)| target).collect();
        Ok(Response::new(ListTargetsResponse { targets, next_page_token }))
    }

    async fn watch_targets(
        &self,
        request: Request<WatchTargetsRequest>,
    ) -> Result<Response<Self::WatchTargetsStream>, Status> {
        let caller = request.caller()?;
        let filter = parse::filter(request.get_ref().filter.as_ref(), caller)?;
        let index = self.core.index.tenant(caller.tenant()?);
        let permit = self.stream_permit(caller.tenant()?)?;
        let (out, responses) = mpsc::channel(watch_targets::BUFFER);
        let stopping = self.core.lifecycle.soft();
        self.core.lifecycle.spawn("presence picker", async move {
            let _permit = permit;
            stopping.run_until_cancelled(watch_targets::serve(&index, &filter, out)).await;
        });
        Ok(Response::new(ReceiverStream::new(responses)))
    }
}

impl PresenceApi {
    fn agent(&self, caller: &Caller, id: AgentId) -> Result<Arc<AgentRecord>, Status> {
        let found = self.core.index.known(caller.tenant()?).and_then(|it| it.agent(id));
        found.ok_or_else(|| ApiError::not_found("agent").into())
    }
}
