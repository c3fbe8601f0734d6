//! The connections of a listener: how many there may be, and that somebody is at the other end.
//!
//! A connection costs a file, and a process has only so many of them: the databases and the other services need some, too.
//! Whoever can reach the port can open connections before they have shown any token. So the listener takes a limited number
//! and leaves the next ones waiting in the system's queue; and one on which no HTTP/2 begins is closed, or a program
//! that says nothing would keep its place for ever. (HTTP/2 itself asks every few seconds whether the peer is still there.)

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

use super::Limits;
use crate::clock::Clock;
use crate::process;

/// The preface of HTTP/2 and the head of the frame that has to follow it: less is not a client.
const BEGINNING: usize = 24 + 9;
/// After a failure to accept (no file is left, say) the next attempt would fail at once.
const PAUSE: Duration = Duration::from_millis(200);

/// Accepts connections within the limits, for ever.
pub(super) fn accept(listener: TcpListener, limits: &Limits) -> impl Stream<Item = io::Result<Connection>> + use<> {
    // Half of all files, if that is less: there are two listeners as a rule, and more than connections to be opened.
    let most = limits.connections.min(process::file_limit() / 2).clamp(1, Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(most));
    let acceptor = Acceptor { listener, places, most, first_bytes: limits.first_bytes, told: false };
    stream::unfold(acceptor, |mut acceptor| async move { Some((Ok(acceptor.next().await), acceptor)) })
}

struct Acceptor {
    listener: TcpListener,
    places: Arc<Semaphore>,
    most: usize,
    first_bytes: Duration,
    /// The log has it that connections can't be taken; said again only after things were well.
    told: bool,
}

impl Acceptor {
    async fn next(&mut self) -> Connection {
        loop {
            let place = self.place().await;
            match self.listener.accept().await {
                Ok((stream, _)) => return Connection::new(stream, place, self.first_bytes),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.tell(|| tracing::warn!(%error, "no connection can be accepted"));
                    Clock::real().sleep(PAUSE).await;
                }
            }
        }
    }

    /// Waits until there may be one more connection.
    async fn place(&mut self) -> Option<OwnedSemaphorePermit> {
        let free = self.places.available_permits();
        if free == 0 {
            let most = self.most;
            self.tell(|| {
                tracing::warn!(connections = most, "as many connections as may be are open (server.connections, or half of the files that the process may open); more wait");
            });
        } else if free > self.most / 2 {
            self.told = false;
        }
        // Nobody closes the semaphore, so there is always a permit.
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    fn tell(&mut self, log: impl FnOnce()) {
        if !std::mem::replace(&mut self.told, true) {
            log();
        }
    }
}

/// Whoever wanted to connect has gone; the next one is not concerned.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | BrokenPipe | Interrupted | TimedOut)
}

/// A connection in its place.
pub(super) struct Connection {
    stream: TcpStream,
    /// What has to come in time; `None` when it has.
    beginning: Option<Beginning>,
    _place: Option<OwnedSemaphorePermit>,
}

struct Beginning {
    missing: usize,
    too_late: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Connection {
    fn new(stream: TcpStream, place: Option<OwnedSemaphorePermit>, first_bytes: Duration) -> Self {
        // Answers go out at once; a socket that can't is as good.
        let _ = stream.set_nodelay(true);
        // Real time, also where time is simulated: it bounds what a stranger costs.
        let too_late = Box::pin(async move { Clock::real().sleep(first_bytes).await });
        Self { stream, beginning: Some(Beginning { missing: BEGINNING, too_late }), _place: place }
    }

    /// Notes what has come; an error if the time is over and it was not enough.
    fn begin(&mut self, cx: &mut Context<'_>, came: usize) -> io::Result<()> {
        let Some(beginning) = &mut self.beginning else {
            return Ok(());
        };
        beginning.missing = beginning.missing.saturating_sub(came);
        if beginning.missing == 0 {
            self.beginning = None;
        } else if beginning.too_late.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let came = buffer.filled().len().saturating_sub(before);
        self.begin(cx, came)?;
        read
    }
}

impl AsyncWrite for Connection {
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

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
