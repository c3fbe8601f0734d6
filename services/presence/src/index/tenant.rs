//! One tenant's agents, teams and sites in memory.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use baton_api::common::v1::Skill;
use baton_api::presence::v1::PickerTarget;
use baton_api::{name, skill};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use prost::Message as _;
use smallvec::SmallVec;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use super::MAX_BEHIND;
use super::orders::{ByName, BySince, Classes, Orders, Person, Placed, Rank as _};
use super::search::Postings;
use crate::convert;
use crate::ids::{AgentId, SiteId, TeamId};
use crate::record::{AgentRecord, ClaimMedium, SiteRecord, TeamRecord};

/// What a change touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touched {
    Agent(AgentId),
    Team(TeamId),
    Site,
}

pub(crate) struct TenantIndex {
    directory: RwLock<TenantDirectory>,
    touched: broadcast::Sender<Touched>,
    /// The agents who are watched. Taken after `directory`.
    watched: Mutex<HashMap<AgentId, watch::Sender<Arc<AgentRecord>>>>,
}

/// A tenant's agents, teams, sites and memberships. Each agent has a slot, a small number: what lists and searches find.
#[derive(Default)]
pub(super) struct TenantDirectory {
    slots: Vec<Slot>,
    slot_of: HashMap<AgentId, u32>,
    free_slots: Vec<u32>,
    all: Orders,
    teams: HashMap<TeamId, TeamEntry>,
    sites: HashMap<SiteId, SiteEntry>,
    postings: Postings,
    /// Nobody gets the id of somebody who was deleted: what is heard of them later is older.
    gone: HashSet<Uuid>,
}

/// An agent, or what is heard of them before themselves: that they are in a team.
#[derive(Default)]
pub(super) struct Slot {
    known: Option<KnownAgent>,
    /// The teams that they are in.
    pub(super) teams: SmallVec<[TeamId; 2]>,
}

pub(super) struct KnownAgent {
    /// That of the record, which is elsewhere in memory: a page that only names agents does not read their records.
    pub(super) id: AgentId,
    pub(super) record: Arc<AgentRecord>,
    pub(super) placed: Placed,
    /// What pickers show of them, encoded, once one has asked.
    shown: OnceLock<Box<[u8]>>,
}

impl KnownAgent {
    fn new(record: Arc<AgentRecord>, person: Arc<Person>) -> Self {
        Self { id: record.id, placed: Placed::new(&record, person), record, shown: OnceLock::new() }
    }

    /// What pickers show of them, encoded. It is encoded once for each change, and many ask.
    pub(super) fn encoded(&self, directory: &TenantDirectory) -> &[u8] {
        self.shown.get_or_init(|| self.target(directory).encode_to_vec().into())
    }

    /// What pickers show of them.
    pub(super) fn target(&self, directory: &TenantDirectory) -> PickerTarget {
        let site = self.record.profile.site.and_then(|id| directory.site(id)?.record.as_deref());
        convert::picker_agent(&self.record, site)
    }
}

pub(super) struct TeamEntry {
    pub(super) record: Arc<TeamRecord>,
    /// The name as it is searched and ordered.
    pub(super) key: String,
    pub(super) orders: Orders,
}

#[derive(Default)]
pub(super) struct SiteEntry {
    /// None: only those who are there were heard of.
    pub(super) record: Option<Arc<SiteRecord>>,
    pub(super) orders: Orders,
}

impl Default for TenantIndex {
    fn default() -> Self {
        Self { directory: RwLock::default(), touched: broadcast::Sender::new(MAX_BEHIND), watched: Mutex::default() }
    }
}

impl TenantIndex {
    /// Takes over an agent as a change left them (`None`: gone), unless something newer is known. `true` if they became available for a call or a
    /// chat, or are so with other skills.
    pub(crate) fn put_agent(&self, id: AgentId, record: Option<AgentRecord>) -> bool {
        let became_available = {
            let mut directory = self.directory.write();
            if !directory.is_newer_agent(id, record.as_ref()) {
                return false;
            }
            let record = record.map(Arc::new);
            let became_available = directory.put_agent(id, record.clone());
            self.tell_watchers(id, record);
            became_available
        };
        let _ = self.touched.send(Touched::Agent(id));
        became_available
    }

