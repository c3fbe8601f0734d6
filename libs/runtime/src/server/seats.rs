//! Who has a connection: how many in all, from each peer, and of each tenant.
//!
//! A connection is opened before any token is shown, by anybody who can reach the port, and costs an open file and some memory. So a
//! connection has its place from the first good token on; one without may be closed for a new one as soon as its peer, or all
//! together, have as many as may be: the oldest gives way. So idle connections keep nobody out who has a token, behind the same
//! address or another.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use baton_api::ApiError;
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio_util::sync::CancellationToken;

use super::budget::{Budgets, Slice};
use super::connection::Connection;
use super::limits::ServerLimits;
use crate::auth::TenantId;

/// An IPv4 address, or the network of 64 bits of an IPv6 one: any of its addresses is the same peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer(IpAddr);

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(whole) => Self(IpAddr::V6(Ipv6Addr::from_bits(whole.to_bits() >> 64 << 64))),
            short @ IpAddr::V4(_) => Self(short),
        }
    }
}

/// What all connections of one peer slice.
#[derive(Debug)]
pub(super) struct PeerSlice {
    pub(super) owner: Arc<Slice>,
    open_calls: Arc<Semaphore>,
}

impl PeerSlice {
    pub(super) fn open_call(&self) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Arc::clone(&self.open_calls).try_acquire_owned()
    }
}

/// The connections of a listener. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Seats(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: ServerLimits,
    /// At most so many connections.
    most: usize,
    taken: Mutex<Filled>,
    freed: Notify,
    budgets: Budgets,
}

#[derive(Debug, Default)]
struct Filled {
    next_id: u64,
    peers: HashMap<Peer, PeerSeats>,
    open: HashSet<u64>,
    /// Those that have shown no good token, the oldest first.
    without_token: BTreeMap<u64, Peer>,
    tenants: HashMap<TenantId, usize>,
}

#[derive(Debug)]
struct PeerSeats {
    slice: Arc<PeerSlice>,
    open: usize,
    without_token: BTreeMap<u64, CancellationToken>,
}

/// What a new connection meets.
#[derive(Debug)]
pub(super) enum Entry {
    Seated(Arc<Connection>),
    /// All of its peer's have a token, and it may have no more.
    PeerIsFull,
    /// All have a token, and there may be no more.
    Full,
}

impl Seats {
    pub(super) fn new(limits: ServerLimits, most: usize) -> Self {
        let budgets = Budgets::new(&limits);
        Self(Arc::new(Shared { limits, most, taken: Mutex::default(), freed: Notify::new(), budgets }))
    }

    pub(super) fn enter(&self, address: IpAddr) -> Entry {
        let (peer, shared) = (Peer::from(address), &self.0);
        let mut taken = shared.taken.lock();
        let fresh = || PeerSeats::new(&shared.limits, &shared.budgets);
        let of_peer = taken.peers.entry(peer).or_insert_with(fresh);
        if of_peer.open >= shared.limits.connections_of_peer {
            let Some((&oldest, _)) = of_peer.without_token.first_key_value() else {
                return Entry::PeerIsFull;
            };
            taken.evict(oldest, peer);
        } else if taken.open.len() >= shared.most {
            let Some((&oldest, &whose)) = taken.without_token.first_key_value() else {
                return Entry::Full;
            };
            taken.evict(oldest, whose);
        }
        let (seat, slice) = self.take(&mut taken, peer);
        Entry::Seated(Arc::new(Connection::new(seat, slice, shared.limits)))
    }

    fn take(&self, taken: &mut Filled, peer: Peer) -> (Seat, Arc<PeerSlice>) {
        let (id, evicted) = (taken.next_id, CancellationToken::new());
        taken.next_id += 1;
        taken.open.insert(id);
        taken.without_token.insert(id, peer);
        let fresh = || PeerSeats::new(&self.0.limits, &self.0.budgets);
        let of_peer = taken.peers.entry(peer).or_insert_with(fresh);
        of_peer.open += 1;
        of_peer.without_token.insert(id, evicted.clone());
        (Seat { seats: self.clone(), id, peer, evicted }, Arc::clone(&of_peer.slice))
    }

    /// Waits until a connection has gone.
    pub(super) async fn freed(&self) {
        self.0.freed.notified().await;
    }

    pub(super) fn open(&self) -> usize {
        self.0.taken.lock().open.len()
    }
}

impl PeerSeats {
    fn new(limits: &ServerLimits, budgets: &Budgets) -> Self {
        let open_calls = Arc::new(Semaphore::new(limits.open_calls_of_peer));
        let slice = Arc::new(PeerSlice { owner: budgets.of_peer(), open_calls });
        Self { slice, open: 0, without_token: BTreeMap::new() }
    }
}

impl Filled {
    fn evict(&mut self, id: u64, peer: Peer) {
        let evicted = self.peers.get(&peer).and_then(|seats| seats.without_token.get(&id)).cloned();
        self.give_back(id, peer);
        if let Some(evicted) = evicted {
            evicted.cancel();
        }
    }

    fn give_back(&mut self, id: u64, peer: Peer) {
        if !self.open.remove(&id) {
            return;
        }
        self.without_token.remove(&id);
        if let Some(seats) = self.peers.get_mut(&peer) {
            seats.without_token.remove(&id);
            seats.open = seats.open.saturating_sub(1);
            if seats.open == 0 {
                self.peers.remove(&peer);
            }
        }
    }
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    id: u64,
    peer: Peer,
    evicted: CancellationToken,
}

impl Seat {
    pub(super) fn evicted(&self) -> &CancellationToken {
        &self.evicted
    }

    pub(super) fn budgets(&self) -> &Budgets {
        &self.seats.0.budgets
    }

    /// Nobody else gets it any more.
    pub(super) fn keep(&self) {
        let mut taken = self.seats.0.taken.lock();
        taken.without_token.remove(&self.id);
        if let Some(seats) = taken.peers.get_mut(&self.peer) {
            seats.without_token.remove(&self.id);
        }
    }

    /// One of the tenant's; an error if it has as many as it may.
    pub(super) fn of_tenant(&self, tenant: &TenantId) -> Result<TenantSeat, ApiError> {
        let shared = &self.seats.0;
        let mut taken = shared.taken.lock();
        let open = taken.tenants.entry(tenant.clone()).or_default();
        if *open >= shared.limits.connections_of_tenant {
            let message = format!(
                "Your tenant has {open} connections already (server.connections_per_tenant); close some of them."
            );
            return Err(ApiError::resource_exhausted(message));
        }
        *open += 1;
        Ok(TenantSeat { seats: self.seats.clone(), tenant: tenant.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Whoever was evicted has given it back already.
        self.seats.0.taken.lock().give_back(self.id, self.peer);
        self.seats.0.freed.notify_one();
    }
}

/// A tenant's place, until it is dropped.
#[derive(Debug)]
pub(super) struct TenantSeat {
    seats: Seats,
    tenant: TenantId,
}

impl Drop for TenantSeat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.taken.lock();
        let left = taken.tenants.get_mut(&self.tenant).map(|open| {
            *open = open.saturating_sub(1);
            *open
        });
        if left == Some(0) {
            taken.tenants.remove(&self.tenant);
        }
    }
}
