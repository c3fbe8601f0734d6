//! What every call passes on its way in and out: admission, call context, busy guard, span, log, what is wrong with a
//! malformed request, end of streams.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::Instrument as _;

use super::malformed;
use super::request_log::{self, Line};
use super::stream_end::StreamEnd;
use crate::auth::Gate;
use crate::call::{self, CallContext};
use crate::clock::Clock;

/// Wraps a listener's routes.
#[derive(Clone, Debug)]
pub(super) struct EdgeLayer {
    gate: Gate,
    clock: Clock,
    shutdown: CancellationToken,
}

impl EdgeLayer {
    pub(super) fn new(gate: Gate, clock: Clock, shutdown: CancellationToken) -> Self {
        Self { gate, clock, shutdown }
    }
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Edge { inner, edge: self.clone() }
    }
}

/// The routes behind the layer.
#[derive(Clone, Debug)]
pub(super) struct Edge<S> {
    inner: S,
    edge: EdgeLayer,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Service<Request<Body>> for Edge<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let EdgeLayer { gate, clock, shutdown } = &self.edge;
        let busy = clock.busy();
        let mut call = CallContext::from_headers(request.headers(), clock);
        let span = request_log::span(&request, &mut call);
        let line = Line::new(&request, &call);
        match gate.admit(request.uri().path(), request.headers(), clock.now_us()) {
            Ok(Some(caller)) => {
                request.extensions_mut().insert(caller);
            }
            Ok(None) => {}
            Err(status) => return refuse(status, &line, &span),
        }
        let shutdown = shutdown.clone();
        let answer = self.inner.call(request);
        let handled = async move {
            let response = answer.await?;
            drop(busy);
            Ok(StreamEnd::wrap(look_at(response, &line), shutdown))
        };
        Box::pin(call::scope(call, handled).instrument(span))
    }
}

fn refuse(status: Status, line: &Line, span: &tracing::Span) -> Answer {
    let response = status.into_http();
    span.in_scope(|| line.outcome(&response));
    Box::pin(std::future::ready(Ok(response)))
}

/// Logs how the call went, and says what was wrong with it if it was no request at all.
fn look_at(response: Response<Body>, line: &Line) -> Response<Body> {
    if let Some(error) = malformed::explain(response.headers()) {
        line.malformed(&error);
        return malformed::answer(error, &response);
    }
    line.outcome(&response);
    response
}
