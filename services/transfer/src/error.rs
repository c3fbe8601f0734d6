//! What can go wrong behind the handler.

use baton_api::{ApiError, error::ErrorReason};
use baton_domain::Refusal;
use baton_store::{ChangeError, StoreError};
use std::sync::Arc;
use tonic::Status;

/// Why an input was not committed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    /// The database. Several callers may have the same error: their changes were committed together.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
    /// Somebody else was faster each time.
    #[error("the interaction was changed by another writer")]
    Conflict,
    /// The core refused; only commands are.
    #[error(transparent)]
    Refused(Refusal),
    /// An answer for the client that is kept under the request id.
    #[error("{}", .0.message())]
    Status(Status),
}

impl From<StoreError> for SubmitError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl ChangeError for SubmitError {
    fn is_overtaken(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_overtaken())
    }
}

impl From<SubmitError> for Status {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Store(error) => ApiError::from(&*error).into(),
            SubmitError::Conflict => ApiError::overtaken("Somebody else changed it meanwhile; try again.").into(),
            SubmitError::Refused(refusal) => {
                ApiError::failed_precondition(ErrorReason::NotAllowedNow, refusal.to_string()).into()
            }
            SubmitError::Status(status) => status,
        }
    }
}
