//! The connections of a listener: their limit, and the time in which each has to begin with HTTP/2.
//!
//! A connection costs an open file. Their number in a process is limited, and databases and other services need some, too. A
//! connection is opened before any token is shown, by anybody who can reach the port. So the listener accepts a limited number
//! and leaves the next ones waiting in the system's queue. A connection on which no HTTP/2 begins in time is closed, or a
//! silent client would keep its permit for ever. (Later HTTP/2 itself pings the peer every few seconds.)

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::ServerLimits;
use crate::clock::Clock;
use crate::process;

/// The preface of HTTP/2 and the header of the frame that has to follow it. No request of HTTP/1.1 is shorter that names its host; its
/// headers have to be complete within 30 s, and so has the next request on the connection (hyper).
const PREFACE_BYTES: usize = 24 + 9;
/// After a failure to accept (no file is left, for example) the next attempt would fail at once.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Accepts connections within the limits, for ever.
pub(super) fn accept(
    listener: TcpListener,
    limits: &ServerLimits,
) -> impl Stream<Item = io::Result<AcceptedConnection>> + use<> {
    // Half of all files, if that is less: there are usually two listeners, and other files than connections.
    let most = limits.connections.min(process::file_limit() / 2).clamp(1, Semaphore::MAX_PERMITS);
    let permits = Arc::new(Semaphore::new(most));
    let acceptor = Acceptor { listener, permits, most, first_bytes: limits.first_bytes, is_logged: false };
    stream::unfold(acceptor, |mut acceptor| async move { Some((Ok(acceptor.next().await), acceptor)) })
}

struct Acceptor {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    most: usize,
    first_bytes: Duration,
    /// The trouble has been logged; it is logged again only after half of the permits were free.
    is_logged: bool,
}

impl Acceptor {
    async fn next(&mut self) -> AcceptedConnection {
        loop {
            let permit = self.permit().await;
            match self.listener.accept().await {
                Ok((stream, _)) => return AcceptedConnection::new(stream, permit, self.first_bytes),
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    self.log_once(|| tracing::warn!(%error, "no connection can be accepted"));
                    Clock::real().sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// Waits until there may be one more connection.
    async fn permit(&mut self) -> Option<OwnedSemaphorePermit> {
        let free = self.permits.available_permits();
        if free == 0 {
            let most = self.most;
            self.log_once(|| {
                tracing::warn!(connections = most, "as many connections as may be are open (server.connections, or half of the files that the process may open); more wait");
            });
        } else if free > self.most / 2 {
            self.is_logged = false;
        }
        // The semaphore is never closed, so this is always `Some`.
        Arc::clone(&self.permits).acquire_owned().await.ok()
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

/// A connection that holds a permit.
pub(super) struct AcceptedConnection {
    stream: TcpStream,
    /// `None` once the preface has come.
    preface: Option<AwaitedPreface>,
    _permit: Option<OwnedSemaphorePermit>,
}

struct AwaitedPreface {
    missing: usize,
    too_late: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl AcceptedConnection {
    fn new(stream: TcpStream, permit: Option<OwnedSemaphorePermit>, first_bytes: Duration) -> Self {
        // So that answers go out at once; without it the socket works, too.
        let _ = stream.set_nodelay(true);
        // Real time, also where time is simulated: it limits what an unauthenticated peer costs.
        let too_late = Box::pin(async move { Clock::real().sleep(first_bytes).await });
        Self { stream, preface: Some(AwaitedPreface { missing: PREFACE_BYTES, too_late }), _permit: permit }
    }

    /// Counts the bytes that came; an error if the time is over and the preface is incomplete.
    fn receive(&mut self, cx: &mut Context<'_>, came: usize) -> io::Result<()> {
        let Some(preface) = &mut self.preface else {
            return Ok(());
        };
        preface.missing = preface.missing.saturating_sub(came);
        if preface.missing == 0 {
            self.preface = None;
        } else if preface.too_late.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl AsyncRead for AcceptedConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let came = buffer.filled().len().saturating_sub(before);
        self.receive(cx, came)?;
        read
    }
}

impl AsyncWrite for AcceptedConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Connected for AcceptedConnection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
