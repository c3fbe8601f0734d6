//! The service on the wire: it turns messages into types and back, and decides nothing.

mod agent_feed;
pub(crate) mod claims;
mod connect;
pub(crate) mod directory;
mod parse;
pub(crate) mod presence;
mod update;
pub(crate) mod watch_agent;
mod watch_availability;
mod watch_targets;

use std::sync::Arc;

use baton_api::ApiError;
use baton_runtime::auth::TenantId;
use baton_runtime::quota::{Permit, Quota};

use crate::core::PresenceCore;

/// Clients' streams of all sorts that one process serves at the same time, and those of one tenant. Routing's stream does not
/// count: without it no agent would be proposed to any wait.
const MAX_STREAMS: usize = 10_000;
const MAX_STREAMS_OF_TENANT: usize = 5_000;

/// Implements the three gRPC services.
#[derive(Clone)]
pub(crate) struct PresenceApi {
    pub(crate) core: Arc<PresenceCore>,
    streams: Arc<Quota>,
}

impl PresenceApi {
    pub(crate) fn new(core: Arc<PresenceCore>) -> Self {
        Self { core, streams: Arc::new(Quota::new(MAX_STREAMS, MAX_STREAMS_OF_TENANT)) }
    }

    /// A permit for one stream of the tenant.
    fn stream_permit(&self, tenant: &TenantId) -> Result<Permit, ApiError> {
        self.streams.take(tenant.as_str()).map_err(|error| {
            ApiError::resource_exhausted(format!("No more streams: {error}. End some, or try again later."))
        })
    }
}

#[cfg(test)]
mod tests {
    use baton_api::presence::v1::WatchAvailabilityRequest;
    use baton_api::presence::v1::claim_service_server::ClaimService as _;
    use tonic::Request;

    use super::*;
    use crate::core::tests::open;

    #[tokio::test]
    async fn a_tenant_with_many_streams_leaves_some_to_others_and_routing_needs_none() {
        let (core, _folder) = open().await;
        let api = PresenceApi::new(core);
        let tenants = ["acme", "globex", "initech"].map(|it| it.parse::<TenantId>().unwrap());
        let take = |tenant: &TenantId| std::iter::from_fn(|| api.stream_permit(tenant).ok()).collect::<Vec<_>>();
        let permits = [&tenants[0], &tenants[1]].map(take);
        assert_eq!(permits.each_ref().map(Vec::len), [MAX_STREAMS_OF_TENANT; 2]);
        assert!(api.stream_permit(&tenants[2]).is_err(), "all are taken");
        api.watch_availability(Request::new(WatchAvailabilityRequest {})).await.unwrap();
    }
}
