//! A limit that all tenants share, and that no tenant can use up alone: streams, downloads, watches.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of permits in all, of which one tenant gets a part at most.
#[derive(Debug)]
pub struct Quota {
    all: Arc<Semaphore>,
    limit: usize,
    limit_of_tenant: usize,
    tenants: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// One unit of a [`Quota`], given back when it is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives it back"]
pub struct Permit {
    _all: OwnedSemaphorePermit,
    _of_tenant: OwnedSemaphorePermit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuotaExceeded {
    /// The tenant holds as many as one tenant may.
    #[error("your tenant has {0} already")]
    OfTenant(usize),
    /// All tenants together hold as many as there are.
    #[error("there are {0} already")]
    AtAll(usize),
}

impl Quota {
    pub fn new(limit: usize, limit_of_tenant: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(limit)), limit, limit_of_tenant, tenants: Mutex::default() }
    }

    /// A permit for the tenant; does not wait for one.
    pub fn take(&self, tenant: &str) -> Result<Permit, QuotaExceeded> {
        let any = Arc::clone(&self.all).try_acquire_owned().map_err(|_| QuotaExceeded::AtAll(self.limit))?;
        let own =
            self.of_tenant(tenant).try_acquire_owned().map_err(|_| QuotaExceeded::OfTenant(self.limit_of_tenant))?;
        Ok(Permit { _all: any, _of_tenant: own })
    }

    fn of_tenant(&self, tenant: &str) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock();
        // Each permit holds its tenant's semaphore: a tenant without permits is forgotten.
        tenants.retain(|_, permits| Arc::strong_count(permits) > 1);
        let fresh = || Arc::new(Semaphore::new(self.limit_of_tenant));
        Arc::clone(tenants.entry(tenant.to_owned()).or_insert_with(fresh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_gets_its_limit_and_all_together_the_total() {
        let quota = Quota::new(3, 2);
        let acme = [quota.take("acme").unwrap(), quota.take("acme").unwrap()];
        assert_eq!(quota.take("acme").err(), Some(QuotaExceeded::OfTenant(2)));
        let globex = quota.take("globex").unwrap();
        assert_eq!(quota.take("globex").err(), Some(QuotaExceeded::AtAll(3)));
        drop(acme);
        let again = quota.take("globex").unwrap();
        assert_eq!(quota.tenants.lock().len(), 1);
        drop((globex, again));
    }
}
