//! Following the list of whose tokens are accepted, in a process that does not own it.
//!
//! A stream from each owner brings everything, and then each change within milliseconds. While an owner is away, what is known goes on to
//! hold. A token of a tenant that is not known here yet, because it was created a moment ago, costs one question.

use std::time::Duration;

use baton_api::tenant::v1::admission_service_client::AdmissionServiceClient;
use baton_api::tenant::v1::{LookupTenantRequest, WatchAdmissionsRequest, WatchAdmissionsResponse};
use tonic::Status;

use super::admission_service;
use super::{AdmissionList, OwnedAdmissions, TenantAdmission, TenantId};
use crate::client::{Backoff, InternalChannel, Peers, UnknownPeer};
use crate::clock::Clock;
use crate::lifecycle::Lifecycle;
use crate::service_name::ServiceName;

/// Whoever waits for the answer holds a place of a call.
const LOOKUP_DEADLINE: Duration = Duration::from_secs(2);

/// So many failures in a row: some seconds.
const WORTH_A_WARNING: u32 = 5;

/// Asks the owner of the tenants for one.
#[derive(Clone, Debug)]
pub(super) struct TenantLookup(InternalChannel);

impl TenantLookup {
    pub(super) async fn lookup(&self, tenant: &TenantId) -> Option<TenantAdmission> {
        let channel = self.0.with_default_deadline(LOOKUP_DEADLINE);
        let request = LookupTenantRequest { tenant_id: tenant.to_string() };
        match AdmissionServiceClient::new(channel).lookup_tenant(request).await {
            Ok(answer) => admission_service::tenant(answer.into_inner().tenant?).map(|(_, admission)| admission),
            Err(error) => {
                tracing::warn!(%error, "the transfer service can't be asked which tenants there are");
                None
            }
        }
    }
}

/// Lets the list of a process follow the owners', but for what the process itself owns.
///
/// # Errors
/// It is not known where an owner is.
pub fn follow_admissions(
    list: &AdmissionList,
    own: Option<OwnedAdmissions>,
    peers: &Peers,
    (clock, lifecycle): (&Clock, &Lifecycle),
) -> Result<(), UnknownPeer> {
    if own != Some(OwnedAdmissions::Tenants) {
        let owner = peers.to(ServiceName::Transfer)?;
        list.await_tenants(TenantLookup(owner.clone()));
        let (list, following) = (list.clone(), Following { owner, clock: clock.clone(), stop: lifecycle.soft() });
        lifecycle.spawn("tenants", async move { following.run(&list, AdmissionList::has_all_tenants).await });
    }
    if own != Some(OwnedAdmissions::DeletedAgents) {
        let owner = peers.to(ServiceName::Presence)?;
        list.await_deleted_agents();
        let (list, following) = (list.clone(), Following { owner, clock: clock.clone(), stop: lifecycle.soft() });
        lifecycle.spawn("deleted agents", async move {
            following.run(&list, AdmissionList::has_all_deleted_agents).await;
        });
    }
    Ok(())
}

struct Following {
    owner: InternalChannel,
    clock: Clock,
    stop: tokio_util::sync::CancellationToken,
}

impl Following {
    async fn run(self, list: &AdmissionList, complete: fn(&AdmissionList)) {
        let mut failures = 0;
        loop {
            let Some(ended) = self.stop.run_until_cancelled(self.follow(list, complete, &mut failures)).await else {
                return;
            };
            failures += 1;
            // When all processes start, the owner may be a moment later than the others.
            if failures == WORTH_A_WARNING {
                tracing::warn!(
                    error = ended.message(),
                    "whose tokens are accepted is not heard of; what is known goes on to hold"
                );
            }
            if self.stop.run_until_cancelled(self.clock.sleep(Backoff::default().pause(failures))).await.is_none() {
                return;
            }
        }
    }

    /// Until the stream ends; why it did.
    async fn follow(&self, list: &AdmissionList, complete: fn(&AdmissionList), failures: &mut u32) -> Status {
        let mut client = AdmissionServiceClient::new(self.owner.clone());
        let mut answers = match client.watch_admissions(WatchAdmissionsRequest {}).await {
            Ok(answers) => answers.into_inner(),
            Err(error) => return error,
        };
        loop {
            match answers.message().await {
                Ok(Some(answer)) => {
                    *failures = 0;
                    let is_complete = answer.is_complete;
                    take_over(list, answer);
                    if is_complete {
                        complete(list);
                    }
                }
                Ok(None) => return Status::unavailable("the stream has ended"),
                Err(error) => return error,
            }
        }
    }
}

fn take_over(list: &AdmissionList, answer: WatchAdmissionsResponse) {
    for (tenant, admission) in answer.tenants.into_iter().filter_map(admission_service::tenant) {
        list.put(tenant, admission);
    }
    let agents = answer.deleted_agents.into_iter();
    list.deleted(agents.filter_map(|it| Some((it.tenant_id.parse().ok()?, it.agent_id))));
}
