//! What a look at the switch shows of one interaction: the picture is corrected, and what is missing is judged.
//!
//! What the switch had and has no longer has ended in a gap between two sessions. What it was asked for and never showed is
//! *gone, unknown* after two looks a second apart: the request may have been on its way at the first.

use std::collections::BTreeMap;

use baton_runtime::clock::micros;

use super::Interaction;
use super::observe::SECOND_LOOK;
use crate::book::Share;
use crate::fact;
use crate::plan::InteractionId;
use crate::switch::{Ending, ExitEnd, LegInSight, LegState};
use crate::thing::{Key, Kind, Stamp, Thing};
use crate::world::{LegThere, RoomThere};

impl Interaction {
    pub(super) fn see(&mut self, share: &Share) {
        if self.generation != share.generation {
            (self.failures, self.retry_at_us) = (0, None);
        }
        self.generation = share.generation;
        self.awaits_look = false;
        if self.is_of_another_run(&share.boot_id) {
            self.lose_switch(&share.boot_id);
        }
        self.boot_id.clone_from(&share.boot_id);
        self.see_legs(&share.legs, share.stamp);
        self.see_rooms(share);
        keep(&mut self.world.playbacks, &share.playbacks, share.stamp);
        self.see_recordings(share);
        self.judge_missing(share.stamp);
    }

    /// A leg that was asked for in an earlier run of the switch is on it no more.
    fn is_of_another_run(&self, boot_id: &str) -> bool {
        let mut legs = self.world.things.iter().filter(|(key, thing)| key.kind == Kind::Leg && !thing.is_over());
        legs.any(|(_, thing)| !thing.boot_id.is_empty() && thing.boot_id != boot_id)
    }

    fn see_legs(&mut self, legs: &[LegInSight], stamp: Stamp) {
        self.world.legs.retain(|name, there| there.stamp > stamp || legs.iter().any(|leg| leg.name == *name));
        for leg in legs {
            let Some(key) = self.leg_key(&leg.name) else { continue };
            if self.world.legs.get(&leg.name).is_none_or(|there| there.stamp <= stamp) {
                let room = leg.room.as_ref().map(|it| self.plan_name(it));
                let there = LegThere { state: leg.state.clone(), room, muted: leg.muted, stamp };
                self.put_leg(&key, &leg.name, there);
            }
            if let LegState::Exited(exit) = &leg.state
                && let Some(thing) = self.world.things.get_mut(&Key::exit(exit))
            {
                thing.confirmed = true;
            }
        }
    }

    /// The plan's name of a room. One that is not the interaction's has an empty name, as no room of a plan has: reported, it
    /// says that the leg is in none of ours.
    fn plan_name(&self, on_switch: &str) -> String {
        match InteractionId::of_room(on_switch) {
            Some((id, room)) if id == self.id => room.to_owned(),
            _ => String::new(),
        }
    }

    fn see_rooms(&mut self, share: &Share) {
        let seen: BTreeMap<_, _> =
            share.rooms.iter().map(|room| (self.plan_name(&room.name), room.treatment)).collect();
        self.world.rooms.retain(|name, there| there.stamp > share.stamp || seen.contains_key(name));
        for (name, treatment) in seen {
            if self.world.rooms.get(&name).is_none_or(|there| there.stamp <= share.stamp) {
                self.world.rooms.insert(name, RoomThere { treatment, stamp: share.stamp });
            }
        }
    }

    fn see_recordings(&mut self, share: &Share) {
        let now_us = self.now_us();
        for closed in &share.closed {
            self.recording_closed(closed, closed.ended_at_us.min(now_us));
        }
        self.world.recordings.retain(|name, there| {
            *there > share.stamp || share.recordings.iter().any(|(recording, _)| recording == name)
        });
        for (recording, started_at_us) in &share.recordings {
            self.recording_runs(recording, *started_at_us, now_us);
        }
    }

    fn judge_missing(&mut self, stamp: Stamp) {
        let now_us = self.now_us();
        let keys: Vec<_> = self.world.things.keys().cloned().collect();
        for key in keys {
            let (there, awaits_file) = (self.is_there(&key), self.world.awaits_file(&key));
            let Some(thing) = self.world.things.get_mut(&key) else { continue };
            if (thing.is_over() && !awaits_file) || thing.stamp > stamp {
                continue;
            }
            match thing.missed_at_us {
                _ if there => thing.missed_at_us = None,
                None if !thing.confirmed || awaits_file => thing.missed_at_us = Some(now_us),
                Some(first_us) if now_us - first_us < micros(SECOND_LOOK) => {}
                _ => self.conclude(&key, now_us),
            }
        }
    }

    fn is_there(&self, key: &Key) -> bool {
        let Some(thing) = self.world.things.get(key) else { return false };
        match key.kind {
            Kind::Leg => self.world.legs.contains_key(&thing.name),
            Kind::Announcement => self.world.playbacks.contains_key(&key.id),
            Kind::Segment => self.world.recordings.contains_key(&key.id),
            Kind::Exit => self.world.legs.values().any(|leg| leg.state == LegState::Exited(key.id.clone())),
            Kind::SwitchLoss => true,
        }
    }

    /// It is not there, and will not be.
    fn conclude(&mut self, key: &Key, now_us: i64) {
        let Some(thing) = self.world.things.get(key) else { return };
        match key.kind {
            Kind::Leg => {
                let why = self.why_gone(thing, key, now_us);
                self.observe(key, fact::ended(&key.id, why), now_us);
            }
            Kind::Announcement => self.observe(key, fact::announcement_over(&key.id), now_us),
            Kind::Exit => self.observe(key, fact::exit_over(&key.id, ExitEnd::Unknown), now_us),
            Kind::Segment => self.segment_gone(key, now_us),
            Kind::SwitchLoss => {}
        }
    }