    fn tell_watchers(&self, id: AgentId, record: Option<Arc<AgentRecord>>) {
        let mut watched = self.watched.lock();
        match (watched.get(&id), record) {
            (Some(watch), Some(record)) if watch.receiver_count() > 0 => drop(watch.send_replace(record)),
            (Some(_), _) => drop(watched.remove(&id)),
            (None, _) => {}
        }
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

    /// Takes over a site as a change left it (`None`: gone), unless something newer is known.
    pub(crate) fn put_site(&self, id: SiteId, record: Option<SiteRecord>) {
        {
            let mut directory = self.directory.write();
            if !directory.is_newer_site(id, record.as_ref()) {
                return;
            }
            directory.put_site(id, record);
        }
        let _ = self.touched.send(Touched::Site);
    }

    pub(crate) fn agent(&self, id: AgentId) -> Option<Arc<AgentRecord>> {
        self.directory().agent(id).map(|known| Arc::clone(&known.record))
    }

    /// All agents who are online.
    pub(crate) fn online(&self) -> Vec<AgentId> {
        let directory = self.directory();
        let known = directory.slots.iter().filter_map(|slot| slot.known.as_ref());
        known.filter(|it| it.record.status.online).map(|it| it.record.id).collect()
    }

    pub(crate) fn team(&self, id: TeamId) -> Option<Arc<TeamRecord>> {
        self.directory().team(id).map(|team| Arc::clone(&team.record))
    }

    pub(crate) fn site(&self, id: SiteId) -> Option<Arc<SiteRecord>> {
        self.directory().site(id).and_then(|site| site.record.clone())
    }

    /// An agent, now and after each change; the sender is dropped when they are deleted.
    pub(crate) fn watch_agent(&self, id: AgentId) -> Option<watch::Receiver<Arc<AgentRecord>>> {
        let directory = self.directory();
        let record = &directory.agent(id)?.record;
        let mut watched = self.watched.lock();
        let watch = watched.entry(id).or_insert_with(|| watch::Sender::new(Arc::clone(record)));
        Some(watch.subscribe())
    }

    /// The agents, teams and sites that changes touch, as it happens.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Touched> {
        self.touched.subscribe()
    }

    /// The first members of a team with room for one more of this medium. `None` if there is no such team.
    pub(crate) fn candidates(
        &self,
        team: TeamId,
        medium: ClaimMedium,
        skip: &BTreeSet<AgentId>,
        limit: usize,
    ) -> Option<FreeAgents> {
        let directory = self.directory();
        let team = directory.team(team)?;
        let mut members = team.record.members.iter().filter(|id| !skip.contains(id));
        let anybody_left = members.any(|id| directory.agent(*id).is_some());
        let free = team
            .orders
            .merged::<BySince>(Classes::available(medium), None)
            .filter_map(|place| directory.at(place.slot()));
        let free = free.filter(|(known, _)| !skip.contains(&known.id));
        let mut free = free.map(|(known, _)| &known.record);
        // Those who have the fewest chats come first, which is in no order.
        let free = match medium {
            ClaimMedium::Voice => free.by_ref().take(limit).map(Arc::clone).collect(),
            ClaimMedium::Chat => first_for_a_chat(free, limit),
        };
        Some(FreeAgents {
            free,
            count: team.orders.count(Classes::available(medium)),
            anybody_left,
            signed_in: team.orders.count(Classes::signed_in()),
        })
    }

    /// The same of a queue: who has these skills, and is in one of these teams, if any are named. It looks at each of them.
    pub(crate) fn candidates_with(
        &self,
        skills: &[Skill],
        teams: &[TeamId],
        medium: ClaimMedium,
        skip: &BTreeSet<AgentId>,
        limit: usize,
    ) -> FreeAgents {
        let directory = self.directory();
        let of_teams = teams.iter().filter_map(|team| directory.team(*team)).flat_map(|team| &team.record.members);
        let of_teams: BTreeSet<AgentId> = of_teams.copied().collect();
        let is_meant = |agent: &&Arc<AgentRecord>| {
            let is_in = teams.is_empty() || of_teams.contains(&agent.id);
            is_in && !skip.contains(&agent.id) && skill::suffices(&agent.profile.skills, skills)
        };
        let of_tenant = || directory.slots.iter().filter_map(|slot| slot.known.as_ref()).map(|known| &known.record);
        let of_teams = || of_teams.iter().filter_map(|id| directory.agent(*id)).map(|known| &known.record);
        let members: Vec<_> = if teams.is_empty() {
            of_tenant().filter(is_meant).collect()
        } else {
            of_teams().filter(is_meant).collect()
        };
        let free: Vec<_> = members.iter().filter(|agent| agent.status.is_available_for(medium)).copied().collect();
        FreeAgents {
            anybody_left: !members.is_empty(),
            signed_in: members.iter().filter(|it| it.status.online).count(),
            count: free.len(),
            free: match medium {
                ClaimMedium::Voice => first_by(free, limit, |agent| (agent.status.idle_since_us, agent.id)),
                ClaimMedium::Chat => first_for_a_chat(free.into_iter(), limit),
            },
        }
    }

    pub(super) fn directory(&self) -> RwLockReadGuard<'_, TenantDirectory> {
        self.directory.read()
    }
}

