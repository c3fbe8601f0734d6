//! The picker (B201, B301): which agents and teams a caller may choose, as a list and one by one.
//!
//! A list is sections, one after the other, and what is in a section is in one order, which the index keeps ([`super::orders`]). So a page is
//! read from its first place on, and paging goes on where it was while agents change around it: whoever is not touched comes once.

use std::collections::{BTreeSet, BinaryHeap, HashMap};

use baton_api::common::v1::Target;
use baton_api::page;
use baton_api::presence::v1::{PickerTarget, TransferTarget};
use baton_api::read_mask::ReadMask;
use prost::Message as _;
use prost::bytes::{Bytes, BytesMut};
use roaring::RoaringBitmap;

use super::orders::{ByName, BySince, Classes, Orders, Rank};
use super::search::TypedSearch;
use super::tenant::{KnownAgent, TeamEntry, TenantDirectory, TenantIndex, Touched};
use crate::convert;
use crate::ids::{AgentId, SiteId, TeamId};
use crate::page::DirectoryCursor;
use crate::record::ClaimMedium;
use crate::status::{AgentStatus, ShownState};

/// A search walks past so many agents at least, before it gathers those who may match. (In tests there are never so many.)
const FEWEST_STEPS: usize = if cfg!(test) { 1 } else { 256 };

#[derive(Debug, Clone, Default)]
pub(crate) struct PickerFilter {
    /// Empty for all targets.
    pub(crate) search: TypedSearch,
    /// Only members of this team.
    pub(crate) team: Option<TeamId>,
    /// Only agents who work at this site.
    pub(crate) site: Option<SiteId>,
    /// Only agents in these states; empty for all.
    pub(crate) states: Vec<ShownState>,
    pub(crate) order: TargetOrder,
    /// Also targets that are not available now.
    pub(crate) include_unavailable: bool,
    /// Agents are never shown to themselves.
    pub(crate) caller: Option<AgentId>,
    /// For a transfer: whom a policy lets be chosen. Without it, who is available can be.
    pub(crate) choice: Option<Choice>,
}

/// How the agents of a section are ordered. Teams are by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TargetOrder {
    #[default]
    Name,
    /// Who can be had now first, and of them who is so for longest; then all others, likewise.
    LongestIdle,
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

impl TargetKey {
    pub(crate) fn target(self) -> Target {
        match self {
            Self::Agent(id) => convert::agent_target(id),
            Self::Team(id) => convert::team_target(id),
        }
    }

    fn id(self) -> uuid::Uuid {
        match self {
            Self::Agent(id) => id.0,
            Self::Team(id) => id.0,
        }
    }
}

/// The sections of a picker, in order.
const CHOSEN_LAST: u8 = 0;
const FIRST: u8 = 1;
const OTHERS: u8 = 2;
const TEAMS: u8 = 3;
/// Added to a section of agents that are ordered by how long they are idle: a page token is of one order.
const BY_IDLE: u8 = 10;

/// A page of a picker, with what was made of each target.
#[derive(Debug)]
pub(crate) struct PickerPage<T> {
    pub(crate) targets: Vec<T>,
    /// Where the next page begins; empty on the last one.
    pub(crate) next_token: String,
}

impl<T> Default for PickerPage<T> {
    fn default() -> Self {
        Self { targets: Vec::new(), next_token: String::new() }
    }
}

/// A target that was found, while nothing changes.
#[derive(Clone, Copy)]
pub(crate) struct FoundTarget<'a> {
    section: u8,
    what: FoundRecord<'a>,
}

#[derive(Clone, Copy)]
enum FoundRecord<'a> {
    Agent { agent: &'a KnownAgent, directory: &'a TenantDirectory },
    Team { team: &'a TeamEntry, available: usize, others: usize },
}

