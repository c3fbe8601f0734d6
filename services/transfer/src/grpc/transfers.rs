//! `TransferService`.

use super::{TransferApi, commands, commands::CommandRequest, outside, parse};
use crate::{
    command_handler::{CommandOutcome, not_found},
    convert::{self, facts},
    filter,
    live::Live,
    store::{
        interactions,
        transfers::{self, Position, TransferQuery},
    },
};
use baton_api::{
    ApiError, Known,
    common::v1::{Target as WireTarget, TransferPhase, target::Target as Wire},
    error::ErrorReason,
    fields,
    presence::v1::{LookupAgentsRequest, LookupTeamsRequest},
    routing::v1::ResolveIvrFlowRequest,
    transfer::v1::{
        self as wire, AcceptTransferRequest, AcceptTransferResponse, CancelTransferRequest, CancelTransferResponse,
        CompleteTransferRequest, CompleteTransferResponse, DeclineTransferRequest, DeclineTransferResponse,
        GetTransferOptionsRequest, GetTransferOptionsResponse, GetTransferRequest, GetTransferResponse,
        ListTransferTargetsRequest, ListTransferTargetsResponse, ListTransfersRequest, ListTransfersResponse,
        StartTransferRequest, StartTransferResponse, SwapTransferRequest, SwapTransferResponse,
        WatchTransferTargetsRequest, WatchTransferTargetsResponse, transfer_service_server::TransferService,
    },
};
use baton_domain::{
    Command, StartTransfer, Target,
    machine::{OfferState, Round},
    permit::is_target_refusal,
    project::{TransferRecord, transfers as records},
};
use baton_runtime::{
    CallerExt,
    auth::{Caller, Role},
};
use baton_words::{AgentId, InteractionId, IvrFlowId, Phase, Reason, TeamId, TransferNo};
use std::sync::Arc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

const MAX_MESSAGE: usize = 2_000;
/// The longest name of an outcome.
const MAX_NAME: usize = 100;

