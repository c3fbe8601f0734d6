//! Distributes a snapshot of the switch: each interaction gets its slice, and what belongs to none is returned as orphans.

use std::collections::HashMap;

use super::{InteractionMessage, NameRegistry, RegistryState, Routed, SnapshotSlice, SwitchName};
use crate::operation::{OperationKind, Stamp};
use crate::plan::InteractionId;
use crate::switch::{ClosedRecording, InboundCall, LegEnding, LegOrigin, LegSnapshot, SwitchSnapshot};

/// A call that ended unclaimed is kept this long, because a plan may still claim it.
const ENDED_CALL_KEPT_US: i64 = 600_000_000;

/// What a snapshot shows of no known interaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Inbound calls that are seen for the first time.
    pub calls: Vec<InboundCall>,
    /// Dialled legs, each with the interaction that it was dialled for.
    pub legs: Vec<(String, InteractionId)>,
    /// Empty rooms of interactions that have no task.
    pub rooms: Vec<String>,
    /// Recordings whose file can be fetched.
    pub closed: Vec<ClosedRecording>,
}

impl NameRegistry {
    /// Sends every interaction its slice, also an empty one.
    pub fn distribute(&self, snapshot: SwitchSnapshot, stamp: Stamp, generation: u64, now_us: i64) -> Orphans {
        let mut state = self.state();
        state.generation = generation;
        state.update_unclaimed(&snapshot, stamp, now_us);
        let empty = SnapshotSlice { stamp, generation, boot_id: snapshot.boot_id.clone(), ..SnapshotSlice::default() };
        let mut slices: HashMap<InteractionId, SnapshotSlice> =
            state.interactions.keys().map(|id| (id.clone(), empty.clone())).collect();
        let mut orphans = Orphans::default();
        state.slice_up(snapshot, stamp, &mut slices, &mut orphans);
        for (id, slice) in slices {
            if let Some(entry) = state.interactions.get(&id) {
                entry.handle.send(InteractionMessage::Snapshot(Box::new(slice)));
            }
        }
        orphans
    }
}

impl RegistryState {
    fn slice_up(
        &mut self,
        snapshot: SwitchSnapshot,
        stamp: Stamp,
        slices: &mut HashMap<InteractionId, SnapshotSlice>,
        orphans: &mut Orphans,
    ) {
        for leg in snapshot.legs {
            match self.slice_of(OperationKind::Leg, &leg.name, slices) {
                Some(slice) => slice.legs.push(leg),
                None => self.orphan_leg(leg, stamp, orphans),
            }
        }
        for room in snapshot.rooms {
            let Some((id, _)) = InteractionId::of_name(&room.name) else { continue };
            match slices.get_mut(&id) {
                Some(slice) => slice.rooms.push(room),
                None if room.empty => orphans.rooms.push(room.name),
                None => {}
            }
        }
        for playback in snapshot.playbacks {
            if let Some(slice) = self.slice_of(OperationKind::Announcement, &playback, slices) {
                slice.playbacks.push(playback);
            }
        }
        for recording in snapshot.recordings {
            if let Some(slice) = self.slice_of(OperationKind::Segment, &recording.0, slices) {
                slice.recordings.push(recording);
            }
        }
        for flow in snapshot.flows {
            if let Some(slice) = self.slice_of(OperationKind::Exit, &flow.exit, slices) {
                slice.flows.push(flow);
            }
        }
        for closed in snapshot.closed {
            match self.slice_of(OperationKind::Segment, &closed.recording, slices) {
                Some(slice) => slice.closed.push(closed),
                None => orphans.closed.push(closed),
            }
        }
    }

    fn slice_of<'a>(
        &self,
        kind: OperationKind,
        name: &str,
        slices: &'a mut HashMap<InteractionId, SnapshotSlice>,
    ) -> Option<&'a mut SnapshotSlice> {
        let name = SwitchName { kind, text: name.to_owned() };
        self.names.get(&name).and_then(|id| slices.get_mut(id))
    }

    fn orphan_leg(&mut self, leg: LegSnapshot, stamp: Stamp, orphans: &mut Orphans) {
        match leg.origin {
            LegOrigin::Inbound(call) => {
                if let Routed::NewCall(call) = self.new_call(call, leg.progress, stamp) {
                    orphans.calls.push(call);
                }
            }
            LegOrigin::Dialled(interaction) => {
                orphans.legs.extend(InteractionId::parse(&interaction).map(|id| (leg.name, id)));
            }
            LegOrigin::Foreign => {}
        }
    }

    /// An unclaimed call that the snapshot does not show ended in a gap between two sessions.
    fn update_unclaimed(&mut self, snapshot: &SwitchSnapshot, stamp: Stamp, now_us: i64) {
        for call in self.unclaimed.values_mut().filter(|it| it.ended.is_none() && it.stamp <= stamp) {
            if !snapshot.legs.iter().any(|leg| leg.name == call.call.leg) {
                call.ended = Some((LegEnding::HungUp, now_us));
            }
        }
        self.unclaimed.retain(|_, call| call.ended.is_none_or(|(_, at_us)| now_us - at_us < ENDED_CALL_KEPT_US));
    }
}
