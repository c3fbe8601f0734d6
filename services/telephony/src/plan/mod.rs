//! What one interaction wants of the switch: the plan, parsed into types that can't be wrong in themselves.

mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use baton_runtime::telemetry::TraceParent;

pub use parse::parse;

/// An interaction, as its id is written in plans and in the names of things on the switch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InteractionId(Arc<str>);

impl InteractionId {
    /// Only a UUID in its usual form is one: what begins otherwise on the switch is not ours.
    pub fn parse(text: &str) -> Option<Self> {
        let id = uuid::Uuid::try_parse(text).ok()?;
        (id.hyphenated().to_string() == text).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a room of this interaction is called on the switch.
    pub fn room_on_switch(&self, room: &str) -> String {
        format!("{}-{room}", self.0)
    }

    /// The interaction and the room that a name on the switch stands for; `None` when the room is not ours.
    pub fn of_room(on_switch: &str) -> Option<(Self, &str)> {
        let (id, room) = on_switch.rsplit_once('-')?;
        Some((Self::parse(id)?, room))
    }
}

impl fmt::Display for InteractionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All that one interaction wants of the switch at one version. What is not in it is not wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The tenant.
    pub tenant: String,
    /// The interaction.
    pub interaction: InteractionId,
    /// The version of which this is the projection.
    pub version: u64,
    /// The rooms, with what is heard in them.
    pub rooms: BTreeMap<String, Treatment>,
    /// The legs, the customer's first.
    pub legs: Vec<Leg>,
    /// What is to be played, once each.
    pub announcements: Vec<Announcement>,
    /// Where a leg leaves to.
    pub exit: Option<Exit>,
    /// What is recorded.
    pub segment: Option<Segment>,
    /// The interaction is over: nothing is wanted any more.
    pub ended: bool,
    /// Segments that are no longer wanted and whose end is to be reported.
    pub awaited_segments: Vec<String>,
    /// The trace in which it was pushed.
    pub trace: Option<TraceParent>,
}

impl Plan {
    /// The wanted leg that has this name on the switch.
    pub fn leg_named(&self, name: &str) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.name() == name)
    }
}

/// What is heard in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// The members hear each other.
    Conversation,
    /// Each hears music, and nobody anybody.
    HoldMusic,
    /// Each hears ringing, and nobody anybody.
    Ringback,
}

/// One attempt to connect one party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Its id in plans and facts.
    pub id: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The room it is to be in as soon as it is up.
    pub room: Option<String>,
    /// It is not to be heard.
    pub muted: bool,
}

impl Leg {
    /// What it is called on the switch.
    pub fn name(&self) -> &str {
        match &self.origin {
            Origin::Inbound(name) => name,
            Origin::Dial(_) | Origin::Refused(_) => &self.id,
        }
    }

    /// How it is dialled, if it is.
    pub fn dial(&self) -> Option<&Dial> {
        match &self.origin {
            Origin::Inbound(_) | Origin::Refused(_) => None,
            Origin::Dial(dial) => Some(dial),
        }
    }
}

/// Where a leg comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It came in, under this name.
    Inbound(String),
    /// It is dialled, once.
    Dial(Dial),
    /// It is never dialled, for this reason.
    Refused(&'static str),
}

/// How an outgoing leg is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// The address of the phone; the digits of a number outside.
    pub phone: String,
    /// Until when it may ring; 0: it was answered.
    pub ring_until_us: i64,
    /// What the phone shows.
    pub caller: String,
    /// The rule that allows it to be dialled, when it is a number outside: there is no number outside without one (X3).
    pub allowed_by: Option<String>,
}

/// Something to play once to everybody in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// One attempt.
    pub id: String,
    /// The room.
    pub room: String,
    /// What is played.
    pub name: String,
}

/// Where a leg leaves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// One attempt.
    pub id: String,
    /// The leg's id in the plan.
    pub leg_id: String,
    /// The voicemail box.
    pub mailbox: String,
}

/// One uninterrupted stretch of audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// One attempt; also its name on the switch.
    pub id: String,
    /// The room.
    pub room: String,
    /// The recording it belongs to.
    pub recording_id: String,
}
