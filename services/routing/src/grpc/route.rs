//! `RouteService`, for interactions.

use baton_api::common::v1::Medium;
use baton_api::routing::v1::route_service_server::RouteService;
use baton_api::routing::v1::{
    CompareWaitsRequest, CompareWaitsResponse, ListExternalChoicesRequest, ListExternalChoicesResponse,
    ListIvrChoicesRequest, ListIvrChoicesResponse, ListQueueChoicesRequest, ListQueueChoicesResponse, Queue,
    ResolveDialRequest, ResolveDialResponse, ResolveIvrFlowRequest, ResolveIvrFlowResponse, ResolveNumberRequest,
    ResolveNumberResponse, ResolveQueueRequest, ResolveQueueResponse, Served, SyncWaitRequest, SyncWaitResponse, Wait,
};
use baton_api::{ApiError, fields, telephone};
use baton_follow::compare;
use baton_runtime::auth::TenantId;
use baton_store::{Reader, StoreError, change};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::RoutingApi;
use crate::store::flows;
use crate::store::named::Stored;
use crate::store::numbers::{self, NumberRow};
use crate::store::queues;
use crate::store::served::ServedCall;
use crate::store::waits::{self, StoredWait, WaitPool, WaitState};
use crate::store::{dial_rules, external_numbers};
use crate::sync_wait::{self, WaitProjection};
use crate::{dial_rule, events, flow, number, queue, statistics};

/// Bytes in an id that another service made.
const MAX_ID: usize = 128;
/// Agents that a wait may skip: all of the largest team.
const MAX_SKIPPED: usize = 10_000;

#[tonic::async_trait]
impl RouteService for RoutingApi {
    async fn resolve_queue(
        &self,
        request: Request<ResolveQueueRequest>,
    ) -> Result<Response<ResolveQueueResponse>, Status> {
        let message = request.get_ref();
        let (tenant, id) = fields::all((tenant(&message.tenant), flow::uuid("queue_id", &message.queue_id)))?;
        let queues = self.leading_from(&tenant, std::iter::once(id.to_string().as_str())).await?;
        let first = queues.first().ok_or_else(|| ApiError::not_found("queue"))?;
        let statistics = Some(statistics::of(&self.matcher.core, &tenant, first).await?);
        Ok(Response::new(ResolveQueueResponse { queues, statistics }))
    }

    async fn list_queue_choices(
        &self,
        request: Request<ListQueueChoicesRequest>,
    ) -> Result<Response<ListQueueChoicesResponse>, Status> {
        let message = request.get_ref();
        let tenant = tenant(&message.tenant)?;
        let page = (message.page_size, message.page_token.as_str());
        let (statistics, next_page_token) = self.queue_choices(&tenant, &message.search, page).await?;
        Ok(Response::new(ListQueueChoicesResponse { statistics, next_page_token }))
    }

    async fn resolve_number(
        &self,
        request: Request<ResolveNumberRequest>,
    ) -> Result<Response<ResolveNumberResponse>, Status> {
        let message = request.get_ref();
        let tenant = tenant(&message.tenant)?;
        let mut reader = self.matcher.core.db.read().await?;
        let Some(row) = called(&mut reader, &tenant, &message.number).await? else {
            drop(reader);
            return Err(self.refuse_call(&tenant, &message.number).await);
        };
        let call_flow = match row.call_flow_id {
            Some(id) => flows::look_up(&mut reader, &tenant, id).await?.map(Stored::shown),
            None => None,
        };
        drop(reader);
        let named = call_flow.as_ref().map(flow::named).unwrap_or_default();
        let presence = &self.matcher.core.presence;
        let (agents, teams) = tokio::try_join!(
            presence.agents(&tenant, named.agents.clone()),
            presence.teams(&tenant, named.teams.clone())
        )?;
        let queues = if named.queues.is_empty() {
            Vec::new()
        } else {
            self.leading_from(&tenant, named.queues.iter().map(String::as_str)).await?
        };
        let missing = named.missing(&agents, &teams, &queues);
        if let Some(flow) = call_flow.as_ref().filter(|_| !missing.is_empty()) {
            let id = &flow.call_flow_id;
            tracing::warn!(%tenant, call_flow = id, ?missing, "a call flow rings who was deleted: such steps are skipped");
        }
        Ok(Response::new(ResolveNumberResponse { call_flow, agents, teams, number: row.number, queues }))
    }

