//! The part of `RoutingService` that says what customers go through without an agent, and what an interaction asks of it.

use baton_api::event::v1::{Change, routing_changed::Configuration};
use baton_api::routing::v1::{
    DeleteIvrFlowRequest, DeleteIvrFlowResponse, GetIvrFlowRequest, GetIvrFlowResponse, IvrFlow, ListIvrChoicesRequest,
    ListIvrChoicesResponse, ListIvrFlowsRequest, ListIvrFlowsResponse, ResolveIvrFlowResponse, UpdateIvrFlowRequest,
    UpdateIvrFlowResponse,
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
use crate::flow;
use crate::ivr_flow::{self, IvrChange};
use crate::page::ConfigurationCursor;
use crate::store::ivr_flows;
use crate::store::named::Stored;
use crate::upsert::Upsert;

/// Flows that are looked at for one page of choices, so that a filter that fits nothing ends.
const LOOKED_AT: usize = 500;

impl RoutingApi {
    pub(super) async fn read_ivr_flow(
        &self,
        tenant: &TenantId,
        request: &GetIvrFlowRequest,
    ) -> Result<GetIvrFlowResponse, Status> {
        let flow = self.find_ivr_flow(tenant, &request.ivr_flow_id).await?;
        Ok(GetIvrFlowResponse { ivr_flow: Some(flow) })
    }

    async fn find_ivr_flow(&self, tenant: &TenantId, id: &str) -> Result<IvrFlow, Status> {
        let id = flow::uuid("ivr_flow_id", id)?;
        let found = ivr_flows::look_up(&mut self.matcher.core.db.read().await?, tenant, id).await?;
        Ok(found.ok_or_else(|| ApiError::not_found("IVR flow"))?.shown())
    }

    pub(super) async fn read_ivr_flows(
        &self,
        tenant: &TenantId,
        request: &ListIvrFlowsRequest,
    ) -> Result<ListIvrFlowsResponse, Status> {
        let (size, after) =
            fields::all((page::size(request.page_size), ConfigurationCursor::parse(&request.page_token)))?;
        let mut found = ivr_flows::list(&mut self.matcher.core.db.read().await?, tenant, &after, size + 1).await?;
        let next_page_token = page::cut(&mut found, size, |it| cursor(it).token());
        Ok(ListIvrFlowsResponse { ivr_flows: found.into_iter().map(Stored::shown).collect(), next_page_token })
    }

    /// Those that fit, of so many that were looked at.
    pub(super) async fn ivr_choices(
        &self,
        tenant: &TenantId,
        request: &ListIvrChoicesRequest,
    ) -> Result<ListIvrChoicesResponse, Status> {
        let (size, after) =
            fields::all((page::size(request.page_size), ConfigurationCursor::parse(&request.page_token)))?;
        let mut found = ivr_flows::list(&mut self.matcher.core.db.read().await?, tenant, &after, LOOKED_AT).await?;
        let last = found.last().filter(|_| found.len() == LOOKED_AT).map(|it| cursor(it).token());
        let query = name::key(&request.query);
        found.retain(|it| {
            (!request.round_trip || it.message.round_trip) && name::key(&it.message.name).contains(&query)
        });
        let mut next_page_token = page::cut(&mut found, size, |it| cursor(it).token());
        if next_page_token.is_empty() {
            next_page_token = last.unwrap_or_default();
        }
        let shown = found.into_iter().map(|it| IvrFlow { elements: Vec::new(), ..it.shown() });
        Ok(ListIvrChoicesResponse { ivr_flows: shown.collect(), next_page_token })
    }

    /// Who was deleted since is missing; such transfers go to the next step.
    pub(super) async fn whole_ivr_flow(&self, tenant: &TenantId, id: &str) -> Result<ResolveIvrFlowResponse, Status> {
        let flow = self.find_ivr_flow(tenant, id).await?;
        let named = ivr_flow::named(&flow);
        let presence = &self.matcher.core.presence;
        let (agents, teams) =
            tokio::try_join!(presence.agents(tenant, named.agents), presence.teams(tenant, named.teams))?;
        Ok(ResolveIvrFlowResponse { ivr_flow: Some(flow), agents, teams })
    }

    pub(super) async fn change_ivr_flow(
        &self,
        caller: &Caller,
        request: &UpdateIvrFlowRequest,
    ) -> Result<UpdateIvrFlowResponse, Status> {
        let tenant = caller.tenant()?;
        let sent = given(request.ivr_flow.as_ref(), "ivr_flow")?;
        let (id, upsert) = fields::all((
            updated_id(&sent.ivr_flow_id, request.allow_missing, ids::new_uuid()),
            upsert(sent, request),
        ))?;
        // Checked before the transaction, which must not wait for presence; used in it, so that a retry gets the first answer.
        let known = match upsert.all().find_map(IvrChange::targets) {
            Some(targets) => self.matcher.core.presence.check(tenant, targets).await,
            None => Ok(()),
        };
        let change = configuration_request(caller, "UpdateIvrFlow", &request.request_id, request);
        let (upsert, known) = (&upsert, &known);
        self.change_once(
            change,
            change!(|tx| {
                lock(tx).await?;
                let before = ivr_flows::get(tx, tenant, id).await?;
                let change = match &before {
                    Some(_) => upsert.change(),
                    None => upsert.creation("IVR flow")?,
                };
                let before = before.unwrap_or_else(|| missing(id));
                before.etag.check(&sent.etag, "IVR flow")?;
                if change.targets().is_some() {
                    known.clone()?;
                }
                let flow = change.of(&before.message)?;
                if flow == before.message {
                    return Ok(UpdateIvrFlowResponse { ivr_flow: Some(before.shown()) });
                }
                if flow.name != before.message.name {
                    name::IVR_FLOW.refuse_twin(&flow.name, &ivr_flows::alike(tx, tenant, id, &flow.name).await?)?;
                }
                let stored = Stored { id, message: flow, etag: fresh_etag() };
                ivr_flows::put(tx, tenant, &stored).await?;
                let flow = stored.shown();
                let change = events::update_of(before.etag != Etag::default());
                self.changed(tx, caller, change, Configuration::IvrFlow(flow.clone())).await?;
                Ok(UpdateIvrFlowResponse { ivr_flow: Some(flow) })
            }),
        )
        .await
    }

    pub(super) async fn remove_ivr_flow(
        &self,
        caller: &Caller,
        request: &DeleteIvrFlowRequest,
    ) -> Result<DeleteIvrFlowResponse, Status> {
        let tenant = caller.tenant()?;
        let id = flow::uuid("ivr_flow_id", &request.ivr_flow_id)?;
        let change = configuration_request(caller, "DeleteIvrFlow", &request.request_id, request);
        self.change_once(
            change,
            change!(|tx| {
                lock(tx).await?;
                let found = ivr_flows::get(tx, tenant, id).await?;
                let flow = found.ok_or_else(|| ApiError::not_found("IVR flow"))?;
                ivr_flows::delete(tx, tenant, id).await?;
                self.changed(tx, caller, Change::Deleted, Configuration::IvrFlow(flow.shown())).await?;
                Ok(DeleteIvrFlowResponse {})
            }),
        )
        .await
    }
}

fn cursor(it: &Stored<IvrFlow>) -> ConfigurationCursor {
    ConfigurationCursor { key: name::key(&it.message.name), id: it.id }
}

/// The id of the flow that an update is of. One that may be created needs none, and gets `fresh_id`.
fn updated_id(text: &str, allow_missing: bool, fresh_id: Uuid) -> Result<Uuid, ApiError> {
    match text {
        "" if allow_missing => Ok(fresh_id),
        "" => {
            let why = "must be a UUID; may be empty with allow_missing alone, for a new flow";
            Err(ApiError::invalid_argument("ivr_flow.ivr_flow_id", why))
        }
        text => flow::uuid("ivr_flow.ivr_flow_id", text),
    }
}

fn upsert(sent: &IvrFlow, request: &UpdateIvrFlowRequest) -> Result<Upsert<IvrChange>, ApiError> {
    let asked = (request.update_mask.as_ref(), request.allow_missing);
    let is_set = |field: &str| ivr_flow::is_set(sent, field);
    Upsert::parse(asked, ivr_flow::FIELDS, is_set, |names| IvrChange::parse(sent, names))
}

/// What a flow that is to be created is like before.
fn missing(id: Uuid) -> Stored<IvrFlow> {
    let flow = IvrFlow { ivr_flow_id: id.to_string(), ..IvrFlow::default() };
    Stored { id, message: flow, etag: Etag::default() }
}
