//! Malformed requests, and those for a method that does not exist: tonic's answers to these have no reason, and some have a
//! code that blames the server.
//!
//! tonic decodes the message before a handler sees it, and reports a body that can't be decoded as an internal error. But any
//! client can send one, so it must not raise an alarm, and the client's author needs a reason. So these answers are replaced
//! by typed ones. They are recognised by their texts, and by having no details, which every error of Baton's own has.

use baton_api::ApiError;
use http::{HeaderMap, HeaderName, Response};
use tonic::body::Body;
use tonic::{Code, Status};

/// Lists the encodings that are accepted; clients learn them when another one is refused.
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Makes a typed error of tonic's text.
type Explain = fn(&str) -> ApiError;

/// tonic's code, the beginning of its text, and the typed error for it.
const TEXTS: &[(Code, &str, Explain)] = &[
    (Code::Internal, "failed to decode Protobuf message", unreadable),
    (Code::Internal, "protocol error: received message with ", unreadable),
    // Also a call that was cancelled before its message came.
    (Code::Internal, "Missing request message.", unreadable),
    (Code::Internal, "Unexpected EOF decoding stream.", unreadable),
    (Code::Unimplemented, "Content is compressed with ", compressed),
    // Of a method that the router does not know.
    (Code::Unimplemented, "", |_| ApiError::unknown_method()),
    (Code::OutOfRange, "Error, decoded message length too large", too_large),
];

/// The error, if these headers or trailers end a call because of a malformed request.
pub(super) fn explain(headers: &HeaderMap) -> Option<ApiError> {
    if !headers.contains_key(Status::GRPC_STATUS) || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return None;
    }
    let status = Status::from_header_map(headers)?;
    let known = TEXTS.iter().find(|(code, text, _)| status.code() == *code && status.message().starts_with(text));
    known.map(|(_, _, explain)| explain(status.message()))
}

/// The answer that replaces tonic's.
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
    ApiError::resource_exhausted(format!("The message is too large: {sizes}. Send less at once.")).without_retry()
}

#[cfg(test)]
#[path = "malformed_tests.rs"]
mod tests;
