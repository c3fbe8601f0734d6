//! The services around the transfer service, as stand-ins.

use baton_api::{
    ApiError,
    common::v1::{AgentRef, Reason, RecordingMode, TeamRef},
    error::ErrorReason,
    fields,
    presence::v1::{self as presence, claim_service_server::ClaimService, claim_status::State},
    recording::v1::{self as recording, archive_service_server::ArchiveService},
    routing::v1::{self as routing, call_flow_step, route_service_server::RouteService},
    telephony::v1::{self as telephony, telephony_service_server::TelephonyService},
};
use std::sync::{Arc, Mutex};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// The agent with this number.
pub(crate) fn agent(n: u128) -> String {
    uuid::Uuid::from_u128(n).to_string()
}

/// What the peers were told, and what they are to do.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The newest plan.
    pub(crate) plan: Option<telephony::MediaPlan>,
    /// The pseudonyms of the customers whose recordings were to be deleted.
    pub(crate) forgotten: Vec<String>,
    /// How often a plan came.
    pub(crate) plans: usize,
    /// How often telephony was asked which plans it lacks.
    pub(crate) compared: usize,
    /// How many claims the newest projection has.
    pub(crate) claims: Option<usize>,
    /// Telephony does not answer.
    pub(crate) telephony_down: bool,
    /// Presence keeps silent about reservations.
    pub(crate) undecided: bool,
    /// Presence refuses every reservation.
    pub(crate) refuse: Option<Reason>,
}

/// All peers in one.
#[derive(Debug, Clone, Default)]
pub(crate) struct TransferPeers(pub(crate) Arc<Mutex<Notes>>);

#[tonic::async_trait]
impl TelephonyService for TransferPeers {
    async fn apply_plan(
        &self,
        request: Request<telephony::ApplyPlanRequest>,
    ) -> Result<Response<telephony::ApplyPlanResponse>, Status> {
        let mut notes = self.0.lock().unwrap();
        if notes.telephony_down {
            return Err(Status::unavailable("down"));
        }
        notes.plan = request.into_inner().plan;
        notes.plans += 1;
        Ok(Response::new(telephony::ApplyPlanResponse {}))
    }

    async fn compare_plans(
        &self,
        request: Request<telephony::ComparePlansRequest>,
    ) -> Result<Response<telephony::ComparePlansResponse>, Status> {
        let mut notes = self.0.lock().unwrap();
        notes.compared += 1;
        let version = notes.plan.as_ref().map_or(0, |plan| plan.version);
        let lacking = request.into_inner().versions.into_iter().filter(|it| it.version > version);
        let lacking_interaction_ids = lacking.map(|it| it.interaction_id).collect();
        Ok(Response::new(telephony::ComparePlansResponse { lacking_interaction_ids }))
    }
}

fn not_allowed() -> Status {
    ApiError::failed_precondition(ErrorReason::DialNotAllowed, "no rule allows it").into()
}

type Availability = ReceiverStream<Result<presence::WatchAvailabilityResponse, Status>>;

#[tonic::async_trait]
impl ClaimService for TransferPeers {
    type WatchAvailabilityStream = Availability;

    async fn sync_claims(
        &self,
        request: Request<presence::SyncClaimsRequest>,
    ) -> Result<Response<presence::SyncClaimsResponse>, Status> {
        let mut notes = self.0.lock().unwrap();
        if notes.undecided {
            return Err(Status::unavailable("undecided"));
        }
        notes.claims = Some(request.get_ref().claims.len());
        let refuse = notes.refuse;
        let claims = request.into_inner().claims.into_iter().map(|claim| {
            let reserved = claim.state() == presence::claim::State::Reserved;
            let (state, reason) = match refuse {
                Some(reason) if reserved => (State::Refused, reason),
                _ => (State::Granted, Reason::Unspecified),
            };
            presence::ClaimStatus { claim_id: claim.claim_id, state: state.into(), reason: reason.into() }
        });
        Ok(Response::new(presence::SyncClaimsResponse { claims: claims.collect() }))
    }

    async fn lookup_agents(
        &self,
        request: Request<presence::LookupAgentsRequest>,
    ) -> Result<Response<presence::LookupAgentsResponse>, Status> {
        let known = (1..=4).map(agent).filter(|id| request.get_ref().agent_ids.contains(id));
        let agents =
            known.map(|agent_id| AgentRef { agent_id, name: "Ada".into(), phone: "ada".into(), voicemail: false });
        Ok(Response::new(presence::LookupAgentsResponse { agents: agents.collect() }))
    }

    async fn lookup_teams(
        &self,
        request: Request<presence::LookupTeamsRequest>,
    ) -> Result<Response<presence::LookupTeamsResponse>, Status> {
        let team = |team_id| TeamRef { team_id, name: "Sales".into() };
        let teams = request.into_inner().team_ids.into_iter().map(team).collect();
        Ok(Response::new(presence::LookupTeamsResponse { teams }))
    }

