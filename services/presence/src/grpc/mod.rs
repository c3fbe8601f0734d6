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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use crate::core::Core;

/// Streams of all sorts that one process serves at the same time.
const MAX_STREAMS: usize = 10_000;

/// What the three gRPC services share.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) core: Arc<Core>,
    streams: Arc<Semaphore>,
}

impl Api {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, streams: Arc::new(Semaphore::new(MAX_STREAMS)) }
    }

    /// A place among the streams, given back when the permit is dropped.
    fn stream_permit(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            let message = format!("{MAX_STREAMS} streams are open already. Try again later, or end some.");
            ApiError::resource_exhausted(message).into()
        })
    }
}
