//! A change in progress: the transaction, and what memory has to take over once it is committed.
//!
//! Every change of an agent's status goes through [`Edit::settle`], so that no change of a shown state is without its event, and
//! the pickers miss none.

use std::collections::{BTreeMap, BTreeSet};

use baton_api::common::v1::Reason;
use baton_api::event::v1::agent_state_changed::Cause;
use baton_store::{Done, StoreError, Tx};
use prost::Message as _;

use crate::events::{self, ChangeContext, StateCause};
use crate::ids::{AgentId, SiteId, TeamId};
use crate::record::{AgentRecord, ClaimMedium, SiteRecord, TeamRecord, next_of};
use crate::status::{AgentStatus, Occupied, StatusChange};
use crate::store::claims::{self, ClaimRow, ClaimState};
use crate::store::{agents, queue, records, sites, statuses, teams};

/// A change within one tenant.
pub(crate) struct Edit<'a> {
    pub(crate) tx: Tx,
    pub(crate) effects: Effects,
    pub(crate) context: ChangeContext<'a>,
}

/// What memory has to do when the change is committed.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    agents: BTreeSet<AgentId>,
    /// Those of them whose row has a new version already.
    saved: BTreeSet<AgentId>,
    teams: BTreeSet<TeamId>,
    sites: BTreeSet<SiteId>,
    /// The next moment at which something runs out that the change began.
    pub(crate) deadline_us: Option<i64>,
    /// A reservation ran out, or was granted after it had waited: that has to be reported to the transfer service.
    pub(crate) to_report: bool,
    /// The touched agents as they are after the change; `None` for one that is gone.
    pub(crate) agents_now: BTreeMap<AgentId, Option<AgentRecord>>,
    pub(crate) teams_now: Vec<(TeamId, Option<TeamRecord>)>,
    pub(crate) sites_now: Vec<(SiteId, Option<SiteRecord>)>,
}

impl Effects {
    fn note_deadline(&mut self, at_us: i64) {
        self.deadline_us = Some(self.deadline_us.map_or(at_us, |known| known.min(at_us)));
    }
}

impl<'a> Edit<'a> {
    pub(crate) fn new(tx: Tx, context: ChangeContext<'a>) -> Self {
        Self { tx, effects: Effects::default(), context }
    }

    /// Ends a change that is to be committed.
    pub(crate) fn done<T>(self, value: T) -> (Self, T) {
        (self, value)
    }

    /// The last thing before the commit: reads what was touched, in its new version.
    pub(crate) async fn finish<T>(mut self, value: T) -> Result<Done<(T, Effects)>, StoreError> {
        let tenant = self.context.tenant;
        while let Some(id) = self.effects.agents.pop_first() {
            if self.effects.saved.insert(id) {
                statuses::advance(&mut self.tx, tenant, id).await?;
            }
            let record = self.agent(id).await?;
            if let Some(record) = &record {
                self.promote(record).await?;
            }
            self.effects.agents_now.insert(id, record);
        }
        for id in std::mem::take(&mut self.effects.teams) {
            let record = teams::get(&mut self.tx, tenant, id).await?;
            self.effects.teams_now.push((id, record));
        }
        for id in std::mem::take(&mut self.effects.sites) {
            let record = sites::get(&mut self.tx, tenant, id).await?;
            self.effects.sites_now.push((id, record));
        }
        Ok(self.tx.done((value, self.effects)))
    }

    /// An agent who has room, and may be chosen, is given to the first of those who wait for them (B504). They are then touched anew.
    async fn promote(&mut self, agent: &AgentRecord) -> Result<(), StoreError> {
        let (tenant, now_us) = (self.context.tenant, self.now_us());
        let Some(queued) = next_of(&agent.status, &agent.queued, now_us) else { return Ok(()) };
        let claim = ClaimRow {
            claim_id: queued.claim_id.clone(),
            interaction_id: queued.interaction_id.clone(),
            agent_id: agent.id,
            medium: queued.medium(),
            phone: if queued.medium() == ClaimMedium::Voice { agent.profile.phone.clone() } else { String::new() },
            state: ClaimState::Reserved,
            reason: Reason::Unspecified,
            expires_at_us: queued.expires_at_us,
            inbox: queued.inbox.encode_to_vec(),
            since_us: now_us,
        };
        queue::remove(&mut self.tx, tenant, &queued.claim_id).await?;
        let sharing = self.sharing_phone(&claim).await?;
        if !claims::insert_late(&mut self.tx, tenant, &claim).await? {
            return Err(StoreError::Overtaken(None));
        }
        self.settle_sharing(sharing, &StatusChange::PhoneTaken).await?;
        let cause = StateCause::in_call(Cause::Unspecified, &claim.interaction_id);
        self.settle(agent.id, &agent.status, [StatusChange::taken(claim.medium, Occupied::Reserved)], cause).await?;
        self.note_deadline(claim.expires_at_us);
        self.effects.to_report = true;
        Ok(())
    }

