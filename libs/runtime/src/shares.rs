//! Places that the tenants share, and that no tenant can use up alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many places, of which one tenant gets its share at most.
#[derive(Debug)]
pub struct Shares {
    all: Arc<Semaphore>,
    limit: usize,
    limit_of_tenant: usize,
    tenants: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
#[must_use = "dropped, it is free again"]
pub struct Place {
    _all: OwnedSemaphorePermit,
    _of_tenant: OwnedSemaphorePermit,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// The tenant has its share.
    #[error("your tenant has {0} already")]
    OfTenant(usize),
    /// All are taken.
    #[error("there are {0} already")]
    AtAll(usize),
}

impl Shares {
    /// `limit` places, at most `limit_of_tenant` of them for one tenant.
    pub fn new(limit: usize, limit_of_tenant: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(limit)), limit, limit_of_tenant, tenants: Mutex::default() }
    }

    /// A place for the tenant, now or not at all.
    pub fn take(&self, tenant: &str) -> Result<Place, NoPlace> {
        let place = Arc::clone(&self.all).try_acquire_owned().map_err(|_| NoPlace::AtAll(self.limit))?;
        let own = self.of_tenant(tenant).try_acquire_owned().map_err(|_| NoPlace::OfTenant(self.limit_of_tenant))?;
        Ok(Place { _all: place, _of_tenant: own })
    }

    fn of_tenant(&self, tenant: &str) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        // Each place holds its tenant's semaphore: those that nobody holds are forgotten.
        tenants.retain(|_, places| Arc::strong_count(places) > 1);
        let fresh = || Arc::new(Semaphore::new(self.limit_of_tenant));
        Arc::clone(tenants.entry(tenant.to_owned()).or_insert_with(fresh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_gets_its_share_and_all_together_what_there_is() {
        let shares = Shares::new(3, 2);
        let acme = [shares.take("acme").unwrap(), shares.take("acme").unwrap()];
        assert_eq!(shares.take("acme").err(), Some(NoPlace::OfTenant(2)));
        let globex = shares.take("globex").unwrap();
        assert_eq!(shares.take("globex").err(), Some(NoPlace::AtAll(3)));
        drop(acme);
        let again = shares.take("globex").unwrap();
        assert_eq!(shares.tenants.lock().unwrap().len(), 1);
        drop((globex, again));
    }
}
