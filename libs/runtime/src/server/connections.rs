//! Accepts the connections of a listener within its limits ([`seats`](super::seats)), and serves each until it ends by itself, has to
//! give way, or the server stops.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tower::limit::ConcurrencyLimit;
use tower::{Service, ServiceExt as _};

use super::account::Account;
use super::connection::{Connection, Decision};
use super::limits::ServerLimits;
use super::paced::{Backlog, PacedStream};
use super::seats::{Entry, Seats};
use super::turns::CallExecutor;
use crate::clock::{Clock, Elapsed};
use crate::tls::ServerTls;
use crate::{lifecycle, process};

/// The connection to a peer that does not answer a ping for this long is closed.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// After a failure to accept (no file is left, for example) the next attempt would fail at once.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// Of frames that break HTTP/2's rules, in the whole life of a connection. A proxy's connection is many clients'.
const MOST_ERRORS: usize = 65_536;

/// How a listener is spoken to.
#[derive(Clone, Debug, Default)]
pub(super) struct Protocol {
    /// HTTP/1.1, too: gRPC-Web, probes.
    pub(super) with_http1: bool,
    /// `None`: plain text.
    pub(super) tls: Option<ServerTls>,
}

/// Serves connections until `stopping` is over; then it accepts none, asks those that are open to go, and waits for them.
pub(super) async fn serve<S>(
    listener: TcpListener,
    limits: ServerLimits,
    (service, protocol): (S, Protocol),
    stopping: impl Future<Output = ()>,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let (connections, stop) = (TaskTracker::new(), CancellationToken::new());
    let mut acceptor = Acceptor::new(listener, limits);
    let mut stopping = std::pin::pin!(stopping);
    loop {
        let (stream, connection) = tokio::select! {
            () = &mut stopping => break,
            accepted = acceptor.next() => accepted,
        };
        let limited = ConcurrencyLimit::new(service.clone(), limits.concurrency_per_connection);
        let task = open(stream, connection, (limits, protocol.clone()), limited, stop.clone());
        lifecycle::spawn(connections.track_future(task));
    }
    drop(acceptor);
    stop.cancel();
    connections.close();
    connections.wait().await;
}

fn builder(executor: CallExecutor, (limits, with_http1): (ServerLimits, bool)) -> auto::Builder<CallExecutor> {
    let mut builder = auto::Builder::new(executor);
    builder.http1().timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .initial_stream_window_size(limits.receive_window_of_call)
        .initial_connection_window_size(limits.receive_window)
        .max_concurrent_streams(limits.streams_per_connection)
        // All calls of a connection may run into their deadline at the same moment, before any of them was looked at.
        .max_pending_accept_reset_streams(limits.streams_per_connection as usize)
        .max_local_error_reset_streams(MOST_ERRORS);
    if with_http1 { builder } else { builder.http2_only() }
}

/// Serves a connection, once its peer has done what TLS wants of it.
async fn open<S>(
    socket: TcpStream,
    connection: Arc<Connection>,
    (limits, protocol): (ServerLimits, Protocol),
    service: S,
    stop: CancellationToken,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    // So that answers go out at once; without it the socket works, too.
    let _ = socket.set_nodelay(true);
    let how = (limits, protocol.with_http1);
    let Some(tls) = protocol.tls else {
        return run(socket, connection, how, service, stop).await;
    };
    let clock = Clock::real();
    let shaken = tokio::select! {
        // Real time, also where time is simulated: it limits what a peer costs.
        shaken = clock.timeout(limits.first_token, tls.accept(socket)) => shaken,
        () = connection.evicted().cancelled() => return,
        () = stop.cancelled() => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            if let Some(name) = tls.client_name(&stream) {
                connection.has_shown(&name);
            }
            run(stream, connection, how, service, stop).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a connection was refused by TLS"),
        Err(Elapsed) => tracing::debug!("a connection was not ready in time for TLS"),
    }
}

async fn run<I, S>(
    stream: I,
    connection: Arc<Connection>,
    how: (ServerLimits, bool),
    service: S,
    stop: CancellationToken,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let accounted = tower::service_fn({
        let connection = Arc::clone(&connection);
        move |request: Request<hyper::body::Incoming>| {
            let account = Account::open(&connection);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Arc::clone(&account));
            let answer = service.clone().oneshot(request);
            async move { answer.await.map(|response| account.follow(response)) }
        }
    });
    let backlog = Arc::<Backlog>::default();
    let (executor, turns) = CallExecutor::new(how.0.calls_in_turn, &backlog);
    let server = builder(executor, how);
    let stream = TokioIo::new(PacedStream { inner: stream, backlog });
    let mut serving = std::pin::pin!(server.serve_connection(stream, TowerToHyperService::new(accounted)));
    let mut is_leaving = false;
    loop {
        let decision = tokio::select! {
            ended = turns.serve(serving.as_mut()) => return log_end(ended),
            () = connection.evicted().cancelled() => Decision::Close("another one needs its place"),
            () = stop.cancelled(), if !is_leaving => Decision::Leave("the server stops"),
            // Real time, also where time is simulated: it limits what a peer costs.
            () = look_later(&connection) => connection.decision(),
        };
        match decision {
            Decision::Leave(why) if !is_leaving => {
                tracing::debug!(why, "a connection is asked to go");
                is_leaving = true;
                serving.as_mut().graceful_shutdown();
            }
            Decision::Leave(_) | Decision::Stay => {}
            Decision::Close(why) => return tracing::debug!(why, "a connection is closed"),
        }
    }
}

async fn look_later(connection: &Connection) {
    Clock::real().sleep(connection.next_look()).await;
}

fn log_end(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(error, "a connection broke");
    }
}

struct Acceptor {
    listener: TcpListener,
    seats: Seats,
    most: usize,
    /// The trouble has been logged; it is logged again only after half of the places were free.
    is_logged: bool,
}

impl Acceptor {
    fn new(listener: TcpListener, limits: ServerLimits) -> Self {
        // Half of all files, if that is less: there are usually two listeners, and other files than connections.
        let most = limits.connections.min(process::file_limit() / 2).max(1);
        Self { listener, seats: Seats::new(limits, most), most, is_logged: false }
    }

    async fn next(&mut self) -> (TcpStream, Arc<Connection>) {
        loop {
            let accepted = self.listener.accept().await;
            match accepted {
                Ok((stream, address)) => {
                    if let Some(connection) = self.seat(address).await {
                        return (stream, connection);
                    }
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    self.log_once(|| tracing::warn!(%error, "no connection can be accepted"));
                    Clock::real().sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// Waits until there may be one more connection; `None` if this peer may have no more.
    async fn seat(&mut self, address: SocketAddr) -> Option<Arc<Connection>> {
        loop {
            match self.seats.enter(address.ip()) {
                Entry::Seated(connection) => {
                    if self.seats.open() <= self.most / 2 {
                        self.is_logged = false;
                    }
                    return Some(connection);
                }
                Entry::PeerIsFull => {
                    tracing::warn!(peer = %address.ip(), "a peer has as many connections as it may (server.connections_per_peer); a further one was closed");
                    return None;
                }
                Entry::Full => {
                    let most = self.most;
                    self.log_once(|| {
                        tracing::warn!(connections = most, "as many connections as may be are open (server.connections, or half of the files that the process may open); more wait");
                    });
                    self.seats.freed().await;
                }
            }
        }
    }

    fn log_once(&mut self, log: impl FnOnce()) {
        if !std::mem::replace(&mut self.is_logged, true) {
            log();
        }
    }
}

/// Whether only one peer failed to connect: others can.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | BrokenPipe | Interrupted | TimedOut)
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
