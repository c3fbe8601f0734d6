//! The requests of routing to the presence service.

use std::collections::BTreeSet;
use std::time::Duration;

use baton_api::ApiError;
use baton_api::common::v1::{AgentRef, TeamRef};
use baton_api::presence::v1::claim_service_client::ClaimServiceClient;
use baton_api::presence::v1::{
    ListCandidatesRequest, ListCandidatesResponse, LookupAgentsRequest, LookupTeamsRequest, WatchAvailabilityRequest,
    WatchAvailabilityResponse,
};
use baton_runtime::auth::TenantId;
use baton_runtime::client::InternalChannel;
use tonic::{Code, Request, Status, Streaming};
use uuid::Uuid;

use crate::flow::FlowTargets;

/// Presence answers from memory: an answer that takes longer is a failure, and a caller of routing waits meanwhile.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// The free agents of a team in one answer: as many as presence names.
pub(crate) const CANDIDATES: usize = 100;

/// Ids in one request: as many as presence takes.
const LOOKED_UP: usize = 100;

#[derive(Clone)]
pub(crate) struct PresenceClient(ClaimServiceClient<InternalChannel>);

impl PresenceClient {
    pub(crate) fn new(presence: InternalChannel) -> Self {
        Self(ClaimServiceClient::new(presence))
    }

    /// The agents among these who exist.
    pub(crate) async fn agents(&self, tenant: &TenantId, ids: BTreeSet<String>) -> Result<Vec<AgentRef>, Status> {
        let mut found = Vec::new();
        for agent_ids in in_lots(ids) {
            let request = LookupAgentsRequest { tenant: tenant.to_string(), agent_ids };
            found.extend(self.0.clone().lookup_agents(soon(request)).await?.into_inner().agents);
        }
        Ok(found)
    }

    /// The teams among these that exist.
    pub(crate) async fn teams(&self, tenant: &TenantId, ids: BTreeSet<String>) -> Result<Vec<TeamRef>, Status> {
        let mut found = Vec::new();
        for team_ids in in_lots(ids) {
            let request = LookupTeamsRequest { tenant: tenant.to_string(), team_ids };
            found.extend(self.0.clone().lookup_teams(soon(request)).await?.into_inner().teams);
        }
        Ok(found)
    }

    /// Refuses targets that do not exist, by the field that names them.
    pub(crate) async fn check(&self, tenant: &TenantId, targets: &FlowTargets) -> Result<(), Status> {
        let agents = self.agents(tenant, targets.agents.keys().map(Uuid::to_string).collect()).await?;
        let is_known = |id: &Uuid| agents.iter().any(|it| it.agent_id == id.to_string());
        if let Some((_, field)) = targets.agents.iter().find(|(id, _)| !is_known(id)) {
            return Err(ApiError::invalid_argument(field, "there is no such agent; create them first").into());
        }
        let teams = self.teams(tenant, targets.teams.keys().map(Uuid::to_string).collect()).await?;
        let is_known = |id: &Uuid| teams.iter().any(|it| it.team_id == id.to_string());
        if let Some((_, field)) = targets.teams.iter().find(|(id, _)| !is_known(id)) {
            return Err(ApiError::invalid_argument(field, "there is no such team; create it first").into());
        }
        Ok(())
    }

    /// The agents of a team or queue who have room for one more of this medium, in the order in which they are to be asked, and whether it has members at all who are not skipped. A team that
    /// is gone has none.
    pub(crate) async fn candidates(
        &self,
        tenant: &TenantId,
        asked: &ListCandidatesRequest,
        skip: &[String],
    ) -> Result<ListCandidatesResponse, Status> {
        let request = ListCandidatesRequest {
            tenant: tenant.to_string(),
            skip_agent_ids: skip.to_vec(),
            limit: CANDIDATES as i32,
            ..asked.clone()
        };
        match self.0.clone().list_candidates(soon(request)).await {
            Ok(response) => Ok(response.into_inner()),
            Err(status) if status.code() == Code::NotFound => Ok(ListCandidatesResponse::default()),
            Err(status) => Err(status),
        }
    }

    /// The tenants where an agent became available, as it happens.
    pub(crate) async fn watch(&self) -> Result<Streaming<WatchAvailabilityResponse>, Status> {
        Ok(self.0.clone().watch_availability(WatchAvailabilityRequest {}).await?.into_inner())
    }
}

fn in_lots(ids: BTreeSet<String>) -> Vec<Vec<String>> {
    let ids: Vec<_> = ids.into_iter().collect();
    ids.chunks(LOOKED_UP).map(<[String]>::to_vec).collect()
}

fn soon<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(ANSWER_WITHIN);
    request
}