/// Who can be asked for a team or a queue.
#[derive(Debug, Default)]
pub(crate) struct FreeAgents {
    /// The first of those who can be had now: longest idle first; for a chat, whoever has the fewest.
    pub(crate) free: Vec<Arc<AgentRecord>>,
    /// How many can be had now.
    pub(crate) count: usize,
    /// There are some at all.
    pub(crate) anybody_left: bool,
    pub(crate) signed_in: usize,
}

/// They can be had for a call or a chat, and could not before; or they can do something else.
fn is_newly_available(before: Option<&AgentRecord>, now: &AgentRecord) -> bool {
    // Queues that did not mean them before may mean them now.
    let other_skills = before.is_some_and(|before| before.profile.skills != now.profile.skills);
    [ClaimMedium::Voice, ClaimMedium::Chat].into_iter().any(|medium| {
        let could = before.is_some_and(|before| before.status.is_available_for(medium));
        now.status.is_available_for(medium) && (!could || other_skills)
    })
}

fn first_for_a_chat<'a>(free: impl Iterator<Item = &'a Arc<AgentRecord>>, limit: usize) -> Vec<Arc<AgentRecord>> {
    first_by(free.collect(), limit, |agent| (agent.status.chats, agent.status.idle_since_us, agent.id))
}

fn first_by<K: Ord>(
    mut agents: Vec<&Arc<AgentRecord>>,
    limit: usize,
    key: impl Fn(&AgentRecord) -> K,
) -> Vec<Arc<AgentRecord>> {
    agents.sort_by_key(|agent| key(agent));
    agents.into_iter().take(limit).map(Arc::clone).collect()
}

impl TenantDirectory {
    pub(super) fn agent(&self, id: AgentId) -> Option<&KnownAgent> {
        self.slot(id)?.known.as_ref()
    }

    /// The agent in a slot, with their teams.
    pub(super) fn at(&self, slot: u32) -> Option<(&KnownAgent, &[TeamId])> {
        let slot = self.slots.get(slot as usize)?;
        Some((slot.known.as_ref()?, &slot.teams))
    }

    pub(super) fn slot_number(&self, id: AgentId) -> Option<u32> {
        self.slot_of.get(&id).copied()
    }

    fn slot(&self, id: AgentId) -> Option<&Slot> {
        self.slots.get(self.slot_number(id)? as usize)
    }

    pub(super) fn team(&self, id: TeamId) -> Option<&TeamEntry> {
        self.teams.get(&id)
    }

    pub(super) fn teams(&self) -> impl Iterator<Item = (TeamId, &TeamEntry)> {
        self.teams.iter().map(|(id, team)| (*id, team))
    }

    pub(super) fn site(&self, id: SiteId) -> Option<&SiteEntry> {
        self.sites.get(&id)
    }

    /// All of the tenant's agents.
    pub(super) fn all(&self) -> &Orders {
        &self.all
    }

    pub(super) fn postings(&self) -> &Postings {
        &self.postings
    }

    /// The teams that an agent is in.
    pub(super) fn teams_of(&self, agent: AgentId) -> &[TeamId] {
        self.slot(agent).map_or(&[], |slot| &slot.teams)
    }

    /// How many members of a team are available, besides `caller`.
    pub(super) fn available_in(&self, team: TeamId, caller: Option<AgentId>) -> usize {
        let Some(entry) = self.teams.get(&team) else { return 0 };
        let counts_caller =
            caller.is_some_and(|caller| entry.record.members.contains(&caller) && self.is_available(caller));
        entry.orders.count(Classes::available(ClaimMedium::Voice)) - usize::from(counts_caller)
    }

    fn is_available(&self, agent: AgentId) -> bool {
        self.agent(agent).is_some_and(|known| known.record.status.is_available())
    }

    fn is_newer_agent(&self, id: AgentId, record: Option<&AgentRecord>) -> bool {
        let known = self.agent(id).map(|it| it.record.version);
        !self.gone.contains(&id.0) && record.is_none_or(|record| known.is_none_or(|known| known < record.version))
    }

    fn is_newer_team(&self, id: TeamId, record: Option<&TeamRecord>) -> bool {
        let known = self.teams.get(&id).map(|it| it.record.version);
        !self.gone.contains(&id.0) && record.is_none_or(|record| known.is_none_or(|known| known < record.version))
    }

    fn is_newer_site(&self, id: SiteId, record: Option<&SiteRecord>) -> bool {
        let known = self.site(id).and_then(|it| it.record.as_ref()).map(|it| it.version);
        !self.gone.contains(&id.0) && record.is_none_or(|record| known.is_none_or(|known| known < record.version))
    }

