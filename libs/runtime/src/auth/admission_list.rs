//! Whose tokens are accepted, besides being valid: those of tenants that the operator has created and not suspended, and of agents who were
//! not deleted (S6). And what those tenants may use: of the telephone network (S7), and of what all tenants have in common (S2).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use baton_api::error::ErrorReason;
use baton_api::{ApiError, ErrorKind};
use tokio::sync::watch;

use super::{Caller, Grants, Role, TenantId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantState {
    /// Its tokens are accepted.
    Active,
    /// The operator has stopped it.
    Suspended,
}

/// What one tenant may use of what all have in common, as the operator has set it; 0 is what the configuration gives every tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantLimits {
    /// Instead of `rates.calls_of_tenant`.
    pub calls_per_second: u32,
    /// Instead of `rates.changes_of_tenant`.
    pub changes_per_second: u32,
    /// Instead of `data.tenant_mib`.
    pub stored_mib: u32,
}

/// The services that own tenants and agents keep it, and every gate asks it; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct AdmissionList(Arc<watch::Sender<Listed>>);

#[derive(Debug, Default)]
struct Listed {
    tenants: HashMap<TenantId, TenantState>,
    grants: HashMap<TenantId, Arc<Grants>>,
    limits: HashMap<TenantId, TenantLimits>,
    /// The ids of agents who were deleted.
    deleted_agents: HashMap<TenantId, HashSet<String>>,
}

impl AdmissionList {
    pub fn set(&self, tenant: TenantId, state: TenantState) {
        self.0.send_modify(|listed| {
            listed.tenants.insert(tenant, state);
        });
    }

    /// What the tenant may use of the telephone network from now on.
    pub fn grant(&self, tenant: TenantId, grants: Grants) {
        self.0.send_modify(|listed| {
            listed.grants.insert(tenant, Arc::new(grants));
        });
    }

    /// What the tenant may use of the telephone network; nothing if nobody has granted any of it.
    pub fn grants(&self, tenant: &TenantId) -> Arc<Grants> {
        self.0.borrow().grants.get(tenant).cloned().unwrap_or_default()
    }

    /// How much the tenant may use from now on.
    pub fn limit(&self, tenant: TenantId, limits: TenantLimits) {
        self.0.send_modify(|listed| {
            listed.limits.insert(tenant, limits);
        });
    }

    /// How much the tenant may use.
    pub fn limits(&self, tenant: &TenantId) -> TenantLimits {
        self.0.borrow().limits.get(tenant).copied().unwrap_or_default()
    }

    /// Refuses the tokens of these agents from now on.
    pub fn deleted(&self, agents: impl IntoIterator<Item = (TenantId, String)>) {
        self.0.send_modify(|listed| {
            for (tenant, agent_id) in agents {
                listed.deleted_agents.entry(tenant).or_default().insert(agent_id);
            }
        });
    }

    /// Refuses a caller whose tenant is suspended or was created by nobody, and an agent who was deleted.
    pub fn check(&self, caller: &Caller) -> Result<(), ApiError> {
        check(&self.0.borrow(), caller)
    }

    /// Refuses a tenant that is suspended, or that nobody has created.
    pub fn check_tenant(&self, tenant: &TenantId) -> Result<(), ApiError> {
        check_tenant(&self.0.borrow(), tenant)
    }

    /// Waits until the caller is refused, and says why.
    pub async fn refused(&self, caller: &Caller) -> ApiError {
        let mut listed = self.0.subscribe();
        loop {
            if let Err(error) = check(&listed.borrow_and_update(), caller) {
                return error;
            }
            if listed.changed().await.is_err() {
                // The sender is in `self`, so it outlives this.
                return std::future::pending().await;
            }
        }
    }
}

fn check(listed: &Listed, caller: &Caller) -> Result<(), ApiError> {
    let Some(tenant) = &caller.tenant else { return Ok(()) };
    check_tenant(listed, tenant)?;
    let is_deleted = listed.deleted_agents.get(tenant).is_some_and(|agents| agents.contains(&caller.subject));
    if caller.role == Role::Agent && is_deleted {
        let message = "The agent of this token was deleted; an admin of the tenant can create a new one.";
        return Err(ApiError::new(ErrorKind::PermissionDenied, ErrorReason::AgentDeleted, message));
    }
    Ok(())
}

fn check_tenant(listed: &Listed, tenant: &TenantId) -> Result<(), ApiError> {
    let (reason, message) = match listed.tenants.get(tenant) {
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

    fn of(tenant: &str, subject: &str, role: Role) -> Caller {
        Caller::of_tenant(tenant.parse().unwrap(), subject, role)
    }

    #[tokio::test]
    async fn a_tenant_is_accepted_from_its_creation_to_its_suspension() {
        let list = AdmissionList::default();
        let (acme, rival): (TenantId, TenantId) = ("acme".parse().unwrap(), "rival".parse().unwrap());
        let (ours, theirs) = (of("acme", "ada", Role::Agent), of("rival", "bo", Role::Agent));
        assert_eq!(list.check(&ours).unwrap_err().reason, ErrorReason::TenantUnknown);
        list.set(acme.clone(), TenantState::Active);
        list.set(rival.clone(), TenantState::Active);
        assert_eq!(list.check(&ours), Ok(()));
        let (watched, waiting) = (ours, list.clone());
        let refused = crate::lifecycle::spawn(async move { waiting.refused(&watched).await });
        tokio::task::yield_now().await;
        list.set(rival.clone(), TenantState::Suspended);
        tokio::task::yield_now().await;
        assert!(!refused.is_finished(), "another tenant's suspension concerns it");
        list.set(acme, TenantState::Suspended);
        assert_eq!(refused.await.unwrap().reason, ErrorReason::TenantSuspended);
        list.set(rival, TenantState::Active);
        assert_eq!(list.check(&theirs), Ok(()));
    }

    #[tokio::test]
    async fn s6_a_deleted_agents_token_is_refused_and_nobody_elses() {
        let list = AdmissionList::default();
        for tenant in ["acme", "rival"] {
            list.set(tenant.parse().unwrap(), TenantState::Active);
        }
        let (ada, waiting) = (of("acme", "ada", Role::Agent), list.clone());
        let refused = crate::lifecycle::spawn(async move { waiting.refused(&ada).await });
        list.deleted([("acme".parse().unwrap(), "ada".to_owned())]);
        assert_eq!(refused.await.unwrap().reason, ErrorReason::AgentDeleted);
        for other in [of("acme", "bo", Role::Agent), of("rival", "ada", Role::Agent), of("acme", "ada", Role::Admin)] {
            assert_eq!(list.check(&other), Ok(()), "{other:?}");
        }
    }
}
