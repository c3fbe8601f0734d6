//! What one call has under way: the bytes of its answer that nobody has read, and of its request that nobody can use yet.
//!
//! An answer is counted from when it is a message until the connection has written it. Whoever asks and does not read fills their own
//! budget, and their next call is refused before it costs anything.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use baton_api::ApiError;
use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;
use tonic::body::Body;

use super::budget::{Slice, Waiting};
use super::connection::{CallUnderWay, Connection};
use crate::auth::{Caller, Role};

/// One call, as an extension of its request.
#[derive(Debug)]
pub(super) struct Account {
    connection: Arc<Connection>,
    owner: OnceLock<Owner>,
    _call: CallUnderWay,
}

/// Who pays for what waits.
#[derive(Debug)]
enum Owner {
    /// One of Baton's services: all tenants' calls are on its connection.
    Service,
    Limited(Arc<Slice>),
}

impl Account {
    pub(super) fn open(connection: &Arc<Connection>) -> Arc<Self> {
        let call = connection.begin_call();
        Arc::new(Self { connection: Arc::clone(connection), owner: OnceLock::new(), _call: call })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// From now on the caller's tenant pays. Refuses a caller who has too much under way.
    pub(super) fn admit(&self, caller: &Caller) -> Result<(), ApiError> {
        self.connection.admit(caller)?;
        let owner = match &caller.tenant {
            _ if caller.role == Role::Service => Owner::Service,
            Some(tenant) => Owner::Limited(self.connection.budgets().of_tenant(tenant)),
            None => Owner::Limited(Arc::clone(&self.connection.peer().owner)),
        };
        let _ = self.owner.set(owner);
        self.check(0)
    }

    /// Refuses when so many bytes more are too many.
    pub(super) fn check(&self, bytes: usize) -> Result<(), ApiError> {
        match self.owner.get() {
            Some(Owner::Service) => Ok(()),
            Some(Owner::Limited(slice)) => self.connection.budgets().check(bytes, &self.connection, slice),
            None => self.connection.budgets().check(bytes, &self.connection, &self.connection.peer().owner),
        }
    }

    /// Waits until the owner has few enough calls that are handled at once. What came meanwhile may be too much for it now.
    pub(super) async fn turn(&self) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
        let turn = match self.owner.get() {
            Some(Owner::Limited(slice)) => slice.turn().await,
            _ => None,
        };
        self.check(0).map(|()| turn)
    }

    /// Counts bytes; `None` if nobody has to pay.
    pub(super) fn count(&self, bytes: usize) -> Option<Waiting> {
        let slice = match self.owner.get() {
            Some(Owner::Service) => return None,
            Some(Owner::Limited(slice)) => slice,
            None => &self.connection.peer().owner,
        };
        Some(Waiting::count(bytes, &self.connection, slice))
    }

    /// The answer; its bytes are counted until they are written.
    pub(super) fn follow(self: Arc<Self>, response: Response<Body>) -> Response<Body> {
        response.map(|inner| Body::new(Followed { inner, account: self, rest: None }))
    }
}

/// In bytes. An answer goes in pieces, so that a peer who reads slowly is told from one who does not.
const PIECE: usize = 16 * 1024;

struct Followed {
    inner: Body,
    account: Arc<Account>,
    /// The rest of a message.
    rest: Option<(Bytes, Option<Waiting>)>,
}

impl Followed {
    /// The next piece of the rest, with what counts it.
    fn piece(&mut self) -> Option<Bytes> {
        let (mut bytes, mut waiting) = self.rest.take()?;
        let piece = bytes.split_to(PIECE.min(bytes.len()));
        if bytes.is_empty() {
            return Some(counted(piece, waiting));
        }
        if let Some(waiting) = &mut waiting {
            waiting.reduce(piece.len());
        }
        self.rest = Some((bytes, waiting));
        let waiting = self.account.count(piece.len());
        Some(counted(piece, waiting))
    }
}

fn counted(bytes: Bytes, waiting: Option<Waiting>) -> Bytes {
    if waiting.is_some() { Bytes::from_owner(Counted(bytes, waiting)) } else { bytes }
}

/// A piece of an answer, with what counts it.
struct Counted(Bytes, #[expect(dead_code, reason = "it counts until it is dropped")] Option<Waiting>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if let Some(piece) = this.piece() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        polled.map(|frame| {
            let cut = |bytes: Bytes| {
                let waiting = this.account.count(bytes.len());
                this.rest = Some((bytes, waiting));
                this.piece().unwrap_or_default()
            };
            frame.map(|frame| frame.map(|frame| frame.map_data(cut)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.inner.is_end_stream()
    }

    /// Of HTTP/1.1's headers, before the first piece.
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
