//! Services of one process: the same layer without a connection.

use std::task::{Context, Poll};
use std::time::Duration;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use futures::future::{BoxFuture, FutureExt as _};
use tonic::Code;

use super::tests::raw_call;
use super::*;
use crate::auth::SigningKey;
use crate::client::GrpcChannel;
use crate::lifecycle;
use crate::service_name::ServiceName;

const INTERNAL: &str = "/baton.transfer.v1.IntakeService/ReportFacts";
const OF_CLIENTS: &str = "/baton.transfer.v1.TransferService/StartTransfer";

fn builder() -> ServerBuilder {
    ServerBuilder::new(Clock::real(), SigningKey::generate().verifier())
}

/// A channel of telephony's.
fn channel(services: &InProcess) -> GrpcChannel {
    GrpcChannel::in_process(services, ServiceName::Telephony, Clock::real())
}

/// Answers nothing.
#[derive(Clone)]
struct Panicking;

impl NamedService for Panicking {
    const NAME: &'static str = "baton.transfer.v1.IntakeService";
}

impl Service<http::Request<Body>> for Panicking {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        async { panic!("on purpose") }.boxed()
    }
}

#[tokio::test]
async fn a_service_of_this_process_is_known_without_a_token_and_may_what_services_may() {
    let (services, shutdown) = (InProcess::default(), CancellationToken::new());
    lifecycle::spawn(builder().serve_in_process(services.clone(), shutdown.clone()));
    let admitted = raw_call(channel(&services), INTERNAL).await;
    assert_eq!(admitted.code(), Code::Unimplemented, "admitted; nobody is there: {admitted:?}");
    let refused = raw_call(channel(&services), OF_CLIENTS).await;
    assert_eq!(ApiError::of(&refused).reason, ErrorReason::RoleNotAllowed);
}

#[tokio::test]
async fn a_call_waits_for_services_that_start_and_is_refused_when_they_have_stopped() {
    let (services, shutdown) = (InProcess::default(), CancellationToken::new());
    let early = lifecycle::spawn(raw_call(channel(&services), INTERNAL));
    tokio::task::yield_now().await;
    assert!(!early.is_finished());
    let serving = lifecycle::spawn(builder().serve_in_process(services.clone(), shutdown.clone()));
    assert_eq!(early.await.unwrap().code(), Code::Unimplemented);
    shutdown.cancel();
    serving.await.unwrap();
    assert_eq!(raw_call(channel(&services), INTERNAL).await.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_call_that_nobody_comes_to_serve_ends_at_its_deadline() {
    let hurried = channel(&InProcess::default()).with_default_deadline(Duration::from_millis(20));
    assert_eq!(raw_call(hurried, INTERNAL).await.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_panic_in_a_call_is_its_answer_and_not_the_callers() {
    let (services, shutdown) = (InProcess::default(), CancellationToken::new());
    lifecycle::spawn(builder().add_service(Panicking).serve_in_process(services.clone(), shutdown.clone()));
    assert_eq!(raw_call(channel(&services), INTERNAL).await.code(), Code::Internal);
}