    async fn resolve_dial(
        &self,
        request: Request<ResolveDialRequest>,
    ) -> Result<Response<ResolveDialResponse>, Status> {
        let message = request.get_ref();
        dial_rule::refuse_short(&message.to)?;
        let (tenant, number, asked) =
            fields::all((tenant(&message.tenant), number::parse("number", &message.number), Dialled::parse(message)))?;
        let mut reader = self.matcher.core.db.read().await?;
        let (to, external) = match asked {
            Dialled::Number(to) => (to, None),
            Dialled::External(id) => {
                let found = external_numbers::look_up(&mut reader, &tenant, id).await?;
                let row = found.ok_or_else(|| ApiError::not_found("external number"))?;
                (row.number.clone(), Some(row))
            }
        };
        if numbers::look_up(&mut reader, &tenant, &number).await?.is_none() {
            return Err(ApiError::not_found("number").into());
        }
        // What was put before the operator took a grant back.
        let grants = self.matcher.core.admitted.grants(&tenant);
        if !grants.has_number(&number) {
            return Err(number::not_shown(&tenant).into());
        }
        let rules = dial_rules::list(&mut reader, &tenant, "", dial_rule::MOST as usize).await?;
        let allowed_by = dial_rule::permitted(&rules, &to, &tenant, &grants)?;
        let external_number = external.map(super::external_numbers::shown);
        Ok(Response::new(ResolveDialResponse { allowed_by, external_number }))
    }

    async fn list_external_choices(
        &self,
        request: Request<ListExternalChoicesRequest>,
    ) -> Result<Response<ListExternalChoicesResponse>, Status> {
        let message = request.get_ref();
        Ok(Response::new(self.read_external_choices(&tenant(&message.tenant)?, message).await?))
    }

    async fn resolve_ivr_flow(
        &self,
        request: Request<ResolveIvrFlowRequest>,
    ) -> Result<Response<ResolveIvrFlowResponse>, Status> {
        let message = request.get_ref();
        let tenant = tenant(&message.tenant)?;
        Ok(Response::new(self.whole_ivr_flow(&tenant, &message.ivr_flow_id).await?))
    }

    async fn list_ivr_choices(
        &self,
        request: Request<ListIvrChoicesRequest>,
    ) -> Result<Response<ListIvrChoicesResponse>, Status> {
        let tenant = tenant(&request.get_ref().tenant)?;
        Ok(Response::new(self.ivr_choices(&tenant, request.get_ref()).await?))
    }

    async fn compare_waits(
        &self,
        request: Request<CompareWaitsRequest>,
    ) -> Result<Response<CompareWaitsResponse>, Status> {
        let asked = &request.get_ref().versions;
        compare::check(asked)?;
        let lacking_interaction_ids = compare::lacking(&self.matcher.core.db, "waits", asked).await?;
        Ok(Response::new(CompareWaitsResponse { lacking_interaction_ids }))
    }

    async fn sync_wait(&self, request: Request<SyncWaitRequest>) -> Result<Response<SyncWaitResponse>, Status> {
        let projection = projection(request.into_inner())?;
        let tenant = projection.tenant.clone();
        let row = sync_wait::sync_wait(&self.matcher, projection).await?;
        let position = match row.state {
            WaitState::Waiting => waits::position(&mut self.matcher.core.db.read().await?, &tenant, &row).await?,
            _ => 0,
        };
        Ok(Response::new(SyncWaitResponse {
            exhausted: row.state == WaitState::Exhausted,
            reason: row.proposal.reason,
            proposed: row.proposal.agents,
            position: position.try_into().unwrap_or(i32::MAX),
        }))
    }
}

/// What is to be dialled.
enum Dialled {
    /// E.164.
    Number(String),
    /// One of the tenant's external numbers.
    External(Uuid),
}

impl Dialled {
    fn parse(message: &ResolveDialRequest) -> Result<Self, ApiError> {
        match (message.to.as_str(), message.external_number_id.as_str()) {
            ("", id) if !id.is_empty() => flow::uuid("external_number_id", id).map(Self::External),
            (_, "") => number::parse("to", &message.to).map(Self::Number),
            _ => Err(ApiError::invalid_argument("to", "must be empty where an external number is named")),
        }
    }
}

