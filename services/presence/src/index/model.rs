//! The index after any changes, beside a model that keeps a list of everybody, and filters and sorts it anew for each question.

use std::collections::{BTreeMap, BTreeSet};

use baton_api::name;
use baton_api::presence::v1::PickerTarget;
use baton_api::read_mask::ReadMask;
use baton_store::Etag;
use proptest::prelude::*;
use prost::Message as _;
use uuid::Uuid;

use super::picker::FoundTarget;
use super::{Choice, PickerFilter, TargetKey, TargetOrder, TenantIndex, TypedSearch};
use crate::convert;
use crate::ids::{AgentId, SiteId, TeamId};
use crate::page::DirectoryCursor;
use crate::record::{AgentProfile, AgentRecord, Capacity, ClaimMedium, SiteRecord, TeamRecord};
use crate::status::{AgentStatus, Occupied, RequestedState, ShownState, WrapUp};

const AGENTS: u128 = 12;
const TEAMS: u128 = 4;
const SITES: u128 = 3;
const NAMES: &[&str] =
    &["Ada", "ada lovelace", "Zoë Müller", "Zoe Muller", "Ben Haddad", "Bea", "Ångström", "山田 太郎"];
const TEAM_NAMES: &[&str] = &["Sales", "Éclair", "Night", "Ada's team", "Ben"];
const SEARCHES: &[&str] = &[
    "", "a", "ad", "ada", "lov", "zoe", "MÜLL", "zoe mull", "q", "b ha", "@acme", "eclair", "sales a", "ada ada", "郎",
    "ben",
];

/// All that there is, in lists.
#[derive(Default)]
struct Model {
    agents: BTreeMap<AgentId, AgentRecord>,
    teams: BTreeMap<TeamId, TeamRecord>,
    sites: BTreeMap<SiteId, SiteRecord>,
    gone: BTreeSet<Uuid>,
}

impl Model {
    fn teams_of(&self, agent: AgentId) -> impl Iterator<Item = &TeamRecord> {
        self.teams.values().filter(move |team| team.members.contains(&agent))
    }

    fn is_available(status: &AgentStatus) -> bool {
        status.state() == ShownState::Available && Self::has_room(status, ClaimMedium::Voice)
    }

    fn has_room(status: &AgentStatus, medium: ClaimMedium) -> bool {
        match medium {
            ClaimMedium::Voice => status.occupied.is_none() && !status.phone_in_use && status.capacity.voice > 0,
            ClaimMedium::Chat => status.chats < status.capacity.chat,
        }
    }

    fn free_in(&self, team: &TeamRecord, caller: Option<AgentId>) -> usize {
        let members = team.members.iter().filter(|id| Some(**id) != caller).filter_map(|id| self.agents.get(id));
        members.filter(|it| Self::is_available(&it.status)).count()
    }

    fn shows(&self, filter: &PickerFilter, words: &[&str], agent: &AgentRecord) -> bool {
        let status = &agent.status;
        let is_free = Self::has_room(status, filter.choice.as_ref().map_or(ClaimMedium::Voice, |it| it.medium));
        let can_be_had = match &filter.choice {
            Some(choice) => choice.choosable.contains(&status.state()) && (choice.waits_if_busy || is_free),
            None if filter.states.is_empty() => Self::is_available(status),
            None => is_free,
        };
        let texts: Vec<String> = [&agent.profile.name, &agent.profile.email]
            .into_iter()
            .chain(self.teams_of(agent.id).map(|team| &team.name))
            .map(|text| name::key(text))
            .collect();
        filter.caller != Some(agent.id)
            && filter.choice.as_ref().is_none_or(|choice| choice.agents && !choice.skip.contains(&agent.id))
            && (filter.states.is_empty() || filter.states.contains(&status.state()))
            && (filter.include_unavailable || can_be_had)
            && filter.team.is_none_or(|team| self.teams_of(agent.id).any(|it| it.id == team))
            && filter.site.is_none_or(|site| agent.profile.site == Some(site))
            && words.iter().all(|word| texts.iter().any(|text| text.contains(word)))
    }

