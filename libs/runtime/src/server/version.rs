//! Every answer says which version of Baton it comes from, also a refusal.

use http::{HeaderValue, Response};
use tonic::body::Body;
use tower::util::MapResponseLayer;

/// With the version, in the header of an answer.
pub const VERSION_HEADER: &str = "baton-version";

pub(super) fn layer(
    version: &'static str,
) -> MapResponseLayer<impl FnOnce(Response<Body>) -> Response<Body> + Clone + Send + 'static> {
    let version = HeaderValue::from_static(version);
    MapResponseLayer::new(move |mut response: Response<Body>| {
        response.headers_mut().insert(VERSION_HEADER, version);
        response
    })
}