#[tonic::async_trait]
impl TransferService for TransferApi {
    async fn start_transfer(
        &self,
        request: Request<StartTransferRequest>,
    ) -> Result<Response<StartTransferResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "StartTransfer", request.get_ref())?;
        let request = request.get_ref();
        let unknown = || ApiError::invalid_argument("kind", "must be one of the kinds of transfer");
        let kind = request.kind().known().ok_or_else(unknown)?;
        let message = parse::text("message", &request.message, 0, MAX_MESSAGE)?;
        let outcome = parse::text("outcome", &request.outcome, 0, MAX_NAME)?;
        let target = self.resolve(&asked, request.target.as_ref()).await;
        if let Err(status) = &target
            && ApiError::of(status).is_retryable()
        {
            return Err(status.clone());
        }
        let command = target.map(|target| Command::Start(StartTransfer { kind, target, message, outcome }));
        let live = match commands::commit(&self.handler, &asked, command).await? {
            CommandOutcome::Answered(live) => live,
            CommandOutcome::Waiting(committed) => {
                let number = transfers::by_request(&self.handler.db, asked.id, &asked.request_key).await?;
                let decide = |live: &_| decided(live, TransferNo(number?));
                commands::await_outcome(&self.handler, &asked, committed, decide).await?
            }
        };
        Ok(Response::new(StartTransferResponse { interaction: Some(asked.view(&live)) }))
    }

    async fn decline_transfer(
        &self,
        request: Request<DeclineTransferRequest>,
    ) -> Result<Response<DeclineTransferResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "DeclineTransfer", request.get_ref())?;
        let transfer = match request.get_ref().transfer_id.as_str() {
            "" => None,
            text => Some(parse::transfer_of(asked.id, text)?),
        };
        let answer = |view| DeclineTransferResponse { interaction: Some(view) };
        commands::execute(&self.handler, &asked, Command::Decline(transfer), answer).await.map(Response::new)
    }

    async fn accept_transfer(
        &self,
        request: Request<AcceptTransferRequest>,
    ) -> Result<Response<AcceptTransferResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "AcceptTransfer", request.get_ref())?;
        let transfer = match request.get_ref().transfer_id.as_str() {
            "" => None,
            text => Some(parse::transfer_of(asked.id, text)?),
        };
        let answer = |view| AcceptTransferResponse { interaction: Some(view) };
        commands::execute(&self.handler, &asked, Command::Accept(transfer), answer).await.map(Response::new)
    }

    async fn cancel_transfer(
        &self,
        request: Request<CancelTransferRequest>,
    ) -> Result<Response<CancelTransferResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "CancelTransfer", request.get_ref())?;
        let command = Command::Cancel(parse::transfer_of(asked.id, &request.get_ref().transfer_id)?);
        let answer = |view| CancelTransferResponse { interaction: Some(view) };
        commands::execute(&self.handler, &asked, command, answer).await.map(Response::new)
    }

    async fn complete_transfer(
        &self,
        request: Request<CompleteTransferRequest>,
    ) -> Result<Response<CompleteTransferResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "CompleteTransfer", request.get_ref())?;
        let command = Command::Complete(parse::transfer_of(asked.id, &request.get_ref().transfer_id)?);
        let answer = |view| CompleteTransferResponse { interaction: Some(view) };
        commands::execute(&self.handler, &asked, command, answer).await.map(Response::new)
    }

    async fn swap_transfer(
        &self,
        request: Request<SwapTransferRequest>,
    ) -> Result<Response<SwapTransferResponse>, Status> {
        let asked = CommandRequest::new(request.caller()?, "SwapTransfer", request.get_ref())?;
        let command = Command::Swap(parse::transfer_of(asked.id, &request.get_ref().transfer_id)?);
        let answer = |view| SwapTransferResponse { interaction: Some(view) };
        commands::execute(&self.handler, &asked, command, answer).await.map(Response::new)
    }

    async fn get_transfer(
        &self,
        request: Request<GetTransferRequest>,
    ) -> Result<Response<GetTransferResponse>, Status> {
        let caller = request.caller()?.clone();
        let (tenant, of) = (caller.tenant()?.as_str().to_owned(), parse::only_of(&caller)?);
        let (id, no) = TransferNo::parse(&request.get_ref().transfer_id)
            .map_err(|error| ApiError::invalid_argument("transfer_id", error.to_string()))?;
        let transfer =
            transfers::read(&self.handler.db, &tenant, id, no.0).await?.ok_or_else(|| not_found("transfer"))?;
        if let Some(agent) = of
            && !interactions::may_read(&self.handler.db, id, agent).await?
        {
            return Err(not_found("transfer"));
        }
        Ok(Response::new(GetTransferResponse { transfer: Some(view(id, &transfer, &caller)) }))
    }

    async fn get_transfer_options(
        &self,
        request: Request<GetTransferOptionsRequest>,
    ) -> Result<Response<GetTransferOptionsResponse>, Status> {
        let caller = request.caller()?.clone();
        self.options(&caller, request.get_ref()).await.map(Response::new)
    }

    type WatchTransferTargetsStream = ReceiverStream<Result<WatchTransferTargetsResponse, Status>>;

    async fn watch_transfer_targets(
        &self,
        request: Request<WatchTransferTargetsRequest>,
    ) -> Result<Response<Self::WatchTransferTargetsStream>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.watch_choices(&caller, request.into_inner()).await?))
    }

    async fn list_transfer_targets(
        &self,
        request: Request<ListTransferTargetsRequest>,
    ) -> Result<Response<ListTransferTargetsResponse>, Status> {
        let caller = request.caller()?.clone();
        self.choices(&caller, request.into_inner()).await.map(Response::new)
    }

    async fn list_transfers(
        &self,
        request: Request<ListTransfersRequest>,
    ) -> Result<Response<ListTransfersResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.get_ref();
        let tenant = caller.tenant()?.as_str();
        let limit = parse::page_size(request.page_size)?;
        let interaction = match request.interaction_id.as_str() {
            "" => None,
            text => Some(parse::interaction_id(text)?),
        };
        let phases = fields::each(request.phases.iter().map(|phase| {
            TransferPhase::try_from(*phase)
                .ok()
                .and_then(Known::known)
                .ok_or_else(|| ApiError::invalid_argument("phases", "has a phase that is not known"))
        }));
        let (agent, (from_us, before_us), phases) = fields::all((
            filter::id("agent_id", &request.agent_id),
            fields::all((
                filter::time_us("started_from_time", request.started_from_time.as_ref()),
                filter::time_us("started_before_time", request.started_before_time.as_ref()),
            )),
            phases,
        ))?;
        let query = TransferQuery {
            tenant,
            agents: parse::only_of(&caller)?.into_iter().chain(agent).collect(),
            phases,
            from_us,
            before_us,
            interaction,
            open_only: request.open_only,
            before: position(&request.page_token)?,
            // One more than requested tells whether there is a next page.
            limit: limit + 1,
        };
        let mut found = transfers::list(&self.handler.db, query).await?;
        let more = found.len() as i64 > limit;
        found.truncate(limit as usize);
        let last =
            found.last().filter(|_| more).map(|(id, last)| format!("{}/{}", last.started_at_us, last.no.of(*id)));
        Ok(Response::new(ListTransfersResponse {
            transfers: found.iter().map(|(id, transfer)| view(*id, transfer, &caller)).collect(),
            next_page_token: last.unwrap_or_default(),
        }))
    }
}

/// The transfer as this caller sees it.
fn view(id: InteractionId, transfer: &TransferRecord, caller: &Caller) -> wire::Transfer {
    let view = convert::view::transfer(id, transfer);
    if caller.role == Role::Analyst { baton_api::data_class::conceal(&view) } else { view }
}

