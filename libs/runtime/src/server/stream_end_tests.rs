//! Streams that are idle, that always have a message, and answers that must not be cut off.

use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use tonic::codec::{EncodeBody, SingleMessageCompressionOverride};

use super::*;
use crate::auth::{AdmissionList, Role, SigningKey, TenantId, TenantState};

const SOON: Duration = Duration::from_secs(10);

/// How a stream of these messages ends.
async fn end_of(messages: impl Stream<Item = &'static str> + Send + 'static, limits: StreamLimits) -> Status {
    let encoder = tonic_prost::ProstEncoder::<String>::default();
    let messages = messages.map(|it| Ok(it.to_owned()));
    let body = EncodeBody::new_server(encoder, messages, None, SingleMessageCompressionOverride::default(), None);
    let mut body = StreamEnd::wrap(Response::new(Body::new(body)), limits).into_body();
    let end = async {
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            if let Ok(trailers) = frame.unwrap().into_trailers() {
                return Status::from_header_map(&trailers).unwrap();
            }
        }
        panic!("the stream has no end");
    };
    Clock::real().timeout(SOON, end).await.expect("it ends")
}

fn limits(is_stopping: bool, until_us: Option<i64>) -> StreamLimits {
    let shutdown = CancellationToken::new();
    if is_stopping {
        shutdown.cancel();
    }
    StreamLimits { shutdown, clock: Clock::real(), until_us, caller: None, account: None, open_call: None }
}

#[tokio::test]
async fn a_stream_ends_with_unavailable_when_the_server_stops_however_busy_it_is() {
    let idle = end_of(stream::pending(), limits(true, None)).await;
    let busy = end_of(stream::repeat("x"), limits(true, None)).await;
    for status in [idle, busy] {
        let error = ApiError::from_status(&status).expect("it is typed");
        assert_eq!(error.reason, ErrorReason::Unavailable);
        assert!(error.retry_after.is_some(), "{error:?}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_token_expired_however_busy_it_is() {
    let until = || Some(Clock::real().after(Duration::from_millis(20)));
    let idle = end_of(stream::pending(), limits(false, until())).await;
    let busy = end_of(stream::repeat("x"), limits(false, until())).await;
    for status in [idle, busy] {
        let error = ApiError::from_status(&status).expect("it is typed");
        assert_eq!((status.code(), error.reason), (tonic::Code::Unauthenticated, ErrorReason::TokenExpired));
    }
}

#[tokio::test]
async fn a_stream_of_a_suspended_tenant_ends_however_busy_it_is() {
    let (tenants, acme): (AdmissionList, TenantId) = (AdmissionList::default(), "acme".parse().unwrap());
    tenants.set(acme.clone(), TenantState::Suspended);
    let gate = Gate::new(SigningKey::generate().verifier()).with_list(tenants);
    let limits = || StreamLimits {
        caller: Some((gate.clone(), Caller::of_tenant(acme.clone(), "eve", Role::Supervisor))),
        ..limits(false, None)
    };
    for status in [end_of(stream::pending(), limits()).await, end_of(stream::repeat("x"), limits()).await] {
        let error = ApiError::from_status(&status).expect("it is typed");
        assert_eq!(error.reason, ErrorReason::TenantSuspended);
    }
}

#[tokio::test]
async fn an_end_that_was_reached_and_an_answer_of_one_message_are_never_cut_off() {
    for messages in [vec![], vec!["x"]] {
        let status = end_of(stream::iter(messages), limits(true, Some(0))).await;
        assert_eq!(status.code(), tonic::Code::Ok);
    }
}
