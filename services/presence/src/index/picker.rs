//! The picker (B201): which agents and teams a caller may choose, as a list and one by one.

use std::collections::BTreeSet;

use baton_api::name;
use baton_api::presence::v1::PickerTarget;

use super::tenant::{TenantDirectory, TenantIndex, Touched};
use crate::convert;
use crate::ids::{AgentId, TeamId};
use crate::page::DirectoryCursor;
use crate::record::{AgentRecord, TeamRecord};

#[derive(Debug, Clone, Default)]
pub(crate) struct PickerFilter {
    /// As [`name::key`] has it; empty for all targets.
    pub(crate) search: String,
    /// Only members of this team.
    pub(crate) team: Option<TeamId>,
    /// Also targets that are not available now.
    pub(crate) include_unavailable: bool,
    /// Agents are never shown to themselves.
    pub(crate) caller: Option<AgentId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TargetKey {
    Agent(AgentId),
    Team(TeamId),
}

const AGENTS: u8 = 0;
const TEAMS: u8 = 1;

impl TenantIndex {
    /// The targets that match, agents by name and then teams by name, from `after` on; at most `limit`.
    pub(crate) fn targets(
        &self,
        filter: &PickerFilter,
        after: &DirectoryCursor,
        limit: usize,
    ) -> Vec<(DirectoryCursor, TargetKey, PickerTarget)> {
        let directory = self.directory();
        let agents = directory.agents().filter(|it| directory.shows_agent(filter, it));
        let teams = directory.teams().filter(|it| directory.shows_team(filter, it));
        let mut found: Vec<(DirectoryCursor, TargetKey)> = agents
            .map(|it| (cursor(AGENTS, &it.profile.name, it.id.0), TargetKey::Agent(it.id)))
            .chain(teams.map(|it| (cursor(TEAMS, &it.name, it.id.0), TargetKey::Team(it.id))))
            .filter(|(at, _)| at > after)
            .collect();
        found.sort();
        found.truncate(limit);
        let built = found.into_iter().filter_map(|(at, key)| {
            let target = directory.target(filter, key)?;
            Some((at, key, target))
        });
        built.collect()
    }

    /// A target as the picker shows it now; `None` if it does not match.
    pub(crate) fn target(&self, filter: &PickerFilter, key: TargetKey) -> Option<PickerTarget> {
        self.directory().target(filter, key)
    }

    /// The targets that may have changed with what was touched. `None`: start over, because a team's change may concern each of
    /// its members, now or before.
    pub(crate) fn concerned(&self, touched: Touched) -> Option<BTreeSet<TargetKey>> {
        let Touched::Agent(agent) = touched else { return None };
        let directory = self.directory();
        let teams = directory.teams_of(agent).map(TargetKey::Team);
        Some(teams.chain([TargetKey::Agent(agent)]).collect())
    }
}

fn cursor(section: u8, name: &str, id: uuid::Uuid) -> DirectoryCursor {
    DirectoryCursor { section, key: name::key(name), id }
}

impl TenantDirectory {
    fn target(&self, filter: &PickerFilter, key: TargetKey) -> Option<PickerTarget> {
        match key {
            TargetKey::Agent(id) => {
                let agent = self.agent(id).filter(|it| self.shows_agent(filter, it))?;
                Some(agent_target(agent))
            }
            TargetKey::Team(id) => {
                let team = self.team(id).filter(|it| self.shows_team(filter, it))?;
                Some(team_target(team, self.available_in(id, filter.caller)))
            }
        }
    }

    fn shows_agent(&self, filter: &PickerFilter, agent: &AgentRecord) -> bool {
        filter.caller != Some(agent.id)
            && (filter.include_unavailable || agent.status.is_available())
            && filter.team.is_none_or(|team| self.teams_of(agent.id).any(|it| it == team))
            && self.finds_agent(&filter.search, agent)
    }

    fn shows_team(&self, filter: &PickerFilter, team: &TeamRecord) -> bool {
        filter.team.is_none()
            && name::key(&team.name).contains(&filter.search)
            && (filter.include_unavailable || self.available_in(team.id, filter.caller) > 0)
    }

