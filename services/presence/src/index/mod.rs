//! All agents, teams and sites in memory, so that pickers, watches and proposals don't read the database.
//!
//! The database is the truth; the index has what the last commit left, put here by [`crate::core::PresenceCore`] in whatever
//! order: of two versions the newer one stays. A watcher is notified of *what* was touched and reads it here, so a slow watcher sees fewer steps and never a
//! wrong end; one that missed too much starts over.

mod orders;
mod picker;
mod search;
mod tenant;

#[cfg(test)]
mod model;

use std::collections::HashMap;
use std::sync::Arc;

use baton_runtime::auth::TenantId;
use parking_lot::RwLock;
use tokio::sync::broadcast;

pub(crate) use picker::{Choice, FoundTarget, PickerFilter, TargetKey, TargetOrder, encoded, page_buffer};
pub(crate) use search::TypedSearch;
pub(crate) use tenant::{TenantIndex, Touched};

/// Notices that a slow watcher may be behind before it starts over.
const MAX_BEHIND: usize = 1_024;

pub(crate) struct Index {
    tenants: RwLock<HashMap<TenantId, Arc<TenantIndex>>>,
    availability: broadcast::Sender<TenantId>,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self { tenants: RwLock::default(), availability: broadcast::Sender::new(MAX_BEHIND) }
    }

    /// A tenant's index; a fresh one is empty.
    pub(crate) fn tenant(&self, id: &TenantId) -> Arc<TenantIndex> {
        if let Some(tenant) = self.known(id) {
            return tenant;
        }
        let mut tenants = self.tenants.write();
        Arc::clone(tenants.entry(id.clone()).or_default())
    }

    /// A tenant's index, if one was ever made.
    pub(crate) fn known(&self, id: &TenantId) -> Option<Arc<TenantIndex>> {
        let tenants = self.tenants.read();
        tenants.get(id).map(Arc::clone)
    }

    /// The tenants that have an index.
    pub(crate) fn tenants(&self) -> Vec<TenantId> {
        let tenants = self.tenants.read();
        tenants.keys().cloned().collect()
    }

    /// Notifies the watchers that an agent of this tenant became available, or that one of its teams changed.
    pub(crate) fn announce(&self, id: &TenantId) {
        // This fails if nobody watches.
        let _ = self.availability.send(id.clone());
    }

    /// The tenants where an agent became available, as it happens.
    pub(crate) fn watch_availability(&self) -> broadcast::Receiver<TenantId> {
        self.availability.subscribe()
    }
}