impl FoundTarget<'_> {
    pub(crate) fn key(&self) -> TargetKey {
        match self.what {
            FoundRecord::Agent { agent, .. } => TargetKey::Agent(agent.id),
            FoundRecord::Team { team, .. } => TargetKey::Team(team.record.id),
        }
    }

    /// Where the next page begins if this is the last of one.
    fn cursor(&self) -> DirectoryCursor {
        let key = match self.what {
            _ if self.section == CHOSEN_LAST => String::new(),
            FoundRecord::Agent { agent, .. } if self.section >= BY_IDLE => since_us(&agent.record.status).to_string(),
            FoundRecord::Agent { agent, .. } => agent.placed.person.key().to_owned(),
            FoundRecord::Team { team, .. } => team.key.clone(),
        };
        DirectoryCursor { section: self.section, key, id: self.key().id() }
    }

    fn target(&self) -> PickerTarget {
        match self.what {
            FoundRecord::Agent { agent, directory } => agent.target(directory),
            FoundRecord::Team { team, available, others } => convert::picker_team(&team.record, available, others),
        }
    }

    /// The same for a transfer, with what its policy says.
    pub(crate) fn choice(&self, choice: &Choice) -> TransferTarget {
        let target = self.target();
        let status = match self.what {
            FoundRecord::Agent { agent, .. } => Some(&agent.record.status),
            FoundRecord::Team { .. } => None,
        };
        let choosable = status.map_or(target.available, |status| choice.can_choose(status));
        TransferTarget {
            choosable,
            recommended: status.is_some_and(|status| choice.recommends(status)),
            would_wait: choosable && status.is_some_and(|status| !status.can_be_claimed_for(choice.medium)),
            chosen_last: choice.last == Some(self.key()),
            target: Some(target),
            queue_load: None,
        }
    }
}

/// What the encoded targets of a page share: more is taken as soon as they need it.
pub(crate) fn page_buffer() -> BytesMut {
    BytesMut::with_capacity(16 * 1_024)
}

/// A target as any picker shows it: of a [`PickerTarget`] what is wanted. The targets of an answer share a buffer.
pub(crate) fn encoded(found: &FoundTarget<'_>, wanted: &ReadMask, buffer: &mut BytesMut) -> Bytes {
    match found.what {
        FoundRecord::Agent { agent, directory } => wanted.of(agent.encoded(directory), buffer),
        FoundRecord::Team { .. } => wanted.of(&found.target().encode_to_vec(), buffer),
    }
}

/// Since when an agent is as they are, for the order by it: available, or in their state.
pub(super) fn since_us(status: &AgentStatus) -> i64 {
    if status.is_available() { status.idle_since_us } else { status.state_since_us }
}

impl TenantIndex {
    /// What `show` makes of the targets that match, agents and then teams, from `after` on; at most `size`. `None`: `after` is of another order.
    pub(crate) fn targets<T>(
        &self,
        filter: &PickerFilter,
        after: &DirectoryCursor,
        size: usize,
        show: impl FnMut(&FoundTarget<'_>) -> T,
    ) -> Option<PickerPage<T>> {
        let directory = self.directory();
        // One more says whether there is another page.
        let limit = size.saturating_add(1);
        let mut found = Vec::new();
        directory.add_chosen_last(filter, after, &mut found);
        match filter.order {
            TargetOrder::Name => directory.add_agents::<ByName>(filter, 0, after, limit, &mut found)?,
            TargetOrder::LongestIdle => directory.add_agents::<BySince>(filter, BY_IDLE, after, limit, &mut found)?,
        }
        directory.add_teams(filter, after, limit, &mut found);
        let next_token = page::cut(&mut found, size, |last| last.cursor().token());
        Some(PickerPage { targets: found.iter().map(show).collect(), next_token })
    }

    /// A target as the picker shows it now, encoded; `None` if it does not match.
    pub(crate) fn target(&self, filter: &PickerFilter, key: TargetKey, wanted: &ReadMask) -> Option<Bytes> {
        let directory = self.directory();
        Some(encoded(&directory.found(filter, key)?, wanted, &mut BytesMut::new()))
    }

    /// The targets that may have changed with what was touched. `None`: start over, because a team's or a site's change may concern
    /// each of its agents, now or before.
    pub(crate) fn concerned(&self, touched: Touched) -> Option<BTreeSet<TargetKey>> {
        let Touched::Agent(agent) = touched else { return None };
        let directory = self.directory();
        let teams = directory.teams_of(agent).iter().copied().map(TargetKey::Team);
        Some(teams.chain([TargetKey::Agent(agent)]).collect())
    }
}

impl PickerFilter {
    /// The classes of the agents whom it shows.
    fn shown(&self) -> Classes {
        let in_states = if self.states.is_empty() { Classes::ALL } else { Classes::in_states(&self.states, None) };
        if self.include_unavailable { in_states } else { in_states.and(self.can_be_had()) }
    }

