//! `TransferService`.

use super::{TransferApi, commands, commands::CommandRequest, parse};
use crate::{
    command_handler::not_found,
    convert::{self, facts, words},
    store::{
        interactions,
        transfers::{self, Position, TransferQuery},
    },
};
use baton_api::{
    ApiError,
    common::v1::{Target as WireTarget, target::Target as Wire},
    error::ErrorReason,
    presence::v1::{LookupAgentsRequest, LookupTeamRequest},
    transfer::v1::{
        self as wire, CancelTransferRequest, CancelTransferResponse, CompleteTransferRequest, CompleteTransferResponse,
        DeclineTransferRequest, DeclineTransferResponse, GetTransferRequest, GetTransferResponse, ListTransfersRequest,
        ListTransfersResponse, StartTransferRequest, StartTransferResponse, transfer_service_server::TransferService,
    },
};
use baton_domain::{
    Command, Interaction, InteractionId, StartTransfer, Transfer,
    ids::TransferNo,
    interaction::{OfferState, Phase},
    permit::is_target_refusal,
    words::{Kind, Reason, Target},
};
use baton_runtime::{
    CallerExt,
    auth::{Caller, Role},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

const MAX_MESSAGE: usize = 2_000;

#[tonic::async_trait]
impl TransferService for TransferApi {
    async fn start_transfer(
        &self,
        request: Request<StartTransferRequest>,
    ) -> Result<Response<StartTransferResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.into_inner();
        let command_request =
            CommandRequest::new(&caller, "StartTransfer", &request.request_id, &request.interaction_id, &request)?;
        let kind = words::parse_kind(request.kind())
            .ok_or_else(|| ApiError::invalid_argument("kind", "must be TRANSFER_KIND_COLD or TRANSFER_KIND_WARM"))?;
        let message = parse::text("message", &request.message, 0, MAX_MESSAGE)?;
        let target = self.resolve(&command_request.tenant, request.target.as_ref()).await;
        if let Err(status) = &target
            && ApiError::of(status).is_retryable()
        {
            return Err(status.clone());
        }
        let command = target.map(|target| Command::Start(StartTransfer { kind, target, message }));
        if let Some(known) = commands::commit(&self.handler, &command_request, command).await? {
            return Ok(Response::new(known));
        }
        let number = transfers::by_request(&self.handler.db, command_request.id, &command_request.request_key).await?;
        let response = commands::await_outcome(&self.handler, &command_request, |interaction| {
            let result = decided(interaction, TransferNo(number?))?;
            Some(result.map(|()| StartTransferResponse { interaction: Some(command_request.view(interaction)) }))
        });
        response.await.map(Response::new)
    }

    async fn decline_transfer(
        &self,
        request: Request<DeclineTransferRequest>,
    ) -> Result<Response<DeclineTransferResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.into_inner();
        let command_request =
            CommandRequest::new(&caller, "DeclineTransfer", &request.request_id, &request.interaction_id, &request)?;
        let done = commands::execute(&self.handler, &command_request, Command::Decline, |_| DeclineTransferResponse {});
        done.await.map(Response::new)
    }

    async fn cancel_transfer(
        &self,
        request: Request<CancelTransferRequest>,
    ) -> Result<Response<CancelTransferResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.into_inner();
        let command_request =
            CommandRequest::new(&caller, "CancelTransfer", &request.request_id, &request.interaction_id, &request)?;
        let done = commands::execute(&self.handler, &command_request, Command::Cancel, |interaction| {
            CancelTransferResponse { interaction: Some(command_request.view(interaction)) }
        });
        done.await.map(Response::new)
    }

    async fn complete_transfer(
        &self,
        request: Request<CompleteTransferRequest>,
    ) -> Result<Response<CompleteTransferResponse>, Status> {
        let caller = request.caller()?.clone();
        let request = request.into_inner();
        let command_request =
            CommandRequest::new(&caller, "CompleteTransfer", &request.request_id, &request.interaction_id, &request)?;
        let done = commands::execute(&self.handler, &command_request, Command::Complete, |interaction| {
            CompleteTransferResponse { interaction: Some(command_request.view(interaction)) }
        });
        done.await.map(Response::new)
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
            && !interactions::is_party(&self.handler.db, id, agent).await?
        {
            return Err(not_found("transfer"));
        }
        Ok(Response::new(GetTransferResponse { transfer: Some(view(id, &transfer, &caller)) }))
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
        let query = TransferQuery {
            tenant,
            agent: parse::only_of(&caller)?,
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
fn view(id: InteractionId, transfer: &Transfer, caller: &Caller) -> wire::Transfer {
    let mut view = convert::view::transfer(id, transfer);
    if caller.role == Role::Analyst {
        convert::view::conceal_transfer(&mut view);
    }
    view
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
    async fn resolve(&self, tenant: &str, target: Option<&WireTarget>) -> Result<Target, Status> {
        let missing = || ApiError::invalid_argument("target", "give an agent_id or a team_id");
        match target.and_then(|target| target.target.as_ref()).ok_or_else(missing)? {
            Wire::AgentId(id) => self.resolve_agent(tenant, id).await,
            Wire::TeamId(id) => self.resolve_team(tenant, id).await,
        }
    }

    async fn resolve_agent(&self, tenant: &str, id: &str) -> Result<Target, Status> {
        let bad = |_| ApiError::invalid_argument("target.agent_id", "is no agent id (a UUID)");
        let id: baton_domain::AgentId = id.parse().map_err(bad)?;
        let lookup = LookupAgentsRequest { tenant: tenant.to_owned(), agent_ids: vec![id.to_string()] };
        let found = self.peers.presence.clone().lookup_agents(lookup).await?.into_inner();
        let agent = found.agents.first().ok_or_else(|| not_found("agent"))?;
        Ok(Target::Agent(facts::agent(agent)?))
    }

    async fn resolve_team(&self, tenant: &str, id: &str) -> Result<Target, Status> {
        let bad = |_| ApiError::invalid_argument("target.team_id", "is no team id (a UUID)");
        let id: baton_domain::TeamId = id.parse().map_err(bad)?;
        let lookup = LookupTeamRequest { tenant: tenant.to_owned(), team_id: id.to_string() };
        let name = self.peers.presence.clone().lookup_team(lookup).await?.into_inner().name;
        Ok(Target::Team { id, name: name.into() })
    }
}

/// What the start of a transfer is answered: nothing while the target is being reserved; a clear refusal when it could not be and the
/// initiator still has the customer; otherwise OK.
fn decided(interaction: &Interaction, no: TransferNo) -> Option<Result<(), Status>> {
    let Some(transfer) = interaction.transfer.as_ref().filter(|transfer| transfer.no == no) else {
        // Another has begun since: the journey knows how this one ended.
        let hop = interaction.journey.iter().find(|hop| hop.transfer == Some(no));
        let failed = hop.filter(|hop| hop.outcome == Phase::Failed);
        let refused = failed.and_then(|hop| refused(interaction.id, no, hop.kind, hop.reason));
        return Some(refused.map_or(Ok(()), Err));
    };
    let reserving = interaction.search.as_ref().is_some_and(|search| {
        search.wait.is_none() && search.offers.iter().all(|offer| matches!(offer.state, OfferState::Claiming { .. }))
    });
    match transfer.phase {
        Phase::Offered if reserving => None,
        Phase::Failed => {
            let refused = refused(interaction.id, no, Some(transfer.kind), transfer.reason);
            Some(refused.map_or(Ok(()), Err))
        }
        _ => Some(Ok(())),
    }
}

fn refused(id: InteractionId, no: TransferNo, kind: Option<Kind>, reason: Option<Reason>) -> Option<Status> {
    let reason = reason.filter(|reason| is_target_refusal(*reason))?;
    let (reason, why) = match reason {
        Reason::Busy => (ErrorReason::AgentBusy, "is on a call, or reserved for one"),
        Reason::Offline => (ErrorReason::AgentOffline, "is offline"),
        _ => (ErrorReason::AgentUnavailable, "is not available (away, in wrap-up, or not responding)"),
    };
    let hold =
        if kind == Some(Kind::Warm) { " The customer is as the policy leaves them; see customer_on_hold." } else { "" };
    let message = format!("The target {why}: choose somebody else.{hold}");
    Some(ApiError::failed_precondition(reason, message).with("transfer_id", no.of(id)).into())
}
