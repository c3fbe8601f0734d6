//! `RouteService`: what an interaction asks.

use baton_api::ApiError;
use baton_api::routing::v1::route_service_server::RouteService;
use baton_api::routing::v1::{
    ResolveDialRequest, ResolveDialResponse, ResolveNumberRequest, ResolveNumberResponse, SyncWaitRequest,
    SyncWaitResponse, Wait as WireWait,
};
use baton_runtime::auth::TenantId;
use tonic::{Request, Response, Status};

use super::Api;
use crate::store::waits::{Wait, WaitState};
use crate::store::{dial_rules, flows, numbers};
use crate::sync_wait::{self, Projection};
use crate::{dial_rule, flow, number};

/// The longest id that another service makes.
const MAX_ID: usize = 128;
/// Agents whom a wait may leave out: all of the largest team.
const MAX_SKIPPED: usize = 10_000;

#[tonic::async_trait]
impl RouteService for Api {
    async fn resolve_number(
        &self,
        request: Request<ResolveNumberRequest>,
    ) -> Result<Response<ResolveNumberResponse>, Status> {
        let asked = request.get_ref();
        let tenant = tenant(&asked.tenant)?;
        let number = number::parse("number", &asked.number)?;
        let mut reader = self.matcher.core.db.read().await?;
        let found = numbers::get(&mut reader, &tenant, &number).await?;
        let row = found.ok_or_else(|| ApiError::not_found("number"))?;
        let call_flow = match row.call_flow_id {
            Some(id) => flows::get(&mut reader, &tenant, id).await?,
            None => None,
        };
        drop(reader);
        let named = call_flow.as_ref().map(flow::agents).unwrap_or_default();
        let agents = self.matcher.core.people.agents(&tenant, named).await?;
        Ok(Response::new(ResolveNumberResponse { call_flow, agents }))
    }

    async fn resolve_dial(
        &self,
        request: Request<ResolveDialRequest>,
    ) -> Result<Response<ResolveDialResponse>, Status> {
        let asked = request.get_ref();
        let tenant = tenant(&asked.tenant)?;
        let number = number::parse("number", &asked.number)?;
        let to = number::parse("to", &asked.to)?;
        let mut reader = self.matcher.core.db.read().await?;
        if numbers::get(&mut reader, &tenant, &number).await?.is_none() {
            return Err(ApiError::not_found("number").into());
        }
        let rule = dial_rules::allowing(&mut reader, &tenant, &to).await?;
        let allowed_by = rule.ok_or_else(dial_rule::not_allowed)?;
        Ok(Response::new(ResolveDialResponse { allowed_by }))
    }

    async fn sync_wait(&self, request: Request<SyncWaitRequest>) -> Result<Response<SyncWaitResponse>, Status> {
        let row = sync_wait::sync_wait(&self.matcher, projection(request.into_inner())?).await?;
        Ok(Response::new(SyncWaitResponse {
            exhausted: row.state == WaitState::Exhausted,
            proposed: row.proposal.agents,
        }))
    }
}

fn projection(request: SyncWaitRequest) -> Result<Projection, ApiError> {
    let version = i64::try_from(request.version);
    Ok(Projection {
        tenant: tenant(&request.tenant)?,
        interaction_id: foreign_id("interaction_id", request.interaction_id)?,
        version: version.map_err(|_| ApiError::invalid_argument("version", "is too large"))?,
        wait: request.wait.map(wait).transpose()?,
    })
}

fn wait(wait: WireWait) -> Result<Wait, ApiError> {
    if wait.skip_agent_ids.len() > MAX_SKIPPED {
        return Err(ApiError::invalid_argument("wait.skip_agent_ids", format!("must be {MAX_SKIPPED} at most")));
    }
    for id in &wait.skip_agent_ids {
        flow::uuid("wait.skip_agent_ids", id)?;
    }
    Ok(Wait {
        id: foreign_id("wait.wait_id", wait.wait_id)?,
        team: flow::uuid("wait.team_id", &wait.team_id)?,
        skip: wait.skip_agent_ids,
        since_us: wait.since_us,
    })
}

fn tenant(text: &str) -> Result<TenantId, ApiError> {
    text.parse().map_err(|error| ApiError::invalid_argument("tenant", format!("{error}")))
}

fn foreign_id(field: &str, text: String) -> Result<String, ApiError> {
    if text.is_empty() || text.len() > MAX_ID || !text.bytes().all(|it| it.is_ascii_graphic()) {
        let why = format!("must be 1 to {MAX_ID} visible ASCII characters");
        return Err(ApiError::invalid_argument(field, why));
    }
    Ok(text)
}
