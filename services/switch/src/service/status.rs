//! The switch's refusals as gRPC errors.

use baton_api::error::ErrorReason;
use baton_api::{ApiError, ErrorKind};
use tonic::Status;

use crate::driver::Stopped;
use crate::engine::SwitchError;

impl From<SwitchError> for ApiError {
    fn from(error: SwitchError) -> Self {
        let message = sentence(&error.to_string());
        match error {
            SwitchError::Invalid { field, why } => Self::invalid_argument(field, why),
            SwitchError::IdUsed { what, id } => Self::already_exists(what, message).with("id", id),
            SwitchError::RequestIdReused => {
                Self::new(ErrorKind::InvalidArgument, ErrorReason::RequestIdReused, message)
            }
            SwitchError::NotFound { what, id } => Self::not_found(what).with("id", brief(&id)),
            SwitchError::WrongState { what, id, .. } => {
                Self::failed_precondition(ErrorReason::InUse, message).with("what", what).with("id", id)
            }
            SwitchError::NotInControl { latest, .. } => {
                Self::aborted(ErrorReason::Stale, message).with("latest_epoch", latest)
            }
            SwitchError::TooMany { .. } => Self::resource_exhausted(message),
        }
    }
}

impl From<SwitchError> for Status {
    fn from(error: SwitchError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<Stopped> for Status {
    fn from(stopped: Stopped) -> Self {
        ApiError::unavailable(sentence(&stopped.to_string())).into()
    }
}

/// A reader of events was too slow.
pub(crate) fn too_slow(missed: u64) -> Status {
    let message = format!("This reader is {missed} events behind. Open a new stream and take a snapshot.");
    ApiError::new(ErrorKind::ResourceExhausted, ErrorReason::Limit, message).into()
}

/// A file of sound could not be read.
pub(crate) fn unreadable(error: &std::io::Error) -> Status {
    tracing::error!(%error, "a file of sound cannot be read");
    ApiError::internal("The file cannot be read; the switch's log says why.").into()
}

/// The beginning of an id. Ids in requests may be of any length, and errors travel in headers, which may not.
fn brief(id: &str) -> String {
    const LONGEST: usize = 128;
    id.chars().take(LONGEST).collect()
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}
