use uuid::Uuid;

use super::*;
use crate::record::{AgentProfile, AgentRecord, TeamRecord};
use crate::status::{Occupied, StatusChange};
use baton_api::common::v1::Skill;
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
            ..AgentProfile::default()
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
    index().targets(filter, &DirectoryCursor::default(), 100, |it| it.target().name).unwrap().targets
}

fn search(text: &str) -> PickerFilter {
    PickerFilter { search: TypedSearch::new(text), include_unavailable: true, ..PickerFilter::default() }
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
    let shown = index().targets(&filter, &DirectoryCursor::default(), 100, |it| {
        let it = it.choice(filter.choice.as_ref().unwrap());
        let name = it.target.unwrap().name;
        (name, it.recommended, it.would_wait, it.chosen_last)
    });
    shown.unwrap().targets
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
    loop {
        let page = index.targets(&search(""), &after, 1, |it| it.target().name).unwrap();
        seen.extend(page.targets);
        if page.next_token.is_empty() {
            break;
        }
        after = DirectoryCursor::parse(&page.next_token).unwrap();
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
    let found = index.candidates(sales, ClaimMedium::Voice, &BTreeSet::new(), 10).unwrap();
    assert_eq!((found.free.len(), found.anybody_left, found.signed_in), (1, true, 2));
    let skip = [1, 3].map(|it| AgentId(Uuid::from_u128(it))).into();
    let found = index.candidates(sales, ClaimMedium::Voice, &skip, 10).unwrap();
    assert_eq!((found.free.len(), found.anybody_left), (0, false));
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
        let found = index.candidates_with(skills, &teams, ClaimMedium::Voice, &BTreeSet::new(), 10);
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
