//! What keeps one admin from undoing another's change.

use baton_api::ApiError;
use baton_api::error::ErrorReason;

/// Names what an agent or a team is like; opaque to clients. Each change makes another one.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct Etag(String);

impl Etag {
    pub(crate) fn fresh() -> Self {
        Self(baton_runtime::ids::new_uuid().simple().to_string())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Refuses a change of `what` that was decided on something else than what is there; an empty etag accepts whatever that is.
    pub(crate) fn check(&self, read: &str, what: &str) -> Result<(), ApiError> {
        if read.is_empty() || read == self.0 {
            return Ok(());
        }
        let message = format!(
            "The {what} was changed since you read it, and nothing was changed now. Read it again, and repeat your change with the etag \
             that it has then, if you still want it."
        );
        Err(ApiError::aborted(ErrorReason::VersionConflict, message).with("what", what))
    }
}
