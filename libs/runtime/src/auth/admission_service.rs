//! `baton.tenant.v1.AdmissionService`: what a process owns of the list of whose tokens are accepted, for the other processes.

use std::sync::Arc;

use baton_api::ApiError;
use baton_api::tenant::v1 as proto;
use baton_api::tenant::v1::admission_service_server::{AdmissionService, AdmissionServiceServer};
use baton_api::tenant::v1::{
    AdmittedTenant, DeletedAgent, LookupTenantRequest, LookupTenantResponse, WatchAdmissionsRequest,
    WatchAdmissionsResponse,
};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::sync::broadcast;
use tonic::{Request, Response, Status};

use super::admission_list::ListAndChanges;
use super::{AdmissionList, Grants, TenantAdmission, TenantId, TenantLimits, TenantState};
use crate::stream::endless;

/// So many of the list in one message: well below what clients accept.
const AT_ONCE: usize = 1_000;

/// What a process owns of the list, and may tell others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnedAdmissions {
    Tenants,
    DeletedAgents,
}

/// Mounted between services, by the processes that own tenants or agents.
#[derive(Clone, Debug)]
pub struct AdmissionApi {
    list: AdmissionList,
    owned: OwnedAdmissions,
}

impl AdmissionApi {
    pub fn server(list: AdmissionList, owned: OwnedAdmissions) -> AdmissionServiceServer<Self> {
        AdmissionServiceServer::new(Self { list, owned })
    }
}

#[tonic::async_trait]
impl AdmissionService for AdmissionApi {
    type WatchAdmissionsStream = BoxStream<'static, Result<WatchAdmissionsResponse, Status>>;

    async fn watch_admissions(
        &self,
        _request: Request<WatchAdmissionsRequest>,
    ) -> Result<Response<Self::WatchAdmissionsStream>, Status> {
        let answers = match self.owned {
            OwnedAdmissions::Tenants => answers(self.list.tenants_and_changes(), |tenants| WatchAdmissionsResponse {
                tenants: tenants.iter().filter_map(admitted).collect(),
                ..WatchAdmissionsResponse::default()
            }),
            OwnedAdmissions::DeletedAgents => {
                answers(self.list.deleted_agents_and_changes(), |agents| WatchAdmissionsResponse {
                    deleted_agents: agents.iter().map(deleted).collect(),
                    ..WatchAdmissionsResponse::default()
                })
            }
        };
        Ok(Response::new(answers))
    }

    async fn lookup_tenant(
        &self,
        request: Request<LookupTenantRequest>,
    ) -> Result<Response<LookupTenantResponse>, Status> {
        let tenant: TenantId = (request.into_inner().tenant_id.parse())
            .map_err(|_| ApiError::invalid_argument("tenant_id", "is no tenant's id"))?;
        let found = self.list.tenant(&tenant).filter(|_| self.owned == OwnedAdmissions::Tenants);
        Ok(Response::new(LookupTenantResponse { tenant: found.and_then(|it| admitted(&(tenant, it))) }))
    }
}

/// The list in some messages, the last of which says that it is complete, and then each change.
fn answers<T: Clone + Send + Sync + 'static>(
    (list, changes): ListAndChanges<T>,
    message: impl Fn(&[T]) -> WatchAdmissionsResponse + Copy + Send + 'static,
) -> BoxStream<'static, Result<WatchAdmissionsResponse, Status>> {
    let first: Vec<_> = list.chunks(AT_ONCE).map(message).collect();
    let complete = WatchAdmissionsResponse { is_complete: true, ..WatchAdmissionsResponse::default() };
    let later = stream::unfold(changes, move |mut changes| async move {
        match changes.recv().await {
            Ok(change) => Some((Ok(message(&[change])), changes)),
            // The end says so, and the reader begins again.
            Err(broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed) => None,
        }
    });
    endless(stream::iter(first).chain(stream::iter([complete])).map(Ok).chain(later))
}

fn admitted((tenant, admission): &(TenantId, TenantAdmission)) -> Option<AdmittedTenant> {
    let state = match admission.state? {
        TenantState::Active => proto::TenantState::Active,
        TenantState::Suspended => proto::TenantState::Suspended,
    };
    let (grants, limits) = (admission.grants.as_ref().clone(), admission.limits);
    Some(AdmittedTenant {
        tenant_id: tenant.to_string(),
        state: state.into(),
        grants: Some(proto::TenantGrants { numbers: grants.numbers, destinations: grants.destinations }),
        limits: Some(proto::TenantLimits {
            live_interactions: 0,
            calls_per_second: i32::try_from(limits.calls_per_second).unwrap_or(i32::MAX),
            changes_per_second: i32::try_from(limits.changes_per_second).unwrap_or(i32::MAX),
            stored_mib: i32::try_from(limits.stored_mib).unwrap_or(i32::MAX),
        }),
    })
}

/// The tenant, as it was received; `None` if it is none.
pub(super) fn tenant(received: AdmittedTenant) -> Option<(TenantId, TenantAdmission)> {
    let state = match received.state() {
        proto::TenantState::Active => TenantState::Active,
        proto::TenantState::Suspended => TenantState::Suspended,
        proto::TenantState::Unspecified => return None,
    };
    let (grants, limits) = (received.grants.unwrap_or_default(), received.limits.unwrap_or_default());
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    let admission = TenantAdmission {
        state: Some(state),
        grants: Arc::new(Grants { numbers: grants.numbers, destinations: grants.destinations }),
        limits: TenantLimits {
            calls_per_second: count(limits.calls_per_second),
            changes_per_second: count(limits.changes_per_second),
            stored_mib: count(limits.stored_mib),
        },
    };
    Some((received.tenant_id.parse().ok()?, admission))
}

fn deleted((tenant, agent): &(TenantId, String)) -> DeletedAgent {
    DeletedAgent { tenant_id: tenant.to_string(), agent_id: agent.clone() }
}