fn position(token: &str) -> Result<Position, Status> {
    if token.is_empty() {
        let end = InteractionId(Uuid::max());
        return Ok(Position { started_at_us: i64::MAX, interaction: end, number: i64::MAX });
    }
    let (time, id) = token.split_once('/').ok_or_else(parse::bad_page_token)?;
    let (interaction, no) = TransferNo::parse(id).map_err(|_| parse::bad_page_token())?;
    let started_at_us = time.parse().map_err(|_| parse::bad_page_token())?;
    Ok(Position { started_at_us, interaction, number: no.0.into() })
}

impl TransferApi {
    /// Looks the target up. Nothing of it comes from the request but the id.
    async fn resolve(&self, asked: &CommandRequest, target: Option<&WireTarget>) -> Result<Target, Status> {
        let tenant = &*asked.tenant;
        let missing = || {
            let what = "give an agent_id, a team_id, a queue_id, an ivr_flow_id or a number outside (external)";
            ApiError::invalid_argument("target", what)
        };
        match target.and_then(|target| target.target.as_ref()).ok_or_else(missing)? {
            Wire::AgentId(id) => self.resolve_agent(tenant, id).await,
            Wire::TeamId(id) => self.resolve_team(tenant, id).await,
            Wire::QueueId(id) => self.resolve_queue(tenant, id).await,
            Wire::IvrFlowId(id) => self.resolve_ivr_flow(tenant, id).await,
            Wire::External(external) => outside::resolve(self, asked, external).await,
        }
    }

    async fn resolve_agent(&self, tenant: &str, id: &str) -> Result<Target, Status> {
        let bad = |_| ApiError::invalid_argument("target.agent_id", "is no agent id (a UUID)");
        let id: AgentId = id.parse().map_err(bad)?;
        let lookup = LookupAgentsRequest { tenant: tenant.to_owned(), agent_ids: vec![id.to_string()] };
        let found = self.peers.presence.clone().lookup_agents(lookup).await?.into_inner();
        let agent = found.agents.first().ok_or_else(|| not_found("agent"))?;
        Ok(Target::Agent(facts::agent(agent)?))
    }

    async fn resolve_team(&self, tenant: &str, id: &str) -> Result<Target, Status> {
        let bad = |_| ApiError::invalid_argument("target.team_id", "is no team id (a UUID)");
        let id: TeamId = id.parse().map_err(bad)?;
        let lookup = LookupTeamsRequest { tenant: tenant.to_owned(), team_ids: vec![id.to_string()] };
        let found = self.peers.presence.clone().lookup_teams(lookup).await?.into_inner();
        let team = found.teams.first().ok_or_else(|| not_found("team"))?;
        Ok(Target::Team { id, name: team.name.as_str().into() })
    }

    async fn resolve_ivr_flow(&self, tenant: &str, id: &str) -> Result<Target, Status> {
        let bad = |_| ApiError::invalid_argument("target.ivr_flow_id", "is no id of an IVR flow (a UUID)");
        let id: IvrFlowId = id.parse().map_err(bad)?;
        let resolve = ResolveIvrFlowRequest { tenant: tenant.to_owned(), ivr_flow_id: id.to_string() };
        let found = self.peers.routing.clone().resolve_ivr_flow(resolve).await?.into_inner();
        Ok(Target::IvrFlow(Arc::new(convert::ivr::frozen(&found)?)))
    }
}

/// What the start of a transfer is answered: nothing while the target is being reserved, or the queue is being entered; a clear refusal when
/// nobody could be had and the initiator still has the customer; otherwise OK.
fn decided(live: &Live, no: TransferNo) -> Option<Result<(), Status>> {
    let open = live.transfer.as_ref().filter(|transfer| transfer.no == no);
    if let Some(search) = open.and_then(baton_domain::Transfer::search) {
        let claiming = search.offers.iter().all(|offer| matches!(offer.state, OfferState::Claiming { .. }));
        let entering = matches!(search.round, Round::Open(_)) && !search.entered;
        // A number outside is reserved by nobody: it rings at once.
        let inside = search.outside.is_none();
        let reserving = inside && claiming && (search.round == Round::Proposed || entering);
        return (!reserving).then_some(Ok(()));
    }
    let ended = records(&live.state, &live.policy).find(|transfer| transfer.no == no);
    let refused = ended.filter(|transfer| transfer.phase == Phase::Failed).and_then(|ended| refused(live.id, &ended));
    Some(refused.map_or(Ok(()), Err))
}

fn refused(id: InteractionId, ended: &TransferRecord) -> Option<Status> {
    let (reason, why) = match ended.reason? {
        Reason::NobodyAvailable => (ErrorReason::AgentUnavailable, "a team or queue in which nobody can be asked"),
        Reason::QueueClosed => (ErrorReason::QueueClosed, "a queue that is closed"),
        Reason::NobodySignedIn => (ErrorReason::NobodySignedIn, "a queue that nobody serves who is signed in"),
        reason if is_target_refusal(reason) => convert::unavailable(reason),
        _ => return None,
    };
    let message = format!(
        "The target is {why}: choose somebody else. The customer is as the policy leaves them; see customer_on_hold."
    );
    Some(ApiError::failed_precondition(reason, message).with("transfer_id", ended.no.of(id)).into())
}
