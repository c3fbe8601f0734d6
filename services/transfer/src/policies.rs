//! The tenants' policies: every version is kept, and the parsed ones are held in memory.

use crate::store;
use baton_domain::{Policy, policy};
use baton_store::{Db, StoreError};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// So many parsed policies are held; then the store is asked anew.
const MAX_PARSED: usize = 10_000;

/// The parsed policies.
#[derive(Debug)]
pub(crate) struct Policies {
    db: Db,
    parsed: Mutex<Parsed>,
}

/// By tenant and version.
type Parsed = HashMap<(Arc<str>, u64), Arc<Policy>>;

impl Policies {
    pub(crate) fn new(db: Db) -> Self {
        Self { db, parsed: Mutex::default() }
    }

    /// The tenant's policy of now, and its version.
    pub(crate) async fn current(&self, tenant: &str) -> Result<(u64, Arc<Policy>), StoreError> {
        let version = store::policies::latest(&self.db, tenant).await?;
        Ok((version, self.version(tenant, version).await?))
    }

    /// A version of the tenant's policy. 0 is the default.
    pub(crate) async fn version(&self, tenant: &str, version: u64) -> Result<Arc<Policy>, StoreError> {
        let key = (Arc::from(tenant), version);
        if let Some(known) = self.parsed.lock().get(&key) {
            return Ok(known.clone());
        }
        let parsed = Arc::new(self.read(tenant, version).await?);
        let mut held = self.parsed.lock();
        if held.len() >= MAX_PARSED {
            held.clear();
        }
        held.insert(key, parsed.clone());
        Ok(parsed)
    }

    async fn read(&self, tenant: &str, version: u64) -> Result<Policy, StoreError> {
        let corrupt = |source: Option<policy::PolicyError>| StoreError::Corrupt {
            table: "policies",
            column: "overrides",
            row: format!("{tenant}/{version}"),
            source: source.map(Into::into),
        };
        let row = match version {
            0 => store::policies::PolicyRow::default_policy(),
            _ => store::policies::read(&self.db, tenant, version).await?.ok_or_else(|| corrupt(None))?,
        };
        policy::restore(&row.profile, &row.overrides, row.entitlements).map_err(|error| corrupt(Some(error)))
    }
}
