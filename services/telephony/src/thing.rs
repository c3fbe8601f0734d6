//! What happens once only: legs, announcements, exits, segments.
//!
//! Each has an id, which is one attempt. That it was asked for is on disk before the switch is asked, and it is never asked
//! for again. Its last observation is kept beside it: a final one says that it is over.

use baton_api::transfer::v1::Fact;

use crate::fact;

/// Which sort of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One attempt to connect one party.
    Leg,
    /// Something played once.
    Announcement,
    /// A leg that leaves to somewhere else.
    Exit,
    /// A stretch of audio.
    Segment,
    /// A switch that lost all legs.
    SwitchLoss,
}

const KINDS: [(Kind, &str); 5] = [
    (Kind::Leg, "leg"),
    (Kind::Announcement, "announcement"),
    (Kind::Exit, "exit"),
    (Kind::Segment, "segment"),
    (Kind::SwitchLoss, "switch_loss"),
];

impl Kind {
    /// How it is written in the database.
    pub fn as_str(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, text)| text)
    }

    /// Reads it.
    pub fn parse(text: &str) -> Option<Self> {
        KINDS.iter().find(|(_, it)| *it == text).map(|(kind, _)| *kind)
    }
}

/// A thing's name within its interaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Which sort.
    pub kind: Kind,
    /// Its id in plans and facts.
    pub id: String,
}

impl Key {
    /// A leg.
    pub fn leg(id: &str) -> Self {
        Self { kind: Kind::Leg, id: id.to_owned() }
    }

    /// An announcement.
    pub fn announcement(id: &str) -> Self {
        Self { kind: Kind::Announcement, id: id.to_owned() }
    }

    /// An exit.
    pub fn exit(id: &str) -> Self {
        Self { kind: Kind::Exit, id: id.to_owned() }
    }

    /// A segment.
    pub fn segment(id: &str) -> Self {
        Self { kind: Kind::Segment, id: id.to_owned() }
    }
}

/// Orders what is known of the switch: what changed after a look was begun is newer than what the look shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub u64);

/// One attempt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thing {
    /// Its name on the switch.
    pub name: String,
    /// A segment's recording; the plan's version at which a switch was lost.
    pub detail: String,
    /// The run of the switch that was asked; empty when it is not known yet.
    pub boot_id: String,
    /// When the switch was asked; 0 when that was before the last start of the service.
    pub stamp: Stamp,
    /// The switch has shown, or said, that it is there.
    pub confirmed: bool,
    /// The first look at which there was nothing to see of it.
    pub missed_at_us: Option<i64>,
    /// A segment's file is on the list for the archive, or there is none to bring.
    pub delivered: bool,
    /// The last observation.
    pub fact: Option<Fact>,
}

impl Thing {
    /// Nothing more can come of it.
    pub fn is_over(&self) -> bool {
        self.fact.as_ref().is_some_and(fact::is_final)
    }
}
