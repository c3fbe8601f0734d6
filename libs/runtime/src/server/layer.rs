//! The layer that every call passes: admission, limits, call context, deadline, busy guard, span, log, the answer to a malformed
//! request, and the end of streams.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use baton_api::ApiError;
use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service, ServiceExt as _};
use tracing::Instrument as _;

use super::account::Account;
use super::connection::OpenCall;
use super::limits::ServerLimits;
use super::malformed;
use super::methods::{self, MethodKind};
use super::rates::{CallKind, Rates};
use super::received::Received;
use super::request_log::{self, CallLog};
use super::scarce;
use super::stream_end::{StreamEnd, StreamLimits};
use crate::auth::{Admission, Caller, Gate, Role};
use crate::call::{self, CallContext};
use crate::clock::{Clock, micros};
use crate::disk_space::DiskSpace;
use crate::in_process::CallingService;

const NO_DEADLINE: Duration = Duration::from_hours(24 * 365);

/// Wraps a listener's routes.
#[derive(Clone, Debug)]
pub(super) struct EdgeLayer {
    gate: Gate,
    clock: Clock,
    shutdown: CancellationToken,
    stream_grace: Duration,
    space: DiskSpace,
    /// What a tenant may store; 0 for as much as there is.
    tenant_mib: u32,
    /// `None` where time is simulated.
    rates: Option<Arc<Rates>>,
}

impl EdgeLayer {
    pub(super) fn new(
        (gate, space): (Gate, DiskSpace),
        clock: Clock,
        shutdown: CancellationToken,
        limits: &ServerLimits,
    ) -> Self {
        let rates = (!clock.is_simulated()).then(|| Arc::new(Rates::new(&limits.rates)));
        let (stream_grace, tenant_mib) = (limits.stream_grace, limits.tenant_mib);
        Self { gate, clock, shutdown, stream_grace, space, tenant_mib, rates }
    }

    fn stream_limits(&self) -> StreamLimits {
        StreamLimits {
            shutdown: self.shutdown.clone(),
            clock: self.clock.clone(),
            until_us: None,
            caller: None,
            account: None,
            open_call: None,
        }
    }

    /// Admits the call if its caller may make it now; what limits its stream.
    fn admit(&self, request: &mut Request<Body>, kind: MethodKind) -> Result<StreamLimits, Status> {
        let account = request.extensions().get::<Arc<Account>>().cloned();
        let mut limits = StreamLimits { account: account.clone(), ..self.stream_limits() };
        let service = match request.extensions().get() {
            Some(CallingService(service)) => Some(*service),
            None => account.as_ref().and_then(|it| it.connection().service()),
        };
        let admitted = self.gate.admit(request.uri().path(), (request.headers(), service), self.clock.wall_us());
        let admission = admitted.inspect_err(|_| account.iter().for_each(|it| it.connection().refuse()))?;
        match &admission {
            Some(admission) => {
                account.iter().try_for_each(|account| account.admit(&admission.caller))?;
                self.limit(request.uri().path(), kind, &admission.caller)?;
            }
            None => limits.open_call = account.as_deref().map(open_call).transpose()?,
        }
        if let Some(account) = &account {
            receive(request, account, kind, admission.as_ref());
        }
        if let Some(admission) = admission {
            limits.until_us = self.until_us(&admission);
            limits.caller = Some((self.gate.clone(), admission.caller.clone()));
            request.extensions_mut().insert(admission.caller);
        }
        Ok(limits)
    }

    /// Refuses what comes too often, and what would store too much.
    fn limit(&self, path: &str, kind: MethodKind, caller: &Caller) -> Result<(), ApiError> {
        let own = self.gate.limits(caller);
        let shortage = scarce::shortage(&self.space, caller, own, self.tenant_mib);
        if let Some(rates) = &self.rates {
            let is_space_short = shortage.is_some() && !scarce::makes_room(path);
            let call = CallKind { is_change: kind.is_stored, is_space_short };
            rates.check(caller, call, own)?;
        }
        shortage.map_or(Ok(()), |it| it.check(path, kind, caller))
    }

