//! `RoutingService`, each resource in a file of its own: `call_flows`, `numbers`, `dial_rules`, `external_numbers`, `queues`, `ivr_flows`.

use baton_api::ApiError;
use baton_api::event::v1::{Change, routing_changed::Configuration};
use baton_api::routing::v1::routing_service_server::RoutingService;
use baton_api::routing::v1::{
    DeleteCallFlowRequest, DeleteCallFlowResponse, DeleteDialRuleRequest, DeleteDialRuleResponse,
    DeleteExternalNumberRequest, DeleteExternalNumberResponse, DeleteNumberRequest, DeleteNumberResponse,
    DeleteQueueRequest, DeleteQueueResponse, GetCallFlowRequest, GetCallFlowResponse, GetDialRuleRequest,
    GetDialRuleResponse, GetExternalNumberRequest, GetExternalNumberResponse, GetNumberRequest, GetNumberResponse,
    GetQueueRequest, GetQueueResponse, GetQueueStatisticsRequest, GetQueueStatisticsResponse, ListCallFlowsRequest,
    ListCallFlowsResponse, ListDialRulesRequest, ListDialRulesResponse, ListExternalNumbersRequest,
    ListExternalNumbersResponse, ListNumbersRequest, ListNumbersResponse, ListQueueStatisticsRequest,
    ListQueueStatisticsResponse, ListQueuesRequest, ListQueuesResponse, UpdateCallFlowRequest, UpdateCallFlowResponse,
    UpdateDialRuleRequest, UpdateDialRuleResponse, UpdateExternalNumberRequest, UpdateExternalNumberResponse,
    UpdateNumberRequest, UpdateNumberResponse, UpdateQueueRequest, UpdateQueueResponse,
};
use baton_api::routing::v1::{
    DeleteIvrFlowRequest, DeleteIvrFlowResponse, GetIvrFlowRequest, GetIvrFlowResponse, ListIvrFlowsRequest,
    ListIvrFlowsResponse, UpdateIvrFlowRequest, UpdateIvrFlowResponse,
};
use baton_runtime::CallerExt as _;
use baton_runtime::auth::Caller;
use baton_store::requests::RequestKey;
use baton_store::{Done, Etag, StoreError, Tx, idempotent};
use prost::Message;
use tonic::{Request, Response, Status};

use super::RoutingApi;
use crate::events;

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
    pub(super) async fn change_once<Request, Response, F>(
        &self,
        request: ConfigurationRequest<'_, Request>,
        change: impl FnMut(Tx) -> F,
    ) -> Result<Response, Status>
    where
        Request: Message,
        Response: Message + Default,
        F: Future<Output = Result<Done<Response>, Status>>,
    {
        let tenant = request.caller.tenant()?;
        let method = format!("/baton.routing.v1.RoutingService/{}", request.method);
        let key = RequestKey::new(tenant.as_str(), &request.caller.subject, &method, request.request_id)?;
        idempotent(&self.matcher.core.db, &key, request.message, self.matcher.core.clock.now_us(), change).await
    }

    /// Publishes a change, with it.
    pub(super) async fn changed(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        change: Change,
        configuration: Configuration,
    ) -> Result<(), Status> {
        events::changed(tx, caller, change, configuration, self.matcher.core.clock.now_us()).await
    }
}

