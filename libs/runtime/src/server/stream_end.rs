//! Ends streams when the server stops, and gives a reason when a malformed message ended one.
//!
//! A watch stream has no end of its own and would hold up the shutdown until the drain time is over. Ended with `UNAVAILABLE`,
//! its client connects again, elsewhere. A body that has a frame ready is not ended, so the answer of a unary call is never
//! cut off.

use std::pin::Pin;
use std::task::{Context, Poll};

use baton_api::ApiError;
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;
use tonic::body::Body;

use super::malformed;

pub(super) struct StreamEnd {
    inner: Option<Body>,
    shutdown: CancellationToken,
    /// Created at the first wait: a unary answer never waits.
    stopping: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl StreamEnd {
    pub(super) fn wrap(response: Response<Body>, shutdown: CancellationToken) -> Response<Body> {
        if response.body().is_end_stream() {
            return response;
        }
        response.map(|inner| Body::new(Self { inner: Some(inner), shutdown, stopping: None }))
    }
}

impl HttpBody for StreamEnd {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(inner).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.and_then(typed)));
        }
        let shutdown = &this.shutdown;
        let stopping = this.stopping.get_or_insert_with(|| Box::pin(shutdown.clone().cancelled_owned()));
        if stopping.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.inner = None;
        let stopping = ApiError::unavailable("The server is stopping; connect again.");
        Poll::Ready(Some(trailers(stopping)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

/// The frame; with a typed error if it ends the call because of a malformed message.
fn typed(frame: Frame<Bytes>) -> Result<Frame<Bytes>, Status> {
    match frame.trailers_ref().and_then(malformed::explain) {
        Some(error) => trailers(error),
        None => Ok(frame),
    }
}

fn trailers(error: ApiError) -> Result<Frame<Bytes>, Status> {
    let mut trailers = HeaderMap::new();
    Status::from(error).add_header(&mut trailers)?;
    Ok(Frame::trailers(trailers))
}