    /// Its file is not on the switch. A segment that was closed before the service started is in the archive already.
    fn segment_gone(&mut self, key: &Key, now_us: i64) {
        let Some(thing) = self.world.things.get_mut(key) else { return };
        if thing.is_over() && thing.stamp == Stamp::default() {
            thing.delivered = true;
        } else {
            self.recording_lost(&key.id, now_us);
        }
    }

    /// What can be said of a leg that is gone, from how far it had come.
    fn why_gone(&self, thing: &Thing, key: &Key, now_us: i64) -> Ending {
        let leg = self.plan.as_ref().and_then(|plan| plan.legs.iter().find(|leg| leg.id == key.id));
        let ring_until_us = leg.and_then(|leg| leg.dial()).map(|dial| dial.ring_until_us);
        how_it_ended(thing, key, ring_until_us, now_us)
    }

    /// No leg lives any more: one fact for all of them (S4). Nothing is done for this version of the plan; a newer one
    /// begins anew.
    pub(super) fn lose_switch(&mut self, id: &str) {
        let now_us = self.now_us();
        let open: Vec<_> =
            self.world.things.iter().filter(|(_, it)| !it.is_over()).map(|(key, _)| key.clone()).collect();
        if !open.iter().any(|key| key.kind == Kind::Leg) {
            return;
        }
        for key in &open {
            match key.kind {
                Kind::Leg => self.note(key, fact::ended(&key.id, Ending::SwitchLost), now_us, false),
                Kind::Announcement => self.note(key, fact::announcement_over(&key.id), now_us, false),
                Kind::Exit => self.note(key, fact::exit_over(&key.id, ExitEnd::Unknown), now_us, false),
                Kind::Segment | Kind::SwitchLoss => {}
            }
        }
        self.world.legs.clear();
        self.world.rooms.clear();
        self.world.playbacks.clear();
        self.world.recordings.clear();
        let version = self.plan.as_ref().map_or(0, |plan| plan.version);
        let key = Key { kind: Kind::SwitchLoss, id: id.to_owned() };
        self.add_thing(key.clone(), id, &version.to_string());
        self.observe(&key, fact::switch_lost(), now_us);
    }

    /// The switch was lost while this version of the plan was the newest.
    pub(super) fn is_lost(&self) -> bool {
        let version = self.plan.as_ref().map_or(0, |plan| plan.version);
        let mut losses = self.world.things.iter().filter(|(key, _)| key.kind == Kind::SwitchLoss);
        losses.any(|(_, thing)| thing.detail.parse().is_ok_and(|lost_at: u64| version <= lost_at))
    }
}

/// Nobody saw the leg end. What the plan says counts, too: an answer that it knows of may have been reported and not written
/// down here.
fn how_it_ended(thing: &Thing, key: &Key, ring_until_us: Option<i64>, now_us: i64) -> Ending {
    let last = thing.fact.as_ref().and_then(|it| it.fact.as_ref());
    let came_in = thing.name != key.id;
    if came_in || ring_until_us == Some(0) || last.is_some_and(fact::is_up) {
        Ending::HungUp
    } else if last.is_some() && ring_until_us.is_some_and(|it| it <= now_us) {
        Ending::NoAnswer
    } else {
        Ending::Unreachable
    }
}

/// Keeps what is there and what is newer than the look, and adds what was not known.
fn keep(known: &mut BTreeMap<String, Stamp>, seen: &[String], stamp: Stamp) {
    known.retain(|name, there| *there > stamp || seen.contains(name));
    for name in seen {
        known.entry(name.clone()).or_insert(stamp);
    }
}

#[cfg(test)]
mod tests {
    use baton_api::transfer::v1::Fact;

    use super::*;

    fn thing(name: &str, last: Option<baton_api::transfer::v1::fact::Fact>) -> Thing {
        let fact = last.map(|it| Fact { observed_at_us: 1, fact: Some(it) });
        Thing { name: name.into(), fact, ..Thing::default() }
    }

    #[test]
    fn how_a_leg_ended_that_nobody_saw_end_is_told_from_how_far_it_had_come() {
        let (ringing, up) = (|| Some(fact::ringing("c")), || Some(fact::up("c", "talk")));
        let cases = [
            ("a call that came in", thing("in-1", None), None, Ending::HungUp),
            ("answered, as was seen here", thing("c", up()), Some(100), Ending::HungUp),
            ("answered, as the plan knows", thing("c", up()), Some(0), Ending::HungUp),
            ("answered, and the note of it lost with the process", thing("c", ringing()), Some(0), Ending::HungUp),
            ("answered, and all notes lost", thing("c", None), Some(0), Ending::HungUp),
            ("rang for as long as it may", thing("c", ringing()), Some(50), Ending::NoAnswer),
            ("rang, and there was time left", thing("c", ringing()), Some(100), Ending::Unreachable),
            ("never rang", thing("c", None), Some(50), Ending::Unreachable),
            ("not wanted any more", thing("c", ringing()), None, Ending::Unreachable),
        ];
        for (case, thing, ring_until_us, expected) in cases {
            assert_eq!(how_it_ended(&thing, &Key::leg("c"), ring_until_us, 50), expected, "{case}");
        }
    }
}
