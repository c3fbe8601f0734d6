//! A request as it comes in: how long it may take, and how much of it may wait.
//!
//! A handler gets whole messages; what there is of one that is not complete waits in memory. So a message that has begun has to be
//! complete in time, the request of a unary call with its end, and meanwhile its bytes are counted.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use baton_api::ApiError;
use baton_api::error::{ErrorKind, ErrorReason};
use bytes::{Buf as _, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use super::account::Account;
use super::budget::Waiting;
use crate::clock::Clock;

/// In bytes, of a message before its length: whether it is compressed, and the length itself.
const PREFIX: usize = 5;
/// In bytes, of a message of a call without a token.
const LARGEST_WITHOUT_TOKEN: usize = 16 * 1024;

/// What a method takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Messages {
    One,
    Many,
}

pub(super) struct Received {
    inner: Body,
    account: Arc<Account>,
    messages: Messages,
    largest: Option<usize>,
    framing: Framing,
    waiting: Option<Waiting>,
    /// Of the message that is not complete.
    too_late: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Received {
    pub(super) fn wrap(inner: Body, account: &Arc<Account>, messages: Messages, has_token: bool) -> Body {
        if inner.is_end_stream() {
            return inner;
        }
        Body::new(Self {
            inner,
            account: Arc::clone(account),
            messages,
            largest: (!has_token).then_some(LARGEST_WITHOUT_TOKEN),
            framing: Framing::default(),
            waiting: None,
            too_late: None,
        })
    }

    fn receive(&mut self, bytes: &Bytes) -> Result<(), ApiError> {
        let is_between = self.framing.read(bytes.clone());
        if is_between && self.messages == Messages::Many {
            (self.waiting, self.too_late) = (None, None);
            return Ok(());
        }
        if self.largest.is_some_and(|largest| self.framing.expected > largest) {
            return Err(
                ApiError::resource_exhausted("The message is too large for a call without a token.").without_retry()
            );
        }
        self.account.check(bytes.len())?;
        match &mut self.waiting {
            Some(waiting) => waiting.add(bytes.len()),
            None => self.waiting = self.account.count(bytes.len()),
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), ApiError> {
        self.waiting = None;
        self.account.check(0)
    }

    /// Whether what has begun is to be complete by now.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let is_awaited = self.messages == Messages::One || self.framing.has_begun() || !self.framing.has_first;
        if !is_awaited {
            return false;
        }
        let receive = self.account.connection().limits().receive;
        // Real time: it limits what a peer costs.
        let timer = || -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async move { Clock::real().sleep(receive).await })
        };
        self.too_late.get_or_insert_with(timer).as_mut().poll(cx).is_ready()
    }
}

fn too_late() -> ApiError {
    let message = "The request did not come in time (limits.receive_ms); send it whole, and end it.";
    ApiError::new(ErrorKind::DeadlineExceeded, ErrorReason::Deadline, message)
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Pending if this.is_late(cx) => Poll::Ready(Some(Err(too_late().into()))),
            Poll::Ready(Some(Ok(frame))) => {
                let received = frame.data_ref().map_or(Ok(()), |bytes| this.receive(bytes));
                Poll::Ready(Some(received.map(|()| frame).map_err(Status::from)))
            }
            // It is whole: what was asked before it may be too much by now.
            Poll::Ready(None) if this.messages == Messages::One => match this.end() {
                Ok(()) => Poll::Ready(None),
                Err(error) => Poll::Ready(Some(Err(error.into()))),
            },
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Where one message ends and the next begins.
#[derive(Debug, Default)]
struct Framing {
    prefix: [u8; PREFIX],
    /// So many bytes of the prefix have come.
    prefix_came: usize,
    /// In bytes, of the present message, once its prefix has come.
    expected: usize,
    missing: usize,
    /// A whole message has come.
    has_first: bool,
}

impl Framing {
    /// Reads on; whether it stands between two messages.
    fn read(&mut self, mut bytes: Bytes) -> bool {
        while bytes.has_remaining() {
            if self.prefix_came < PREFIX {
                let Some(slot) = self.prefix.get_mut(self.prefix_came) else { break };
                *slot = bytes.get_u8();
                self.prefix_came += 1;
                let [_, length @ ..] = self.prefix;
                if self.prefix_came == PREFIX {
                    self.expected = u32::from_be_bytes(length) as usize;
                    self.missing = self.expected;
                }
            } else {
                let came = self.missing.min(bytes.remaining());
                bytes.advance(came);
                self.missing -= came;
            }
            if self.prefix_came == PREFIX && self.missing == 0 {
                self.prefix_came = 0;
                self.has_first = true;
            }
        }
        !self.has_begun()
    }

    fn has_begun(&self) -> bool {
        self.prefix_came > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart_however_they_are_cut() {
        let whole = [&[0, 0, 0, 0, 2, 1, 2][..], &[0, 0, 0, 0, 0], &[1, 0, 0, 1, 0], &[7; 256]].concat();
        for size in 1..=whole.len() {
            let mut framing = Framing::default();
            let mut read = 0;
            for piece in whole.chunks(size) {
                let is_between = framing.read(Bytes::copy_from_slice(piece));
                read += piece.len();
                let ends = [7, 12, 273];
                assert_eq!(is_between, ends.contains(&read), "{size} {read}");
                assert_eq!(framing.has_first, read >= 7);
            }
            assert_eq!(framing.expected, 256);
        }
    }
}