    /// Of those who can be had now; or, for a transfer, chosen. Whoever asks for some states means agents in them who are free.
    fn can_be_had(&self) -> Classes {
        match &self.choice {
            Some(choice) => {
                Classes::in_states(&choice.choosable, Some(choice.medium).filter(|_| !choice.waits_if_busy))
            }
            None if self.states.is_empty() => Classes::available(ClaimMedium::Voice),
            None => Classes::in_states(&self.states, Some(ClaimMedium::Voice)),
        }
    }

    /// The classes of the agents who come before the others.
    fn first(&self) -> Classes {
        match (&self.choice, self.order) {
            (Some(choice), _) => Classes::in_states(&choice.recommended, Some(choice.medium)),
            (None, TargetOrder::LongestIdle) => Classes::available(ClaimMedium::Voice),
            (None, TargetOrder::Name) => Classes::default(),
        }
    }

    fn chosen_last(&self) -> Option<TargetKey> {
        self.choice.as_ref()?.last
    }

    /// Whether this agent is meant at all, whatever their state.
    fn means(&self, agent: AgentId) -> bool {
        let is_meant = |choice: &Choice| choice.agents && !choice.skip.contains(&agent);
        self.caller != Some(agent) && self.choice.as_ref().is_none_or(is_meant)
    }

    fn wants_teams(&self) -> bool {
        self.team.is_none()
            && self.site.is_none()
            && self.states.is_empty()
            && self.choice.as_ref().is_none_or(|choice| choice.teams)
    }
}

/// What is looked for in a section of agents.
struct SectionQuery<'a, 'q> {
    filter: &'q PickerFilter,
    classes: Classes,
    /// The smallest set of agents in which all are that are wanted: of a team, of a site, or all.
    scope: &'a Orders,
    words: &'q [Word<'q>],
}

/// Who may have one word of a search.
struct Word<'a> {
    text: &'a str,
    /// Those in whose name or address it may be.
    own: RoaringBitmap,
    /// The teams in whose name it is.
    teams: HashMap<TeamId, &'a TeamEntry>,
}

impl Word<'_> {
    /// How many agents may have it, at most.
    fn most(&self) -> usize {
        let of_teams: usize = self.teams.values().map(|team| team.orders.count(Classes::ALL)).sum();
        usize::try_from(self.own.len()).unwrap_or(usize::MAX).saturating_add(of_teams)
    }

    /// The slots of all who may have it.
    fn slots(&self) -> RoaringBitmap {
        let of_teams = self.teams.values().flat_map(|team| team.orders.merged::<ByName>(Classes::ALL, None));
        let mut slots = self.own.clone();
        slots.extend(of_teams.map(Rank::slot));
        slots
    }

    fn is_had_by(&self, agent: &KnownAgent, teams: &[TeamId]) -> bool {
        let person = &agent.placed.person;
        let own = self.own.contains(person.slot) && person.text().contains(self.text);
        own || teams.iter().any(|team| self.teams.contains_key(team))
    }
}

