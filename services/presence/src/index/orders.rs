//! Agents in the orders in which pickers list them, kept by each change: by name, and by how long they are as they are.
//!
//! Each *scope* (the tenant, a team, a site) has its own [`Orders`], and in it one set for each [`Class`] of agents: whoever wants agents in
//! some states takes the sets of these classes and merges them, so the first page costs what it has on it, and a descent for each set. A
//! change of a state moves an agent from one set to another.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::collections::btree_set::Range;
use std::ops::Bound;
use std::sync::Arc;

use baton_api::name;

use super::picker::since_us;
use crate::ids::AgentId;
use crate::record::{AgentProfile, AgentRecord, ClaimMedium};
use crate::status::{AgentStatus, ShownState};

/// What decides whether an agent can be chosen: their state, and whether a claim may reserve them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class(u8);

/// For each state four: with and without room for a call, and for a chat.
const CLASSES: usize = ShownState::ALL.len() * 4;

impl Class {
    pub(super) fn of(status: &AgentStatus) -> Self {
        let room = |medium| status.can_be_claimed_for(medium);
        Self::new(status.state(), room(ClaimMedium::Voice), room(ClaimMedium::Chat))
    }

    fn new(state: ShownState, for_call: bool, for_chat: bool) -> Self {
        Self(state as u8 * 4 + u8::from(for_call) * 2 + u8::from(for_chat))
    }
}

/// Some of the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Classes(u32);

impl Classes {
    pub(super) const ALL: Self = Self((1 << CLASSES) - 1);

    /// Agents in these states who have room for one more of this medium; none: whether they have or not.
    pub(super) fn in_states(states: &[ShownState], room: Option<ClaimMedium>) -> Self {
        let rooms = [(true, true), (true, false), (false, true), (false, false)];
        let has = |(call, chat): &(bool, bool)| match room {
            None => true,
            Some(ClaimMedium::Voice) => *call,
            Some(ClaimMedium::Chat) => *chat,
        };
        let rooms = rooms.into_iter().filter(has);
        rooms.flat_map(|(call, chat)| states.iter().map(move |state| Class::new(*state, call, chat))).collect()
    }

    /// Those who can be had now for this medium.
    pub(super) fn available(medium: ClaimMedium) -> Self {
        Self::in_states(&[ShownState::Available], Some(medium))
    }

    /// Those who are signed in, whatever they do.
    pub(super) fn signed_in() -> Self {
        Self::ALL.without(Self::in_states(&[ShownState::Offline], None))
    }

    pub(super) fn contains(self, class: Class) -> bool {
        self.0 & (1 << class.0) != 0
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn indices(self) -> impl Iterator<Item = usize> {
        (0..CLASSES).filter(move |it| self.0 & (1 << it) != 0)
    }
}

impl FromIterator<Class> for Classes {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Self {
        Self(classes.into_iter().fold(0, |all, class| all | 1 << class.0))
    }
}

/// In bytes, of a name.
const HEAD: usize = 16;

/// What an agent is ordered and searched by; another one when their name or address changes.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) id: AgentId,
    /// Their place in the directory.
    pub(super) slot: u32,
    name_len: u32,
    /// How the key of the name begins: most comparisons need not read the text, which is elsewhere in memory.
    head: u128,
    /// [`name::key`] of the name; then, in a line of its own, of the address.
    text: Box<str>,
}

impl Person {
    pub(super) fn new(id: AgentId, slot: u32, profile: &AgentProfile) -> Arc<Self> {
        let name = name::key(&profile.name);
        let text = format!("{name}\n{}", name::key(&profile.email));
        Arc::new(Self { id, slot, name_len: length(&name), head: head(&name), text: text.into() })
    }

    /// One who is only compared with.
    fn at(key: &str, id: AgentId) -> Arc<Self> {
        Arc::new(Self { id, slot: u32::MAX, name_len: length(key), head: head(key), text: key.into() })
    }

    pub(super) fn key(&self) -> &str {
        self.text.get(..self.name_len as usize).unwrap_or_default()
    }

    /// All that a search looks into, in lines.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// As many bytes as there is room for; what there are less of is zero, which is in no name.
fn head(key: &str) -> u128 {
    let mut head = [0; HEAD];
    head.iter_mut().zip(key.bytes()).for_each(|(to, from)| *to = from);
    u128::from_be_bytes(head)
}

/// A name has 100 characters at most, and its key not much more.
fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

/// A place in one of the orders.
pub(super) trait Rank: Ord + Sized {
    fn of(placed: &Placed) -> Self;
    /// Where the agent is in the directory.
    fn slot(&self) -> u32;
    /// Where the cursor with this key and id points; `None` if the key is of another order.
    fn at(key: &str, id: AgentId) -> Option<Self>;
    fn sets(orders: &Orders) -> &[BTreeSet<Self>; CLASSES];
}

/// By name.
#[derive(Debug, Clone)]
pub(super) struct ByName(Arc<Person>);

/// Who became what they are first, comes first.
#[derive(Debug, Clone)]
pub(super) struct BySince {
    since_us: i64,
    /// That of the person: pages go through many, and need not look at who it is.
    slot: u32,
    person: Arc<Person>,
}

impl Rank for ByName {
    fn of(placed: &Placed) -> Self {
        Self(Arc::clone(&placed.person))
    }

