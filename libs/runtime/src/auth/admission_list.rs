//! Whose tokens are accepted, besides being valid: those of tenants that the operator has created and not suspended, and of agents who were
//! not deleted (S6). And what those tenants may use: of the telephone network (S7), and of what all tenants have in common (S2).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use baton_api::error::ErrorReason;
use baton_api::{ApiError, ErrorKind};
use tokio::sync::{broadcast, watch};

use super::admission_follow::TenantLookup;
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

/// A tenant, as the gates see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantAdmission {
    /// `None`: nobody has created it.
    pub state: Option<TenantState>,
    pub grants: Arc<Grants>,
    pub limits: TenantLimits,
}

/// Changes that may wait for a reader; one who is further behind begins again.
const CHANGES: usize = 4_096;

/// The services that own tenants and agents keep it, and every gate asks it; clones are the same.
///
/// The list of a process that owns neither [follows](super::follow_admissions) the lists of those that do: until it has all of them, whom it
/// does not know is told to try again.
#[derive(Clone, Debug)]
pub struct AdmissionList {
    listed: Arc<watch::Sender<Listed>>,
    tenant_changes: broadcast::Sender<(TenantId, TenantAdmission)>,
    deletions: broadcast::Sender<(TenantId, String)>,
    /// Asks the owner of the tenants. Not set: this process owns them.
    owner: Arc<OnceLock<TenantLookup>>,
}

/// A list as it is, and what changes from then on.
pub(super) type ListAndChanges<T> = (Vec<T>, broadcast::Receiver<T>);

#[derive(Debug, Default)]
struct Listed {
    tenants: HashMap<TenantId, TenantAdmission>,
    /// The ids of agents who were deleted.
    deleted_agents: HashMap<TenantId, HashSet<String>>,
    /// What this list follows and has not all of yet.
    awaits_tenants: bool,
    awaits_deleted_agents: bool,
}

impl Default for AdmissionList {
    fn default() -> Self {
        Self {
            listed: Arc::default(),
            tenant_changes: broadcast::Sender::new(CHANGES),
            deletions: broadcast::Sender::new(CHANGES),
            owner: Arc::default(),
        }
    }
}

impl AdmissionList {
    pub fn set(&self, tenant: TenantId, state: TenantState) {
        self.change(tenant, |it| it.state = Some(state));
    }

    /// What the tenant may use of the telephone network from now on.
    pub fn grant(&self, tenant: TenantId, grants: Grants) {
        self.change(tenant, |it| it.grants = Arc::new(grants));
    }

    /// Everything of the tenant, from now on.
    pub fn put(&self, tenant: TenantId, admission: TenantAdmission) {
        self.change(tenant, |it| *it = admission);
    }

    fn change(&self, tenant: TenantId, change: impl FnOnce(&mut TenantAdmission)) {
        self.listed.send_modify(|listed| {
            let admission = listed.tenants.entry(tenant.clone()).or_default();
            change(admission);
            // Nobody may follow.
            let _ = self.tenant_changes.send((tenant, admission.clone()));
        });
    }

    /// What the tenant may use of the telephone network; nothing if nobody has granted any of it.
    pub fn grants(&self, tenant: &TenantId) -> Arc<Grants> {
        self.listed.borrow().tenants.get(tenant).map(|it| Arc::clone(&it.grants)).unwrap_or_default()
    }

    /// How much the tenant may use.
    pub fn limits(&self, tenant: &TenantId) -> TenantLimits {
        self.listed.borrow().tenants.get(tenant).map(|it| it.limits).unwrap_or_default()
    }

    /// Refuses the tokens of these agents from now on.
    pub fn deleted(&self, agents: impl IntoIterator<Item = (TenantId, String)>) {
        self.listed.send_modify(|listed| {
            for (tenant, agent_id) in agents {
                listed.deleted_agents.entry(tenant.clone()).or_default().insert(agent_id.clone());
                let _ = self.deletions.send((tenant, agent_id));
            }
        });
    }

