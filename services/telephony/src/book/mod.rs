//! The book of names: which name on the switch belongs to which interaction, and how that interaction is reached.
//!
//! One lock, held for lookups only; nothing waits while holding it. A message for an interaction whose mailbox is full is
//! dropped and remembered as missed, so that one slow interaction never holds up the events of another; it looks at the
//! switch then.

mod slot;
mod sort;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use slot::{Accepted, Inlets, Message, Share, Slot};
pub use sort::Strays;

use crate::plan::InteractionId;
use crate::switch::{Ending, Event, InboundCall, LegState, What};
use crate::thing::{Kind, Stamp};

/// Calls that came in and whose interaction is not known yet. More are left ringing until there is room.
const MOST_UNCLAIMED: usize = 10_000;

/// A name on the switch. Legs, playbacks, exits and recordings have alphabets of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// Of what.
    pub kind: Kind,
    /// The name.
    pub text: String,
}

/// A call that came in and whose interaction is not known yet.
#[derive(Clone, Debug)]
pub struct Unclaimed {
    /// The call.
    pub call: InboundCall,
    /// How far it has come.
    pub state: LegState,
    /// It has ended: why, and when.
    pub ended: Option<(Ending, i64)>,
    /// When it was seen first.
    stamp: Stamp,
}

/// Where an event belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// Its interaction has it.
    Known,
    /// A call that came in for the first time.
    NewCall(InboundCall),
    /// A leg that nobody knows: look what it is.
    UnknownLeg,
    /// Nobody's.
    Nobody,
}

/// The book.
#[derive(Debug, Default)]
pub struct Book(Mutex<Pages>);

/// An interaction, with all names that are its, so that forgetting one costs no more when there are many.
#[derive(Debug)]
struct Entry {
    slot: Slot,
    names: Vec<Name>,
}

#[derive(Debug, Default)]
struct Pages {
    slots: HashMap<InteractionId, Entry>,
    names: HashMap<Name, InteractionId>,
    unclaimed: HashMap<String, Unclaimed>,
    /// The session of the last look.
    generation: u64,
}

impl Book {
    /// The interaction's slot, if its task runs.
    pub fn slot(&self, id: &InteractionId) -> Option<Slot> {
        self.pages().slots.get(id).map(|entry| entry.slot.clone())
    }

    /// Makes the slot known, unless there is one: then that one is given. Otherwise says of which session no look is needed
    /// by an interaction that has nothing on the switch.
    pub fn open(&self, id: &InteractionId, slot: &Slot) -> Result<u64, Slot> {
        let mut pages = self.pages();
        if let Some(there) = pages.slots.get(id) {
            return Err(there.slot.clone());
        }
        pages.slots.insert(id.clone(), Entry { slot: slot.clone(), names: Vec::new() });
        Ok(pages.generation)
    }

    /// Forgets an interaction of which nothing is left.
    pub fn remove(&self, id: &InteractionId) {
        let mut pages = self.pages();
        let Some(entry) = pages.slots.remove(id) else { return };
        for name in entry.names {
            if pages.names.get(&name) == Some(id) {
                pages.names.remove(&name);
            }
        }
    }

    /// How many interactions there are.
    pub fn len(&self) -> usize {
        self.pages().slots.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        let pages = self.pages();
        pages.slots.is_empty() && pages.unclaimed.is_empty()
    }

    /// The name is this interaction's from now on. A call that came in under it is handed over.
    pub fn register(&self, name: Name, id: &InteractionId) -> Option<Unclaimed> {
        let mut pages = self.pages();
        let call = if name.kind == Kind::Leg { pages.unclaimed.remove(&name.text) } else { None };
        if pages.names.insert(name.clone(), id.clone()).as_ref() != Some(id)
            && let Some(entry) = pages.slots.get_mut(id)
        {
            entry.names.push(name);
        }
        call
    }

    /// Nobody will claim the call.
    pub fn forget_call(&self, leg: &str) {
        self.pages().unclaimed.remove(leg);
    }

    /// The call has not ended, and nobody has claimed it.
    pub fn is_unclaimed(&self, leg: &str) -> bool {
        self.pages().unclaimed.contains_key(leg)
    }

    /// Brings an event to where it belongs.
    pub fn route(&self, event: Event, stamp: Stamp) -> Routed {
        let name = match &event.what {
            What::InboundCall(call) => return self.pages().new_call(call.clone(), LegState::Ringing, stamp),
            What::Ringing { leg } | What::Answered { leg } | What::Ended { leg, .. } => (Kind::Leg, leg),
            What::PlaybackOver { playback } => (Kind::Announcement, playback),
            What::RecordingStarted { recording, .. } | What::RecordingFailed { recording } => {
                (Kind::Segment, recording)
            }
            What::RecordingClosed(closed) => (Kind::Segment, &closed.recording),
            What::ExitOver { exit, .. } => (Kind::Exit, exit),
            What::Other => return Routed::Nobody,
        };
        let name = Name { kind: name.0, text: name.1.clone() };
        let mut pages = self.pages();
        if let Some(entry) = pages.names.get(&name).and_then(|id| pages.slots.get(id)) {
            entry.slot.tell(Message::Event(event));
            return Routed::Known;
        }
        pages.unclaimed_event(&event)
    }

    /// Tells every interaction that the switch is silent.
    pub fn tell_silence(&self) {
        for entry in self.pages().slots.values() {
            entry.slot.tell(Message::Silent);
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // No code that holds the lock can leave the book half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn new_call(&mut self, call: InboundCall, state: LegState, stamp: Stamp) -> Routed {
        let name = Name { kind: Kind::Leg, text: call.leg.clone() };
        if self.names.contains_key(&name) || self.unclaimed.contains_key(&call.leg) {
            return Routed::Known;
        }
        if self.unclaimed.len() >= MOST_UNCLAIMED {
            return Routed::Nobody;
        }
        let leg = call.leg.clone();
        self.unclaimed.insert(leg, Unclaimed { call: call.clone(), state, ended: None, stamp });
        Routed::NewCall(call)
    }

    fn unclaimed_event(&mut self, event: &Event) -> Routed {
        let (What::Ringing { leg } | What::Answered { leg } | What::Ended { leg, .. }) = &event.what else {
            return Routed::Nobody;
        };
        let Some(call) = self.unclaimed.get_mut(leg) else {
            let gone = matches!(event.what, What::Ended { .. });
            return if gone { Routed::Nobody } else { Routed::UnknownLeg };
        };
        match &event.what {
            What::Answered { .. } => call.state = LegState::Up,
            What::Ended { why, .. } => call.ended = Some((*why, event.at_us)),
            _ => {}
        }
        Routed::Known
    }
}
