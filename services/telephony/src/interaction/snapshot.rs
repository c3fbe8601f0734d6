//! A snapshot corrects the observed state of one interaction, and shows which operations are missing on the switch.
//!
//! An operation that was on the switch and is missing has ended in a gap between two sessions. One that was requested and
//! never shown is *gone, unknown* after two snapshots a second apart: the request may have been on its way at the first. A
//! segment's that was to be made when the service stopped can't be (the switch refuses older epochs), and is made now.

use std::collections::BTreeMap;

use baton_runtime::clock::micros;

use super::InteractionDriver;
use super::observe::SECOND_SNAPSHOT;
use crate::fact;
use crate::name_registry::SnapshotSlice;
use crate::observed::{ObservedLeg, ObservedRoom};
use crate::operation::{OperationKey, OperationKind, Stamp};
use crate::plan::InteractionId;
use crate::switch::{ExitEnd, LegEnding, LegProgress, LegSnapshot};

impl InteractionDriver {
    pub(super) fn apply_snapshot(&mut self, slice: &SnapshotSlice) {
        if self.generation != slice.generation {
            (self.failures, self.retry_at_us) = (0, None);
        }
        self.generation = slice.generation;
        self.awaits_resync = false;
        self.seen = slice.stamp;
        if self.is_of_another_run(&slice.boot_id) {
            self.lose_switch(&slice.boot_id);
        }
        self.boot_id.clone_from(&slice.boot_id);
        self.update_legs(&slice.legs, slice.stamp);
        self.update_rooms(slice);
        update_playbacks(&mut self.observed.playbacks, &slice.playbacks, slice.stamp);
        self.update_recordings(slice);
        let now_us = self.now_us();
        slice.flows.iter().for_each(|report| self.flow(report, now_us));
        self.decide_missing(slice.stamp);
    }

    /// A leg of an earlier run of the switch is gone.
    fn is_of_another_run(&self, boot_id: &str) -> bool {
        let mut legs = self
            .observed
            .operations
            .iter()
            .filter(|(key, operation)| key.kind == OperationKind::Leg && !operation.is_over());
        legs.any(|(_, operation)| !operation.boot_id.is_empty() && operation.boot_id != boot_id)
    }

    fn update_legs(&mut self, legs: &[LegSnapshot], stamp: Stamp) {
        self.observed.legs.retain(|name, actual| actual.stamp > stamp || legs.iter().any(|leg| leg.name == *name));
        for leg in legs {
            let Some(key) = self.leg_key(&leg.name) else { continue };
            if self.observed.legs.get(&leg.name).is_none_or(|actual| actual.stamp <= stamp) {
                let room = leg.room.as_ref().map(|it| self.plan_name(it));
                let actual = ObservedLeg { progress: leg.progress.clone(), room, muted: leg.muted, stamp };
                self.put_leg(&key, &leg.name, actual);
            }
            if let LegProgress::Exited(exit) = &leg.progress
                && let Some(operation) = self.observed.operations.get_mut(&OperationKey::exit(exit))
            {
                operation.confirmed = true;
            }
        }
    }

    /// The plan's name of a room. It is empty for a room of another interaction: reported, that says that the leg is in no
    /// room of this one.
    fn plan_name(&self, on_switch: &str) -> String {
        match InteractionId::of_name(on_switch) {
            Some((id, room)) if id == self.id => room.to_owned(),
            _ => String::new(),
        }
    }

    fn update_rooms(&mut self, slice: &SnapshotSlice) {
        let seen: BTreeMap<_, _> =
            slice.rooms.iter().map(|room| (self.plan_name(&room.name), room.treatment)).collect();
        self.observed.rooms.retain(|name, actual| actual.stamp > slice.stamp || seen.contains_key(name));
        for (name, treatment) in seen {
            if self.observed.rooms.get(&name).is_none_or(|actual| actual.stamp <= slice.stamp) {
                self.observed.rooms.insert(name, ObservedRoom { treatment, stamp: slice.stamp });
            }
        }
    }

    fn update_recordings(&mut self, slice: &SnapshotSlice) {
        let now_us = self.now_us();
        for closed in &slice.closed {
            self.recording_closed(closed, closed.ended_at_us.min(now_us));
        }
        self.observed.recordings.retain(|name, actual| {
            *actual > slice.stamp || slice.recordings.iter().any(|(recording, _)| recording == name)
        });
        for (recording, started_at_us) in &slice.recordings {
            self.recording_runs(recording, *started_at_us, now_us);
        }
    }

