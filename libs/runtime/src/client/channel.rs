//! The channel under every generated client. It adds the token, the trace and the rest of the deadline to each call, and
//! holds the busy guard.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use baton_api::ApiError;
use baton_api::error::{ErrorKind, ErrorReason};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, TimeoutExpired};
use tower::Service;

use super::identity::{self, Identity, ServiceIdentity};
use crate::call::{self, DEPTH_HEADER, TIMEOUT_HEADER};
use crate::clock::Clock;
use crate::in_process::InProcess;
use crate::service_name::ServiceName;
use crate::telemetry;
use crate::tls::ClientTls;

/// For a call without a deadline of its own or of the call that is being handled.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How many calls wait in the channel for the connection; more wait in their callers.
const QUEUE: usize = 1024;

#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    #[error("{0:?} is no address; write for example http://127.0.0.1:7400")]
    Address(String),
    /// The token has characters that are not allowed in a header.
    #[error("the token is malformed; get one from `baton token`")]
    Token,
}

/// A connection to a Baton listener, made when it is first used, and again when it was lost. Cheap to clone; clones share
/// the connection.
#[derive(Clone, Debug)]
pub struct GrpcChannel {
    transport: Transport,
    identity: Identity,
    clock: Clock,
    default_deadline: Duration,
}

#[derive(Clone, Debug)]
enum Transport {
    Network(Channel),
    /// Within this process, in the name of this service.
    InProcess(InProcess, ServiceName),
}

/// A channel between services.
pub type InternalChannel = GrpcChannel;
/// A channel of a client.
pub type PublicChannel = GrpcChannel;

impl GrpcChannel {
    /// Calls in the name of a service.
    pub fn internal(address: &str, service: ServiceIdentity, clock: Clock) -> Result<InternalChannel, ChannelError> {
        Self::new(address, Identity::Service(service), clock)
    }

    /// Calls with this token.
    pub fn public(address: &str, token: &str, clock: Clock) -> Result<PublicChannel, ChannelError> {
        let header = identity::bearer(token).ok_or(ChannelError::Token)?;
        Self::new(address, Identity::Token(header), clock)
    }

    /// Calls without a token: for health checks, and for testing refusals.
    pub fn anonymous(address: &str, clock: Clock) -> Result<PublicChannel, ChannelError> {
        Self::new(address, Identity::Anonymous, clock)
    }

    /// The same connection with another token.
    pub fn with_token(&self, token: &str) -> Result<PublicChannel, ChannelError> {
        let identity = Identity::Token(identity::bearer(token).ok_or(ChannelError::Token)?);
        Ok(Self { identity, ..self.clone() })
    }

    /// The same connection with another deadline for calls that have none.
    #[must_use]
    pub fn with_default_deadline(&self, default_deadline: Duration) -> Self {
        Self { default_deadline, ..self.clone() }
    }

    /// Calls in the name of a service of this process, which needs no token for it.
    pub fn in_process(services: &InProcess, caller: ServiceName, clock: Clock) -> InternalChannel {
        let transport = Transport::InProcess(services.clone(), caller);
        Self { transport, identity: Identity::Anonymous, clock, default_deadline: DEFAULT_DEADLINE }
    }

    /// Calls in the name of a service, over TLS where the address begins with `https://`.
    pub fn internal_over(
        tls: &ClientTls,
        address: &str,
        service: ServiceIdentity,
        clock: Clock,
    ) -> Result<InternalChannel, ChannelError> {
        Self::over(tls, address, Identity::Service(service), clock)
    }

    /// Calls without a token, over TLS where the address begins with `https://`.
    pub fn anonymous_over(tls: &ClientTls, address: &str, clock: Clock) -> Result<PublicChannel, ChannelError> {
        Self::over(tls, address, Identity::Anonymous, clock)
    }

    fn new(address: &str, identity: Identity, clock: Clock) -> Result<Self, ChannelError> {
        Self::over(&ClientTls::default(), address, identity, clock)
    }

