//! What can go wrong behind the handler.

use baton_api::{ApiError, error::ErrorReason};
use baton_domain::Refusal;
use baton_store::StoreError;
use tonic::Status;

/// Why an input was not committed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else changed the interaction between the read and the write. Not on `SQLite`, which has one writer.
    #[error("the interaction was changed by another writer")]
    Conflict,
    /// The core refused; only commands are.
    #[error(transparent)]
    Refused(Refusal),
    /// An answer for the client that is kept under the request id.
    #[error("{}", .0.message())]
    Status(Status),
}

impl From<SubmitError> for Status {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Store(error) => error.into(),
            SubmitError::Conflict => ApiError::overtaken("Somebody else changed it meanwhile; try again.").into(),
            SubmitError::Refused(refusal) => {
                ApiError::failed_precondition(ErrorReason::NotAllowedNow, refusal.to_string()).into()
            }
            SubmitError::Status(status) => status,
        }
    }
}
