//! The service on the wire.

mod call_flows;
mod configuration;
mod dial_rules;
mod external_numbers;
mod ivr_flows;
mod numbers;
mod queues;
pub(crate) mod route;

use std::sync::Arc;

use crate::matcher::Matcher;

/// Implements the two gRPC services.
#[derive(Clone)]
pub(crate) struct RoutingApi {
    pub(crate) matcher: Arc<Matcher>,
}
