//! An error as `google.rpc.Status`, and back.

use std::collections::HashMap;

use prost::Message as _;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _, pb};

use crate::error::{ApiError, DOMAIN, ErrorKind, ErrorReason, REASON_PREFIX};
use crate::header_limit;

/// The types of `google.rpc`; any other detail is a message of the contract.
const STANDARD: &str = "type.googleapis.com/google.rpc.";

impl ApiError {
    /// Reads an error that a Baton service sent. `None` if the status carries no `ErrorInfo` of Baton's, as after a broken
    /// connection; [`ApiError::of`] accepts these too.
    pub fn from_status(status: &Status) -> Option<Self> {
        read(status)
    }

    /// Reads any status, also one that did not come from a Baton service.
    pub fn of(status: &Status) -> Self {
        Self::from_status(status).unwrap_or_else(|| {
            let kind = ErrorKind::of(status.code());
            let reason = match kind {
                ErrorKind::Unavailable | ErrorKind::DeadlineExceeded => ErrorReason::Unavailable,
                _ => ErrorReason::Unspecified,
            };
            Self::new(kind, reason, status.message())
        })
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        write(error)
    }
}

fn write(error: ApiError) -> Status {
    let mut error = header_limit::cut(error);
    let attached = error.attached.take();
    let status = without_attached(error);
    let Some(attached) = attached else { return status };
    let mut details = details(&status);
    details.details.push(*attached);
    let whole = Status::with_details(status.code(), status.message(), details.encode_to_vec().into());
    if header_limit::fits(&whole) { whole } else { status }
}

fn without_attached(error: ApiError) -> Status {
    let reason = error.reason_name();
    let metadata: HashMap<_, _> = error.metadata.into_iter().collect();
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    for (field, why) in error.fields {
        details.add_bad_request_violation(field, why);
    }
    if error.retry_after.is_some() {
        details.set_retry_info(error.retry_after);
    }
    Status::with_error_details(error.kind.code(), error.message, details)
}

fn read(status: &Status) -> Option<ApiError> {
    let known = status.get_error_details();
    let info = known.error_info().filter(|info| info.domain == DOMAIN)?;
    // A reason that is newer than this program is still an error of its kind.
    let reason =
        ErrorReason::from_str_name(&format!("{REASON_PREFIX}{}", info.reason)).unwrap_or(ErrorReason::Unspecified);
    let mut metadata: Vec<_> = info.metadata.clone().into_iter().collect();
    metadata.sort();
    let fields = known.bad_request().map_or_else(Vec::new, |bad| {
        let violations = bad.field_violations.iter();
        violations.map(|it| (it.field.clone(), it.description.clone())).collect()
    });
    Some(ApiError {
        kind: ErrorKind::of(status.code()),
        reason,
        message: status.message().to_owned(),
        metadata,
        fields,
        retry_after: known.retry_info().and_then(|it| it.retry_delay),
        attached: details(status).details.into_iter().find(|it| !it.type_url.starts_with(STANDARD)).map(Box::new),
    })
}

