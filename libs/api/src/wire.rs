//! An error as `google.rpc.Status`, and back.

use std::collections::HashMap;

use prost::Message as _;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _, pb};

use crate::error::{ApiError, DOMAIN, ErrorKind, ErrorReason, REASON_PREFIX};
use crate::header_limit;

/// The types of `google.rpc`; any other detail is a message of the contract.
const STANDARD: &str = "type.googleapis.com/google.rpc.";

pub(crate) fn write(error: ApiError) -> Status {
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

pub(crate) fn read(status: &Status) -> Option<ApiError> {
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