    async fn compare_claims(
        &self,
        _: Request<presence::CompareClaimsRequest>,
    ) -> Result<Response<presence::CompareClaimsResponse>, Status> {
        Ok(Response::new(presence::CompareClaimsResponse::default()))
    }

    async fn list_candidates(
        &self,
        _: Request<presence::ListCandidatesRequest>,
    ) -> Result<Response<presence::ListCandidatesResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_choices(
        &self,
        _request: Request<presence::ListChoicesRequest>,
    ) -> Result<Response<presence::ListChoicesResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn watch_availability(
        &self,
        _: Request<presence::WatchAvailabilityRequest>,
    ) -> Result<Response<Availability>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tonic::async_trait]
impl RouteService for TransferPeers {
    async fn resolve_queue(
        &self,
        _: Request<routing::ResolveQueueRequest>,
    ) -> Result<Response<routing::ResolveQueueResponse>, Status> {
        Err(Status::not_found("no such queue"))
    }

    async fn list_queue_choices(
        &self,
        _: Request<routing::ListQueueChoicesRequest>,
    ) -> Result<Response<routing::ListQueueChoicesResponse>, Status> {
        Ok(Response::new(routing::ListQueueChoicesResponse::default()))
    }

    async fn resolve_ivr_flow(
        &self,
        _request: Request<baton_api::routing::v1::ResolveIvrFlowRequest>,
    ) -> Result<Response<baton_api::routing::v1::ResolveIvrFlowResponse>, Status> {
        Err(Status::not_found("no IVR flows here"))
    }

    async fn list_ivr_choices(
        &self,
        _request: Request<baton_api::routing::v1::ListIvrChoicesRequest>,
    ) -> Result<Response<baton_api::routing::v1::ListIvrChoicesResponse>, Status> {
        Ok(Response::new(baton_api::routing::v1::ListIvrChoicesResponse::default()))
    }

    async fn resolve_number(
        &self,
        request: Request<routing::ResolveNumberRequest>,
    ) -> Result<Response<routing::ResolveNumberResponse>, Status> {
        if !request.get_ref().number.starts_with("+32255501") {
            return Err(Status::not_found("no such number"));
        }
        let ring = call_flow_step::RingAgent { agent_id: agent(1), ring_ms: 0 };
        let step = routing::CallFlowStep { step: Some(call_flow_step::Step::RingAgent(ring)) };
        let call_flow = routing::CallFlow { steps: vec![step], ..Default::default() };
        let ada = AgentRef { agent_id: agent(1), name: "Ada".into(), phone: "ada".into(), voicemail: false };
        Ok(Response::new(routing::ResolveNumberResponse {
            call_flow: Some(call_flow),
            agents: vec![ada],
            number: request.into_inner().number,
            ..Default::default()
        }))
    }

    async fn resolve_dial(
        &self,
        request: Request<routing::ResolveDialRequest>,
    ) -> Result<Response<routing::ResolveDialResponse>, Status> {
        let number = |field, text: &str| {
            let is_number = text.starts_with('+');
            is_number.then_some(()).ok_or_else(|| ApiError::invalid_argument(field, "must be an E.164 number"))
        };
        fields::all((number("number", &request.get_ref().number), number("to", &request.get_ref().to)))?;
        let rule = if request.get_ref().to.starts_with("+32") { "+32" } else { return Err(not_allowed()) };
        Ok(Response::new(routing::ResolveDialResponse { allowed_by: rule.into(), external_number: None }))
    }

    async fn list_external_choices(
        &self,
        _: Request<routing::ListExternalChoicesRequest>,
    ) -> Result<Response<routing::ListExternalChoicesResponse>, Status> {
        Ok(Response::new(routing::ListExternalChoicesResponse::default()))
    }

    async fn compare_waits(
        &self,
        _: Request<routing::CompareWaitsRequest>,
    ) -> Result<Response<routing::CompareWaitsResponse>, Status> {
        Ok(Response::new(routing::CompareWaitsResponse::default()))
    }

    async fn sync_wait(
        &self,
        _: Request<routing::SyncWaitRequest>,
    ) -> Result<Response<routing::SyncWaitResponse>, Status> {
        Ok(Response::new(routing::SyncWaitResponse::default()))
    }
}

#[tonic::async_trait]
impl ArchiveService for TransferPeers {
    async fn resolve_mode(
        &self,
        _: Request<recording::ResolveModeRequest>,
    ) -> Result<Response<recording::ResolveModeResponse>, Status> {
        Ok(Response::new(recording::ResolveModeResponse { mode: RecordingMode::All.into() }))
    }

    async fn forget_customer(
        &self,
        request: Request<recording::ForgetCustomerRequest>,
    ) -> Result<Response<recording::ForgetCustomerResponse>, Status> {
        self.0.lock().unwrap().forgotten.push(request.into_inner().customer_key);
        Ok(Response::new(recording::ForgetCustomerResponse { recordings: 2, messages: 1 }))
    }

    async fn store_segment(
        &self,
        _: Request<Streaming<recording::StoreSegmentRequest>>,
    ) -> Result<Response<recording::StoreSegmentResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}