/// The status in the headers; empty if there is none.
pub(crate) fn details(status: &Status) -> pb::Status {
    pb::Status::decode(status.details()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::Outcome;
    use crate::presence::v1::{Agent, Team};

    #[test]
    fn an_error_survives_the_wire() {
        let error = ApiError::failed_precondition(ErrorReason::AgentBusy, "They are on a call.")
            .with("agent_id", "a1")
            .with("retry", true);
        let status = Status::from(error.clone());
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(ApiError::from_status(&status), Some(error));
    }

    #[test]
    fn retry_info_is_sent_exactly_when_trying_again_helps() {
        let delay = |error: ApiError| Status::from(error).get_details_retry_info().and_then(|it| it.retry_delay);
        let unknown = ApiError::of(&Status::aborted("the same request is still being carried out"));
        let usual = [ApiError::unavailable("x"), ApiError::pending("x"), ApiError::resource_exhausted("x")];
        for helps in usual.into_iter().chain([unknown, ApiError::overtaken("x")]) {
            assert!(helps.retry_after.is_some(), "{helps:?}");
            assert_eq!(delay(helps.clone()), helps.retry_after);
            assert!(ApiError::of(&Status::from(helps)).is_retryable());
        }
        let stale = ApiError::aborted(ErrorReason::Stale, "x");
        let old_etag = ApiError::aborted(ErrorReason::VersionConflict, "x");
        let too_large = ApiError::resource_exhausted("x").without_retry();
        for does_not in [stale, old_etag, too_large, ApiError::internal("x"), ApiError::not_found("x")] {
            assert_eq!(delay(does_not.clone()), None, "{does_not:?}");
            assert!(!ApiError::of(&Status::from(does_not)).is_retryable());
        }
    }

    #[test]
    fn an_attached_message_survives_the_wire_as_its_type() {
        let agent = Agent { agent_id: "a1".to_owned(), ..Agent::default() };
        let error = ApiError::aborted(ErrorReason::VersionConflict, "It was changed.").carrying(&agent);
        let status = Status::from(error.clone());
        let read = ApiError::of(&status);
        assert_eq!(read, error);
        assert_eq!(read.carried::<Agent>(), Some(agent));
        assert_eq!(read.carried::<Team>(), None);
        // For a client without code of ours it is one more detail beside `ErrorInfo`.
        let details = details(&status).details;
        let names: Vec<_> = details.iter().map(|it| it.type_url.as_str()).collect();
        assert!(names.contains(&"type.googleapis.com/google.rpc.ErrorInfo"), "{names:?}");
        assert!(names.contains(&"type.googleapis.com/baton.presence.v1.Agent"), "{names:?}");
    }

    #[test]
    fn an_attached_message_that_does_not_fit_into_headers_is_left_out() {
        let error = ApiError::aborted(ErrorReason::VersionConflict, "It was changed.");
        let agent = Agent { name: "x".repeat(8_000), ..Agent::default() };
        assert_eq!(ApiError::of(&Status::from(error.clone().carrying(&agent))), error);
    }

    #[test]
    fn a_wrong_field_is_named_in_bad_request() {
        let status = Status::from(ApiError::invalid_argument("target.agent_id", "must be a UUID"));
        let details = status.get_error_details();
        let violations = &details.bad_request().expect("has BadRequest").field_violations;
        assert_eq!(violations[0].field, "target.agent_id");
        assert_eq!(details.error_info().expect("has ErrorInfo").reason, "INVALID_FIELD");
    }

    #[test]
    fn a_broken_connection_is_unknown_and_may_be_retried() {
        let status = Status::unavailable("connection refused");
        assert_eq!(ApiError::from_status(&status), None);
        let error = ApiError::of(&status);
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert!(error.is_retryable());
    }

    #[test]
    fn a_refusal_is_definite() {
        let error = ApiError::not_found("transfer");
        assert_eq!(error.outcome(), Outcome::Definite);
        assert!(!error.is_retryable());
    }

    #[test]
    fn errors_of_another_domain_are_not_ours() {
        let details = ErrorDetails::with_error_info("AGENT_BUSY", "example.com", HashMap::new());
        let status = Status::with_error_details(Code::FailedPrecondition, "x", details);
        assert_eq!(ApiError::from_status(&status), None);
    }

    #[test]
    fn a_reason_of_a_newer_version_keeps_its_kind() {
        let details = ErrorDetails::with_error_info("FROM_THE_FUTURE", DOMAIN, HashMap::new());
        let status = Status::with_error_details(Code::Aborted, "x", details);
        let error = ApiError::from_status(&status).expect("is ours");
        assert_eq!((error.kind, error.reason), (ErrorKind::Aborted, ErrorReason::Unspecified));
    }
}
