//! Observations: noted, written down, and reported.

use std::time::Duration;

use baton_api::transfer::v1::Fact;
use baton_api::transfer::v1::fact::Fact as What;
use baton_runtime::clock::micros;
use prost::Message as _;

use super::Interaction;
use crate::fact;
use crate::link::LinkState;
use crate::store::{ThingRow, Write};
use crate::switch::{Ending, LegState};
use crate::thing::{Key, Kind, Thing};
use crate::world::LegThere;

/// Between the two looks that find nothing.
pub(super) const SECOND_LOOK: Duration = Duration::from_secs(1);

impl Interaction {
    /// Notes an observation, unless it is the last one again or the thing is over.
    pub(super) fn observe(&mut self, key: &Key, what: What, at_us: i64) {
        self.note(key, what, at_us, true);
    }

    /// `report`: or only remember, because another fact says it for all.
    pub(super) fn note(&mut self, key: &Key, what: What, at_us: i64, report: bool) {
        let Some(thing) = self.world.things.get_mut(key) else { return };
        let last = thing.fact.as_ref().and_then(|it| it.fact.as_ref());
        if thing.is_over() || last == Some(&what) {
            return;
        }
        let fact = Fact { observed_at_us: at_us, fact: Some(what) };
        thing.confirmed = true;
        thing.fact = Some(fact.clone());
        let position = if report { self.position + 1 } else { 0 };
        self.writes.push(Write::Observed {
            interaction: self.id.clone(),
            key: key.clone(),
            fact: fact.encode_to_vec(),
            position,
        });
        if report {
            self.position = position;
            self.reporter.put(position, key.clone(), fact);
        }
    }

    /// Remembers a thing that the switch is not asked for: a leg that came in, one that was never dialled.
    pub(super) fn add_thing(&mut self, key: Key, name: &str, detail: &str) {
        let (row, thing) = self.new_thing(key.clone(), name, detail);
        self.writes.push(Write::Asked(row));
        self.world.things.insert(key, thing);
    }

    pub(super) fn new_thing(&self, key: Key, name: &str, detail: &str) -> (ThingRow, Thing) {
        let boot_id = match &*self.ways.link.borrow() {
            LinkState::Up { boot_id, .. } => boot_id.clone(),
            LinkState::Down => String::new(),
        };
        let (name, detail) = (name.to_owned(), detail.to_owned());
        let thing = Thing {
            name: name.clone(),
            detail: detail.clone(),
            boot_id: boot_id.clone(),
            stamp: self.ways.moments.now(),
            ..Thing::default()
        };
        (ThingRow { interaction: self.id.clone(), key, name, detail, boot_id }, thing)
    }

    /// A leg is there, in this state.
    pub(super) fn put_leg(&mut self, key: &Key, name: &str, there: LegThere) {
        if let Some(thing) = self.world.things.get_mut(key) {
            thing.confirmed = true;
            thing.missed_at_us = None;
        }
        self.world.legs.insert(name.to_owned(), there);
    }

    /// The leg that has this name on the switch.
    pub(super) fn leg_key(&self, name: &str) -> Option<Key> {
        let mut legs = self.world.things.iter().filter(|(key, _)| key.kind == Kind::Leg);
        legs.find(|(_, thing)| thing.name == name).map(|(key, _)| key.clone())
    }

    /// Reports where the legs are. Once a pass, so that what is only passed through is not reported.
    pub(super) fn observe_legs(&mut self) {
        let now_us = self.now_us();
        let names: Vec<_> = self.world.legs.keys().cloned().collect();
        for name in names {
            let (Some(key), Some(there)) = (self.leg_key(&name), self.world.legs.get(&name)) else { continue };
            let inbound = key.id != name || self.is_inbound(&key);
            let what = match there.state {
                LegState::Ringing if inbound => continue,
                LegState::Ringing => fact::ringing(&key.id),
                LegState::Up | LegState::Exited(_) => fact::up(&key.id, there.room.as_deref().unwrap_or_default()),
            };
            self.observe(&key, what, now_us);
        }
    }

    fn is_inbound(&self, key: &Key) -> bool {
        let leg = self.plan.as_ref().and_then(|plan| plan.legs.iter().find(|leg| leg.id == key.id));
        leg.is_some_and(|leg| leg.dial().is_none())
    }

    /// Ring time is judged here and nowhere else (T4). While the switch can't be seen, whether a leg was answered is open.
    pub(super) fn judge_times(&mut self) {
        let now_us = self.now_us();
        let Some(plan) = self.plan.clone() else { return };
        for leg in &plan.legs {
            let key = Key::leg(&leg.id);
            let rang_out = leg.dial().is_some_and(|dial| dial.ring_until_us <= now_us);
            if !rang_out || self.world.is_over(&key) || self.was_answered(leg.name()) {
                continue;
            }
            if !self.world.was_asked(&key) {
                self.add_thing(key.clone(), leg.name(), "");
                self.observe(&key, fact::ended(&leg.id, Ending::Unreachable), now_us);
            } else if self.is_ready() && leg.dial().is_some_and(|dial| dial.ring_until_us > 0) {
                self.observe(&key, fact::ended(&leg.id, Ending::NoAnswer), now_us);
            }
        }
        let overdue = self.next_second_look_us().is_some_and(|at_us| at_us <= now_us);
        if overdue && !self.awaits_look {
            self.ask_for_look();
        }
    }

    fn was_answered(&self, name: &str) -> bool {
        self.world.legs.get(name).is_some_and(|there| there.state != LegState::Ringing)
    }

    fn next_second_look_us(&self) -> Option<i64> {
        let things = self.world.things.iter();
        let open = things.filter(|(key, thing)| !thing.is_over() || self.world.awaits_file(key));
        open.filter_map(|(_, thing)| thing.missed_at_us).min().map(|at_us| at_us + micros(SECOND_LOOK))
    }

    /// When there is something to judge or to try although nothing happens; `i64::MAX`: never.
    pub(super) fn wake_at_us(&self) -> i64 {
        let ready = self.is_ready();
        let legs = self.plan.iter().flat_map(|plan| &plan.legs);
        let ring_ends = legs.filter_map(|leg| {
            let key = Key::leg(&leg.id);
            let open = !self.world.is_over(&key) && !self.was_answered(leg.name());
            let dial = leg.dial().filter(|dial| open && dial.ring_until_us > 0);
            dial.filter(|_| ready || !self.world.was_asked(&key)).map(|dial| dial.ring_until_us)
        });
        let second_look = self.next_second_look_us().filter(|_| !self.awaits_look);
        ring_ends.chain(second_look).chain(self.retry_at_us.filter(|_| ready)).min().unwrap_or(i64::MAX)
    }
}
