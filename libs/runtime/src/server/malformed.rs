//! Requests that are no requests: what tonic answers to these has neither a reason nor a code that blames the caller.
//!
//! tonic reads the message before a handler sees it, and calls a body that is no message a fault of the server. Nobody has
//! to be woken for what any client can send, and a client's author needs to be told: so these answers are replaced by typed
//! ones. They are known by their texts, and by having no details, which every error of Baton's own has.

use baton_api::ApiError;
use http::{HeaderMap, HeaderName, Response};
use tonic::body::Body;
use tonic::{Code, Status};

/// Which encodings there are; clients learn it from the refusal of another one.
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Makes an error of what tonic says.
type Explain = fn(&str) -> ApiError;

/// How tonic's texts begin, with their code, and what is made of them.
const TEXTS: &[(Code, &str, Explain)] = &[
    (Code::Internal, "failed to decode Protobuf message", unreadable),
    (Code::Internal, "protocol error: received message with ", unreadable),
    // Also what is left of a call that was cancelled before its message came.
    (Code::Internal, "Missing request message.", unreadable),
    (Code::Internal, "Unexpected EOF decoding stream.", unreadable),
    (Code::Unimplemented, "Content is compressed with ", compressed),
    (Code::OutOfRange, "Error, decoded message length too large", too_large),
];

/// What is wrong with the request, if these headers or trailers end a call for that.
pub(super) fn explain(headers: &HeaderMap) -> Option<ApiError> {
    if !headers.contains_key(Status::GRPC_STATUS) || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return None;
    }
    let status = Status::from_header_map(headers)?;
    let known = TEXTS.iter().find(|(code, text, _)| status.code() == *code && status.message().starts_with(text));
    known.map(|(_, _, explain)| explain(status.message()))
}

/// The answer in the place of tonic's.
pub(super) fn answer(error: ApiError, replaced: &Response<Body>) -> Response<Body> {
    let mut response = Status::from(error).into_http();
    if let Some(encodings) = replaced.headers().get(ACCEPT_ENCODING) {
        response.headers_mut().insert(ACCEPT_ENCODING, encodings.clone());
    }
    response
}

fn unreadable(why: &str) -> ApiError {
    ApiError::invalid_argument("request", format!("is not a message of this method: {why}"))
}

fn compressed(_: &str) -> ApiError {
    ApiError::invalid_argument("request", "is compressed; send it as it is (grpc-encoding: identity)")
}

fn too_large(why: &str) -> ApiError {
    let sizes = why.rsplit_once("too large: ").map_or(why, |(_, sizes)| sizes);
    ApiError::resource_exhausted(format!("The message is too large: {sizes}. Send less at once."))
}

#[cfg(test)]
#[path = "malformed_tests.rs"]
mod tests;
