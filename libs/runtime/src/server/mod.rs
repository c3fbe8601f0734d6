//! The gRPC edge of a service: one listener with health, reflection, gRPC-Web where browsers call, and the layer that every
//! call passes.

mod account;
mod budget;
mod connection;
mod connections;
mod forward;
mod layer;
mod limits;
mod malformed;
mod methods;
mod paced;
mod probes;
mod rates;
mod received;
mod reflection;
mod request_log;
mod scarce;
mod seats;
mod stream_end;
mod turns;
mod version;
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
use tower::util::option_layer;
use tower::{Layer as _, Service};

use crate::auth::{AdmissionList, Gate, Verifier};
use crate::clock::Clock;
use crate::disk_space::DiskSpace;
use crate::in_process::InProcess;
use crate::tls::{self, ServerTls};
use connections::Protocol;
pub use forward::Forwarded;
use layer::EdgeLayer;
pub use limits::ServerLimits;
pub use probes::Probes;
pub use version::VERSION_HEADER;
pub use web::{InvalidOrigin, WebOrigin};

/// In bytes, of a message that is received. Audio and lists come in pieces that are far smaller.
pub const LARGEST_MESSAGE: usize = 4 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program listens there.
    #[error("the address {0} is in use; stop what listens there, or choose another address (port 0 takes a free one)")]
    InUse(SocketAddr),
    #[error("can't listen on {address}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("the contract's descriptors can't be served")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Collects the services of one listener.
#[derive(Debug)]
pub struct ServerBuilder {
    clock: Clock,
    gate: Gate,
    space: DiskSpace,
    limits: ServerLimits,
    /// `None`: gRPC only.
    web_origins: Option<Vec<WebOrigin>>,
    /// `None`: plain text.
    tls: Option<ServerTls>,
    /// `None`: it is not said.
    version: Option<&'static str>,
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    health: HealthReporter,
}

impl ServerBuilder {
    pub fn new(clock: Clock, verifier: Verifier) -> Self {
        Self {
            clock,
            gate: Gate::new(verifier),
            space: DiskSpace::default(),
            limits: ServerLimits::default(),
            web_origins: None,
            tls: None,
            version: None,
            routes: Routes::builder(),
            names: Vec::new(),
            health: HealthReporter::new(),
        }
    }

    /// Answers for the health of this listener before it is there: *not serving*, until it serves.
    pub async fn starting(&self, listener: Listener) -> Probes {
        set_all(&self.health, &[], ServingStatus::NotServing).await;
        Probes::new(self.health.clone(), listener)
    }

    #[must_use]
    pub fn limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves only whom the list accepts.
    #[must_use]
    pub fn admitting(mut self, list: AdmissionList) -> Self {
        self.gate = self.gate.with_list(list);
        self
    }

    /// Refuses what can wait while there is little space on the disk.
    #[must_use]
    pub fn with_space(mut self, space: DiskSpace) -> Self {
        self.space = space;
        self
    }

    /// Serves gRPC-Web, too, to pages of these origins.
    #[must_use]
    pub fn web(mut self, origins: Vec<WebOrigin>) -> Self {
        self.web_origins = Some(origins);
        self
    }

    /// Speaks TLS; `None` is plain text.
    #[must_use]
    pub fn tls(mut self, tls: Option<ServerTls>) -> Self {
        self.tls = tls;
        self
    }

    /// Every answer has this version in its header.
    #[must_use]
    pub fn announcing(mut self, version: &'static str) -> Self {
        self.version = Some(version);
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

    /// Serves the other services of this process, without a listener, until the token is cancelled; then streams end, and calls under way may
    /// finish.
    pub async fn serve_in_process(self, at: InProcess, shutdown: CancellationToken) {
        let edge = EdgeLayer::new((self.gate, self.space), self.clock, shutdown.clone(), &self.limits);
        at.serve(edge.layer(self.routes.routes()));
        shutdown.cancelled().await;
        at.stop();
    }

    /// Opens the listener. Connections are accepted, and wait, until [`BoundServer::serve`].
    pub fn bind(self, address: SocketAddr) -> Result<BoundServer, ServeError> {
        Ok(self.on(Listener::bind(address)?))
    }

    /// Uses a listener that is open already.
    pub fn on(self, listener: Listener) -> BoundServer {
        BoundServer { health: self.health.clone(), builder: self, listener }
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

    /// Answers for the health of this listener's services on another listener.
    pub fn probes(&self, listener: Listener) -> Probes {
        Probes::new(self.health.clone(), listener)
    }

    /// Serves until the token is cancelled; then health says *not serving*, nothing new is accepted, streams end with
    /// `UNAVAILABLE`, and calls under way may finish within the drain time.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), ServeError> {
        let Self { builder, listener, health } = self;
        set_all(&health, &builder.names, ServingStatus::Serving).await;
        let (limits, drain) = (builder.limits, builder.limits.drain);
        let web = builder.web_origins.as_deref().map(web::layer);
        let protocol = Protocol { with_http1: web.is_some(), tls: builder.tls.clone() };
        let fresh = async {
            match &builder.tls {
                Some(tls) => tls.keep_fresh(tls::PERIOD).await,
                None => std::future::pending().await,
            }
        };
        let routes = with_health_and_reflection(builder.routes, &builder.names, &health)?;
        let edge = EdgeLayer::new((builder.gate, builder.space), builder.clock, shutdown.clone(), &limits);
        let service = option_layer(web).layer(edge.layer(routes));
        let service = option_layer(builder.version.map(version::layer)).layer(service);
        let stopping = {
            let (shutdown, names) = (shutdown.clone(), builder.names);
            async move {
                shutdown.cancelled().await;
                set_all(&health, &names, ServingStatus::NotServing).await;
            }
        };
        let served = connections::serve(listener.socket, limits, (service, protocol), stopping);
        tokio::select! {
            () = served => {}
            () = fresh => {}
            () = drained(shutdown, drain) => tracing::warn!("calls were still under way when the drain time was over"),
        }
        Ok(())
    }
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
pub(crate) use tests::CapturedLog;
#[cfg(test)]
mod forward_tests;
#[cfg(test)]
mod in_process_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
