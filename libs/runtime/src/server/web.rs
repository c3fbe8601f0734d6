//! gRPC-Web, for clients in a browser, and which pages may use it (CORS).
//!
//! A browser has no gRPC: it sends gRPC-Web, which needs no HTTP/2 and has no trailers, and `tonic-web` translates it. A page of
//! another origin than the server's gets the answer only if the server names that origin. Nothing is allowed by default; the
//! token is in a header that only the page itself can set, so no cookie is involved.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header};
use serde::Deserialize;
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::layer::util::Stack;
use tower::util::MapResponseLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser remembers what it may send, before it asks again.
const PREFLIGHT_KEPT: Duration = Duration::from_hours(1);
/// What a client sends: the protocol's own headers, the deadline and the trace.
const REQUEST_HEADERS: [HeaderName; 6] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("x-grpc-web"),
    HeaderName::from_static("x-user-agent"),
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("traceparent"),
];
/// Where a refusal says why, which a page could not read otherwise.
const RESPONSE_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
];

/// The origin of pages that may call: `https://desk.example.com`, `http://localhost:5173`, or `*` for any.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebOrigin(HeaderValue);

/// The text is not an origin as browsers send it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an origin: write https://desk.example.com or http://localhost:5173, without a path, or * for any"
)]
pub struct InvalidOrigin(String);

impl WebOrigin {
    fn is_any(&self) -> bool {
        self.0 == "*"
    }
}

impl FromStr for WebOrigin {
    type Err = InvalidOrigin;

    /// Only the form in which a browser sends it, byte for byte: another would never match.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let origin = || -> Option<HeaderValue> {
            let uri: Uri = text.parse().ok()?;
            let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
            let is_web = matches!(scheme, "http" | "https") && !authority.contains('@');
            let sent = format!("{scheme}://{}", authority.to_ascii_lowercase());
            (is_web && sent == text).then(|| HeaderValue::from_str(text).ok())?
        };
        let value = if text == "*" { Some(HeaderValue::from_static("*")) } else { origin() };
        value.map(Self).ok_or_else(|| InvalidOrigin(text.to_owned()))
    }
}

impl TryFrom<String> for WebOrigin {
    type Error = InvalidOrigin;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0.as_bytes()))
    }
}

type Explain = fn(Response<Body>) -> Response<Body>;
/// Outermost first: CORS, the explanation for what is not gRPC at all, gRPC-Web.
pub(super) type WebLayer = Stack<GrpcWebLayer, Stack<MapResponseLayer<Explain>, CorsLayer>>;

pub(super) fn layer(origins: &[WebOrigin]) -> WebLayer {
    let allowed = if origins.iter().any(WebOrigin::is_any) {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().map(|origin| origin.0.clone()))
    };
    let cors = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::POST])
        .allow_headers(REQUEST_HEADERS)
        .expose_headers(RESPONSE_HEADERS)
        .max_age(PREFLIGHT_KEPT);
    let explain: Explain = explain;
    Stack::new(GrpcWebLayer::new(), Stack::new(MapResponseLayer::new(explain), cors))
}

/// What a person reads who opens the address in a browser, or sends JSON to it.
fn explain(response: Response<Body>) -> Response<Body> {
    let is_refusal = matches!(response.status(), StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED);
    if !is_refusal || response.headers().contains_key(CONTENT_TYPE) {
        return response;
    }
    let text =
        "This address speaks gRPC, and gRPC-Web over HTTP/1.1: POST with content-type application/grpc-web+proto.\n";
    let (mut parts, _) = response.into_parts();
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::new(text.to_owned()))
}

#[cfg(test)]
#[path = "web_tests.rs"]
mod tests;
