//! What happens when: simulated time. Of what happens at the same moment, that comes first which was planned first.

use baton_api::{
    presence::v1::{SyncClaimsRequest, SyncClaimsResponse},
    routing::v1::{SyncWaitRequest, SyncWaitResponse},
    telephony::v1::MediaPlan,
    transfer::v1::Fact as WireFact,
};
use baton_telephony::switch::{FlowEnding, SwitchEventKind};
use baton_words::{InteractionId, WaitNo};
use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

/// Something that happens.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A customer calls, or an agent calls one.
    Arrival,
    /// Somebody in or around this interaction does something.
    Person(InteractionId),
    /// This agent connects, goes, or asks for a state.
    AgentLife(u8),
    /// The deadline of this interaction.
    Tick(InteractionId),
    /// What this interaction wants is sent once more to whoever has not acknowledged it.
    Push(InteractionId),
    /// The interaction may be forgotten.
    Forget(InteractionId),
    /// The media plan arrives at telephony.
    Plan(InteractionId, Box<MediaPlan>),
    /// Telephony has this version.
    HasPlan(InteractionId, u64),
    /// The claims arrive at presence.
    Claims(InteractionId, Box<SyncClaimsRequest>),
    HasClaims(InteractionId, u64, Box<SyncClaimsResponse>),
    /// The wait arrives at routing.
    Wait(InteractionId, Option<WaitNo>, Box<SyncWaitRequest>),
    HasWait(InteractionId, u64, Option<WaitNo>, Box<SyncWaitResponse>),
    /// Facts arrive at the transfer service.
    Report(Report),
    /// The transfer service has taken them.
    Acknowledged(Report),
    /// No answer has come to this report.
    NoAnswer(Report),
    /// Reservations, waits and wrap-ups run out.
    Expire,
    /// Routing looks for free agents.
    Match,
    /// The switch says something to telephony about this interaction.
    Switch(InteractionId, SwitchEventKind),
    /// A phone, a message or an announcement does what it does by itself.
    OnSwitch(OnSwitch),
    /// Telephony looks at this interaction: a phone may have rung for as long as it may, or a step has failed.
    Pass(InteractionId),
}

/// What happens on the switch by itself, by the names there.
#[derive(Debug, Clone)]
pub(crate) enum OnSwitch {
    Answer(String),
    Decline(String),
    Busy(String),
    Unreachable(String),
    HangUp(String),
    /// The message is spoken; the customer hangs up, or comes back.
    ExitOver {
        leg: String,
        exit: String,
        returned: bool,
    },
    /// The customer has gone through an IVR flow, or was taken out of it.
    FlowOver {
        leg: String,
        exit: String,
        end: FlowEnding,
    },
    PlaybackOver {
        interaction: InteractionId,
        playback: String,
    },
}

/// Facts on their way. Each observer has one report of an interaction under way.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) of: Observer,
    pub(crate) interaction: InteractionId,
    pub(crate) no: u64,
    /// With what its observer knows each by.
    pub(crate) facts: Vec<(String, WireFact)>,
}

/// Who reports facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Observer {
    Telephony,
    Presence,
    Routing,
}

/// What is to come.
#[derive(Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Reverse<Entry>>,
    planned: u64,
}

struct Entry {
    at_us: i64,
    no: u64,
    event: Event,
}

impl Agenda {
    pub(crate) fn plan(&mut self, at_us: i64, event: Event) {
        self.planned += 1;
        self.heap.push(Reverse(Entry { at_us, no: self.planned, event }));
    }

    pub(crate) fn next(&mut self) -> Option<(i64, Event)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at_us, entry.event))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at_us, self.no).cmp(&(other.at_us, other.no))
    }
}
