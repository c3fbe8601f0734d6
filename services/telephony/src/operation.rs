//! Operations on the switch that happen at most once: legs, announcements, exits, segments.
//!
//! An id stands for one attempt. The request is on disk before it goes to the switch, and is never made again, but for a
//! segment's of which a start finds that it was never made. The last observation is kept with the operation; after a final
//! one the operation is over.

use baton_api::transfer::v1::Fact;

use crate::fact;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationKind {
    /// One attempt to connect one party.
    Leg,
    /// Something played once.
    Announcement,
    /// A leg leaves the rooms, for a mailbox or an IVR flow.
    Exit,
    /// One uninterrupted stretch of a recording.
    Segment,
    /// Not requested: the switch lost all legs, which is one fact for all of them (S4).
    SwitchLoss,
}

const KINDS: [(OperationKind, &str); 5] = [
    (OperationKind::Leg, "leg"),
    (OperationKind::Announcement, "announcement"),
    (OperationKind::Exit, "exit"),
    (OperationKind::Segment, "segment"),
    (OperationKind::SwitchLoss, "switch_loss"),
];

impl OperationKind {
    /// As stored in the database.
    pub fn as_str(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, text)| text)
    }

    pub fn parse(text: &str) -> Option<Self> {
        KINDS.iter().find(|(_, it)| *it == text).map(|(kind, _)| *kind)
    }
}

/// Unique within the interaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationKey {
    pub kind: OperationKind,
    /// As in plans and facts.
    pub id: String,
}

impl OperationKey {
    pub fn leg(id: &str) -> Self {
        Self { kind: OperationKind::Leg, id: id.to_owned() }
    }

    pub fn announcement(id: &str) -> Self {
        Self { kind: OperationKind::Announcement, id: id.to_owned() }
    }

    pub fn exit(id: &str) -> Self {
        Self { kind: OperationKind::Exit, id: id.to_owned() }
    }

    pub fn segment(id: &str) -> Self {
        Self { kind: OperationKind::Segment, id: id.to_owned() }
    }
}

/// Logical time: a change with a later stamp than a snapshot is newer than what the snapshot shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub u64);

/// One attempt, at most once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operation {
    /// The name on the switch.
    pub name: String,
    /// A segment's recording; of an exit whether it is a [flow](Operation::FLOW); for the loss of a switch, the plan's version at that time.
    pub detail: String,
    /// The run of the switch that was asked; empty when not known yet.
    pub boot_id: String,
    /// Time of the request; 0 when that was before the last start of the service.
    pub stamp: Stamp,
    /// The switch has acknowledged the request, or has shown its effect.
    pub confirmed: bool,
    /// Time of the first snapshot without it.
    pub missing_since_us: Option<i64>,
    /// A segment's upload is stored, or there is no file to upload.
    pub upload_stored: bool,
    pub fact: Option<Fact>,
}

impl Operation {
    /// The detail of an exit into an IVR flow, which leaves no message, and from which a leg can be taken back.
    pub const FLOW: &str = "flow";

    /// It was about to be requested of this run of the switch before the last start of the service, and was never seen.
    pub fn is_left_to(&self, boot_id: &str) -> bool {
        self.stamp == Stamp::default() && !self.confirmed && self.boot_id == boot_id
    }

    /// The last observation is final.
    pub fn is_over(&self) -> bool {
        self.fact.as_ref().is_some_and(fact::is_final)
    }
}
