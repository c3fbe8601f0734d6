//! The service on the wire.

mod configuration;
mod dial_rules;
mod route;

use std::sync::Arc;

use crate::matcher::Matcher;

/// What the two gRPC services share.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) matcher: Arc<Matcher>,
}
