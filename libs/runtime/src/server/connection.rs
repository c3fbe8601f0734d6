//! One connection: whose it is, what it holds, and how long it may stay.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use baton_api::ApiError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::budget::{Budget, Budgets};
use super::limits::ServerLimits;
use super::seats::{PeerSlice, Seat, TenantSeat};
use crate::auth::Caller;
use crate::service_name::ServiceName;

/// A connection that has shown so many bad tokens, or none, and never a good one, is closed: each refusal waits to be read.
const MOST_REFUSED: usize = 256;

/// What becomes of a connection at a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Stay,
    /// It is asked to go: calls under way go on, new ones need another connection.
    Leave(&'static str),
    /// It is closed at once.
    Close(&'static str),
}

/// An open connection of a listener.
#[derive(Debug)]
pub(super) struct Connection {
    seat: Seat,
    peer: Arc<PeerSlice>,
    limits: ServerLimits,
    waiting: Budget,
    open_calls: Arc<Semaphore>,
    /// The tenant whose token came first.
    tenant: OnceLock<TenantSeat>,
    has_token: AtomicBool,
    /// Which of Baton's services has shown a certificate on it.
    service: OnceLock<ServiceName>,
    refused: AtomicUsize,
    /// Calls under way.
    calls: AtomicUsize,
    began: Stopwatch,
    /// When the last call began or ended, and when the last waiting byte went, in milliseconds since the beginning.
    used_ms: AtomicU64,
    moved_ms: AtomicU64,
}

impl Connection {
    pub(super) fn new(seat: Seat, peer: Arc<PeerSlice>, limits: ServerLimits) -> Self {
        Self {
            seat,
            peer,
            limits,
            waiting: Budget::new(
                limits.queued_of_connection,
                "on this connection (limits.queued_bytes_per_connection)",
            ),
            open_calls: Arc::new(Semaphore::new(limits.open_calls_of_connection)),
            tenant: OnceLock::new(),
            has_token: AtomicBool::new(false),
            service: OnceLock::new(),
            refused: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            began: Stopwatch::start(),
            used_ms: AtomicU64::new(0),
            moved_ms: AtomicU64::new(0),
        }
    }

    /// Cancelled when another connection needs the place of this one.
    pub(super) fn evicted(&self) -> &CancellationToken {
        self.seat.evicted()
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.waiting
    }

    pub(super) fn budgets(&self) -> &Budgets {
        self.seat.budgets()
    }

    pub(super) fn peer(&self) -> &PeerSlice {
        &self.peer
    }

    pub(super) fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    /// A good token came: from now on the connection has its place. An error if the tenant has too many.
    pub(super) fn admit(&self, caller: &Caller) -> Result<(), ApiError> {
        if self.has_token.load(Ordering::Relaxed) {
            return Ok(());
        }
        if let Some(tenant) = &caller.tenant {
            let seat = self.seat.of_tenant(tenant)?;
            // Of two calls that come at once one is first; the other's seat is given back.
            let _ = self.tenant.set(seat);
        }
        self.has_token.store(true, Ordering::Relaxed);
        self.seat.keep();
        Ok(())
    }

    /// The certificate that was shown is this name's, which begins with that of a service.
    pub(super) fn has_shown(&self, name: &str) {
        if let Some(Ok(service)) = name.split('.').next().map(str::parse) {
            let _ = self.service.set(service);
        }
    }

    /// The service that has shown a certificate.
    pub(super) fn service(&self) -> Option<ServiceName> {
        self.service.get().copied()
    }

    /// A call was refused for its token.
    pub(super) fn refuse(&self) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed);
        if refused >= MOST_REFUSED && !self.has_token.load(Ordering::Relaxed) {
            self.evicted().cancel();
        }
    }

    /// A permit for a call without a token.
    pub(super) fn open_call(&self) -> Result<OpenCall, ApiError> {
        let of_connection = Arc::clone(&self.open_calls).try_acquire_owned();
        let of_connection =
            of_connection.map_err(|_| too_many_open("on this connection", "limits.open_calls_per_connection"))?;
        let of_peer =
            self.peer.open_call().map_err(|_| too_many_open("from your address", "limits.open_calls_per_peer"))?;
        Ok(OpenCall { _of_connection: of_connection, _of_peer: of_peer })
    }

    /// A byte that waited has gone.
    pub(super) fn has_moved(&self) {
        self.moved_ms.store(self.began.ms(), Ordering::Relaxed);
    }

    pub(super) fn begin_call(self: &Arc<Self>) -> CallUnderWay {
        self.calls.fetch_add(1, Ordering::Relaxed);
        CallUnderWay(Arc::clone(self))
    }

    /// When to look again.
    pub(super) fn next_look(&self) -> Duration {
        let ServerLimits { first_token, send, idle, age, .. } = self.limits;
        let first = if self.has_token.load(Ordering::Relaxed) { send } else { first_token };
        first.min(send).min(idle).min(age) / 2
    }

    pub(super) fn decision(&self) -> Decision {
        let now = self.began.elapsed();
        let since = |at: &AtomicU64| now.saturating_sub(Duration::from_millis(at.load(Ordering::Relaxed)));
        if !self.has_token.load(Ordering::Relaxed) && now >= self.limits.first_token {
            return Decision::Close("it has shown no good token in time");
        }
        if self.waiting.used() > 0 && since(&self.moved_ms) >= self.limits.send {
            return Decision::Close("its peer neither reads nor ends what it has begun");
        }
        if self.calls.load(Ordering::Relaxed) == 0 && since(&self.used_ms) >= self.limits.idle {
            return Decision::Leave("nobody uses it");
        }
        if now >= self.limits.age { Decision::Leave("it is old") } else { Decision::Stay }
    }
}

fn too_many_open(whose: &str, key: &str) -> ApiError {
    let message = format!("There are too many calls without a token {whose} ({key}); end some of them.");
    ApiError::resource_exhausted(message)
}

/// A call without a token, until it is dropped.
#[derive(Debug)]
pub(super) struct OpenCall {
    _of_connection: OwnedSemaphorePermit,
    _of_peer: OwnedSemaphorePermit,
}

/// A call that is under way, with its answer, until it is dropped.
#[derive(Debug)]
pub(super) struct CallUnderWay(Arc<Connection>);

impl Drop for CallUnderWay {
    fn drop(&mut self) {
        self.0.used_ms.store(self.0.began.ms(), Ordering::Relaxed);
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Real time, also where time is simulated: it limits what a peer costs. Setting the system's clock does not change it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "what a peer costs is limited in real time")]
    pub(super) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    fn ms(self) -> u64 {
        self.elapsed().as_millis() as u64
    }
}