impl RoutingApi {
    /// These queues, and those that they overflow into.
    async fn leading_from(&self, tenant: &TenantId, ids: impl Iterator<Item = &str>) -> Result<Vec<Queue>, Status> {
        let all = queues::all(&mut self.matcher.core.db.read().await?, tenant).await?;
        let all: Vec<Queue> = all.into_iter().map(Stored::shown).collect();
        let mut found: Vec<Queue> = Vec::new();
        for id in ids {
            for queue in queue::chain(id, |id| all.iter().find(|it| it.queue_id == id)) {
                if !found.contains(queue) {
                    found.push(queue.clone());
                }
            }
        }
        Ok(found)
    }

    /// A call for a number that nobody has: an event and a warning say so, because the call itself leaves no trace (F1).
    async fn refuse_call(&self, tenant: &TenantId, text: &str) -> Status {
        let number = telephone::as_sent(text);
        tracing::warn!(%tenant, number, "a call came in for a number that the tenant does not have; it is refused");
        let now_us = self.matcher.core.clock.now_us();
        let (db, number) = (&self.matcher.core.db, &number);
        match db.change(change!(|tx| { events::call_refused(tx, tenant, number.clone(), now_us).await })).await {
            Ok(()) => ApiError::not_found("number").into(),
            Err(error) => error.into(),
        }
    }
}

/// The number that is meant by what the switch sent.
async fn called(reader: &mut Reader, tenant: &TenantId, text: &str) -> Result<Option<NumberRow>, StoreError> {
    let called = number::called(text);
    for number in &called.whole {
        if let Some(row) = numbers::look_up(reader, tenant, number).await? {
            return Ok(Some(row));
        }
    }
    for digits in &called.endings {
        if let Some(row) = numbers::only_one_ending(reader, tenant, digits).await? {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

pub(crate) fn projection(request: SyncWaitRequest) -> Result<WaitProjection, ApiError> {
    let version = i64::try_from(request.version);
    Ok(WaitProjection {
        tenant: tenant(&request.tenant)?,
        interaction_id: foreign_id("interaction_id", request.interaction_id)?,
        version: version.map_err(|_| ApiError::invalid_argument("version", "is too large"))?,
        wait: request.wait.map(wait).transpose()?,
        stands_in: match request.stands_in_queue_id.as_str() {
            "" => None,
            id => Some(flow::uuid("stands_in_queue_id", id)?),
        },
        served: request.served.iter().map(served).collect::<Result<_, _>>()?,
    })
}

fn served(served: &Served) -> Result<ServedCall, ApiError> {
    Ok(ServedCall {
        queue: flow::uuid("served.queue_id", &served.queue_id)?,
        agent: flow::uuid("served.agent_id", &served.agent_id)?,
        since_us: served.since_us,
        waited_us: served.waited_us,
    })
}

fn wait(wait: Wait) -> Result<StoredWait, ApiError> {
    if wait.skip_agent_ids.len() > MAX_SKIPPED {
        return Err(ApiError::invalid_argument("wait.skip_agent_ids", format!("must be {MAX_SKIPPED} at most")));
    }
    for id in &wait.skip_agent_ids {
        flow::uuid("wait.skip_agent_ids", id)?;
    }
    let medium = match wait.medium() {
        Medium::Unspecified => Medium::Voice,
        medium => medium,
    };
    Ok(StoredWait {
        id: foreign_id("wait.wait_id", wait.wait_id)?,
        pool: match wait.queue_id.as_str() {
            "" => WaitPool::Team(flow::uuid("wait.team_id", &wait.team_id)?),
            id => WaitPool::Queue(flow::uuid("wait.queue_id", id)?),
        },
        priority: match i64::from(wait.priority) {
            0 => waits::DEFAULT_PRIORITY,
            priority if (1..=waits::MAX_PRIORITY).contains(&priority) => priority,
            _ => return Err(ApiError::invalid_argument("wait.priority", "must be 0 to 10")),
        },
        skip: wait.skip_agent_ids,
        since_us: wait.since_us,
        medium,
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