    fn slot(&self) -> u32 {
        self.0.slot
    }

    fn at(key: &str, id: AgentId) -> Option<Self> {
        Some(Self(Person::at(key, id)))
    }

    fn sets(orders: &Orders) -> &[BTreeSet<Self>; CLASSES] {
        &orders.by_name
    }
}

impl Rank for BySince {
    fn of(placed: &Placed) -> Self {
        Self { since_us: placed.since_us, slot: placed.person.slot, person: Arc::clone(&placed.person) }
    }

    fn slot(&self) -> u32 {
        self.slot
    }

    fn at(key: &str, id: AgentId) -> Option<Self> {
        let person = Person::at("", id);
        Some(Self { since_us: key.parse().ok()?, slot: person.slot, person })
    }

    fn sets(orders: &Orders) -> &[BTreeSet<Self>; CLASSES] {
        &orders.by_since
    }
}

impl Ord for ByName {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (&self.0, &other.0);
        let is_whole = |person: &Person| person.name_len as usize <= HEAD;
        let rest = || if is_whole(left) && is_whole(right) { Ordering::Equal } else { left.key().cmp(right.key()) };
        left.head.cmp(&right.head).then_with(rest).then_with(|| left.id.cmp(&right.id))
    }
}

impl Ord for BySince {
    fn cmp(&self, other: &Self) -> Ordering {
        self.since_us.cmp(&other.since_us).then_with(|| self.person.id.cmp(&other.person.id))
    }
}

macro_rules! compared_by_order {
    ($($place:ident),*) => {$(
        impl PartialOrd for $place {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq for $place {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl Eq for $place {}
    )*};
}

compared_by_order!(ByName, BySince);

/// Where an agent is in the orders.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) person: Arc<Person>,
    pub(super) class: Class,
    since_us: i64,
}

impl Placed {
    pub(super) fn new(record: &AgentRecord, person: Arc<Person>) -> Self {
        let status = &record.status;
        Self { person, class: Class::of(status), since_us: since_us(status) }
    }

    fn is_at(&self, other: &Self) -> bool {
        self.has_name_of(other) && self.since_us == other.since_us
    }

    fn has_name_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.person, &other.person) && self.class == other.class
    }
}

/// The agents of a scope.
#[derive(Debug, Default)]
pub(super) struct Orders {
    by_name: [BTreeSet<ByName>; CLASSES],
    by_since: [BTreeSet<BySince>; CLASSES],
}

impl Orders {
    /// Moves an agent from where they were to where they are now; only the sets that this changes are touched.
    pub(super) fn place(&mut self, before: Option<&Placed>, now: Option<&Placed>) {
        if let (Some(before), Some(now)) = (before, now)
            && before.is_at(now)
        {
            return;
        }
        let keeps_name = before.zip(now).is_some_and(|(before, now)| before.has_name_of(now));
        if let Some(before) = before {
            let class = usize::from(before.class.0);
            if !keeps_name {
                self.by_name[class].remove(&ByName::of(before));
            }
            self.by_since[class].remove(&BySince::of(before));
        }
        if let Some(now) = now {
            let class = usize::from(now.class.0);
            if !keeps_name {
                self.by_name[class].insert(ByName::of(now));
            }
            self.by_since[class].insert(BySince::of(now));
        }
    }

    pub(super) fn count(&self, classes: Classes) -> usize {
        classes.indices().map(|class| self.by_name[class].len()).sum()
    }

    /// The agents of these classes in one order, behind `after`.
    pub(super) fn merged<'a, P: Rank + 'a>(&'a self, classes: Classes, after: Option<&P>) -> Merged<'a, P> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let sets = classes.indices().map(|class| P::sets(self)[class].range((from, Bound::Unbounded)));
        Merged { sets: sets.filter_map(|mut rest| Some((rest.next()?, rest))).collect() }
    }
}

/// Several sets in one order.
pub(super) struct Merged<'a, P> {
    /// Of each set what comes next, and the rest.
    sets: Vec<(&'a P, Range<'a, P>)>,
}

impl<'a, P: Ord> Iterator for Merged<'a, P> {
    type Item = &'a P;

    fn next(&mut self) -> Option<&'a P> {
        let (index, _) = self.sets.iter().enumerate().min_by_key(|(_, (head, _))| *head)?;
        let (head, rest) = &mut self.sets[index];
        let first = *head;
        match rest.next() {
            Some(next) => *head = next,
            None => drop(self.sets.swap_remove(index)),
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_alike_are_in_the_order_of_their_rest_and_then_of_their_ids() {
        // Shorter than what is compared first, as long, and longer.
        let names = ["", "ada", "ada aerts", "ada aerts-bakker", "ada aerts-bakkers", "ada aerts-bakkerz", "ädä", "b"];
        let id = |id| AgentId(uuid::Uuid::from_u128(id));
        let place = |name: &str, of: u128| ByName(Person::at(name, id(of)));
        for (left, right) in names.iter().flat_map(|left| names.map(|right| (*left, right))) {
            let by_text = left.cmp(right);
            assert_eq!(place(left, 1).cmp(&place(right, 1)), by_text, "{left} {right}");
            assert_eq!(place(left, 1).cmp(&place(right, 2)), by_text.then(Ordering::Less), "{left} {right}");
        }
    }
}
