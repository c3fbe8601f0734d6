//! A connection's socket, from which nothing is read while too many of its calls wait for their first step.
//!
//! HTTP/2 limits the calls that are open, and a call that is taken back is open no longer: a peer that begins calls and takes them back at once
//! (rapid reset) would otherwise have as many of them wait here as it can send.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// With what one reading brings, a few hundred more.
const MOST_WAITING: usize = 256;

/// The calls of a connection that wait for their first step.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: AtomicUsize,
    reader: AtomicWaker,
}

/// A call that waits, until it is dropped.
#[derive(Debug)]
pub(super) struct WaitingCall(Arc<Backlog>);

impl Backlog {
    pub(super) fn enter(self: &Arc<Self>) -> WaitingCall {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        WaitingCall(Arc::clone(self))
    }

    fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Acquire) >= MOST_WAITING
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_full() {
            return Poll::Ready(());
        }
        self.reader.register(cx.waker());
        // It may have become less before the waker was there.
        if self.is_full() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for WaitingCall {
    fn drop(&mut self) {
        if self.0.waiting.fetch_sub(1, Ordering::AcqRel) == MOST_WAITING {
            self.0.reader.wake();
        }
    }
}

pub(super) struct PacedStream<S> {
    pub(super) inner: S,
    pub(super) backlog: Arc<Backlog>,
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.backlog.poll_room(cx));
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures::task::{ArcWake, waker};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl ArcWake for Woken {
        fn wake_by_ref(this: &Arc<Self>) {
            this.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn s1_nothing_is_read_while_too_many_calls_wait_and_then_it_goes_on() {
        let (backlog, woken) = (Arc::<Backlog>::default(), Arc::<Woken>::default());
        let waker: Waker = waker(Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        let mut calls: Vec<_> = (1..MOST_WAITING).map(|_| backlog.enter()).collect();
        assert!(backlog.poll_room(&cx).is_ready());
        calls.extend([backlog.enter(), backlog.enter()]);
        assert!(backlog.poll_room(&cx).is_pending());
        calls.pop();
        assert_eq!(woken.0.load(Ordering::SeqCst), 0, "still too many");
        calls.pop();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(backlog.poll_room(&cx).is_ready());
    }
}