    fn put_agent(&mut self, id: AgentId, record: Option<Arc<AgentRecord>>) -> bool {
        let number = self.slot_for(id);
        let slot = std::mem::take(&mut self.slots[number as usize]);
        let before = slot.known;
        let now = record.map(|record| {
            let is_same = |it: &&KnownAgent| {
                let (old, new) = (&it.record.profile, &record.profile);
                old.name == new.name && old.email == new.email
            };
            let same = before.as_ref().filter(is_same).map(|it| Arc::clone(&it.placed.person));
            let person = same.unwrap_or_else(|| Person::new(id, number, &record.profile));
            KnownAgent::new(record, person)
        });
        self.place(before.as_ref(), now.as_ref(), &slot.teams);
        let known_before = before.as_ref().map(|it| Arc::clone(&it.record));
        let became_available = now.as_ref().is_some_and(|it| is_newly_available(known_before.as_deref(), &it.record));
        if now.is_none() {
            self.gone.insert(id.0);
        }
        self.slots[number as usize] = Slot { known: now, teams: slot.teams };
        self.free_if_unused(id, number);
        became_available
    }

    /// Moves an agent in all orders and postings that they are in.
    fn place(&mut self, before: Option<&KnownAgent>, now: Option<&KnownAgent>, teams: &[TeamId]) {
        let (placed_before, placed_now) = (before.map(|it| &it.placed), now.map(|it| &it.placed));
        let (person_before, person_now) = (placed_before.map(|it| &it.person), placed_now.map(|it| &it.person));
        let same_person = person_before.zip(person_now).is_some_and(|(before, now)| Arc::ptr_eq(before, now));
        if !same_person {
            if let Some(person) = person_before {
                self.postings.remove(person);
            }
            if let Some(person) = person_now {
                self.postings.insert(person);
            }
        }
        self.all.place(placed_before, placed_now);
        for team in teams {
            if let Some(team) = self.teams.get_mut(team) {
                team.orders.place(placed_before, placed_now);
            }
        }
        let site = |known: Option<&KnownAgent>| known.and_then(|it| it.record.profile.site);
        let (site_before, site_now) = (site(before), site(now));
        if site_before == site_now {
            if let Some(site) = site_now {
                self.sites.entry(site).or_default().orders.place(placed_before, placed_now);
            }
            return;
        }
        if let Some(site) = site_before {
            self.sites.entry(site).or_default().orders.place(placed_before, None);
        }
        if let Some(site) = site_now {
            self.sites.entry(site).or_default().orders.place(None, placed_now);
        }
    }

    fn put_team(&mut self, id: TeamId, record: Option<TeamRecord>) {
        let nobody = BTreeSet::new();
        let (before, mut orders) = match self.teams.remove(&id) {
            Some(old) => (Some(old.record), old.orders),
            None => (None, Orders::default()),
        };
        let before = before.as_ref().map_or(&nobody, |it| &it.members);
        let after = record.as_ref().map_or(&nobody, |it| &it.members);
        for member in before.difference(after) {
            let number = self.slot_for(*member);
            let slot = &mut self.slots[number as usize];
            slot.teams.retain(|team| *team != id);
            orders.place(slot.known.as_ref().map(|it| &it.placed), None);
            self.free_if_unused(*member, number);
        }
        for member in after.difference(before) {
            let number = self.slot_for(*member);
            let slot = &mut self.slots[number as usize];
            slot.teams.push(id);
            orders.place(None, slot.known.as_ref().map(|it| &it.placed));
        }
        let Some(record) = record else {
            self.gone.insert(id.0);
            return;
        };
        let key = name::key(&record.name);
        self.teams.insert(id, TeamEntry { record: Arc::new(record), key, orders });
    }

    fn put_site(&mut self, id: SiteId, record: Option<SiteRecord>) {
        if record.is_none() {
            self.gone.insert(id.0);
        }
        let site = self.sites.entry(id).or_default();
        site.record = record.map(Arc::new);
        for place in site.orders.merged::<ByName>(Classes::ALL, None) {
            if let Some(known) = &mut self.slots[place.slot() as usize].known {
                // They are shown with the site's name.
                known.shown = OnceLock::new();
            }
        }
        if self.sites.get(&id).is_some_and(|it| it.record.is_none() && it.orders.count(Classes::ALL) == 0) {
            self.sites.remove(&id);
        }
    }

    /// The agent's slot; one who has none gets one.
    fn slot_for(&mut self, id: AgentId) -> u32 {
        if let Some(number) = self.slot_of.get(&id) {
            return *number;
        }
        let number = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 agents")
        });
        self.slot_of.insert(id, number);
        number
    }

    fn free_if_unused(&mut self, id: AgentId, number: u32) {
        let slot = &self.slots[number as usize];
        if slot.known.is_none() && slot.teams.is_empty() {
            self.slot_of.remove(&id);
            self.free_slots.push(number);
        }
    }
}
