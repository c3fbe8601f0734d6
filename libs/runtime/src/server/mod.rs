//! The gRPC edge of a service: one listener with health, reflection, gRPC-Web where browsers call, and the layer that every
//! call passes.

mod connections;
mod layer;
mod malformed;
mod reflection;
mod request_log;
mod stream_end;
mod web;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::{Routes, RoutesBuilder};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tower::Service;
use tower::util::option_layer;

use crate::auth::{Gate, TenantStates, Verifier};
use crate::clock::Clock;
use crate::config::Config;
use layer::EdgeLayer;
pub use web::{InvalidOrigin, WebOrigin};

/// In bytes, of a message that is received. Audio and lists come in pieces that are far smaller.
pub const LARGEST_MESSAGE: usize = 4 * 1024 * 1024;
/// The connection to a peer that does not answer a ping for this long is closed.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// A client sends the HTTP/2 preface at once; this allows for the slowest network.
const FIRST_BYTES: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program listens there.
    #[error("the address {0} is in use; stop what listens there, or choose another address (port 0 takes a free one)")]
    InUse(SocketAddr),
    #[error("can't listen on {address}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("the contract's descriptors can't be served")]
    Reflection(#[from] tonic_reflection::server::Error),
    #[error("the listener broke")]
    Transport(#[from] tonic::transport::Error),
}

/// The limits of one listener.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    pub connections: usize,
    /// The time in which the HTTP/2 preface has to come.
    pub first_bytes: Duration,
    /// Calls under way; more wait.
    pub concurrency_per_connection: usize,
    /// Streams and calls together.
    pub streams_per_connection: u32,
    /// How long calls may take to finish when the server stops.
    pub drain: Duration,
    /// How long a stream goes on after its token has expired.
    pub stream_grace: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            first_bytes: FIRST_BYTES,
            concurrency_per_connection: 1024,
            streams_per_connection: 4096,
            drain: Duration::from_secs(10),
            stream_grace: Duration::from_mins(1),
        }
    }
}

impl From<&Config> for ServerLimits {
    fn from(config: &Config) -> Self {
        let stream_grace = config.auth.stream_grace_ms.duration();
        let config = &config.server;
        Self {
            stream_grace,
            connections: config.connections,
            first_bytes: FIRST_BYTES,
            concurrency_per_connection: config.concurrency_per_connection,
            streams_per_connection: config.streams_per_connection,
            drain: config.drain_ms.duration(),
        }
    }
}

/// Collects the services of one listener.
#[derive(Debug)]
pub struct ServerBuilder {
    clock: Clock,
    gate: Gate,
    limits: ServerLimits,
    /// `None`: gRPC only.
    web_origins: Option<Vec<WebOrigin>>,
    routes: RoutesBuilder,
    names: Vec<&'static str>,
}

impl ServerBuilder {
    pub fn new(clock: Clock, verifier: Verifier) -> Self {
        Self {
            clock,
            gate: Gate::new(verifier),
            limits: ServerLimits::default(),
            web_origins: None,
            routes: Routes::builder(),
            names: Vec::new(),
        }
    }

    #[must_use]
    pub fn limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves only tenants that are accepted.
    #[must_use]
    pub fn tenants(mut self, tenants: TenantStates) -> Self {
        self.gate = self.gate.with_tenants(tenants);
        self
    }

    /// Serves gRPC-Web, too, to pages of these origins.
    #[must_use]
    pub fn web(mut self, origins: Vec<WebOrigin>) -> Self {
        self.web_origins = Some(origins);
        self
    }

    /// Adds a generated server (`TransferServiceServer::new(..)`).
    #[must_use]
    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.names.push(S::NAME);
        self
    }

    /// Opens the listener. Connections are accepted, and wait, until [`BoundServer::serve`].
    pub fn bind(self, address: SocketAddr) -> Result<BoundServer, ServeError> {
        Ok(self.on(Listener::bind(address)?))
    }

    /// Uses a listener that is open already.
    pub fn on(self, listener: Listener) -> BoundServer {
        BoundServer { builder: self, listener, health: HealthReporter::new() }
    }
}

