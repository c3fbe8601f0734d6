//! The picker (B201): which agents and teams a caller may choose, as a list and one by one.

use std::collections::BTreeSet;

use baton_api::name;
use baton_api::presence::v1::{PickerTarget, TransferTarget};

use super::tenant::{TenantDirectory, TenantIndex, Touched};
use crate::convert;
use crate::ids::{AgentId, TeamId};
use crate::page::DirectoryCursor;
use crate::record::{AgentRecord, ClaimMedium, TeamRecord};
use crate::status::{AgentStatus, ShownState};

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
    /// For a transfer: whom a policy lets be chosen. Without it, who is available can be.
    pub(crate) choice: Option<Choice>,
}

/// Whom a policy lets be chosen for a transfer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    pub(crate) agents: bool,
    pub(crate) teams: bool,
    /// Who is in the interaction already.
    pub(crate) skip: BTreeSet<AgentId>,
    pub(crate) choosable: Vec<ShownState>,
    pub(crate) recommended: Vec<ShownState>,
    /// An agent who is in another call is waited for (B504).
    pub(crate) waits_if_busy: bool,
    /// For what they need room.
    pub(crate) medium: ClaimMedium,
    /// What was chosen the last time, which comes first (B502).
    pub(crate) last: Option<TargetKey>,
}

impl Choice {
    fn can_choose(&self, status: &AgentStatus) -> bool {
        self.choosable.contains(&status.state()) && (self.waits_if_busy || status.can_be_claimed_for(self.medium))
    }