impl TenantDirectory {
    fn add_chosen_last<'a>(&'a self, filter: &PickerFilter, after: &DirectoryCursor, found: &mut Vec<FoundTarget<'a>>) {
        if *after == DirectoryCursor::default() {
            found.extend(filter.chosen_last().and_then(|key| self.found(filter, key)));
        }
    }

    /// Adds agents until there are `limit` targets. `None`: `after` is of another order.
    fn add_agents<'a, P: Rank + 'a>(
        &'a self,
        filter: &PickerFilter,
        order: u8,
        after: &DirectoryCursor,
        limit: usize,
        found: &mut Vec<FoundTarget<'a>>,
    ) -> Option<()> {
        let is_in_agents = ![CHOSEN_LAST, TEAMS].contains(&after.section);
        if is_in_agents && ![order + FIRST, order + OTHERS].contains(&after.section) {
            return None;
        }
        let from = if is_in_agents { Some(P::at(&after.key, AgentId(after.id))?) } else { None };
        let Some(scope) = self.scope(filter) else { return Some(()) };
        let words: Vec<_> = filter.search.words().map(|text| self.word(text)).collect();
        let (shown, first) = (filter.shown(), filter.first());
        for (section, classes) in [(FIRST, shown.and(first)), (OTHERS, shown.without(first))] {
            let is_over = after.section % BY_IDLE > section;
            let from = from.as_ref().filter(|_| after.section % BY_IDLE == section);
            if !is_over && found.len() < limit {
                let wanted = SectionQuery { filter, classes, scope, words: &words };
                let agents = self.page(&wanted, from, limit - found.len()).into_iter();
                found.extend(agents.map(|it| FoundTarget { section: order + section, what: self.found_agent(it) }));
            }
        }
        Some(())
    }

    fn add_teams<'a>(
        &'a self,
        filter: &PickerFilter,
        after: &DirectoryCursor,
        limit: usize,
        found: &mut Vec<FoundTarget<'a>>,
    ) {
        if !filter.wants_teams() || found.len() >= limit {
            return;
        }
        let is_behind = |id: TeamId, team: &TeamEntry| {
            after.section != TEAMS || (team.key.as_str(), id.0) > (after.key.as_str(), after.id)
        };
        let shown = self.teams().filter(|(id, team)| {
            filter.chosen_last() != Some(TargetKey::Team(*id)) && is_behind(*id, team) && self.shows_team(filter, team)
        });
        let mut shown: Vec<_> = shown.map(|(id, team)| (team.key.as_str(), id, team)).collect();
        shown.sort_by_key(|(key, id, _)| (*key, *id));
        let shown = shown.into_iter().take(limit - found.len());
        found.extend(shown.map(|(.., team)| FoundTarget { section: TEAMS, what: self.found_team(filter, team) }));
    }

    /// Among whom agents are looked for; `None`: there is nobody.
    fn scope(&self, filter: &PickerFilter) -> Option<&Orders> {
        let of_team = filter.team.map(|id| Some(&self.team(id)?.orders));
        let of_site = filter.site.map(|id| Some(&self.site(id)?.orders));
        match (of_team, of_site) {
            (None, None) => Some(self.all()),
            (Some(only), None) | (None, Some(only)) => only,
            (Some(team), Some(site)) => {
                let (team, site) = (team?, site?);
                Some(if team.count(Classes::ALL) <= site.count(Classes::ALL) { team } else { site })
            }
        }
    }

    fn word<'a>(&'a self, text: &'a str) -> Word<'a> {
        let teams = self.teams().filter(|(_, team)| team.key.contains(text)).collect();
        Word { text, own: self.postings().may_have(text), teams }
    }

    /// The first agents behind `from` who are wanted, in their order.
    ///
    /// Of a search, they are found in one of two ways, by what costs less. Where many match, the first are met soon by walking along the
    /// order. Where few do, all of them are gathered and sorted. One does not know where in the order they are, so the walk ends after as many
    /// steps as gathering takes: it all costs twice the cheaper way, at most.
    fn page<'a, P: Rank + 'a>(
        &'a self,
        wanted: &SectionQuery<'a, '_>,
        from: Option<&P>,
        limit: usize,
    ) -> Vec<&'a KnownAgent> {
        let rarest = wanted.words.iter().min_by_key(|word| word.most());
        let steps = rarest.map_or(usize::MAX, |word| word.most().max(FEWEST_STEPS));
        let mut page = Vec::new();
        let mut places = wanted.scope.merged::<P>(wanted.classes, from);
        for _ in 0..steps {
            if page.len() == limit {
                return page;
            }
            let Some(place) = places.next() else { return page };
            page.extend(self.wanted_at(wanted, place.slot()));
        }
        match rarest {
            Some(word) => self.gather(wanted, word, from, limit),
            None => page,
        }
    }

    fn gather<'a, P: Rank + 'a>(
        &'a self,
        wanted: &SectionQuery<'a, '_>,
        word: &Word<'_>,
        from: Option<&P>,
        limit: usize,
    ) -> Vec<&'a KnownAgent> {
        // The last of those that are kept is on top.
        let mut kept: BinaryHeap<P> = BinaryHeap::new();
        for slot in word.slots() {
            let Some(agent) = self.wanted_at(wanted, slot) else { continue };
            let place = P::of(&agent.placed);
            let comes_before = kept.len() < limit || kept.peek().is_some_and(|last| place < *last);
            if comes_before && from.is_none_or(|from| place > *from) {
                kept.push(place);
                if kept.len() > limit {
                    kept.pop();
                }
            }
        }
        let slots = kept.into_sorted_vec().into_iter().map(|place| place.slot());
        slots.filter_map(|slot| Some(self.at(slot)?.0)).collect()
    }

    /// The agent in this slot, if they are wanted.
    fn wanted_at<'a>(&'a self, wanted: &SectionQuery<'_, '_>, slot: u32) -> Option<&'a KnownAgent> {
        let (agent, teams) = self.at(slot)?;
        let filter = wanted.filter;
        let is_wanted = wanted.classes.contains(agent.placed.class)
            && filter.chosen_last() != Some(TargetKey::Agent(agent.id))
            && is_in(filter, agent, teams)
            && wanted.words.iter().all(|word| word.is_had_by(agent, teams));
        is_wanted.then_some(agent)
    }

    /// A target, if the picker shows it.
    fn found(&self, filter: &PickerFilter, key: TargetKey) -> Option<FoundTarget<'_>> {
        let what = match key {
            TargetKey::Agent(id) => {
                let (agent, teams) = self.at(self.slot_number(id)?)?;
                let text = agent.placed.person.text();
                let has = |word: &str| {
                    text.contains(word) || teams.iter().any(|it| self.team(*it).is_some_and(|it| it.key.contains(word)))
                };
                let is_shown = filter.shown().contains(agent.placed.class)
                    && is_in(filter, agent, teams)
                    && filter.search.words().all(has);
                is_shown.then(|| self.found_agent(agent))?
            }
            TargetKey::Team(id) => {
                let team = self.team(id).filter(|team| filter.wants_teams() && self.shows_team(filter, team))?;
                self.found_team(filter, team)
            }
        };
        Some(FoundTarget { section: CHOSEN_LAST, what })
    }

    fn shows_team(&self, filter: &PickerFilter, team: &TeamEntry) -> bool {
        filter.search.finds(&team.key)
            && (filter.include_unavailable || self.available_in(team.record.id, filter.caller) > 0)
    }

    fn found_agent<'a>(&'a self, agent: &'a KnownAgent) -> FoundRecord<'a> {
        FoundRecord::Agent { agent, directory: self }
    }

    fn found_team<'a>(&self, filter: &PickerFilter, team: &'a TeamEntry) -> FoundRecord<'a> {
        let available = self.available_in(team.record.id, filter.caller);
        let members = &team.record.members;
        let others = members.len() - usize::from(filter.caller.is_some_and(|caller| members.contains(&caller)));
        FoundRecord::Team { team, available, others }
    }
}

/// Whether this agent, in these teams, is one of those that a filter means, whatever their state and name.
fn is_in(filter: &PickerFilter, agent: &KnownAgent, teams: &[TeamId]) -> bool {
    filter.means(agent.id)
        && filter.team.is_none_or(|team| teams.contains(&team))
        && filter.site.is_none_or(|site| agent.record.profile.site == Some(site))
}

#[cfg(test)]
mod tests;