    fn finds_agent(&self, search: &str, agent: &AgentRecord) -> bool {
        search.is_empty()
            || name::key(&agent.profile.name).contains(search)
            || name::key(&agent.profile.email).contains(search)
            || self
                .teams_of(agent.id)
                .any(|team| self.team(team).is_some_and(|team| name::key(&team.name).contains(search)))
    }
}

fn agent_target(agent: &AgentRecord) -> PickerTarget {
    PickerTarget {
        target: Some(convert::agent_target(agent.id)),
        name: agent.profile.name.clone(),
        email: agent.profile.email.clone(),
        presence: Some(convert::presence_to_colleagues(agent)),
        available: agent.status.is_available(),
        available_agents: 0,
    }
}

fn team_target(team: &TeamRecord, available: usize) -> PickerTarget {
    PickerTarget {
        target: Some(convert::team_target(team.id)),
        name: team.name.clone(),
        email: String::new(),
        presence: None,
        available: available > 0,
        available_agents: i32::try_from(available).unwrap_or(i32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::record::AgentProfile;
    use crate::status::{AgentStatus, Occupied, StatusChange};
    use baton_store::Etag;

    fn agent(number: u128, name: &str, changes: &[StatusChange]) -> AgentRecord {
        agent_at(1, number, name, changes)
    }

    fn agent_at(version: i64, number: u128, name: &str, changes: &[StatusChange]) -> AgentRecord {
        let status = changes.iter().fold(AgentStatus::new(0), |status, change| status.after(change.clone(), 1));
        AgentRecord {
            tenant: "acme".parse().unwrap(),
            id: AgentId(Uuid::from_u128(number)),
            etag: Etag::new(baton_runtime::ids::new_uuid()),
            profile: AgentProfile {
                name: name.to_owned(),
                email: format!("{}@acme.test", name.to_lowercase()),
                phone: "1".to_owned(),
                voicemail: false,
            },
            version,
            status,
            claim: None,
            queued: Vec::new(),
        }
    }

    /// Ada and Bob are available, Cy is engaged, Di is offline; Sales is Ada and Cy, Night is Di.
    fn index() -> TenantIndex {
        let index = TenantIndex::default();
        let here = StatusChange::Connected(None);
        for record in [
            agent(1, "Ada", std::slice::from_ref(&here)),
            agent(2, "Bob", std::slice::from_ref(&here)),
            agent(3, "Cy", &[here, StatusChange::Occupied(Occupied::Engaged)]),
            agent(4, "Di", &[]),
        ] {
            index.put_agent(record.id, Some(record));
        }
        for (number, name, members) in [(10, "Sales", vec![1, 3]), (11, "Night", vec![4])] {
            let id = TeamId(Uuid::from_u128(number));
            let members = members.into_iter().map(|it| AgentId(Uuid::from_u128(it))).collect();
            let tenant = "acme".parse().unwrap();
            index.put_team(
                id,
                Some(TeamRecord {
                    tenant,
                    id,
                    name: name.to_owned(),
                    members,
                    etag: Etag::new(baton_runtime::ids::new_uuid()),
                    version: 1,
                }),
            );
        }
        index
    }

    fn names(filter: &PickerFilter) -> Vec<String> {
        let found = index().targets(filter, &DirectoryCursor::default(), 100);
        found.into_iter().map(|(_, _, target)| target.name).collect()
    }

    fn search(text: &str) -> PickerFilter {
        PickerFilter { search: text.to_owned(), include_unavailable: true, ..PickerFilter::default() }
    }

    #[test]
    fn busy_and_offline_agents_and_teams_without_available_agents_are_not_in_it() {
        assert_eq!(names(&PickerFilter::default()), ["Ada", "Bob", "Sales"]);
    }

    #[test]
    fn everybody_is_in_it_when_asked_for() {
        assert_eq!(names(&search("")), ["Ada", "Bob", "Cy", "Di", "Night", "Sales"]);
    }

    #[test]
    fn the_caller_is_never_in_it_and_makes_no_team_available() {
        let caller = Some(AgentId(Uuid::from_u128(1)));
        assert_eq!(names(&PickerFilter { caller, ..PickerFilter::default() }), ["Bob"]);
    }

    #[test]
    fn a_search_finds_names_addresses_and_teams() {
        assert_eq!(names(&search("bo")), ["Bob"]);
        assert_eq!(names(&search("cy@acme")), ["Cy"]);
        assert_eq!(names(&search("sale")), ["Ada", "Cy", "Sales"]);
        assert!(names(&search("nobody")).is_empty());
    }

    #[test]
    fn a_team_filter_shows_its_members_only() {
        let team = Some(TeamId(Uuid::from_u128(10)));
        assert_eq!(names(&PickerFilter { team, ..search("") }), ["Ada", "Cy"]);
    }

    #[test]
    fn a_page_goes_on_after_the_last() {
        let index = index();
        let mut after = DirectoryCursor::default();
        let mut seen = Vec::new();
        while let Some((at, _, target)) = index.targets(&search(""), &after, 1).pop() {
            after = at;
            seen.push(target.name);
        }
        assert_eq!(seen, names(&search("")));
    }

    #[test]
    fn a_team_counts_its_available_members() {
        let index = index();
        let sales = TeamId(Uuid::from_u128(10));
        let count = || index.directory().available_in(sales, None);
        assert_eq!(count(), 1);
        let ada = AgentId(Uuid::from_u128(1));
        assert!(!index.put_agent(ada, Some(agent_at(2, 1, "Ada", &[]))));
        assert_eq!(count(), 0);
        assert!(index.put_agent(ada, Some(agent_at(3, 1, "Ada", &[StatusChange::Connected(None)]))));
        assert_eq!(count(), 1);
    }

    #[test]
    fn what_comes_late_changes_nothing_and_whoever_is_gone_stays_so() {
        let index = index();
        let (ada, sales) = (AgentId(Uuid::from_u128(1)), TeamId(Uuid::from_u128(10)));
        let (second, third) = (agent_at(2, 1, "Ada", &[]), agent_at(3, 1, "Adele", &[StatusChange::Connected(None)]));
        index.put_agent(ada, Some(third));
        assert!(!index.put_agent(ada, Some(second)));
        assert_eq!(index.agent(ada).unwrap().profile.name, "Adele");
        let team = index.team(sales).unwrap();
        index.put_team(sales, Some(TeamRecord { name: "Older".to_owned(), version: 0, ..team.as_ref().clone() }));
        assert_eq!(index.team(sales).unwrap().name, "Sales");
        index.put_agent(ada, None);
        index.put_team(sales, None);
        index.put_agent(ada, Some(agent_at(4, 1, "Ada", &[])));
        index.put_team(sales, Some(TeamRecord { version: 9, ..team.as_ref().clone() }));
        assert!(index.agent(ada).is_none() && index.team(sales).is_none());
    }

    #[test]
    fn candidates_are_free_members_longest_idle_first() {
        let index = index();
        let sales = TeamId(Uuid::from_u128(10));
        let (free, anybody_left) = index.candidates(sales, &BTreeSet::new()).unwrap();
        assert_eq!((free.len(), anybody_left), (1, true));
        let skip = [1, 3].map(|it| AgentId(Uuid::from_u128(it))).into();
        let (free, anybody_left) = index.candidates(sales, &skip).unwrap();
        assert_eq!((free.len(), anybody_left), (0, false));
    }
}