    fn recommends(&self, status: &AgentStatus) -> bool {
        self.recommended.contains(&status.state()) && status.can_be_claimed_for(self.medium)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TargetKey {
    Agent(AgentId),
    Team(TeamId),
}

/// The sections of a picker, in order.
const CHOSEN_LAST: u8 = 0;
const RECOMMENDED: u8 = 1;
const AGENTS: u8 = 2;
const TEAMS: u8 = 3;

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
            .map(|it| (cursor(filter.section_of(it), &it.profile.name, it.id.0), TargetKey::Agent(it.id)))
            .chain(teams.map(|it| (cursor(filter.section_of_team(it.id), &it.name, it.id.0), TargetKey::Team(it.id))))
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

    /// The same for a transfer, with what its policy says of each.
    pub(crate) fn choices(
        &self,
        filter: &PickerFilter,
        after: &DirectoryCursor,
        limit: usize,
    ) -> Vec<(DirectoryCursor, TransferTarget)> {
        let all = Choice::default();
        let choice = filter.choice.as_ref().unwrap_or(&all);
        let directory = self.directory();
        let shown = self.targets(filter, after, limit).into_iter().map(|(at, key, target)| {
            let status = match key {
                TargetKey::Agent(id) => directory.agent(id).map(|agent| &agent.status),
                TargetKey::Team(_) => None,
            };
            let choosable = status.map_or(target.available, |status| choice.can_choose(status));
            let shown = TransferTarget {
                choosable,
                recommended: status.is_some_and(|status| choice.recommends(status)),
                would_wait: choosable && status.is_some_and(|status| !status.can_be_claimed_for(choice.medium)),
                chosen_last: choice.last == Some(key),
                target: Some(target),
                queue_load: None,
            };
            (at, shown)
        });
        shown.collect()
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

impl PickerFilter {
    fn section_of(&self, agent: &AgentRecord) -> u8 {
        match &self.choice {
            Some(choice) if choice.last == Some(TargetKey::Agent(agent.id)) => CHOSEN_LAST,
            Some(choice) if choice.recommends(&agent.status) => RECOMMENDED,
            _ => AGENTS,
        }
    }

    fn section_of_team(&self, team: TeamId) -> u8 {
        let last = self.choice.as_ref().is_some_and(|choice| choice.last == Some(TargetKey::Team(team)));
        if last { CHOSEN_LAST } else { TEAMS }
    }

    /// They can be had now; or, for a transfer, chosen.
    fn can_have(&self, agent: &AgentRecord) -> bool {
        match &self.choice {
            Some(choice) => choice.can_choose(&agent.status),
            None => agent.status.is_available(),
        }
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
        let is_meant = |choice: &Choice| choice.agents && !choice.skip.contains(&agent.id);
        filter.caller != Some(agent.id)
            && filter.choice.as_ref().is_none_or(is_meant)
            && (filter.include_unavailable || filter.can_have(agent))
            && filter.team.is_none_or(|team| self.teams_of(agent.id).any(|it| it == team))
            && self.finds_agent(&filter.search, agent)
    }

    fn shows_team(&self, filter: &PickerFilter, team: &TeamRecord) -> bool {
        filter.team.is_none()
            && filter.choice.as_ref().is_none_or(|choice| choice.teams)
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

    use baton_api::common::v1::Skill;

    use super::*;
    use crate::record::{AgentProfile, Capacity};
    use crate::status::{Occupied, StatusChange};
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
                capacity: Capacity::default(),
                skills: Vec::new(),
            },
            version,
            status,
            claims: Vec::new(),
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

    /// For a transfer by which whoever is online can be chosen, and who is available is recommended.
    fn choice() -> Choice {
        Choice {
            agents: true,
            teams: true,
            choosable: vec![ShownState::Available, ShownState::Away, ShownState::Offline],
            recommended: vec![ShownState::Available],
            ..Choice::default()
        }
    }

    fn chosen(choice: Choice) -> Vec<(String, bool, bool, bool)> {
        let filter = PickerFilter { choice: Some(choice), ..PickerFilter::default() };
        let found = index().choices(&filter, &DirectoryCursor::default(), 100);
        let shown = found.into_iter().map(|(_, it)| {
            let name = it.target.unwrap().name;
            (name, it.recommended, it.would_wait, it.chosen_last)
        });
        shown.collect()
    }

    fn shown(name: &str, recommended: bool, would_wait: bool, chosen_last: bool) -> (String, bool, bool, bool) {
        (name.to_owned(), recommended, would_wait, chosen_last)
    }

    #[test]
    fn b501_whom_the_policy_recommends_comes_before_whom_it_only_lets_be_chosen() {
        let all = [
            shown("Ada", true, false, false),
            shown("Bob", true, false, false),
            shown("Di", false, false, false),
            shown("Sales", false, false, false),
        ];
        assert_eq!(chosen(choice()), all, "Cy is in a call");
        let waits = chosen(Choice { waits_if_busy: true, ..choice() });
        assert_eq!(waits[2], shown("Cy", false, true, false), "B504");
        assert_eq!(chosen(Choice { teams: false, ..choice() }).len(), 3);
        assert_eq!(chosen(Choice { skip: [AgentId(Uuid::from_u128(2))].into(), ..choice() }).len(), 3);
    }

    #[test]
    fn b502_what_was_chosen_last_comes_first_and_once() {
        let di = Some(TargetKey::Agent(AgentId(Uuid::from_u128(4))));
        let found = chosen(Choice { last: di, ..choice() });
        assert_eq!((found.len(), &found[0]), (4, &shown("Di", false, false, true)));
        let sales = Some(TargetKey::Team(TeamId(Uuid::from_u128(10))));
        assert_eq!(chosen(Choice { last: sales, ..choice() })[0], shown("Sales", false, false, true));
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
        let found = index.candidates(sales, ClaimMedium::Voice, &BTreeSet::new()).unwrap();
        assert_eq!((found.free.len(), found.anybody_left, found.signed_in), (1, true, 2));
        let skip = [1, 3].map(|it| AgentId(Uuid::from_u128(it))).into();
        let found = index.candidates(sales, ClaimMedium::Voice, &skip).unwrap();
        assert_eq!((found.free.len(), found.anybody_left, found.signed_in), (0, false, 0));
    }

    #[test]
    fn b401_candidates_of_a_queue_have_its_skills_and_are_in_its_teams() {
        let index = index();
        let french = |level| Skill { name: "french".to_owned(), level };
        for (number, level) in [(1, 3), (2, 7), (4, 9)] {
            let id = AgentId(Uuid::from_u128(number));
            let mut record = index.agent(id).unwrap().as_ref().clone();
            (record.version, record.profile.skills) = (record.version + 1, vec![french(level)]);
            index.put_agent(id, Some(record));
        }
        let names = |skills: &[Skill], teams: &[u128]| {
            let teams: Vec<_> = teams.iter().map(|it| TeamId(Uuid::from_u128(*it))).collect();
            let found = index.candidates_with(skills, &teams, ClaimMedium::Voice, &BTreeSet::new());
            let names: Vec<_> = found.free.iter().map(|it| it.profile.name.clone()).collect();
            (names.join(" "), found.anybody_left, found.signed_in)
        };
        assert_eq!(names(&[french(3)], &[]), ("Ada Bob".to_owned(), true, 2));
        assert_eq!(names(&[french(7)], &[]), ("Bob".to_owned(), true, 1));
        assert_eq!(names(&[french(1)], &[10]), ("Ada".to_owned(), true, 1));
        assert_eq!(names(&[], &[10, 11]), ("Ada".to_owned(), true, 2));
        assert_eq!(names(&[french(9)], &[]), (String::new(), true, 0));
        assert_eq!(names(&[french(10)], &[]), (String::new(), false, 0));
    }
}