    /// When this caller's streams end. A service mints its own tokens, for some minutes each; its streams go on.
    fn until_us(&self, admission: &Admission) -> Option<i64> {
        // Tokens are dated by the system's time; a stream waits by the time that passes.
        let left_us = admission.expires_us.saturating_sub(self.clock.wall_us());
        let until_us = self.clock.now_us().saturating_add(left_us).saturating_add(micros(self.stream_grace));
        (admission.caller.role != Role::Service).then_some(until_us)
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
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let clock = &self.edge.clock;
        let busy = clock.busy();
        let mut call = CallContext::from_headers(request.headers(), clock);
        let timeout = call::timeout(request.headers());
        let span = request_log::span(&request, &mut call);
        let log = CallLog::new(&request, &call);
        let kind = methods::kind(request.uri().path());
        let limits = match self.edge.admit(&mut request, kind) {
            Ok(limits) => limits,
            Err(status) => match self.edge.gate.learn(&status) {
                Some(learned) => return self.again(request, learned, (status, log, span)),
                None => return refuse(status, &log, &span),
            },
        };
        // Simulated time would stand still for who waits, and never let anybody end.
        let turns = limits.account.clone().filter(|_| !clock.is_simulated());
        let answer = within(timeout, in_turn(turns, self.inner.clone(), request));
        let handled = async move {
            let response = answer.await?;
            drop(busy);
            Ok(StreamEnd::wrap(finish(response, &log), limits))
        };
        Box::pin(call::scope(call, handled).instrument(span))
    }
}

impl<S> Edge<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    /// Handles the call once more if its tenant turned out to be one; otherwise it stays refused.
    fn again(
        &self,
        request: Request<Body>,
        learned: impl Future<Output = bool> + Send + 'static,
        (status, log, span): (Status, CallLog, tracing::Span),
    ) -> Answer {
        let edge = self.clone();
        Box::pin(
            async move { if learned.await { edge.oneshot(request).await } else { refuse(status, &log, &span).await } },
        )
    }
}

/// Handles the call as soon as its tenant has few enough others under way.
async fn in_turn<S>(
    account: Option<Arc<Account>>,
    mut inner: S,
    request: Request<Body>,
) -> Result<Response<Body>, Infallible>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let _turn = match account {
        None => None,
        Some(account) => match account.turn().await {
            Ok(turn) => turn,
            Err(error) => return Ok(Status::from(error).into_http()),
        },
    };
    inner.call(request).await
}

/// A call without a token: it waits for what is queued as others do, and there are few of them.
fn open_call(account: &Account) -> Result<Arc<OpenCall>, ApiError> {
    account.check(0)?;
    account.connection().open_call().map(Arc::new)
}

/// Limits what comes in, except of Baton's own services.
fn receive(request: &mut Request<Body>, account: &Arc<Account>, kind: MethodKind, admission: Option<&Admission>) {
    if admission.is_some_and(|it| it.caller.role == Role::Service) {
        return;
    }
    let body = std::mem::replace(request.body_mut(), Body::empty());
    *request.body_mut() = Received::wrap(body, account, kind.messages, admission.is_some());
}

/// The answer, or that the caller's deadline has passed. tonic ends such a call itself, but says that it was cancelled; so this
/// timer starts now, before tonic's, and not when the future is polled.
#[expect(clippy::disallowed_methods, reason = "the caller waits in real time")]
fn within<E>(
    timeout: Option<Duration>,
    answer: impl Future<Output = Result<Response<Body>, E>>,
) -> impl Future<Output = Result<Response<Body>, E>> {
    let late = || Ok(Status::from(ApiError::deadline_exceeded()).into_http());
    // Without a deadline: for longer than any call lasts.
    let timed = tokio::time::timeout(timeout.unwrap_or(NO_DEADLINE), answer);
    async move { timed.await.unwrap_or_else(|_| late()) }
}

fn refuse(status: Status, log: &CallLog, span: &tracing::Span) -> Answer {
    let response = status.into_http();
    span.in_scope(|| log.outcome(&response));
    Box::pin(std::future::ready(Ok(response)))
}

/// Logs the outcome of the call; replaces the answer to a malformed request.
fn finish(response: Response<Body>, log: &CallLog) -> Response<Body> {
    if let Some(error) = malformed::explain(response.headers()) {
        log.malformed(&error);
        return malformed::answer(error, &response);
    }
    log.outcome(&response);
    response
}
