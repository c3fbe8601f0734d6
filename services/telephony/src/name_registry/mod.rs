//! Which name on the switch belongs to which interaction, and the handle of that interaction's task.
//!
//! One lock, held for lookups only; nothing waits while holding it. A message for an interaction whose queue is full is
//! dropped, so that one slow interaction never holds up the events of another. The interaction sees that one was dropped,
//! and asks for a resync.

mod distribute;
mod handle;

use std::collections::HashMap;

pub use distribute::Orphans;
pub use handle::{AcceptedPlan, InteractionHandle, InteractionInbox, InteractionMessage, SnapshotSlice};

use crate::operation::{OperationKind, Stamp};
use crate::plan::InteractionId;
use crate::switch::{InboundCall, LegEnding, LegProgress, SwitchEvent, SwitchEventKind};
use parking_lot::{Mutex, MutexGuard};

/// Inbound calls whose interaction is not known yet. More are left ringing until there is room.
const MOST_UNCLAIMED: usize = 10_000;

/// A name on the switch. Legs, playbacks, exits and recordings have separate name spaces.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SwitchName {
    pub kind: OperationKind,
    pub text: String,
}

/// An inbound call whose interaction is not known yet.
#[derive(Clone, Debug)]
pub struct UnclaimedCall {
    pub call: InboundCall,
    pub progress: LegProgress,
    /// Why it ended, and when; `None` while it lives.
    pub ended: Option<(LegEnding, i64)>,
    /// When the call was first seen.
    stamp: Stamp,
}

/// Where an event was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// To its interaction, or to a call that is known and unclaimed.
    Known,
    /// An inbound call that was not known before.
    NewCall(InboundCall),
    /// The leg belongs to no known interaction: a resync shows what it is.
    UnknownLeg,
    /// To no interaction.
    Ignored,
}

#[derive(Debug, Default)]
pub struct NameRegistry(Mutex<RegistryState>);

/// The names are listed with their interaction, so that the cost of removing one does not depend on how many there are.
#[derive(Debug)]
struct RegisteredInteraction {
    handle: InteractionHandle,
    names: Vec<SwitchName>,
}

#[derive(Debug, Default)]
struct RegistryState {
    interactions: HashMap<InteractionId, RegisteredInteraction>,
    names: HashMap<SwitchName, InteractionId>,
    unclaimed: HashMap<String, UnclaimedCall>,
    /// The session of the last snapshot.
    generation: u64,
}

impl NameRegistry {
    /// `None`: the interaction has no task.
    pub fn handle(&self, id: &InteractionId) -> Option<InteractionHandle> {
        self.state().interactions.get(id).map(|entry| entry.handle.clone())
    }

    /// Adds the handle, and returns the session of the last snapshot: an interaction with nothing on the switch needs no
    /// newer one. The error is the handle that is already registered.
    pub fn open(&self, id: &InteractionId, handle: &InteractionHandle) -> Result<u64, InteractionHandle> {
        let mut state = self.state();
        if let Some(existing) = state.interactions.get(id) {
            return Err(existing.handle.clone());
        }
        state.interactions.insert(id.clone(), RegisteredInteraction { handle: handle.clone(), names: Vec::new() });
        Ok(state.generation)
    }

    /// Removes an interaction that is finished, and its names.
    pub fn remove(&self, id: &InteractionId) {
        let mut state = self.state();
        let Some(entry) = state.interactions.remove(id) else { return };
        for name in entry.names {
            if state.names.get(&name) == Some(id) {
                state.names.remove(&name);
            }
        }
    }

    /// The number of interactions that have a task.
    pub fn len(&self) -> usize {
        self.state().interactions.len()
    }

    /// There is neither an interaction nor an unclaimed call.
    pub fn is_empty(&self) -> bool {
        let state = self.state();
        state.interactions.is_empty() && state.unclaimed.is_empty()
    }

