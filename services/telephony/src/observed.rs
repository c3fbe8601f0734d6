//! The observed state of one interaction: what it has on the switch, as far as is known, and the operations it requested.
//!
//! Answers to commands and events change it; snapshots of the switch correct it. A snapshot does not overwrite what changed
//! after the snapshot was begun, as stamps show.

use std::collections::BTreeMap;

use crate::fact;
use crate::operation::{Operation, OperationKey, Stamp};
use crate::plan::{Treatment, WantedLeg};
use crate::switch::LegProgress;

#[derive(Clone, Debug, Default)]
pub struct ObservedState {
    /// By the name on the switch.
    pub legs: BTreeMap<String, ObservedLeg>,
    /// By the plan's name.
    pub rooms: BTreeMap<String, ObservedRoom>,
    /// Announcements that are playing, by id.
    pub playbacks: BTreeMap<String, Stamp>,
    /// Running recordings, by segment id.
    pub recordings: BTreeMap<String, Stamp>,
    /// All that were ever requested.
    pub operations: BTreeMap<OperationKey, Operation>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedLeg {
    pub progress: LegProgress,
    /// By the plan's name; empty when the leg is in a room of no plan.
    pub room: Option<String>,
    /// `None`: not known.
    pub muted: Option<bool>,
    /// Of the last change.
    pub stamp: Stamp,
}

impl ObservedLeg {
    pub fn ringing(stamp: Stamp) -> Self {
        Self { progress: LegProgress::Ringing, room: None, muted: Some(false), stamp }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservedRoom {
    /// `None`: one that telephony never requests.
    pub treatment: Option<Treatment>,
    /// Of the last change.
    pub stamp: Stamp,
}

impl ObservedState {
    /// The operation must never be requested again.
    pub fn was_requested(&self, key: &OperationKey) -> bool {
        self.operations.contains_key(key)
    }

    /// The operation was requested, and its last observation is final.
    pub fn is_over(&self, key: &OperationKey) -> bool {
        self.operations.get(key).is_some_and(Operation::is_over)
    }

    /// The wanted leg as it is on the switch; `None` also when the leg was given up.
    pub fn live(&self, leg: &WantedLeg) -> Option<&ObservedLeg> {
        if self.is_over(&OperationKey::leg(&leg.id)) { None } else { self.legs.get(leg.name()) }
    }

    /// The flow that the leg is in.
    pub fn flow_of<'a>(&self, leg: &'a ObservedLeg) -> Option<&'a str> {
        let LegProgress::Exited(exit) = &leg.progress else { return None };
        let operation = self.operations.get(&OperationKey::exit(exit))?;
        (operation.detail == Operation::FLOW).then_some(exit)
    }

    /// The segment is closed, and its upload is not stored yet.
    pub fn awaits_file(&self, key: &OperationKey) -> bool {
        let began =
            |operation: &Operation| operation.is_over() && fact::segment_started_at_us(operation.fact.as_ref()) > 0;
        self.operations.get(key).is_some_and(|operation| !operation.upload_stored && began(operation))
    }

    /// The interaction has nothing on the switch, and nothing can appear there later.
    pub fn is_empty(&self) -> bool {
        self.legs.is_empty()
            && self.rooms.is_empty()
            && self.playbacks.is_empty()
            && self.recordings.is_empty()
            && self.operations.iter().all(|(key, operation)| operation.is_over() && !self.awaits_file(key))
    }
}