    /// Everything that a picker shows, in order.
    fn targets(&self, filter: &PickerFilter, search: &str) -> Vec<TargetKey> {
        let key = name::key(search);
        let words: Vec<&str> = key.split_whitespace().collect();
        let last = filter.choice.as_ref().and_then(|choice| choice.last);
        let mut agents: Vec<_> = self.agents.values().filter(|it| self.shows(filter, &words, it)).collect();
        agents.sort_by_key(|agent| {
            let status = &agent.status;
            let is_free = Self::is_available(status);
            let comes_first = match &filter.choice {
                Some(choice) => choice.recommended.contains(&status.state()) && Self::has_room(status, choice.medium),
                None => filter.order == TargetOrder::LongestIdle && is_free,
            };
            let since = if is_free { status.idle_since_us } else { status.state_since_us };
            let place = match filter.order {
                TargetOrder::Name => (0, name::key(&agent.profile.name)),
                TargetOrder::LongestIdle => (since, String::new()),
            };
            (last != Some(TargetKey::Agent(agent.id)), !comes_first, place, agent.id)
        });
        let wants_teams = filter.team.is_none()
            && filter.site.is_none()
            && filter.states.is_empty()
            && filter.choice.as_ref().is_none_or(|choice| choice.teams);
        let is_shown = |team: &&TeamRecord| {
            let key = name::key(&team.name);
            words.iter().all(|word| key.contains(word))
                && (filter.include_unavailable || self.free_in(team, filter.caller) > 0)
        };
        let mut teams: Vec<_> = self.teams.values().filter(|_| wants_teams).filter(is_shown).collect();
        teams.sort_by_key(|team| (name::key(&team.name), team.id));
        let all = agents.iter().map(|it| TargetKey::Agent(it.id)).chain(teams.iter().map(|it| TargetKey::Team(it.id)));
        let (mut first, others): (Vec<_>, Vec<_>) = all.partition(|key| last == Some(*key));
        first.extend(others);
        first
    }

    fn candidates(
        &self,
        team: &TeamRecord,
        medium: ClaimMedium,
        skip: &BTreeSet<AgentId>,
        limit: usize,
    ) -> (Vec<AgentId>, bool) {
        let members = team.members.iter().filter(|id| !skip.contains(id)).filter_map(|id| self.agents.get(id));
        let members: Vec<_> = members.collect();
        let mut free: Vec<_> = members
            .iter()
            .filter(|it| it.status.state() == ShownState::Available && Self::has_room(&it.status, medium))
            .collect();
        let chats = |it: &AgentRecord| if medium == ClaimMedium::Chat { it.status.chats } else { 0 };
        free.sort_by_key(|it| (chats(it), it.status.idle_since_us, it.id));
        (free.iter().take(limit).map(|it| it.id).collect(), !members.is_empty())
    }
}

#[derive(Debug, Clone)]
enum IndexChange {
    Agent {
        id: AgentId,
        name: &'static str,
        email: bool,
        site: Option<SiteId>,
        status: AgentStatus,
    },
    AgentGone(AgentId),
    Team {
        id: TeamId,
        name: &'static str,
        members: BTreeSet<AgentId>,
    },
    TeamGone(TeamId),
    Site {
        id: SiteId,
        exists: bool,
    },
    /// A reading that is older than what is known.
    Late(AgentId),
}

/// Makes the same change of both.
fn apply(index: &TenantIndex, model: &mut Model, version: i64, change: IndexChange) {
    let (tenant, etag) = ("acme".parse().unwrap(), Etag::new(Uuid::nil()));
    match change {
        IndexChange::Agent { id, name, email, site, status } => {
            let email = if email { format!("{}@acme.test", name::key(name).replace(' ', ".")) } else { String::new() };
            let profile = AgentProfile { name: name.to_owned(), email, site, ..AgentProfile::default() };
            let (claims, queued) = (Vec::new(), Vec::new());
            let record = AgentRecord { tenant, id, profile, etag, version, status, claims, queued };
            index.put_agent(id, Some(record.clone()));
            if !model.gone.contains(&id.0) {
                model.agents.insert(id, record);
            }
        }
        IndexChange::AgentGone(id) => {
            index.put_agent(id, None);
            model.agents.remove(&id);
            model.gone.insert(id.0);
        }
        IndexChange::Team { id, name, members } => {
            let record = TeamRecord { tenant, id, name: name.to_owned(), members, etag, version };
            index.put_team(id, Some(record.clone()));
            if !model.gone.contains(&id.0) {
                model.teams.insert(id, record);
            }
        }
        IndexChange::TeamGone(id) => {
            index.put_team(id, None);
            model.teams.remove(&id);
            model.gone.insert(id.0);
        }
        IndexChange::Site { id, exists } => {
            let record = exists.then(|| SiteRecord { tenant, id, name: format!("Site {version}"), etag, version });
            index.put_site(id, record.clone());
            match record {
                _ if model.gone.contains(&id.0) => {}
                Some(record) => drop(model.sites.insert(id, record)),
                None => {
                    model.sites.remove(&id);
                    model.gone.insert(id.0);
                }
            }
        }
        IndexChange::Late(id) => {
            if let Some(known) = model.agents.get(&id) {
                let profile = AgentProfile { name: "Late".to_owned(), ..AgentProfile::default() };
                index.put_agent(id, Some(AgentRecord { profile, version: known.version, ..known.clone() }));
            }
        }
    }
}

