//! What the benchmark of the picker needs: a service whose memory is filled without a database, and changes that reach memory alone. A change
//! of a real service is committed before: what that costs is the database's, and measured elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use baton_api::read_mask::ReadMask;
use baton_runtime::auth::TenantId;
use baton_store::Etag;
use uuid::Uuid;

use crate::Presence;
use crate::ids::{AgentId, SiteId, TeamId};
use crate::index::{self, PickerFilter, TargetOrder, TenantIndex};
use crate::page::DirectoryCursor;
use crate::record::{AgentProfile, AgentRecord, Capacity, SiteRecord, TeamRecord};
use crate::status::{AgentStatus, RequestedState, StatusChange};

const FIRST: &[&str] = &[
    "Ada", "Ben", "Chloé", "Dan", "Eve", "Femke", "Gil", "Hana", "Ivo", "Jürgen", "Kaat", "Lotte", "Mia", "Noor",
    "Omar", "Pia", "Quinten", "Rosa", "Sam", "Tess", "Uma", "Vera", "Wout", "Xenia", "Yara", "Zoë",
];
const LAST: &[&str] = &[
    "Aerts",
    "Bakker",
    "Claes",
    "Dubois",
    "Evans",
    "Fischer",
    "García",
    "Haddad",
    "Ivanov",
    "Janssens",
    "Kowalski",
    "Lambert",
    "Müller",
    "Novák",
    "O'Brien",
    "Peeters",
    "Quist",
    "Rossi",
    "Smith",
    "Tanaka",
    "Ustinov",
    "Vermeulen",
    "Wouters",
    "Xu",
    "Yılmaz",
    "Zhang",
];
const SITES: u32 = 20;

/// A tenant of this many agents, each in two teams, one beside the other, and at one of twenty sites.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    pub agents: u32,
    /// Members of a team.
    pub team: u32,
}

impl Crowd {
    pub fn teams(self) -> u32 {
        self.agents.div_ceil(self.team) * 2
    }

    /// The id of a team.
    pub fn team_id(self, number: u32) -> Uuid {
        Uuid::from_u128(1 << 64 | u128::from(number))
    }

    /// The teams that an agent is in: with their neighbours, and with some from everywhere.
    pub fn teams_of(self, agent: u32) -> [u32; 2] {
        let half = self.teams() / 2;
        [agent / self.team, half + agent % half]
    }
}

fn record(tenant: &TenantId, agent: u32) -> AgentRecord {
    let (first, last) = (FIRST[agent as usize % FIRST.len()], LAST[agent as usize / FIRST.len() % LAST.len()]);
    let address = baton_api::name::key(&format!("{first}.{last}"));
    let status = AgentStatus::new(i64::from(agent)).after(StatusChange::Connected(None), i64::from(agent) + 1);
    AgentRecord {
        tenant: tenant.clone(),
        id: AgentId(agent_id(agent)),
        profile: AgentProfile {
            name: format!("{first} {last}"),
            email: format!("{address}{agent}@example.com"),
            phone: format!("phone-{agent}"),
            voicemail: true,
            capacity: Capacity::default(),
            skills: Vec::new(),
            site: Some(SiteId(Uuid::from_u128(2 << 64 | u128::from(agent % SITES)))),
        },
        etag: Etag::new(baton_runtime::ids::new_uuid()),
        version: 1,
        status,
        claims: Vec::new(),
        queued: Vec::new(),
    }
}

fn agent_id(agent: u32) -> Uuid {
    // Spread, as fresh ids are.
    Uuid::from_u128(u128::from(agent).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

/// The memory of a service.
#[derive(Clone)]
pub struct Memory {
    crowd: Crowd,
    index: Arc<TenantIndex>,
}

impl Memory {
    /// Fills a service's memory; all agents are available.
    ///
    /// # Panics
    /// If `tenant` is no id of a tenant.
    pub fn fill(presence: &Presence, tenant: &str, crowd: Crowd) -> Self {
        let tenant: TenantId = tenant.parse().expect("a tenant's id");
        let index = presence.api.core.index.tenant(&tenant);
        for site in 0..SITES {
            let id = SiteId(Uuid::from_u128(2 << 64 | u128::from(site)));
            let etag = Etag::new(baton_runtime::ids::new_uuid());
            let record = SiteRecord { tenant: tenant.clone(), id, name: format!("Site {site}"), etag, version: 1 };
            index.put_site(id, Some(record));
        }
        let mut members = vec![BTreeSet::new(); crowd.teams() as usize];
        for agent in 0..crowd.agents {
            let record = record(&tenant, agent);
            for team in crowd.teams_of(agent) {
                members[team as usize].insert(record.id);
            }
            index.put_agent(record.id, Some(record));
        }
        for (number, members) in (0..).zip(members) {
            let id = TeamId(crowd.team_id(number));
            let etag = Etag::new(baton_runtime::ids::new_uuid());
            let name = format!("Team {number}");
            index.put_team(id, Some(TeamRecord { tenant: tenant.clone(), id, name, members, etag, version: 1 }));
        }
        Self { crowd, index }
    }

    /// Changes the state of an agent, from available to away or back; says whether they are available now.
    ///
    /// # Panics
    /// If somebody took the agent out.
    pub fn change(&self, agent: u32, now_us: i64) -> bool {
        let id = AgentId(agent_id(agent % self.crowd.agents));
        let before = self.index.agent(id).expect("they are there");
        let is_away = matches!(before.status.requested, RequestedState::Away(_));
        let requested = if is_away { RequestedState::Available } else { RequestedState::Away("lunch".to_owned()) };
        let status = before.status.after(StatusChange::StateRequested(requested), now_us);
        self.index
            .put_agent(id, Some(AgentRecord { status, version: before.version + 1, ..AgentRecord::clone(&before) }));
        is_away
    }

    /// The first of a team by longest idle, without a call; how many there are.
    pub fn first_of(&self, team: u32, limit: usize, wanted: &ReadMask) -> usize {
        let team = Some(TeamId(self.crowd.team_id(team)));
        let filter = PickerFilter { team, order: TargetOrder::LongestIdle, ..PickerFilter::default() };
        let mut buffer = index::page_buffer();
        let found = self
            .index
            .targets(&filter, &DirectoryCursor::default(), limit, |it| index::encoded(it, wanted, &mut buffer));
        found.map_or(0, |found| found.targets.len())
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("crowd", &self.crowd).finish_non_exhaustive()
    }
}
