//! Bytes that wait: how many there may be, and how many there are.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use baton_api::ApiError;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::Connection;
use super::limits::ServerLimits;
use crate::auth::TenantId;

/// In bytes. What a stream costs beside its message: an answer that nobody reads is never for free.
const OF_EACH: usize = 4 * 1024;

#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
    /// Whose it is, for people, and the key that sets it.
    name: &'static str,
}

impl Budget {
    pub(super) fn new(limit: usize, name: &'static str) -> Self {
        Self { limit, used: AtomicUsize::new(0), name }
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether as many bytes may come. One message fits in any case, or it never would.
    fn check(&self, bytes: usize) -> Result<(), ApiError> {
        let used = self.used();
        if used == 0 || used.saturating_add(bytes) <= self.limit {
            return Ok(());
        }
        let message =
            format!("{used} bytes wait {}; read the answers, and end the requests that you have begun.", self.name);
        Err(ApiError::resource_exhausted(message).with("limit_bytes", self.limit))
    }
}

/// What a tenant, or a peer that belongs to none, has of a listener.
#[derive(Debug)]
pub(super) struct Slice {
    waiting: Budget,
    /// For calls that are handled at once.
    turns: Arc<Semaphore>,
}

impl Slice {
    /// Waits for a turn. `None`: the server stops.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }
}

/// The budgets of all connections and tenants of one listener.
#[derive(Debug)]
pub(super) struct Budgets {
    all: Budget,
    of_tenant: usize,
    turns_of_tenant: usize,
    /// Tenants that have called; those that exist are few.
    tenants: Mutex<HashMap<TenantId, Arc<Slice>>>,
}

impl Budgets {
    pub(super) fn new(limits: &ServerLimits) -> Self {
        Self {
            all: Budget::new(limits.queued, "here (limits.queued_bytes)"),
            of_tenant: limits.queued_of_tenant,
            turns_of_tenant: limits.calls_at_once_of_tenant,
            tenants: Mutex::default(),
        }
    }

    pub(super) fn of_tenant(&self, tenant: &TenantId) -> Arc<Slice> {
        let mut tenants = self.tenants.lock();
        if let Some(slice) = tenants.get(tenant) {
            return Arc::clone(slice);
        }
        let slice = self.of_peer();
        tenants.insert(tenant.clone(), Arc::clone(&slice));
        slice
    }

    /// A peer without a token is limited as a tenant is.
    pub(super) fn of_peer(&self) -> Arc<Slice> {
        let waiting = Budget::new(self.of_tenant, "for your tenant or address (limits.queued_bytes_per_tenant)");
        Arc::new(Slice { waiting, turns: Arc::new(Semaphore::new(self.turns_of_tenant)) })
    }

    fn each<'a>(&'a self, connection: &'a Connection, owner: &'a Slice) -> [&'a Budget; 3] {
        [connection.budget(), &owner.waiting, &self.all]
    }

    /// Refuses when as many bytes more are too many.
    pub(super) fn check(&self, bytes: usize, connection: &Connection, owner: &Slice) -> Result<(), ApiError> {
        self.each(connection, owner).into_iter().try_for_each(|budget| budget.check(bytes + OF_EACH))
    }
}

/// Bytes that wait, until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    bytes: usize,
    connection: Arc<Connection>,
    owner: Arc<Slice>,
}

impl Waiting {
    /// Counts them, whether they fit or not.
    pub(super) fn count(bytes: usize, connection: &Arc<Connection>, owner: &Arc<Slice>) -> Self {
        let mut waiting = Self { bytes: 0, connection: Arc::clone(connection), owner: Arc::clone(owner) };
        waiting.add(bytes + OF_EACH);
        waiting
    }

    /// Takes the count of so many of its bytes away; they are counted elsewhere.
    pub(super) fn reduce(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        for budget in self.connection.budgets().each(&self.connection, &self.owner) {
            budget.used.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn add(&mut self, bytes: usize) {
        if self.connection.budget().used() == 0 {
            self.connection.has_moved();
        }
        self.bytes += bytes;
        for budget in self.connection.budgets().each(&self.connection, &self.owner) {
            budget.used.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        for budget in self.connection.budgets().each(&self.connection, &self.owner) {
            budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        }
        self.connection.has_moved();
    }
}
