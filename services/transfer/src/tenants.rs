//! The tenants' records, as the gates of all listeners see them.

use crate::{pseudonym::PseudonymKey, store::tenants as stored};
use baton_runtime::auth::{AdmissionList, TenantAdmission, TenantId, TenantState};
use baton_store::{Db, StoreError, change};
use parking_lot::RwLock;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::Mutex;

const AT_ONCE: usize = 1_000;

/// Tells the gates which tenants are accepted.
#[derive(Debug)]
pub(crate) struct Tenants {
    db: Db,
    states: AdmissionList,
    keys: RwLock<HashMap<String, PseudonymKey>>,
    /// Held from reading a record to telling of it, so that an older one is never told last.
    telling: Mutex<()>,
}

impl Tenants {
    /// Tells of every tenant there is.
    pub(crate) async fn load(db: Db, states: AdmissionList) -> Result<Self, StoreError> {
        let this = Self { db, states, keys: RwLock::default(), telling: Mutex::new(()) };
        let mut after = String::new();
        loop {
            let some = stored::list(&this.db, &after, AT_ONCE).await?;
            let Some(last) = some.last() else { return Ok(this) };
            after = last.id.to_string();
            for record in some {
                let record = if record.pseudonym_key.is_empty() { this.with_key(&record).await? } else { record };
                this.tell(record);
            }
        }
    }

    /// Tells of a tenant whose record may have changed.
    pub(crate) async fn changed(&self, id: &TenantId) -> Result<(), StoreError> {
        let _telling = self.telling.lock().await;
        if let Some(record) = stored::read(&self.db, id.as_str()).await? {
            self.tell(record);
        }
        Ok(())
    }

    /// Gives a key to a tenant of the time before there were keys.
    async fn with_key(&self, record: &stored::TenantRecord) -> Result<stored::TenantRecord, StoreError> {
        let (id, key) = (record.id.as_str(), &PseudonymKey::fresh());
        let change = self.db.change(change!(|tx| {
            crate::store::policies::lock(tx, id).await?;
            let known = stored::read_in(tx, id).await?.filter(|it| !it.pseudonym_key.is_empty());
            if let Some(known) = known {
                return Ok(known);
            }
            let record = stored::TenantRecord { pseudonym_key: key.clone(), ..record.clone() };
            stored::put(tx, &record).await?;
            Ok::<_, StoreError>(record)
        }));
        change.await
    }

    /// The customer's pseudonym; empty for a customer without a number.
    pub(crate) fn pseudonym(&self, tenant: &str, customer: &str) -> String {
        let keys = self.keys.read();
        keys.get(tenant).map(|key| key.of(customer)).unwrap_or_default()
    }

    fn tell(&self, record: stored::TenantRecord) {
        let state = if record.is_suspended { TenantState::Suspended } else { TenantState::Active };
        self.keys.write().insert(record.id.to_string(), record.pseudonym_key);
        let admission = TenantAdmission { state: Some(state), grants: Arc::new(record.grants), limits: record.limits };
        self.states.put(record.id, admission);
    }

    pub(crate) fn states(&self) -> &AdmissionList {
        &self.states
    }
}