    /// Locks the directory: names and memberships are decided about as a whole.
    pub(crate) async fn lock_directory(&mut self) -> Result<(), StoreError> {
        self.tx.lock([format!("presence/directory/{}", self.context.tenant)]).await
    }

    /// Locks the claims of an interaction, before its agents.
    pub(crate) async fn lock_claims_of(&mut self, interaction_id: &str) -> Result<(), StoreError> {
        self.tx.lock([format!("presence/claims/{}/{interaction_id}", self.context.tenant)]).await
    }

    /// Locks these phones and agents, with those who share a phone with them: a claim on one is a phone in use for the others. Everything
    /// in one call.
    ///
    /// # Errors
    /// [`Overtaken`](StoreError::Overtaken) if somebody got another phone meanwhile.
    pub(crate) async fn lock_agents(
        &mut self,
        ids: impl IntoIterator<Item = AgentId>,
        phones: impl IntoIterator<Item = String>,
    ) -> Result<(), StoreError> {
        if self.tx.is_alone() {
            return Ok(());
        }
        let tenant = self.context.tenant;
        let (ids, phones): (Vec<_>, Vec<_>) = (ids.into_iter().collect(), phones.into_iter().collect());
        let before = agents::with_sharers(&mut self.tx, tenant, &ids, &phones).await?;
        let used = before.iter().map(|(_, phone)| phone).chain(&phones).filter(|it| !it.is_empty());
        let used = used.map(|phone| format!("presence/phone/{tenant}/{phone}"));
        let all = before.iter().map(|(id, _)| *id).chain(ids.iter().copied());
        let names: BTreeSet<String> = used.chain(all.map(|id| format!("presence/agent/{tenant}/{id}"))).collect();
        self.tx.lock(names).await?;
        if agents::with_sharers(&mut self.tx, tenant, &ids, &phones).await? == before {
            Ok(())
        } else {
            Err(StoreError::Overtaken(None))
        }
    }

    pub(crate) fn now_us(&self) -> i64 {
        self.context.now_us
    }

    /// Notes that something runs out at `at_us`.
    pub(crate) fn note_deadline(&mut self, at_us: i64) {
        self.effects.note_deadline(at_us);
    }

    /// Memory has to read this agent again.
    pub(crate) fn touch_agent(&mut self, id: AgentId) {
        self.effects.agents.insert(id);
    }

    /// Memory has to read this team again.
    pub(crate) fn touch_team(&mut self, id: TeamId) {
        self.effects.teams.insert(id);
    }

    /// Memory has to read this site again.
    pub(crate) fn touch_site(&mut self, id: SiteId) {
        self.effects.sites.insert(id);
    }

    /// An agent as the transaction sees them; `None` when there is none.
    pub(crate) async fn agent(&mut self, id: AgentId) -> Result<Option<AgentRecord>, StoreError> {
        records::get(&mut self.tx, self.context.tenant, id).await
    }

    /// The agents who can't use their phone while this claim is active (F4).
    pub(crate) async fn sharing_phone(&mut self, claim: &ClaimRow) -> Result<Vec<AgentRecord>, StoreError> {
        let mut sharing = Vec::new();
        if !claim.phone.is_empty() {
            for id in agents::sharing_phone(&mut self.tx, self.context.tenant, &claim.phone, claim.agent_id).await? {
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
        statuses::save(&mut self.tx, self.context.tenant, id, &after).await?;
        self.effects.saved.insert(id);
        if let Some(wrap_up) = &after.wrap_up {
            self.note_deadline(wrap_up.until_us);
        }
        if after.is_shown_otherwise(before) {
            events::state_changed(&mut self.tx, self.context, id, (before, &after), cause.into()).await?;
        }
        self.touch_agent(id);
        Ok(after)
    }
}
