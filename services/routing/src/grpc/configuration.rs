//! `RoutingService`: call flows and numbers. The dial rules are in `dial_rules`.

use baton_api::error::ErrorReason;
use baton_api::routing::v1::routing_service_server::RoutingService;
use baton_api::routing::v1::{
    DeleteCallFlowRequest, DeleteCallFlowResponse, DeleteDialRuleRequest, DeleteDialRuleResponse, DeleteNumberRequest,
    DeleteNumberResponse, GetCallFlowRequest, GetCallFlowResponse, ListCallFlowsRequest, ListCallFlowsResponse,
    ListDialRulesRequest, ListDialRulesResponse, ListNumbersRequest, ListNumbersResponse, Number, PutCallFlowRequest,
    PutCallFlowResponse, PutDialRuleRequest, PutDialRuleResponse, PutNumberRequest, PutNumberResponse,
};
use baton_api::{ApiError, fields, page};
use baton_runtime::CallerExt as _;
use baton_runtime::auth::Caller;
use baton_store::requests::RequestKey;
use baton_store::{Tx, idempotent};
use prost::Message;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::RoutingApi;
use crate::page::ConfigurationCursor;
use crate::store::flows;
use crate::store::numbers::{self, NumberRow};
use crate::{flow, number};

/// An admin's request for a change, with all that makes a second request the same one.
pub(super) struct ConfigurationRequest<'a, Request> {
    caller: &'a Caller,
    /// The name of the method, without the service.
    method: &'static str,
    request_id: &'a str,
    message: &'a Request,
}

impl RoutingApi {
    /// One change under its request id: the same request again changes nothing and is answered the same (B609).
    pub(super) async fn change_once<Request, Response>(
        &self,
        request: ConfigurationRequest<'_, Request>,
        change: impl AsyncFnOnce(&mut Tx) -> Result<Response, Status>,
    ) -> Result<Response, Status>
    where
        Request: Message,
        Response: Message + Default,
    {
        let tenant = request.caller.tenant()?;
        let method = format!("/baton.routing.v1.RoutingService/{}", request.method);
        let key = RequestKey::new(tenant.as_str(), &request.caller.subject, &method, request.request_id)?;
        idempotent(&self.matcher.core.db, &key, request.message, self.matcher.core.clock.now_us(), change).await
    }
}

#[tonic::async_trait]
impl RoutingService for RoutingApi {
    async fn put_call_flow(
        &self,
        request: Request<PutCallFlowRequest>,
    ) -> Result<Response<PutCallFlowResponse>, Status> {
        let caller = request.caller()?.clone();
        let tenant = caller.tenant()?;
        let request = request.into_inner();
        let given = request.call_flow.clone().ok_or_else(|| missing("call_flow"))?;
        let checked = flow::check(given, baton_runtime::ids::new_uuid())?;
        // Checked before the transaction, which must not wait for presence; used in it, so that a retry gets the first answer.
        let known = self.matcher.core.presence.check(tenant, &checked.targets).await;
        let change = configuration_request(&caller, "PutCallFlow", &request.request_id, &request);
        let response = self.change_once(change, async |tx| {
            known?;
            flows::put(tx, tenant, checked.id, &checked.flow).await?;
            Ok(PutCallFlowResponse { call_flow: Some(checked.flow) })
        });
        Ok(Response::new(response.await?))
    }

