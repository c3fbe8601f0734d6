//! The service on the wire: input becomes types here, and nothing is decided.

pub(crate) mod claims;
mod connect;
pub(crate) mod directory;
mod parse;
pub(crate) mod presence;
mod watch_availability;
mod watch_targets;

use std::sync::Arc;

use baton_api::ApiError;
use baton_runtime::auth::TenantId;
use baton_runtime::shares::{Place, Shares};

use crate::core::Core;

/// Clients' streams of all sorts that one process serves at the same time, and those of one tenant. What routing listens to is
/// none of them: without it nobody would be proposed to anybody.
const MAX_STREAMS: usize = 10_000;
const MAX_STREAMS_OF_TENANT: usize = 5_000;

/// What the three gRPC services share.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) core: Arc<Core>,
    streams: Arc<Shares>,
}

impl Api {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, streams: Arc::new(Shares::new(MAX_STREAMS, MAX_STREAMS_OF_TENANT)) }
    }

    /// A place among the tenant's streams, given back when it is dropped.
    fn place(&self, tenant: &TenantId) -> Result<Place, ApiError> {
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
        let api = Api::new(core);
        let tenants = ["acme", "globex", "initech"].map(|it| it.parse::<TenantId>().unwrap());
        let take = |tenant: &TenantId| std::iter::from_fn(|| api.place(tenant).ok()).collect::<Vec<_>>();
        let taken = [&tenants[0], &tenants[1]].map(take);
        assert_eq!(taken.each_ref().map(Vec::len), [MAX_STREAMS_OF_TENANT; 2]);
        assert!(api.place(&tenants[2]).is_err(), "all are taken");
        api.watch_availability(Request::new(WatchAvailabilityRequest {})).await.unwrap();
    }
}
