//! One tenant's agents and teams in memory.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use baton_api::common::v1::Skill;
use baton_api::skill;
use parking_lot::{RwLock, RwLockReadGuard};
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use super::MAX_BEHIND;
use crate::ids::{AgentId, TeamId};
use crate::record::{AgentRecord, ClaimMedium, TeamRecord};

/// What a change touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touched {
    Agent(AgentId),
    Team(TeamId),
}

pub(crate) struct TenantIndex {
    directory: RwLock<TenantDirectory>,
    touched: broadcast::Sender<Touched>,
}

/// A tenant's agents, teams and memberships.
#[derive(Default)]
pub(super) struct TenantDirectory {
    agents: HashMap<AgentId, AgentEntry>,
    teams: HashMap<TeamId, TeamEntry>,
    member_of: HashMap<AgentId, BTreeSet<TeamId>>,
    /// Nobody gets the id of somebody who was deleted: what is heard of them later is older.
    gone: HashSet<Uuid>,
}

struct AgentEntry {
    record: Arc<AgentRecord>,
    watch: watch::Sender<Arc<AgentRecord>>,
}

struct TeamEntry {
    record: Arc<TeamRecord>,
    available: usize,
}

impl Default for TenantIndex {
    fn default() -> Self {
        Self { directory: RwLock::default(), touched: broadcast::Sender::new(MAX_BEHIND) }
    }
}

impl TenantIndex {
    /// Takes over an agent as a change left them (`None`: gone), unless something newer is known. `true` if they became available for a call or a chat,
    /// or are so with other skills.
    pub(crate) fn put_agent(&self, id: AgentId, record: Option<AgentRecord>) -> bool {
        let became_available = {
            let mut directory = self.directory.write();
            if !directory.is_newer_agent(id, record.as_ref()) {
                return false;
            }
            directory.put_agent(id, record)
        };
        let _ = self.touched.send(Touched::Agent(id));
        became_available
    }

    /// Takes over a team as a change left it (`None`: gone), unless something newer is known.
    pub(crate) fn put_team(&self, id: TeamId, record: Option<TeamRecord>) {
        {
            let mut directory = self.directory.write();
            if !directory.is_newer_team(id, record.as_ref()) {
                return;
            }
            directory.put_team(id, record);
        }
        let _ = self.touched.send(Touched::Team(id));
    }

    pub(crate) fn agent(&self, id: AgentId) -> Option<Arc<AgentRecord>> {
        self.directory().agent(id).map(Arc::clone)
    }

    /// All agents who are online.
    pub(crate) fn online(&self) -> Vec<AgentId> {
        let directory = self.directory();
        let online = directory.agents().filter(|it| it.status.online);
        online.map(|it| it.id).collect()
    }

    pub(crate) fn team(&self, id: TeamId) -> Option<Arc<TeamRecord>> {
        self.directory().team(id).map(Arc::clone)
    }

    /// An agent, now and after each change; the sender is dropped when they are deleted.
    pub(crate) fn watch_agent(&self, id: AgentId) -> Option<watch::Receiver<Arc<AgentRecord>>> {
        self.directory().agents.get(&id).map(|entry| entry.watch.subscribe())
    }

    /// The agents and teams that changes touch, as it happens.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Touched> {
        self.touched.subscribe()
    }

    /// The members of a team with room for one more of this medium, those with the fewest chats first for a chat, then the longest idle; and whether it has members at all that are not to be skipped. `None`
    /// if there is no such team.
    pub(crate) fn candidates(&self, team: TeamId, medium: ClaimMedium, skip: &BTreeSet<AgentId>) -> Option<Candidates> {
        let directory = self.directory();
        let members = directory.team(team)?.members.iter().filter(|id| !skip.contains(id));
        Some(Candidates::of(members.filter_map(|id| directory.agent(*id)), medium))
    }

    /// The same of a queue: who has these skills, and is in one of these teams, if any are named.
    pub(crate) fn candidates_with(
        &self,
        skills: &[Skill],
        teams: &[TeamId],
        medium: ClaimMedium,
        skip: &BTreeSet<AgentId>,
    ) -> Candidates {
        let directory = self.directory();
        let members: BTreeSet<AgentId> = if teams.is_empty() {
            directory.agents().map(|agent| agent.id).collect()
        } else {
            teams
                .iter()
                .filter_map(|team| directory.team(*team))
                .flat_map(|team| team.members.iter().copied())
                .collect()
        };
        let members = members.difference(skip).filter_map(|id| directory.agent(*id));
        Candidates::of(members.filter(|agent| skill::suffices(&agent.profile.skills, skills)), medium)
    }

    pub(super) fn directory(&self) -> RwLockReadGuard<'_, TenantDirectory> {
        self.directory.read()
    }
}

/// Who can be asked for a team or a queue.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// Who can be had now, longest idle first; for a chat, who has the fewest.
    pub(crate) free: Vec<Arc<AgentRecord>>,
    /// There are some at all.
    pub(crate) anybody_left: bool,
    pub(crate) signed_in: usize,
}