#[tonic::async_trait]
impl RoutingService for RoutingApi {
    async fn get_call_flow(
        &self,
        request: Request<GetCallFlowRequest>,
    ) -> Result<Response<GetCallFlowResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_flow(tenant, request.get_ref()).await?))
    }

    async fn list_call_flows(
        &self,
        request: Request<ListCallFlowsRequest>,
    ) -> Result<Response<ListCallFlowsResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_flows(tenant, request.get_ref()).await?))
    }

    async fn update_call_flow(
        &self,
        request: Request<UpdateCallFlowRequest>,
    ) -> Result<Response<UpdateCallFlowResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.change_flow(&caller, &request.into_inner()).await?))
    }

    async fn delete_call_flow(
        &self,
        request: Request<DeleteCallFlowRequest>,
    ) -> Result<Response<DeleteCallFlowResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.remove_flow(&caller, &request.into_inner()).await?))
    }

    async fn get_number(&self, request: Request<GetNumberRequest>) -> Result<Response<GetNumberResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_number(tenant, request.get_ref()).await?))
    }

    async fn list_numbers(
        &self,
        request: Request<ListNumbersRequest>,
    ) -> Result<Response<ListNumbersResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_numbers(tenant, request.get_ref()).await?))
    }

    async fn update_number(
        &self,
        request: Request<UpdateNumberRequest>,
    ) -> Result<Response<UpdateNumberResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.change_number(&caller, &request.into_inner()).await?))
    }

    async fn delete_number(
        &self,
        request: Request<DeleteNumberRequest>,
    ) -> Result<Response<DeleteNumberResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.remove_number(&caller, &request.into_inner()).await?))
    }

    async fn get_dial_rule(
        &self,
        request: Request<GetDialRuleRequest>,
    ) -> Result<Response<GetDialRuleResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_rule(tenant, request.get_ref()).await?))
    }

    async fn list_dial_rules(
        &self,
        request: Request<ListDialRulesRequest>,
    ) -> Result<Response<ListDialRulesResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_rules(tenant, request.get_ref()).await?))
    }

    async fn get_ivr_flow(&self, request: Request<GetIvrFlowRequest>) -> Result<Response<GetIvrFlowResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_ivr_flow(tenant, request.get_ref()).await?))
    }

    async fn list_ivr_flows(
        &self,
        request: Request<ListIvrFlowsRequest>,
    ) -> Result<Response<ListIvrFlowsResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_ivr_flows(tenant, request.get_ref()).await?))
    }

    async fn update_ivr_flow(
        &self,
        request: Request<UpdateIvrFlowRequest>,
    ) -> Result<Response<UpdateIvrFlowResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.change_ivr_flow(&caller, &request.into_inner()).await?))
    }

    async fn delete_ivr_flow(
        &self,
        request: Request<DeleteIvrFlowRequest>,
    ) -> Result<Response<DeleteIvrFlowResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.remove_ivr_flow(&caller, &request.into_inner()).await?))
    }

    async fn update_dial_rule(
        &self,
        request: Request<UpdateDialRuleRequest>,
    ) -> Result<Response<UpdateDialRuleResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.change_rule(&caller, &request.into_inner()).await?))
    }

    async fn delete_dial_rule(
        &self,
        request: Request<DeleteDialRuleRequest>,
    ) -> Result<Response<DeleteDialRuleResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.remove_rule(&caller, &request.into_inner()).await?))
    }

    async fn get_external_number(
        &self,
        request: Request<GetExternalNumberRequest>,
    ) -> Result<Response<GetExternalNumberResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_external_number(tenant, request.get_ref()).await?))
    }

    async fn list_external_numbers(
        &self,
        request: Request<ListExternalNumbersRequest>,
    ) -> Result<Response<ListExternalNumbersResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_external_numbers(tenant, request.get_ref()).await?))
    }

    async fn update_external_number(
        &self,
        request: Request<UpdateExternalNumberRequest>,
    ) -> Result<Response<UpdateExternalNumberResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.change_external_number(&caller, &request.into_inner()).await?))
    }

    async fn delete_external_number(
        &self,
        request: Request<DeleteExternalNumberRequest>,
    ) -> Result<Response<DeleteExternalNumberResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.remove_external_number(&caller, &request.into_inner()).await?))
    }

    async fn get_queue(&self, request: Request<GetQueueRequest>) -> Result<Response<GetQueueResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_queue(tenant, request.get_ref()).await?))
    }

    async fn list_queues(&self, request: Request<ListQueuesRequest>) -> Result<Response<ListQueuesResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_queues(tenant, request.get_ref()).await?))
    }

    async fn get_queue_statistics(
        &self,
        request: Request<GetQueueStatisticsRequest>,
    ) -> Result<Response<GetQueueStatisticsResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.read_queue_statistics(tenant, request.get_ref()).await?))
    }

    async fn list_queue_statistics(
        &self,
        request: Request<ListQueueStatisticsRequest>,
    ) -> Result<Response<ListQueueStatisticsResponse>, Status> {
        let tenant = request.caller()?.tenant()?;
        Ok(Response::new(self.list_statistics(tenant, request.get_ref()).await?))
    }

    async fn update_queue(
        &self,
        request: Request<UpdateQueueRequest>,
    ) -> Result<Response<UpdateQueueResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.change_queue(&caller, &request.into_inner()).await?))
    }

    async fn delete_queue(
        &self,
        request: Request<DeleteQueueRequest>,
    ) -> Result<Response<DeleteQueueResponse>, Status> {
        let caller = request.caller()?.clone();
        Ok(Response::new(self.remove_queue(&caller, &request.into_inner()).await?))
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

pub(super) fn given<'a, T>(message: Option<&'a T>, field: &str) -> Result<&'a T, ApiError> {
    message.ok_or_else(|| ApiError::invalid_argument(field, "must be given"))
}

/// Locks the whole configuration: people change it now and then, and a number is one tenant's alone.
pub(super) async fn lock(tx: &mut Tx) -> Result<(), StoreError> {
    tx.lock(["routing/configuration".to_owned()]).await
}

/// The etag of what is written now.
pub(super) fn fresh_etag() -> Etag {
    Etag::new(baton_runtime::ids::new_uuid())
}
