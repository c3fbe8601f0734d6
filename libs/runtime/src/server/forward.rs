//! A gRPC service that is in another process, as one of this listener's.
//!
//! Calls are passed on as they come, and answers too: nothing is decoded. This listener has admitted the caller, and has counted what
//! the call costs; the other one admits it again, by the caller's own token.

use std::convert::Infallible;
use std::error::Error;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use baton_api::ApiError;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Service, ServiceExt as _};

use super::stream_end::trailers;
use crate::client::GrpcChannel;

/// Passes the calls of a service on; `S` is its generated server, for example `TransferServiceServer<()>`.
#[derive(Debug)]
pub struct Forwarded<S> {
    to: GrpcChannel,
    service: PhantomData<fn() -> S>,
}

impl<S> Forwarded<S> {
    /// The channel must have no token of its own.
    pub fn new(to: &GrpcChannel) -> Self {
        Self { to: to.clone(), service: PhantomData }
    }
}

impl<S> Clone for Forwarded<S> {
    fn clone(&self) -> Self {
        Self::new(&self.to)
    }
}

impl<S: NamedService> NamedService for Forwarded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S: NamedService> Service<Request<Body>> for Forwarded<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let to = self.to.clone();
        Box::pin(async move {
            Ok(match to.oneshot(request).await {
                Ok(answer) => answer.map(|body| Body::new(Relayed { body, service: S::NAME, is_over: false })),
                Err(error) => refusal(S::NAME, error).into_http(),
            })
        })
    }
}

/// What the caller is told when the other process does not answer; our own refusals as they are.
fn refusal(service: &'static str, error: Box<dyn Error + Send + Sync>) -> Status {
    match error.downcast::<Status>() {
        Ok(status) => *status,
        Err(error) => away(service, error.as_ref()).into(),
    }
}

fn away(service: &'static str, error: &(dyn Error + 'static)) -> ApiError {
    tracing::warn!(service, %error, "a service does not answer");
    let message = format!(
        "{service} does not answer at the moment; try again. A change may have been made: repeat it with the same request id."
    );
    ApiError::unavailable(message)
}

/// An answer of the other process. If that breaks off, the caller hears a status, and not that the connection is faulty.
struct Relayed {
    body: Body,
    service: &'static str,
    is_over: bool,
}

impl HttpBody for Relayed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx).map(|frame| match frame {
            Some(Err(error)) => {
                self.is_over = true;
                Some(trailers(away(self.service, &error)))
            }
            frame => frame,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }
}