    /// Gives the name to the interaction, and returns the unclaimed call of that name, if there is one.
    pub fn register(&self, name: SwitchName, id: &InteractionId) -> Option<UnclaimedCall> {
        let mut state = self.state();
        let call = if name.kind == OperationKind::Leg { state.unclaimed.remove(&name.text) } else { None };
        if state.names.insert(name.clone(), id.clone()).as_ref() != Some(id)
            && let Some(entry) = state.interactions.get_mut(id)
        {
            entry.names.push(name);
        }
        call
    }

    /// Removes a call that no plan will claim.
    pub fn forget_call(&self, leg: &str) {
        self.state().unclaimed.remove(leg);
    }

    /// The call is known, and no plan has claimed it.
    pub fn is_unclaimed(&self, leg: &str) -> bool {
        self.state().unclaimed.contains_key(leg)
    }

    /// Sends an event to its interaction.
    pub fn route(&self, event: SwitchEvent, stamp: Stamp) -> Routed {
        let name = match &event.kind {
            SwitchEventKind::InboundCall(call) => {
                return self.state().new_call(call.clone(), LegProgress::Ringing, stamp);
            }
            SwitchEventKind::Ringing { leg }
            | SwitchEventKind::Answered { leg }
            | SwitchEventKind::Ended { leg, .. } => (OperationKind::Leg, leg),
            SwitchEventKind::PlaybackOver { playback } => (OperationKind::Announcement, playback),
            SwitchEventKind::RecordingStarted { recording, .. } | SwitchEventKind::RecordingFailed { recording } => {
                (OperationKind::Segment, recording)
            }
            SwitchEventKind::RecordingClosed(closed) => (OperationKind::Segment, &closed.recording),
            SwitchEventKind::ExitOver { exit, .. } => (OperationKind::Exit, exit),
            SwitchEventKind::Flow(report) => (OperationKind::Exit, &report.exit),
            SwitchEventKind::Other => return Routed::Ignored,
        };
        let name = SwitchName { kind: name.0, text: name.1.clone() };
        let mut state = self.state();
        if let Some(entry) = state.names.get(&name).and_then(|id| state.interactions.get(id)) {
            entry.handle.send(InteractionMessage::Event(event));
            return Routed::Known;
        }
        state.unclaimed_event(&event)
    }

    /// The switch has been silent for so long that all legs are taken for lost.
    pub fn notify_silence(&self) {
        for entry in self.state().interactions.values() {
            entry.handle.send(InteractionMessage::Silent);
        }
    }

    fn state(&self) -> MutexGuard<'_, RegistryState> {
        // No code that holds the lock can leave the registry half changed.
        self.0.lock()
    }
}

impl RegistryState {
    fn new_call(&mut self, call: InboundCall, progress: LegProgress, stamp: Stamp) -> Routed {
        let name = SwitchName { kind: OperationKind::Leg, text: call.leg.clone() };
        if self.names.contains_key(&name) || self.unclaimed.contains_key(&call.leg) {
            return Routed::Known;
        }
        if self.unclaimed.len() >= MOST_UNCLAIMED {
            return Routed::Ignored;
        }
        let leg = call.leg.clone();
        self.unclaimed.insert(leg, UnclaimedCall { call: call.clone(), progress, ended: None, stamp });
        Routed::NewCall(call)
    }

    fn unclaimed_event(&mut self, event: &SwitchEvent) -> Routed {
        let (SwitchEventKind::Ringing { leg } | SwitchEventKind::Answered { leg } | SwitchEventKind::Ended { leg, .. }) =
            &event.kind
        else {
            return Routed::Ignored;
        };
        let Some(call) = self.unclaimed.get_mut(leg) else {
            let gone = matches!(event.kind, SwitchEventKind::Ended { .. });
            return if gone { Routed::Ignored } else { Routed::UnknownLeg };
        };
        match &event.kind {
            SwitchEventKind::Answered { .. } => call.progress = LegProgress::Up,
            SwitchEventKind::Ended { why, .. } => call.ended = Some((*why, event.at_us)),
            _ => {}
        }
        Routed::Known
    }
}
