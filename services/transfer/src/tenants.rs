//! The tenants' records, as the gates of all listeners see them.

use crate::store::tenants as stored;
use baton_runtime::auth::{TenantId, TenantState, TenantStates};
use baton_store::{Db, StoreError};
use tokio::sync::Mutex;

const AT_ONCE: usize = 1_000;

/// Tells the gates which tenants are accepted.
#[derive(Debug)]
pub(crate) struct Tenants {
    db: Db,
    states: TenantStates,
    /// Held from reading a record to telling of it, so that an older one is never told last.
    telling: Mutex<()>,
}

impl Tenants {
    /// Tells of every tenant there is.
    pub(crate) async fn load(db: Db, states: TenantStates) -> Result<Self, StoreError> {
        let this = Self { db, states, telling: Mutex::new(()) };
        let mut after = String::new();
        loop {
            let some = stored::list(&this.db, &after, AT_ONCE).await?;
            let Some(last) = some.last() else { return Ok(this) };
            after = last.id.to_string();
            for record in some {
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

    fn tell(&self, record: stored::TenantRecord) {
        let state = if record.is_suspended { TenantState::Suspended } else { TenantState::Active };
        self.states.set(record.id, state);
    }

    pub(crate) fn states(&self) -> &TenantStates {
        &self.states
    }
}
