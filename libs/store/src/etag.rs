//! What keeps one editor from undoing another's change (AIP-154).

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use uuid::Uuid;

/// Names one version of what people edit; opaque to clients. Each change makes another one. The default, which is empty, is that of what is
/// not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct Etag(String);

impl Etag {
    /// The etag of something whose versions are counted.
    pub fn of_version(version: u64) -> Self {
        Self(version.to_string())
    }

    /// From a fresh id.
    pub fn new(id: Uuid) -> Self {
        Self(id.simple().to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Refuses a change of `what` that was decided on something else than what is there; an empty etag accepts whatever that is.
    pub fn check(&self, read: &str, what: &str) -> Result<(), ApiError> {
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