    fn decide_missing(&mut self, stamp: Stamp) {
        let now_us = self.now_us();
        let keys: Vec<_> = self.observed.operations.keys().cloned().collect();
        for key in keys {
            let (is_present, awaits_file) = (self.is_present(&key), self.observed.awaits_file(&key));
            let Some(operation) = self.observed.operations.get_mut(&key) else { continue };
            if (operation.is_over() && !awaits_file) || operation.stamp > stamp {
                continue;
            }
            match operation.missing_since_us {
                _ if is_present => operation.missing_since_us = None,
                _ if key.kind == OperationKind::Segment && operation.is_left_to(&self.boot_id) => {
                    self.begin_or_withdraw(&key, now_us);
                }
                None if !operation.confirmed || awaits_file => operation.missing_since_us = Some(now_us),
                Some(first_us) if now_us - first_us < micros(SECOND_SNAPSHOT) => {}
                _ => self.conclude(&key, now_us),
            }
        }
    }

    fn is_present(&self, key: &OperationKey) -> bool {
        let Some(operation) = self.observed.operations.get(key) else { return false };
        match key.kind {
            OperationKind::Leg => self.observed.legs.contains_key(&operation.name),
            OperationKind::Announcement => self.observed.playbacks.contains_key(&key.id),
            OperationKind::Segment => self.observed.recordings.contains_key(&key.id),
            OperationKind::Exit => {
                self.observed.legs.values().any(|leg| leg.progress == LegProgress::Exited(key.id.clone()))
            }
            OperationKind::SwitchLoss => true,
        }
    }

    /// The operation is not on the switch, and will not appear.
    fn conclude(&mut self, key: &OperationKey, now_us: i64) {
        match key.kind {
            OperationKind::Leg => drop(self.ended_unheard.insert(key.clone())),
            OperationKind::Announcement => self.observe(key, fact::announcement_over(&key.id), now_us),
            OperationKind::Exit => self.observe(key, fact::exit_over(&key.id, ExitEnd::Unknown), now_us),
            // The archive ignores it for audio that it has.
            OperationKind::Segment => self.recording_lost(&key.id, now_us),
            OperationKind::SwitchLoss => {}
        }
    }

    /// The segment was to be requested when the service stopped, and was not.
    fn begin_or_withdraw(&mut self, key: &OperationKey, now_us: i64) {
        let Some(plan) = &self.plan else { return };
        if plan.segment.as_ref().is_some_and(|it| it.id == key.id) {
            self.observed.operations.remove(key);
        } else {
            self.observe(key, fact::segment_never_begun(&key.id), now_us);
        }
    }

    /// All legs are gone, which is one fact for all of them (S4). No further step is executed for this version of the plan;
    /// a newer one begins anew.
    pub(super) fn lose_switch(&mut self, id: &str) {
        let now_us = self.now_us();
        let open: Vec<_> =
            self.observed.operations.iter().filter(|(_, it)| !it.is_over()).map(|(key, _)| key.clone()).collect();
        if !open.iter().any(|key| key.kind == OperationKind::Leg) {
            return;
        }
        for key in &open {
            match key.kind {
                OperationKind::Leg => self.note(key, fact::ended(&key.id, LegEnding::SwitchLost), now_us, false),
                OperationKind::Announcement => self.note(key, fact::announcement_over(&key.id), now_us, false),
                OperationKind::Exit => self.note(key, fact::exit_over(&key.id, ExitEnd::Unknown), now_us, false),
                OperationKind::Segment | OperationKind::SwitchLoss => {}
            }
        }
        self.observed.legs.clear();
        self.observed.rooms.clear();
        self.observed.playbacks.clear();
        self.observed.recordings.clear();
        let version = self.plan.as_ref().map_or(0, |plan| plan.version);
        let key = OperationKey { kind: OperationKind::SwitchLoss, id: id.to_owned() };
        self.add_operation(key.clone(), id, &version.to_string());
        self.observe(&key, fact::switch_lost(), now_us);
    }

    /// The switch was lost while this version of the plan was the newest.
    pub(super) fn is_switch_lost(&self) -> bool {
        let version = self.plan.as_ref().map_or(0, |plan| plan.version);
        let mut losses = self.observed.operations.iter().filter(|(key, _)| key.kind == OperationKind::SwitchLoss);
        losses.any(|(_, operation)| operation.detail.parse().is_ok_and(|lost_at: u64| version <= lost_at))
    }
}

/// Removes what the snapshot does not show, unless it is newer than the snapshot, and adds what was not known.
fn update_playbacks(known: &mut BTreeMap<String, Stamp>, seen: &[String], stamp: Stamp) {
    known.retain(|name, actual| *actual > stamp || seen.contains(name));
    for name in seen {
        known.entry(name.clone()).or_insert(stamp);
    }
}
