//! How many watch: a limit a tenant, so that nobody takes the memory of all.

use baton_api::ApiError;
use baton_runtime::auth::TenantId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The most streams of one tenant.
const MOST: usize = 10_000;

/// The streams that are open, by tenant.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<HashMap<TenantId, usize>>);

/// One stream's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    of: Arc<Watchers>,
    tenant: TenantId,
}

impl Watchers {
    /// A place for one more stream of this tenant.
    pub(crate) fn take(self: &Arc<Self>, tenant: &TenantId) -> Result<Place, ApiError> {
        let mut open = self.open();
        let count = open.entry(tenant.clone()).or_default();
        if *count >= MOST {
            let message = format!("{MOST} interactions are watched already; end some streams first");
            return Err(ApiError::resource_exhausted(message));
        }
        *count += 1;
        Ok(Place { of: Arc::clone(self), tenant: tenant.clone() })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.of.open();
        if let Some(count) = open.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_its_own_places_and_gets_them_back() {
        let watchers = Arc::new(Watchers::default());
        let [demo, other] = ["demo", "other"].map(|name| name.parse::<TenantId>().unwrap());
        let places: Vec<_> = (0..MOST).map(|_| watchers.take(&demo).unwrap()).collect();
        assert!(watchers.take(&demo).is_err());
        assert!(watchers.take(&other).is_ok());
        drop(places);
        assert!(watchers.take(&demo).is_ok());
        assert!(watchers.open().is_empty());
    }
}
