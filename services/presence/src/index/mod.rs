//! Everybody in memory, so that pickers, watches and proposals ask no database.
//!
//! The database is the truth; what is here is what the last commit left, put here by [`crate::core::Core`] in the order of
//! the commits. Whoever watches is told *what* was touched and reads it here, so a watcher that is slow sees fewer steps
//! and never a wrong end; one that missed too much starts over.

mod picker;
mod tenant;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use baton_runtime::auth::TenantId;
use tokio::sync::broadcast;

pub(crate) use picker::{Filter, TargetKey};
pub(crate) use tenant::{TenantIndex, Touched};

/// How many touched things a slow watcher may be behind before it starts over.
const BEHIND: usize = 1_024;

/// All tenants.
pub(crate) struct Index {
    tenants: RwLock<HashMap<TenantId, Arc<TenantIndex>>>,
    availability: broadcast::Sender<TenantId>,
}

impl Index {
    /// Nobody yet.
    pub(crate) fn new() -> Self {
        Self { tenants: RwLock::default(), availability: broadcast::Sender::new(BEHIND) }
    }

    /// A tenant, who has nobody at first.
    pub(crate) fn tenant(&self, id: &TenantId) -> Arc<TenantIndex> {
        if let Some(tenant) = self.known(id) {
            return tenant;
        }
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tenants.entry(id.clone()).or_default())
    }

    /// A tenant who has somebody, or had.
    pub(crate) fn known(&self, id: &TenantId) -> Option<Arc<TenantIndex>> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.get(id).map(Arc::clone)
    }

    /// All tenants that are known.
    pub(crate) fn tenants(&self) -> Vec<TenantId> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants.keys().cloned().collect()
    }

    /// Says that somebody of this tenant may be had who could not be before.
    pub(crate) fn announce(&self, id: &TenantId) {
        // Without watchers there is nobody to tell.
        let _ = self.availability.send(id.clone());
    }

    /// Tenants where somebody became available, as it happens.
    pub(crate) fn watch_availability(&self) -> broadcast::Receiver<TenantId> {
        self.availability.subscribe()
    }
}
