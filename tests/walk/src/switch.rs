//! A telephone switch without sound: legs, rooms, recordings. It does what it is told, and its phones do what they like.

use baton_telephony::{plan::Treatment, switch::LegProgress};
use baton_words::InteractionId;
use std::collections::{BTreeMap, HashSet};

#[derive(Default)]
pub(crate) struct Switch {
    /// By name.
    pub(crate) legs: BTreeMap<String, SwitchLeg>,
    /// By interaction and name.
    pub(crate) rooms: BTreeMap<(InteractionId, String), Treatment>,
    /// By name: the interaction, the room, and since when.
    pub(crate) recordings: BTreeMap<String, (InteractionId, String, i64)>,
    /// By name: the interaction.
    pub(crate) playbacks: BTreeMap<String, InteractionId>,
    /// The exits that are IVR flows.
    pub(crate) flows: HashSet<String>,
    /// Every name that was ever dialled.
    dialled: HashSet<String>,
}

pub(crate) struct SwitchLeg {
    pub(crate) interaction: InteractionId,
    pub(crate) phone: String,
    /// A customer's, or somebody's whom an agent called: no agent's.
    pub(crate) outside: bool,
    pub(crate) progress: LegProgress,
    pub(crate) room: Option<String>,
    /// Since when it is connected.
    pub(crate) up_since_us: Option<i64>,
}

impl Switch {
    /// # Errors
    /// What is wrong: a leg is dialled twice (S2), or a phone that is in use is (F4).
    pub(crate) fn dial(&mut self, name: &str, leg: SwitchLeg) -> Result<(), String> {
        if !self.dialled.insert(name.to_owned()) {
            return Err(format!("S2: {name} is dialled twice"));
        }
        if self.is_busy(&leg.phone) {
            return Err(format!("F4: {} is dialled while it is in use", leg.phone));
        }
        self.legs.insert(name.to_owned(), leg);
        Ok(())
    }

    pub(crate) fn is_busy(&self, phone: &str) -> bool {
        self.legs.values().any(|leg| leg.phone == phone)
    }

    pub(crate) fn has(&self, interaction: InteractionId) -> bool {
        self.legs.values().any(|leg| leg.interaction == interaction)
            || self.recordings.values().any(|(of, ..)| *of == interaction)
            || self.playbacks.values().any(|of| *of == interaction)
            || self.rooms.keys().any(|(of, _)| *of == interaction)
    }

    /// An interaction is over: its names are not used again.
    pub(crate) fn forget(&mut self, interaction: InteractionId) {
        let prefix = interaction.to_string();
        self.dialled.retain(|name| !name.starts_with(&prefix));
        self.flows.retain(|exit| !exit.starts_with(&prefix));
    }

    /// What must hold on the switch at every moment.
    pub(crate) fn wrong(&self, interaction: InteractionId) -> Option<String> {
        let own = || self.legs.iter().filter(|(_, leg)| leg.interaction == interaction);
        let held: Vec<_> = own().filter(|(_, leg)| leg.room.as_deref() == Some("hold")).collect();
        if let Some((name, _)) = held.iter().find(|(_, leg)| !leg.outside) {
            return Some(format!("C6: {name} is in the room of the customer who is held"));
        }
        let together = |room: &str| own().filter(|(_, leg)| leg.room.as_deref() == Some(room)).count();
        if let Some((of, room)) =
            self.rooms.keys().find(|(of, room)| *of == interaction && room == "parked" && together(room) > 1)
        {
            return Some(format!("C6: {room} of {of} has several in it"));
        }
        let recorded = self.recordings.iter().find(|(_, (of, ..))| *of == interaction);
        let (name, (_, room, _)) = recorded?;
        let outside = || own().filter(|(_, leg)| leg.outside);
        let is_there = outside().any(|(_, leg)| leg.room.as_ref() == Some(room));
        let anybody = outside().next().is_some();
        (anybody && !is_there).then(|| format!("R1: {name} records {room} without a customer"))
    }

    /// What is left of anything.
    pub(crate) fn left(&self) -> Option<String> {
        let leg = self.legs.keys().next().map(|name| format!("leg {name}"));
        let room = self.rooms.keys().next().map(|(of, room)| format!("room {room} of {of}"));
        let recording = self.recordings.keys().next().map(|name| format!("recording {name}"));
        let playback = self.playbacks.keys().next().map(|name| format!("announcement {name}"));
        leg.or(room).or(recording).or(playback)
    }
}