    async fn get_call_flow(
        &self,
        request: Request<GetCallFlowRequest>,
    ) -> Result<Response<GetCallFlowResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        let id = flow::uuid("call_flow_id", &request.get_ref().call_flow_id)?;
        let found = flows::get(&mut self.matcher.core.db.read().await?, tenant, id).await?;
        let call_flow = found.ok_or_else(|| ApiError::not_found("call flow"))?;
        Ok(Response::new(GetCallFlowResponse { call_flow: Some(call_flow) }))
    }

    async fn list_call_flows(
        &self,
        request: Request<ListCallFlowsRequest>,
    ) -> Result<Response<ListCallFlowsResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        let message = request.get_ref();
        let (size, after) =
            fields::all((page::size(message.page_size), ConfigurationCursor::parse(&message.page_token)))?;
        let mut call_flows = flows::list(&mut self.matcher.core.db.read().await?, tenant, &after, size + 1).await?;
        let next_page_token = page::cut(&mut call_flows, size, |flow| {
            ConfigurationCursor { key: flow.name.to_lowercase(), id: flow.call_flow_id.parse().unwrap_or_default() }
                .token()
        });
        Ok(Response::new(ListCallFlowsResponse { call_flows, next_page_token }))
    }

    async fn delete_call_flow(
        &self,
        request: Request<DeleteCallFlowRequest>,
    ) -> Result<Response<DeleteCallFlowResponse>, Status> {
        let caller = request.caller()?.clone();
        let tenant = caller.tenant()?;
        let request = request.into_inner();
        let id = flow::uuid("call_flow_id", &request.call_flow_id)?;
        let change = configuration_request(&caller, "DeleteCallFlow", &request.request_id, &request);
        let response = self.change_once(change, async |tx| {
            if !flows::exists(tx, tenant, id).await? {
                return Err(ApiError::not_found("call flow").into());
            }
            if let Some(number) = numbers::using(tx, tenant, id).await? {
                let message = "A number uses this call flow. Give the number another one first.";
                return Err(ApiError::failed_precondition(ErrorReason::InUse, message).with("number", number).into());
            }
            flows::delete(tx, tenant, id).await?;
            Ok(DeleteCallFlowResponse {})
        });
        Ok(Response::new(response.await?))
    }

    async fn put_number(&self, request: Request<PutNumberRequest>) -> Result<Response<PutNumberResponse>, Status> {
        let caller = request.caller()?.clone();
        let tenant = caller.tenant()?;
        let request = request.into_inner();
        let given = request.number.as_ref().ok_or_else(|| missing("number"))?;
        let (number, call_flow_id) =
            fields::all((number::parse("number.number", &given.number), flow_id(&given.call_flow_id)))?;
        let row = NumberRow { number, call_flow_id };
        let change = configuration_request(&caller, "PutNumber", &request.request_id, &request);
        let response = self.change_once(change, async |tx| {
            if let Some(id) = row.call_flow_id
                && !flows::exists(tx, tenant, id).await?
            {
                let why = "there is no such call flow; create it first";
                return Err(ApiError::invalid_argument("number.call_flow_id", why).into());
            }
            numbers::put(tx, tenant, &row).await?;
            Ok(PutNumberResponse { number: Some(shown(row)) })
        });
        Ok(Response::new(response.await?))
    }

    async fn list_numbers(
        &self,
        request: Request<ListNumbersRequest>,
    ) -> Result<Response<ListNumbersResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        let message = request.get_ref();
        let (size, after) =
            fields::all((page::size(message.page_size), ConfigurationCursor::parse(&message.page_token)))?;
        let mut rows = numbers::list(&mut self.matcher.core.db.read().await?, tenant, &after.key, size + 1).await?;
        let next_page_token =
            page::cut(&mut rows, size, |row| ConfigurationCursor { key: row.number.clone(), id: Uuid::nil() }.token());
        let numbers = rows.into_iter().map(shown).collect();
        Ok(Response::new(ListNumbersResponse { numbers, next_page_token }))
    }

    async fn delete_number(
        &self,
        request: Request<DeleteNumberRequest>,
    ) -> Result<Response<DeleteNumberResponse>, Status> {
        let caller = request.caller()?.clone();
        let tenant = caller.tenant()?;
        let request = request.into_inner();
        let number = number::parse("number", &request.number)?;
        let change = configuration_request(&caller, "DeleteNumber", &request.request_id, &request);
        let response = self.change_once(change, async |tx| {
            if !numbers::delete(tx, tenant, &number).await? {
                return Err(ApiError::not_found("number").into());
            }
            Ok(DeleteNumberResponse {})
        });
        Ok(Response::new(response.await?))
    }

    async fn put_dial_rule(
        &self,
        request: Request<PutDialRuleRequest>,
    ) -> Result<Response<PutDialRuleResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.put_rule(&caller, request.into_inner()).await?))
    }

    async fn list_dial_rules(
        &self,
        request: Request<ListDialRulesRequest>,
    ) -> Result<Response<ListDialRulesResponse>, Status> {
        Ok(Response::new(self.list_rules(request.caller()?).await?))
    }

    async fn delete_dial_rule(
        &self,
        request: Request<DeleteDialRuleRequest>,
    ) -> Result<Response<DeleteDialRuleResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.delete_rule(&caller, request.into_inner()).await?))
    }
}

pub(super) fn configuration_request<'a, Request>(
    caller: &'a Caller,
    method: &'static str,
    request_id: &'a str,
    message: &'a Request,
) -> ConfigurationRequest<'a, Request> {
    ConfigurationRequest { caller, method, request_id, message }
}

pub(super) fn missing(field: &str) -> ApiError {
    ApiError::invalid_argument(field, "must be given")
}

fn flow_id(text: &str) -> Result<Option<Uuid>, ApiError> {
    let given = Some(text).filter(|it| !it.is_empty());
    given.map(|it| flow::uuid("number.call_flow_id", it)).transpose()
}

fn shown(row: NumberRow) -> Number {
    let call_flow_id = row.call_flow_id.map(|it| it.to_string()).unwrap_or_default();
    Number { number: row.number, call_flow_id }
}
