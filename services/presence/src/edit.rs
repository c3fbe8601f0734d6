//! A change in progress: the transaction, and what memory has to take over once it is committed.
//!
//! Every change of an agent's status goes through [`Edit::settle`], so that no change of a shown state is without its event, and
//! the pickers miss none.

use std::collections::BTreeSet;

use baton_api::event::v1::agent_state_changed::Cause;
use baton_runtime::auth::TenantId;
use baton_store::{StoreError, Tx};

use crate::events::{self, ChangeContext, StateCause};
use crate::ids::{AgentId, TeamId};
use crate::record::{AgentRecord, TeamRecord};
use crate::status::{AgentStatus, StatusChange};
use crate::store::claims::ClaimRow;
use crate::store::{agents, records, statuses, teams};

/// A change within one tenant.
pub(crate) struct Edit<'a> {
    pub(crate) tx: &'a mut Tx,
    pub(crate) effects: &'a mut Effects,
    pub(crate) context: ChangeContext<'a>,
}

/// What memory has to do when the change is committed.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    agents: BTreeSet<(TenantId, AgentId)>,
    teams: BTreeSet<(TenantId, TeamId)>,
    /// The next moment at which something runs out that the change began.
    pub(crate) deadline_us: Option<i64>,
    /// A reservation ran out, which has to be reported to the transfer service.
    pub(crate) expired: bool,
    /// The touched agents as they are after the change; `None` for one that is gone.
    pub(crate) agents_now: Vec<(TenantId, AgentId, Option<AgentRecord>)>,
    pub(crate) teams_now: Vec<(TenantId, TeamId, Option<TeamRecord>)>,
}

impl Effects {
    /// Reads what was touched, as the last thing before the commit.
    pub(crate) async fn load(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        for (tenant, id) in std::mem::take(&mut self.agents) {
            let record = records::get(tx, &tenant, id).await?;
            self.agents_now.push((tenant, id, record));
        }
        for (tenant, id) in std::mem::take(&mut self.teams) {
            let record = teams::get(tx, &tenant, id).await?;
            self.teams_now.push((tenant, id, record));
        }
        Ok(())
    }

    fn note_deadline(&mut self, at_us: i64) {
        self.deadline_us = Some(self.deadline_us.map_or(at_us, |known| known.min(at_us)));
    }
}

impl Edit<'_> {
    pub(crate) fn now_us(&self) -> i64 {
        self.context.now_us
    }

    /// Notes that something runs out at `at_us`.
    pub(crate) fn note_deadline(&mut self, at_us: i64) {
        self.effects.note_deadline(at_us);
    }

    /// Memory has to read this agent again.
    pub(crate) fn touch_agent(&mut self, id: AgentId) {
        self.effects.agents.insert((self.context.tenant.clone(), id));
    }

    /// Memory has to read this team again.
    pub(crate) fn touch_team(&mut self, id: TeamId) {
        self.effects.teams.insert((self.context.tenant.clone(), id));
    }

    /// An agent as the transaction sees them; `None` when there is none.
    pub(crate) async fn agent(&mut self, id: AgentId) -> Result<Option<AgentRecord>, StoreError> {
        records::get(self.tx, self.context.tenant, id).await
    }

    /// The agents who can't use their phone while this claim is active (F4).
    pub(crate) async fn sharing_phone(&mut self, claim: &ClaimRow) -> Result<Vec<AgentRecord>, StoreError> {
        let mut sharing = Vec::new();
        if !claim.phone.is_empty() {
            for id in agents::sharing_phone(self.tx, self.context.tenant, &claim.phone, claim.agent_id).await? {
                sharing.extend(self.agent(id).await?);
            }
        }
        Ok(sharing)
    }

    /// Their phone was taken by a claim on somebody else, or is free again.
    pub(crate) async fn settle_sharing(
        &mut self,
        sharing: Vec<AgentRecord>,
        change: &StatusChange,
    ) -> Result<(), StoreError> {
        for agent in sharing {
            self.settle(agent.id, &agent.status, [change.clone()], Cause::Unspecified).await?;
        }
        Ok(())
    }

    /// Applies changes to an agent's status, and returns the status after them. `cause` goes into the event, if there is one.
    pub(crate) async fn settle(
        &mut self,
        id: AgentId,
        before: &AgentStatus,
        changes: impl IntoIterator<Item = StatusChange>,
        cause: impl Into<StateCause<'_>>,
    ) -> Result<AgentStatus, StoreError> {
        let now_us = self.now_us();
        let mut after = before.clone();
        for change in changes {
            after = after.after(change, now_us);
        }
        if after == *before {
            return Ok(after);
        }
        statuses::save(self.tx, self.context.tenant, id, &after).await?;
        if let Some(wrap_up) = &after.wrap_up {
            self.note_deadline(wrap_up.until_us);
        }
        if after.is_shown_otherwise(before) {
            events::state_changed(self.tx, self.context, id, (before, &after), cause.into()).await?;
        }
        self.touch_agent(id);
        Ok(after)
    }
}