    fn over(tls: &ClientTls, address: &str, identity: Identity, clock: Clock) -> Result<Self, ChannelError> {
        let no_address = || ChannelError::Address(address.to_owned());
        let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|_| no_address())?;
        let is_https = endpoint.uri().scheme_str() == Some("https");
        if !(is_https || endpoint.uri().scheme_str() == Some("http")) || endpoint.uri().host().is_none() {
            return Err(no_address());
        }
        let endpoint = endpoint
            .tcp_nodelay(true)
            .buffer_size(QUEUE)
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT);
        let channel = if is_https { over_tls(&endpoint, tls) } else { endpoint.connect_lazy() };
        let transport = Transport::Network(channel);
        Ok(Self { transport, identity, clock, default_deadline: DEFAULT_DEADLINE })
    }

    /// Completes the request's headers; an error if the deadline has passed before it is sent.
    fn prepare(&self, headers: &mut HeaderMap) -> Result<(), ApiError> {
        let now_us = self.clock.now_us();
        if let Some(token) = self.identity.header(self.clock.wall_us())? {
            headers.insert(AUTHORIZATION, token);
        }
        let left = self.time_left(headers, now_us).ok_or_else(too_late)?;
        insert(headers, TIMEOUT_HEADER, &call::format_timeout(left));
        if let Some(trace) = telemetry::current_trace() {
            insert(headers, "traceparent", &trace.to_string());
        }
        if self.clock.is_simulated() {
            insert(headers, DEPTH_HEADER, &(call::depth() + 1).to_string());
        }
        Ok(())
    }

    /// The rest of the deadline of the call that is being handled, or the default; less if the request has an earlier deadline.
    fn time_left(&self, headers: &HeaderMap, now_us: i64) -> Option<Duration> {
        let own = headers.get(TIMEOUT_HEADER).and_then(|it| call::parse_timeout(it.to_str().ok()?));
        let callers = call::current().and_then(|call| call.deadline_us).map(|deadline_us| {
            let left_us = deadline_us.saturating_sub(now_us);
            Duration::from_micros(u64::try_from(left_us).unwrap_or(0))
        });
        let left = match (own, callers) {
            (Some(own), Some(callers)) => own.min(callers),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => self.default_deadline,
        };
        (!left.is_zero()).then_some(left)
    }
}

/// The library's own TLS would read its files once.
fn over_tls(endpoint: &Endpoint, tls: &ClientTls) -> Channel {
    let (tls, address) = (tls.clone(), endpoint.uri().clone());
    let connector = tower::service_fn(move |_: Uri| {
        let (tls, address) = (tls.clone(), address.clone());
        async move { tls.connect(&address).await.map(TokioIo::new) }
    });
    endpoint.connect_with_connector_lazy(connector)
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Request<Body>> for GrpcChannel {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match &mut self.transport {
            Transport::Network(channel) => channel.poll_ready(cx).map_err(Into::into),
            Transport::InProcess(..) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Err(error) = self.prepare(request.headers_mut()) {
            let status: BoxError = Box::new(Status::from(error));
            return Box::pin(std::future::ready(Err(status)));
        }
        let busy = self.clock.busy();
        match &mut self.transport {
            Transport::Network(channel) => {
                let answer = channel.call(request);
                Box::pin(async move {
                    let answer = answer.await;
                    drop(busy);
                    answer.map(late_header).map_err(late_error)
                })
            }
            Transport::InProcess(services, caller) => {
                let (services, caller) = (services.clone(), *caller);
                let timeout = call::timeout(request.headers()).unwrap_or(DEFAULT_DEADLINE);
                Box::pin(async move {
                    let answer = within(timeout, services.call(caller, request)).await;
                    drop(busy);
                    Ok(answer)
                })
            }
        }
    }
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Also while nobody serves yet.
#[expect(clippy::disallowed_methods, reason = "the caller waits in real time")]
async fn within(timeout: Duration, answer: impl Future<Output = Response<Body>>) -> Response<Body> {
    let answered = tokio::time::timeout(timeout, answer).await;
    answered.unwrap_or_else(|_| Status::from(too_late()).into_http())
}

fn too_late() -> ApiError {
    let message = "No answer came in time; ask again with the same request id.";
    ApiError::new(ErrorKind::DeadlineExceeded, ErrorReason::Unavailable, message)
}

/// tonic reports an expired deadline as `CANCELLED`; the code for it is `DEADLINE_EXCEEDED`.
fn late_error(error: tonic::transport::Error) -> BoxError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(it) = cause {
        if it.is::<TimeoutExpired>() {
            return Box::new(Status::from(too_late()));
        }
        cause = it.source();
    }
    error.into()
}

/// The same for a server that noticed the expired deadline before we did.
fn late_header(response: Response<Body>) -> Response<Body> {
    let expired = Status::from_header_map(response.headers())
        .is_some_and(|it| it.code() == Code::Cancelled && it.message() == "Timeout expired");
    if expired { Status::from(too_late()).into_http() } else { response }
}