/// A listening socket whose server is built later: so the addresses of all services are known before any of them starts.
/// Connections wait meanwhile.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    local_addr: SocketAddr,
}

impl Listener {
    pub fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        Self::open(address).map_err(|source| bind_error(address, source))
    }

    fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let local_addr = socket.local_addr()?;
        Ok(Self { socket: TcpListener::from_std(socket)?, local_addr })
    }

    /// Where it listens; with the real port if port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

fn bind_error(address: SocketAddr, source: io::Error) -> ServeError {
    if source.kind() == io::ErrorKind::AddrInUse {
        ServeError::InUse(address)
    } else {
        ServeError::Bind { address, source }
    }
}

/// What health says of a listener's services.
#[derive(Clone, Debug)]
pub struct Readiness {
    health: HealthReporter,
    names: Vec<&'static str>,
}

impl Readiness {
    /// From now on health says *not serving*, and calls are still served: so that balancers send new ones elsewhere before the
    /// listener closes.
    pub async fn withdraw(&self) {
        set_all(&self.health, &self.names, ServingStatus::NotServing).await;
    }

    /// Takes [`withdraw`](Self::withdraw) back.
    pub async fn restore(&self) {
        set_all(&self.health, &self.names, ServingStatus::Serving).await;
    }
}

/// A listener with its services.
#[derive(Debug)]
pub struct BoundServer {
    builder: ServerBuilder,
    listener: Listener,
    health: HealthReporter,
}

impl BoundServer {
    /// Where it listens; with the real port if port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr
    }

    /// What health says. All services serve from [`serve`](Self::serve) on.
    pub fn readiness(&self) -> Readiness {
        Readiness { health: self.health.clone(), names: self.builder.names.clone() }
    }

    /// Serves until the token is cancelled; then health says *not serving*, nothing new is accepted, streams end with
    /// `UNAVAILABLE`, and calls under way may finish within the drain time.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), ServeError> {
        let Self { builder, listener, health } = self;
        set_all(&health, &builder.names, ServingStatus::Serving).await;
        let drain = builder.limits.drain;
        let web = builder.web_origins.as_deref().map(web::layer);
        let router = transport(&builder.limits)
            .accept_http1(web.is_some())
            .layer(option_layer(web))
            .layer(EdgeLayer::new(builder.gate, builder.clock, shutdown.clone(), builder.limits.stream_grace))
            .add_routes(with_health_and_reflection(builder.routes, &builder.names, &health)?);
        let stopping = {
            let (shutdown, names) = (shutdown.clone(), builder.names);
            async move {
                shutdown.cancelled().await;
                set_all(&health, &names, ServingStatus::NotServing).await;
            }
        };
        let incoming = connections::accept(listener.socket, &builder.limits);
        let served = router.serve_with_incoming_shutdown(incoming, stopping);
        tokio::select! {
            result = served => Ok(result?),
            () = drained(shutdown, drain) => {
                tracing::warn!("calls were still under way when the drain time was over");
                Ok(())
            }
        }
    }
}

fn transport(limits: &ServerLimits) -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .concurrency_limit_per_connection(limits.concurrency_per_connection)
        .max_concurrent_streams(limits.streams_per_connection)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
}

/// Adds health and reflection; reflection lists the services of this listener only.
fn with_health_and_reflection(
    mut routes: RoutesBuilder,
    names: &[&'static str],
    health: &HealthReporter,
) -> Result<Routes, ServeError> {
    let health = HealthServer::new(HealthService::from_health_reporter(health.clone()));
    routes.add_service(health);
    routes.add_service(reflection::server(names)?);
    routes.add_service(reflection::older_server(names)?);
    Ok(routes.routes())
}

async fn set_all(health: &HealthReporter, names: &[&'static str], status: ServingStatus) {
    health.set_service_status("", status).await;
    for name in names {
        health.set_service_status(*name, status).await;
    }
}

/// In real time: it limits how long a person waits.
async fn drained(shutdown: CancellationToken, drain: Duration) {
    shutdown.cancelled().await;
    Clock::real().sleep(drain).await;
}

#[cfg(test)]
mod tests;
