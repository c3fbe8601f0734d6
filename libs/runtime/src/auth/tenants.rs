//! Which tenants' tokens are accepted.

use std::collections::HashMap;
use std::sync::Arc;

use baton_api::error::ErrorReason;
use baton_api::{ApiError, ErrorKind};
use tokio::sync::watch;

use super::TenantId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantState {
    /// Its tokens are accepted.
    Active,
    /// The operator has stopped it.
    Suspended,
}

/// The state of every tenant. The service that owns the tenants sets it, and every gate asks it; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct TenantStates(Arc<watch::Sender<HashMap<TenantId, TenantState>>>);

impl TenantStates {
    pub fn set(&self, tenant: TenantId, state: TenantState) {
        self.0.send_modify(|states| {
            states.insert(tenant, state);
        });
    }

    /// Refuses a tenant that is suspended, or that nobody has created.
    pub fn check(&self, tenant: &TenantId) -> Result<(), ApiError> {
        check(&self.0.borrow(), tenant)
    }

    /// Waits until the tenant is refused, and says why.
    pub async fn refused(&self, tenant: &TenantId) -> ApiError {
        let mut states = self.0.subscribe();
        loop {
            if let Err(error) = check(&states.borrow_and_update(), tenant) {
                return error;
            }
            if states.changed().await.is_err() {
                // The sender is in `self`, so it outlives this.
                return std::future::pending().await;
            }
        }
    }
}

fn check(states: &HashMap<TenantId, TenantState>, tenant: &TenantId) -> Result<(), ApiError> {
    let (reason, message) = match states.get(tenant) {
        Some(TenantState::Active) => return Ok(()),
        Some(TenantState::Suspended) => (
            ErrorReason::TenantSuspended,
            format!("The tenant {tenant} is suspended; ask the operator of this Baton, who can resume it."),
        ),
        None => (
            ErrorReason::TenantUnknown,
            format!(
                "There is no tenant {tenant} here; the operator of this Baton creates one by `baton tenant create {tenant}`."
            ),
        ),
    };
    Err(ApiError::new(ErrorKind::PermissionDenied, reason, message).with("tenant", tenant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tenant_is_accepted_from_its_creation_to_its_suspension() {
        let states = TenantStates::default();
        let (acme, rival): (TenantId, TenantId) = ("acme".parse().unwrap(), "rival".parse().unwrap());
        assert_eq!(states.check(&acme).unwrap_err().reason, ErrorReason::TenantUnknown);
        states.set(acme.clone(), TenantState::Active);
        states.set(rival.clone(), TenantState::Active);
        assert_eq!(states.check(&acme), Ok(()));
        let (watched, waiting) = (acme.clone(), states.clone());
        let refused = crate::lifecycle::spawn(async move { waiting.refused(&watched).await });
        tokio::task::yield_now().await;
        states.set(rival.clone(), TenantState::Suspended);
        tokio::task::yield_now().await;
        assert!(!refused.is_finished(), "another tenant's suspension concerns it");
        states.set(acme, TenantState::Suspended);
        assert_eq!(refused.await.unwrap().reason, ErrorReason::TenantSuspended);
        states.set(rival.clone(), TenantState::Active);
        assert_eq!(states.check(&rival), Ok(()));
    }
}
