//! What one interaction has on the switch, as far as is known, and what was asked for.
//!
//! The picture is kept by the answers to commands and by events; a look at the switch corrects it. A look is older than what
//! changed after it was begun: stamps tell.

use std::collections::BTreeMap;

use crate::fact;
use crate::plan::{Leg, Treatment};
use crate::switch::LegState;
use crate::thing::{Key, Stamp, Thing};

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The legs on the switch, by their names there.
    pub legs: BTreeMap<String, LegThere>,
    /// The rooms, by the plan's names.
    pub rooms: BTreeMap<String, RoomThere>,
    /// Announcements that are being played.
    pub playbacks: BTreeMap<String, Stamp>,
    /// Recordings that run.
    pub recordings: BTreeMap<String, Stamp>,
    /// What was asked for, once each.
    pub things: BTreeMap<Key, Thing>,
}

/// A leg on the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegThere {
    /// How far it has come.
    pub state: LegState,
    /// The room it is in, by the plan's name; empty when that room is not the interaction's.
    pub room: Option<String>,
    /// Nobody hears it. `None`: not known.
    pub muted: Option<bool>,
    /// When this was last changed.
    pub stamp: Stamp,
}

impl LegThere {
    /// A leg that begins to ring.
    pub fn ringing(stamp: Stamp) -> Self {
        Self { state: LegState::Ringing, room: None, muted: Some(false), stamp }
    }
}

/// A room on the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomThere {
    /// What is heard in it; `None` for what we never ask for.
    pub treatment: Option<Treatment>,
    /// When this was last changed.
    pub stamp: Stamp,
}

impl World {
    /// It was asked for: it must never be asked for again.
    pub fn was_asked(&self, key: &Key) -> bool {
        self.things.contains_key(key)
    }

    /// It was asked for, and nothing more can come of it.
    pub fn is_over(&self, key: &Key) -> bool {
        self.things.get(key).is_some_and(Thing::is_over)
    }

    /// The wanted leg, if it is on the switch and not given up.
    pub fn live(&self, leg: &Leg) -> Option<&LegThere> {
        if self.is_over(&Key::leg(&leg.id)) { None } else { self.legs.get(leg.name()) }
    }

    /// The segment is closed, and its file is not on the list for the archive yet.
    pub fn awaits_file(&self, key: &Key) -> bool {
        let began = |thing: &Thing| thing.is_over() && fact::segment_started_at_us(thing.fact.as_ref()) > 0;
        self.things.get(key).is_some_and(|thing| !thing.delivered && began(thing))
    }

    /// Nothing of the interaction is on the switch, or may yet turn out to be.
    pub fn is_empty(&self) -> bool {
        self.legs.is_empty()
            && self.rooms.is_empty()
            && self.playbacks.is_empty()
            && self.recordings.is_empty()
            && self.things.iter().all(|(key, thing)| thing.is_over() && !self.awaits_file(key))
    }
}