    pub(super) fn tenant(&self, tenant: &TenantId) -> Option<TenantAdmission> {
        self.listed.borrow().tenants.get(tenant).filter(|it| it.state.is_some()).cloned()
    }

    pub(super) fn tenants_and_changes(&self) -> ListAndChanges<(TenantId, TenantAdmission)> {
        // Whoever changes it waits meanwhile, so nothing comes before the list that is newer.
        let listed = self.listed.borrow();
        let changes = self.tenant_changes.subscribe();
        (listed.tenants.iter().map(|(id, it)| (id.clone(), it.clone())).collect(), changes)
    }

    pub(super) fn deleted_agents_and_changes(&self) -> ListAndChanges<(TenantId, String)> {
        let listed = self.listed.borrow();
        let changes = self.deletions.subscribe();
        let of_tenant = |(tenant, agents): (&TenantId, &HashSet<String>)| {
            agents.iter().map(|agent| (tenant.clone(), agent.clone())).collect::<Vec<_>>()
        };
        (listed.deleted_agents.iter().flat_map(of_tenant).collect(), changes)
    }

    /// From now on the list is another process's, which comes.
    pub(super) fn await_tenants(&self, owner: TenantLookup) {
        self.listed.send_modify(|listed| listed.awaits_tenants = true);
        let _ = self.owner.set(owner);
    }

    /// The same of the agents who were deleted.
    pub(super) fn await_deleted_agents(&self) {
        self.listed.send_modify(|listed| listed.awaits_deleted_agents = true);
    }

    pub(super) fn has_all_tenants(&self) {
        self.listed.send_modify(|listed| listed.awaits_tenants = false);
    }

    pub(super) fn has_all_deleted_agents(&self) {
        self.listed.send_modify(|listed| listed.awaits_deleted_agents = false);
    }

    /// Asks the owner of the tenants for one that is not known here; whether there is one. `None`: nobody else owns them.
    pub(crate) fn learn(&self, tenant: &TenantId) -> Option<impl Future<Output = bool> + Send + use<>> {
        let owner = self.owner.get()?.clone();
        let (list, tenant) = (self.clone(), tenant.clone());
        Some(async move {
            match owner.lookup(&tenant).await {
                Some(admission) => {
                    list.put(tenant, admission);
                    true
                }
                None => false,
            }
        })
    }

    /// Refuses a caller whose tenant is suspended or was created by nobody, and an agent who was deleted.
    pub fn check(&self, caller: &Caller) -> Result<(), ApiError> {
        check(&self.listed.borrow(), caller)
    }

    /// Refuses a tenant that is suspended, or that nobody has created.
    pub fn check_tenant(&self, tenant: &TenantId) -> Result<(), ApiError> {
        check_tenant(&self.listed.borrow(), tenant)
    }

    /// Waits until the caller is refused, and says why.
    pub async fn refused(&self, caller: &Caller) -> ApiError {
        let mut listed = self.listed.subscribe();
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
    if caller.role != Role::Agent {
        return Ok(());
    }
    if listed.deleted_agents.get(tenant).is_some_and(|agents| agents.contains(&caller.subject)) {
        let message = "The agent of this token was deleted; an admin of the tenant can create a new one.";
        return Err(ApiError::new(ErrorKind::PermissionDenied, ErrorReason::AgentDeleted, message));
    }
    if listed.awaits_deleted_agents {
        return Err(ApiError::unavailable("It is not known here yet which agents were deleted; try again."));
    }
    Ok(())
}

fn check_tenant(listed: &Listed, tenant: &TenantId) -> Result<(), ApiError> {
    let (reason, message) = match listed.tenants.get(tenant).and_then(|it| it.state) {
        Some(TenantState::Active) => return Ok(()),
        Some(TenantState::Suspended) => (
            ErrorReason::TenantSuspended,
            format!("The tenant {tenant} is suspended; ask the operator of this Baton, who can resume it."),
        ),
        None if listed.awaits_tenants => {
            return Err(ApiError::unavailable("It is not known here yet which tenants there are; try again."));
        }
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
