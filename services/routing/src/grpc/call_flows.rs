//! The part of `RoutingService` that says what happens to calls.

use std::collections::BTreeSet;

use baton_api::error::ErrorReason;
use baton_api::event::v1::{Change, routing_changed::Configuration};
use baton_api::routing::v1::{
    CallFlow, DeleteCallFlowRequest, DeleteCallFlowResponse, GetCallFlowRequest, GetCallFlowResponse,
    ListCallFlowsRequest, ListCallFlowsResponse, Queue, UpdateCallFlowRequest, UpdateCallFlowResponse,
};
use baton_api::{ApiError, fields, name, page};
use baton_runtime::auth::{Caller, TenantId};
use baton_runtime::ids;
use baton_store::{Etag, change};
use tonic::Status;
use uuid::Uuid;

use super::RoutingApi;
use super::configuration::{configuration_request, fresh_etag, given, lock};
use crate::events;
use crate::flow::{self, FlowChange};
use crate::page::ConfigurationCursor;
use crate::store::flows;
use crate::store::named::Stored;
use crate::store::numbers;
use crate::store::queues;
use crate::upsert::Upsert;

impl RoutingApi {
    pub(super) async fn read_flow(
        &self,
        tenant: &TenantId,
        request: &GetCallFlowRequest,
    ) -> Result<GetCallFlowResponse, Status> {
        let id = flow::uuid("call_flow_id", &request.call_flow_id)?;
        let found = flows::look_up(&mut self.matcher.core.db.read().await?, tenant, id).await?;
        let mut flow = found.ok_or_else(|| ApiError::not_found("call flow"))?.shown();
        self.fill_in_missing(tenant, std::slice::from_mut(&mut flow)).await?;
        Ok(GetCallFlowResponse { call_flow: Some(flow) })
    }

    /// Whom the flows ring may have been deleted since (F12).
    async fn fill_in_missing(&self, tenant: &TenantId, shown: &mut [CallFlow]) -> Result<(), Status> {
        let (mut agents, mut teams) = (BTreeSet::new(), BTreeSet::new());
        for named in shown.iter().map(flow::named) {
            agents.extend(named.agents);
            teams.extend(named.teams);
        }
        let presence = &self.matcher.core.presence;
        let (agents, teams) = tokio::try_join!(presence.agents(tenant, agents), presence.teams(tenant, teams))?;
        let queues = queues::all(&mut self.matcher.core.db.read().await?, tenant).await?;
        let queues: Vec<Queue> = queues.into_iter().map(Stored::shown).collect();
        for it in shown {
            it.missing_ids = flow::named(it).missing(&agents, &teams, &queues);
        }
        Ok(())
    }

    pub(super) async fn read_flows(
        &self,
        tenant: &TenantId,
        request: &ListCallFlowsRequest,
    ) -> Result<ListCallFlowsResponse, Status> {
        let (size, after) =
            fields::all((page::size(request.page_size), ConfigurationCursor::parse(&request.page_token)))?;
        let mut found = flows::list(&mut self.matcher.core.db.read().await?, tenant, &after, size + 1).await?;
        let next_page_token = page::cut(&mut found, size, |it| {
            ConfigurationCursor { key: name::key(&it.message.name), id: it.id }.token()
        });
        let mut call_flows: Vec<_> = found.into_iter().map(Stored::shown).collect();
        self.fill_in_missing(tenant, &mut call_flows).await?;
        Ok(ListCallFlowsResponse { call_flows, next_page_token })
    }

    pub(super) async fn change_flow(
        &self,
        caller: &Caller,
        request: &UpdateCallFlowRequest,
    ) -> Result<UpdateCallFlowResponse, Status> {
        let tenant = caller.tenant()?;
        let sent = given(request.call_flow.as_ref(), "call_flow")?;
        let (id, upsert) = fields::all((
            flow::updated_id(&sent.call_flow_id, request.allow_missing, ids::new_uuid()),
            upsert(sent, request),
        ))?;
        // Checked before the transaction, which must not wait for presence; used in it, so that a retry gets the first answer.
        let known = match upsert.all().find_map(FlowChange::targets) {
            Some(targets) => self.matcher.core.presence.check(tenant, targets).await,
            None => Ok(()),
        };
        let change = configuration_request(caller, "UpdateCallFlow", &request.request_id, request);
        let (upsert, known) = (&upsert, &known);
        self.change_once(
            change,
            change!(|tx| {
                lock(tx).await?;
                let before = flows::get(tx, tenant, id).await?;
                let change = match &before {
                    Some(_) => upsert.change(),
                    None => upsert.creation("call flow")?,
                };
                let before = before.unwrap_or_else(|| missing(id));
                before.etag.check(&sent.etag, "call flow")?;
                if let Some(targets) = change.targets() {
                    known.clone()?;
                    for (queue, field) in &targets.queues {
                        let why = || ApiError::invalid_argument(field, "there is no such queue; create it first");
                        queues::get(tx, tenant, *queue).await?.ok_or_else(why)?;
                    }
                }
                let flow = change.of(&before.message);
                if flow == before.message {
                    return Ok(UpdateCallFlowResponse { call_flow: Some(before.shown()) });
                }
                if flow.name != before.message.name {
                    name::CALL_FLOW.refuse_twin(&flow.name, &flows::alike(tx, tenant, id, &flow.name).await?)?;
                }
                let stored = Stored { id, message: flow, etag: fresh_etag() };
                flows::put(tx, tenant, &stored).await?;
                let flow = stored.shown();
                let change = events::update_of(before.etag != Etag::default());
                self.changed(tx, caller, change, Configuration::CallFlow(flow.clone())).await?;
                Ok(UpdateCallFlowResponse { call_flow: Some(flow) })
            }),
        )
        .await
    }

    pub(super) async fn remove_flow(
        &self,
        caller: &Caller,
        request: &DeleteCallFlowRequest,
    ) -> Result<DeleteCallFlowResponse, Status> {
        let tenant = caller.tenant()?;
        let id = flow::uuid("call_flow_id", &request.call_flow_id)?;
        let change = configuration_request(caller, "DeleteCallFlow", &request.request_id, request);
        self.change_once(
            change,
            change!(|tx| {
                lock(tx).await?;
                let flow = flows::get(tx, tenant, id).await?.ok_or_else(|| ApiError::not_found("call flow"))?;
                if let Some(number) = numbers::using(tx, tenant, id).await? {
                    let message = "A number uses this call flow. Give the number another one first.";
                    return Err(ApiError::failed_precondition(ErrorReason::InUse, message)
                        .with("number", number)
                        .into());
                }
                flows::delete(tx, tenant, id).await?;
                self.changed(tx, caller, Change::Deleted, Configuration::CallFlow(flow.shown())).await?;
                Ok(DeleteCallFlowResponse {})
            }),
        )
        .await
    }
}

fn upsert(sent: &CallFlow, request: &UpdateCallFlowRequest) -> Result<Upsert<FlowChange>, ApiError> {
    let asked = (request.update_mask.as_ref(), request.allow_missing);
    let is_set = |field: &str| flow::is_set(sent, field);
    Upsert::parse(asked, flow::FIELDS, is_set, |names| FlowChange::parse(sent, names))
}

/// What a flow that is to be created is like before.
fn missing(id: Uuid) -> Stored<CallFlow> {
    let flow = CallFlow { call_flow_id: id.to_string(), ..CallFlow::default() };
    Stored { id, message: flow, etag: Etag::default() }
}
