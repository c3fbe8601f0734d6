//! Malformed requests to a method that takes one message, and to one that takes a stream.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::Poll;

use baton_api::error::{ErrorKind, ErrorReason};
use http::Request;
use http_body::Body as _;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic::server::{Grpc, StreamingService, UnaryService};
use tower::{Layer as _, Service};

use super::*;
use crate::Clock;
use crate::auth::{Gate, SigningKey};
use crate::disk_space::DiskSpace;
use crate::server::layer::EdgeLayer;
use crate::server::{LARGEST_MESSAGE, ServerLimits};

const UNARY: &str = "/grpc.health.v1.Health/Check";
const STREAM: &str = "/grpc.health.v1.Health/Watch";

/// Sends back what it gets.
#[derive(Clone)]
struct Echo;

impl UnaryService<String> for Echo {
    type Response = String;
    type Future = Ready<Result<tonic::Response<String>, Status>>;

    fn call(&mut self, request: tonic::Request<String>) -> Self::Future {
        ready(Ok(tonic::Response::new(request.into_inner())))
    }
}

impl StreamingService<String> for Echo {
    type Response = String;
    type ResponseStream = Streaming<String>;
    type Future = Ready<Result<tonic::Response<Streaming<String>>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<String>>) -> Self::Future {
        ready(Ok(tonic::Response::new(request.into_inner())))
    }
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(tonic_prost::ProstCodec::<String, String>::default());
            let is_stream = request.uri().path() == STREAM;
            Ok(if is_stream { grpc.streaming(Echo, request).await } else { grpc.unary(Echo, request).await })
        })
    }
}

/// A flag, a length, and what follows.
fn framed(flag: u8, length: u32, message: &str) -> String {
    let head = [&[flag][..], &length.to_be_bytes()].concat();
    String::from_utf8(head).unwrap() + message
}

/// How a call with this body ends: in headers, or in trailers.
async fn end_of(path: &str, encoding: &str, body: &str) -> (Status, HeaderMap) {
    let gate = Gate::new(SigningKey::generate().verifier());
    let mut edge =
        EdgeLayer::new((gate, DiskSpace::default()), Clock::real(), CancellationToken::new(), &ServerLimits::default())
            .layer(Echo);
    let request = Request::post(path).header("grpc-encoding", encoding).body(Body::new(body.to_owned()));
    let (parts, mut body) = edge.call(request.unwrap()).await.unwrap().into_parts();
    if let Some(status) = Status::from_header_map(&parts.headers) {
        return (status, parts.headers);
    }
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(trailers) = frame.unwrap().into_trailers() {
            return (Status::from_header_map(&trailers).unwrap(), trailers);
        }
    }
    panic!("the call has no end");
}

fn typed(status: &Status) -> ApiError {
    ApiError::from_status(status).unwrap_or_else(|| panic!("not typed: {status:?}"))
}

#[tokio::test]
async fn what_is_no_message_is_the_callers_mistake() {
    let good = framed(0, 3, "\n\u{1}x");
    let bad =
        [framed(0, 1, "\u{7}"), framed(0, 2, "\n\u{7f}"), framed(1, 0, ""), framed(9, 0, ""), framed(0, 9, "torn")];
    for path in [UNARY, STREAM] {
        assert_eq!(end_of(path, "identity", &good).await.0.code(), Code::Ok);
        for body in &bad {
            let error = typed(&end_of(path, "identity", body).await.0);
            assert_eq!(
                (error.kind, error.reason),
                (ErrorKind::InvalidArgument, ErrorReason::InvalidField),
                "{path} {body:?}"
            );
            assert_eq!(error.fields[0].0, "request");
        }
    }
    let late = end_of(STREAM, "identity", &(good + &bad[0])).await;
    assert_eq!(typed(&late.0).reason, ErrorReason::InvalidField, "also after good ones");
    assert_eq!(typed(&end_of(UNARY, "identity", "").await.0).reason, ErrorReason::InvalidField);
}

#[tokio::test]
async fn a_message_that_is_too_large_reached_a_limit() {
    for path in [UNARY, STREAM] {
        let error = typed(&end_of(path, "identity", &framed(0, 0x7f00_0000, "")).await.0);
        assert_eq!((error.kind, error.reason), (ErrorKind::ResourceExhausted, ErrorReason::Limit), "{path}");
        assert!(error.message.contains(&format!("the limit is: {LARGEST_MESSAGE} bytes")), "{}", error.message);
    }
}

#[tokio::test]
async fn a_compressed_message_is_refused_with_what_can_be_read() {
    for path in [UNARY, STREAM] {
        let (status, headers) = end_of(path, "gzip", &framed(1, 0, "")).await;
        assert_eq!(typed(&status).reason, ErrorReason::InvalidField, "{path}");
        assert_eq!(headers[ACCEPT_ENCODING], "identity");
    }
}

#[tokio::test]
async fn the_log_has_none_of_it() {
    let log = crate::server::tests::CapturedLog::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO);
    let _logging = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
    for body in [framed(0, 1, "\u{7}"), framed(0, 0x7f00_0000, ""), String::new()] {
        end_of(UNARY, "identity", &body).await;
    }
    assert_eq!(log.text(), "");
}

#[test]
fn a_method_that_the_router_does_not_know_is_typed() {
    let routers = Status::unimplemented("").into_http::<Body>();
    let error = explain(routers.headers()).unwrap();
    assert_eq!((error.kind, error.reason), (ErrorKind::Unimplemented, ErrorReason::MethodUnknown));
}

#[test]
fn errors_of_our_own_and_those_of_others_stay_what_they_are() {
    let unreadable = "failed to decode Protobuf message: x";
    let ours = Status::from(ApiError::internal(unreadable)).into_http::<Body>();
    assert_eq!(explain(ours.headers()), None);
    for other in [Status::internal("the disk is full"), Status::unavailable(unreadable)] {
        assert_eq!(explain(other.into_http::<Body>().headers()), None);
    }
    assert_eq!(explain(&HeaderMap::new()), None);
}