fn agents() -> impl Strategy<Value = AgentId> {
    (1..=AGENTS).prop_map(|id| AgentId(Uuid::from_u128(id)))
}

fn teams() -> impl Strategy<Value = TeamId> {
    (1..=TEAMS).prop_map(|id| TeamId(Uuid::from_u128(100 + id)))
}

fn sites() -> impl Strategy<Value = SiteId> {
    (1..=SITES).prop_map(|id| SiteId(Uuid::from_u128(200 + id)))
}

fn statuses() -> impl Strategy<Value = AgentStatus> {
    let wrap_up = || WrapUp { until_us: 99, interaction_id: "i1".to_owned(), due: Vec::new() };
    let occupied =
        prop_oneof![3 => Just(None), 1 => Just(Some(Occupied::Reserved)), 1 => Just(Some(Occupied::Engaged))];
    let facts = (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    let chats = (0..3i64, 0..3i64, prop::bool::weighted(0.9));
    (facts, occupied, prop::bool::weighted(0.1), 0..5i64, 0..5i64, chats).prop_map(
        move |(facts, occupied, phone_in_use, state_since_us, idle_since_us, (chats, most_chats, calls))| {
            let (online, not_responding, has_wrap_up, is_away) = facts;
            AgentStatus {
                online,
                requested: if is_away { RequestedState::Away(String::new()) } else { RequestedState::Available },
                wrap_up: has_wrap_up.then(wrap_up),
                not_responding,
                occupied,
                chats,
                capacity: Capacity { voice: i64::from(calls), chat: most_chats, video: 0 },
                phone_in_use,
                state_since_us,
                idle_since_us,
            }
        },
    )
}

fn changes() -> impl Strategy<Value = IndexChange> {
    let agent = (agents(), prop::sample::select(NAMES), any::<bool>(), prop::option::of(sites()), statuses());
    let agent = agent.prop_map(|(id, name, email, site, status)| IndexChange::Agent { id, name, email, site, status });
    let team = (teams(), prop::sample::select(TEAM_NAMES), prop::collection::btree_set(agents(), 0..8));
    prop_oneof![
        12 => agent,
        1 => agents().prop_map(IndexChange::AgentGone),
        4 => team.prop_map(|(id, name, members)| IndexChange::Team { id, name, members }),
        1 => teams().prop_map(IndexChange::TeamGone),
        1 => (sites(), any::<bool>()).prop_map(|(id, exists)| IndexChange::Site { id, exists }),
        1 => agents().prop_map(IndexChange::Late),
    ]
}

fn states() -> impl Strategy<Value = Vec<ShownState>> {
    prop::sample::subsequence(ShownState::ALL, 0..=ShownState::ALL.len())
}

fn choices() -> impl Strategy<Value = Choice> {
    let last = prop_oneof![
        Just(None),
        agents().prop_map(|id| Some(TargetKey::Agent(id))),
        teams().prop_map(|id| Some(TargetKey::Team(id)))
    ];
    let skip = prop::collection::btree_set(agents(), 0..3);
    let sorts = (prop::bool::weighted(0.9), prop::bool::weighted(0.8), any::<bool>());
    (sorts, skip, states(), states(), last, media()).prop_map(
        |((agents, teams, waits_if_busy), skip, choosable, recommended, last, medium)| Choice {
            agents,
            teams,
            skip,
            choosable,
            recommended,
            waits_if_busy,
            medium,
            last,
        },
    )
}

fn media() -> impl Strategy<Value = ClaimMedium> {
    prop_oneof![Just(ClaimMedium::Voice), Just(ClaimMedium::Chat)]
}

/// A filter, and what is searched with it.
fn filters() -> impl Strategy<Value = (PickerFilter, &'static str)> {
    let order = prop_oneof![Just(TargetOrder::Name), Just(TargetOrder::LongestIdle)];
    let scope = (prop::option::weighted(0.3, teams()), prop::option::weighted(0.3, sites()));
    let states = prop_oneof![2 => Just(Vec::new()), 1 => states()];
    let who = (prop::option::weighted(0.3, agents()), prop::option::of(choices()));
    (prop::sample::select(SEARCHES), scope, states, order, any::<bool>(), who).prop_map(
        |(search, (team, site), states, order, include_unavailable, (caller, choice))| {
            let search_for = TypedSearch::new(search);
            let filter =
                PickerFilter { search: search_for, team, site, states, order, include_unavailable, caller, choice };
            (filter, search)
        },
    )
}

fn key(found: &FoundTarget<'_>) -> TargetKey {
    found.key()
}

/// All pages, one after the other.
fn paged(index: &TenantIndex, filter: &PickerFilter, size: usize) -> Vec<TargetKey> {
    let (mut all, mut after) = (Vec::new(), DirectoryCursor::default());
    loop {
        let page = index.targets(filter, &after, size, key).expect("the cursor is of this order");
        all.extend(page.targets);
        assert!(all.len() <= (AGENTS + TEAMS) as usize, "somebody comes twice: {all:?}");
        if page.next_token.is_empty() {
            return all;
        }
        after = DirectoryCursor::parse(&page.next_token).expect("a token is read again");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_is_what_a_list_of_everybody_says(
        changes in prop::collection::vec(changes(), 0..50),
        questions in prop::collection::vec((filters(), 1..9usize), 1..12),
        skip in prop::collection::btree_set(agents(), 0..4),
        medium in media(),
    ) {
        let (index, mut model) = (TenantIndex::default(), Model::default());
        for (version, change) in changes.into_iter().enumerate() {
            apply(&index, &mut model, version as i64 + 1, change);
        }
        for ((filter, search), size) in questions {
            let expected = model.targets(&filter, search);
            prop_assert_eq!(&paged(&index, &filter, size), &expected, "{:?}", filter);
            for key in model.agents.keys().map(|id| TargetKey::Agent(*id)) {
                prop_assert_eq!(index.target(&filter, key, &ReadMask::All).is_some(), expected.contains(&key), "{:?}", key);
            }
        }
        for team in model.teams.values() {
            let found = index.candidates(team.id, medium, &skip, 3).expect("the team is there");
            let first: Vec<_> = found.free.iter().map(|it| it.id).collect();
            prop_assert_eq!((first, found.anybody_left), model.candidates(team, medium, &skip, 3));
        }
    }

    /// Also after somebody has asked, and whatever changes of what is shown of an agent.
    #[test]
    fn what_is_shown_of_agents_is_as_they_are(changes in prop::collection::vec(changes(), 0..25)) {
        let (index, mut model) = (TenantIndex::default(), Model::default());
        let everybody = PickerFilter { include_unavailable: true, ..PickerFilter::default() };
        for (version, change) in changes.into_iter().enumerate() {
            apply(&index, &mut model, version as i64 + 1, change);
            for (id, agent) in &model.agents {
                let site = agent.profile.site.and_then(|id| model.sites.get(&id));
                let shown = index.target(&everybody, TargetKey::Agent(*id), &ReadMask::All).expect("everybody is shown");
                let expected = convert::picker_agent(agent, site);
                prop_assert_eq!(PickerTarget::decode(shown), Ok(expected));
            }
        }
    }

    /// Paging while agents change: whoever is not touched comes once, and in order.
    #[test]
    fn whoever_does_not_change_is_in_one_page(
        first in prop::collection::vec(changes(), 10..40),
        between in prop::collection::vec((agents(), statuses()), 0..6),
        (filter, _) in filters(),
        size in 1..5usize,
    ) {
        let (index, mut model) = (TenantIndex::default(), Model::default());
        let mut version = 0;
        for change in first {
            version += 1;
            apply(&index, &mut model, version, change);
        }
        let filter = PickerFilter { choice: None, search: TypedSearch::default(), ..filter };
        let touched: BTreeSet<_> = between.iter().map(|(id, _)| TargetKey::Agent(*id)).collect();
        let is_steady = |key: &TargetKey| matches!(key, TargetKey::Agent(_)) && !touched.contains(key);
        let expected: Vec<_> = model.targets(&filter, "").into_iter().filter(is_steady).collect();
        let (mut seen, mut after, mut between) = (Vec::new(), DirectoryCursor::default(), between.into_iter());
        loop {
            let page = index.targets(&filter, &after, size, key).unwrap();
            seen.extend(page.targets.into_iter().filter(is_steady));
            if page.next_token.is_empty() {
                break;
            }
            after = DirectoryCursor::parse(&page.next_token).unwrap();
            if let Some((id, status)) = between.next()
                && let Some(known) = model.agents.get(&id).cloned()
            {
                version += 1;
                index.put_agent(id, Some(AgentRecord { version, status, ..known }));
            }
        }
        prop_assert_eq!(seen, expected);
    }
}
