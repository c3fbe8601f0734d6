//! What all parts of the service share.

use std::sync::Arc;
use std::time::Duration;

use baton_runtime::Clock;
use baton_runtime::auth::AdmissionList;
use baton_runtime::lifecycle::Lifecycle;
use baton_store::Db;
use tokio::sync::Notify;

use crate::presence::PresenceClient;

pub(crate) struct RoutingCore {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) presence: PresenceClient,
    /// What of the telephone network tenants may use.
    pub(crate) admitted: AdmissionList,
    /// How often a scan tries again to match the waits that are not answered.
    pub(crate) rescan: Duration,
    /// There are answers that the transfer service has not acknowledged.
    pub(crate) unreported: Arc<Notify>,
}

impl RoutingCore {
    pub(crate) fn new(
        (db, clock, lifecycle): (Db, Clock, Lifecycle),
        presence: PresenceClient,
        admitted: AdmissionList,
        rescan: Duration,
    ) -> Self {
        Self { db, clock, lifecycle, presence, admitted, rescan, unreported: Arc::default() }
    }
}