impl Candidates {
    fn of<'a>(members: impl Iterator<Item = &'a Arc<AgentRecord>>, medium: ClaimMedium) -> Self {
        let members: Vec<_> = members.collect();
        let (anybody_left, signed_in) = (!members.is_empty(), members.iter().filter(|it| it.status.online).count());
        let mut free: Vec<_> =
            members.into_iter().filter(|agent| agent.status.is_available_for(medium)).map(Arc::clone).collect();
        let chats = |agent: &AgentRecord| if medium == ClaimMedium::Chat { agent.status.chats } else { 0 };
        free.sort_by_key(|agent| (chats(agent), agent.status.idle_since_us, agent.id));
        Self { free, anybody_left, signed_in }
    }
}

impl TenantDirectory {
    pub(super) fn agent(&self, id: AgentId) -> Option<&Arc<AgentRecord>> {
        self.agents.get(&id).map(|entry| &entry.record)
    }

    pub(super) fn team(&self, id: TeamId) -> Option<&Arc<TeamRecord>> {
        self.teams.get(&id).map(|entry| &entry.record)
    }

    pub(super) fn agents(&self) -> impl Iterator<Item = &Arc<AgentRecord>> {
        self.agents.values().map(|entry| &entry.record)
    }

    pub(super) fn teams(&self) -> impl Iterator<Item = &Arc<TeamRecord>> {
        self.teams.values().map(|entry| &entry.record)
    }

    /// The teams that an agent is in.
    pub(super) fn teams_of(&self, agent: AgentId) -> impl Iterator<Item = TeamId> + '_ {
        self.member_of.get(&agent).into_iter().flatten().copied()
    }

    /// How many members of a team are available, besides `caller`.
    pub(super) fn available_in(&self, team: TeamId, caller: Option<AgentId>) -> usize {
        let Some(entry) = self.teams.get(&team) else { return 0 };
        let counts_caller =
            caller.is_some_and(|caller| entry.record.members.contains(&caller) && self.is_available(caller));
        entry.available - usize::from(counts_caller)
    }

    fn is_available(&self, agent: AgentId) -> bool {
        self.agent(agent).is_some_and(|record| record.status.is_available())
    }

    fn is_available_for_chat(&self, agent: AgentId) -> bool {
        self.agent(agent).is_some_and(|record| record.status.is_available_for(ClaimMedium::Chat))
    }

    fn is_newer_agent(&self, id: AgentId, record: Option<&AgentRecord>) -> bool {
        let known = self.agents.get(&id).map(|it| it.record.version);
        !self.gone.contains(&id.0) && record.is_none_or(|record| known.is_none_or(|known| known < record.version))
    }

    fn is_newer_team(&self, id: TeamId, record: Option<&TeamRecord>) -> bool {
        let known = self.teams.get(&id).map(|it| it.record.version);
        !self.gone.contains(&id.0) && record.is_none_or(|record| known.is_none_or(|known| known < record.version))
    }

    fn put_agent(&mut self, id: AgentId, record: Option<AgentRecord>) -> bool {
        let (before, before_for_chat) = (self.is_available(id), self.is_available_for_chat(id));
        let known = self.agent(id).map(|it| it.profile.skills.clone());
        // Queues that did not mean them before may mean them now.
        let other_skills = record.as_ref().is_some_and(|it| known.is_some_and(|known| known != it.profile.skills));
        match (record.map(Arc::new), self.agents.get_mut(&id)) {
            (None, _) => {
                self.agents.remove(&id);
                self.gone.insert(id.0);
            }
            (Some(record), Some(entry)) => {
                entry.record = Arc::clone(&record);
                entry.watch.send_replace(record);
            }
            (Some(record), None) => {
                let watch = watch::Sender::new(Arc::clone(&record));
                self.agents.insert(id, AgentEntry { record, watch });
            }
        }
        let after = self.is_available(id);
        if before != after {
            self.recount_teams_of(id);
        }
        let after_for_chat = self.is_available_for_chat(id);
        (after && (!before || other_skills)) || (after_for_chat && (!before_for_chat || other_skills))
    }

    fn recount_teams_of(&mut self, agent: AgentId) {
        let is_available = self.is_available(agent);
        for team in self.member_of.get(&agent).into_iter().flatten() {
            if let Some(entry) = self.teams.get_mut(team) {
                // Only this agent changed: the others of the team need not be counted again.
                let (more, less) = if is_available { (1, 0) } else { (0, 1) };
                entry.available = (entry.available + more).saturating_sub(less);
            }
        }
    }

    fn put_team(&mut self, id: TeamId, record: Option<TeamRecord>) {
        if let Some(old) = self.teams.remove(&id) {
            for member in &old.record.members {
                if let Some(teams) = self.member_of.get_mut(member) {
                    teams.remove(&id);
                }
            }
        }
        let Some(record) = record else {
            self.gone.insert(id.0);
            return;
        };
        for member in &record.members {
            self.member_of.entry(*member).or_default().insert(id);
        }
        let available = record.members.iter().filter(|it| self.is_available(**it)).count();
        self.teams.insert(id, TeamEntry { record: Arc::new(record), available });
    }
}
