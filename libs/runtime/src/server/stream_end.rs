//! Ends streams when the server stops and when the caller is no longer accepted: the token has expired, the
//! tenant is suspended, the agent was deleted. Gives a reason when a malformed message ended one.
//!
//! A watch stream has no end of its own and would hold up the shutdown until the drain time is over. Ended with `UNAVAILABLE`
//! and a time to wait, its client connects again, elsewhere. Nobody else ends a stream because the server stops: a handler that
//! did so could only say OK, which means that the contract's own end was reached.
//!
//! A token is checked at the beginning of a call, and a stream would otherwise go on for as long as its connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;

use super::account::Account;
use super::connection::OpenCall;
use super::malformed;
use crate::auth::{Caller, Gate};
use crate::clock::Clock;

/// What ends a stream from outside.
#[derive(Clone)]
pub(super) struct StreamLimits {
    pub(super) shutdown: CancellationToken,
    pub(super) clock: Clock,
    /// When the caller's token has been expired for too long; `None`: never.
    pub(super) until_us: Option<i64>,
    /// Who has to be accepted; `None` for an open path.
    pub(super) caller: Option<(Gate, Caller)>,
    /// What pays for its answer; `None` in tests of the layer alone.
    pub(super) account: Option<Arc<Account>>,
    /// Given back at its end; of an open path.
    pub(super) open_call: Option<Arc<OpenCall>>,
}

impl StreamLimits {
    /// Why the stream is to end now, if it is. Does not wait for a timer: a stream that always has a message keeps its thread from
    /// turning to one.
    fn reached_now(&self) -> Option<ApiError> {
        let refused = self.caller.as_ref().and_then(|(gate, caller)| gate.check_list(caller).err());
        let stopping = || self.shutdown.is_cancelled().then(stopping);
        let expired = || self.until_us.is_some_and(|until_us| until_us <= self.clock.now_us()).then(expired);
        refused.or_else(stopping).or_else(expired)
    }

    /// Waits until the stream is to end, and says why.
    async fn reached(self) -> ApiError {
        let past_expiry = async {
            match self.until_us {
                Some(until_us) => self.clock.sleep_until(until_us).await,
                None => std::future::pending().await,
            }
        };
        let refused = async {
            match &self.caller {
                Some((gate, caller)) => gate.refused(caller).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            error = refused => error,
            () = self.shutdown.cancelled() => stopping(),
            () = past_expiry => expired(),
        }
    }
}

fn stopping() -> ApiError {
    ApiError::unavailable("The server is stopping; connect again.")
}

fn expired() -> ApiError {
    let message = "The token has expired; connect again with a new one.";
    ApiError::unauthenticated(ErrorReason::TokenExpired, message)
}

pub(super) struct StreamEnd {
    inner: Option<Body>,
    limits: StreamLimits,
    /// Created at the first wait: a unary answer never waits.
    reached: Option<Pin<Box<dyn Future<Output = ApiError> + Send>>>,
    has_sent: bool,
}

impl StreamEnd {
    pub(super) fn wrap(response: Response<Body>, limits: StreamLimits) -> Response<Body> {
        if response.body().is_end_stream() {
            return response;
        }
        response.map(|inner| Body::new(Self { inner: Some(inner), limits, reached: None, has_sent: false }))
    }

    fn poll_limits(&mut self, cx: &mut Context<'_>) -> Poll<ApiError> {
        let limits = &self.limits;
        let reached = self.reached.get_or_insert_with(|| Box::pin(limits.clone().reached()));
        reached.as_mut().poll(cx)
    }
}

/// Its size is not known before its end, which may come early.
impl HttpBody for StreamEnd {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(inner).poll_frame(cx);
        let message = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.data_ref().map(Bytes::len),
            _ => None,
        };
        let is_message = message.is_some();
        // Never cut off: an end that was reached, and the one message of a unary answer. A further message is, or a stream that
        // always has one would never end.
        let end = match &polled {
            Poll::Ready(_) if is_message && this.has_sent => this.limits.reached_now(),
            Poll::Ready(_) => None,
            Poll::Pending => match this.poll_limits(cx) {
                Poll::Ready(error) => Some(error),
                Poll::Pending => None,
            },
        };
        this.has_sent |= is_message;
        // A message that is too much now, of whatever call, is not kept.
        let too_much = || this.limits.account.as_ref()?.check(message?).err();
        let Some(error) = end.or_else(too_much) else {
            return polled.map(|frame| frame.map(|it| it.and_then(typed)));
        };
        this.inner = None;
        Poll::Ready(Some(trailers(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

/// The frame; with a typed error if it ends the call because of a malformed message.
fn typed(frame: Frame<Bytes>) -> Result<Frame<Bytes>, Status> {
    match frame.trailers_ref().and_then(malformed::explain) {
        Some(error) => trailers(error),
        None => Ok(frame),
    }
}

/// The end of an answer that says why.
pub(super) fn trailers(error: ApiError) -> Result<Frame<Bytes>, Status> {
    let mut trailers = HeaderMap::new();
    Status::from(error).add_header(&mut trailers)?;
    Ok(Frame::trailers(trailers))
}

#[cfg(test)]
#[path = "stream_end_tests.rs"]
mod tests;
