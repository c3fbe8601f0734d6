//! What one interaction wants of the switch: the plan, parsed into types whose values are valid.

mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use baton_api::common::v1::{Customer, IvrElement};
use baton_runtime::telemetry::TraceParent;
use baton_words::SwitchId;
pub use baton_words::Treatment;

pub use parse::parse;

/// As in plans, and in names on the switch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InteractionId(Arc<str>);

impl InteractionId {
    /// Only a UUID in lower case with hyphens: a room on the switch whose name begins otherwise is not ours.
    pub fn parse(text: &str) -> Option<Self> {
        let id = uuid::Uuid::try_parse(text).ok()?;
        (id.hyphenated().to_string() == text).then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The switch's name for a room of this interaction.
    pub fn room_on_switch(&self, room: &str) -> String {
        format!("{}-{room}", self.0)
    }

    /// The interaction, and the rest of the name, of a room or a segment on the switch; `None` when it is not ours.
    pub fn of_name(on_switch: &str) -> Option<(Self, &str)> {
        let (id, rest) = on_switch.split_at_checked(uuid::fmt::Hyphenated::LENGTH)?;
        Some((Self::parse(id)?, rest.strip_prefix('-')?))
    }
}

impl fmt::Display for InteractionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that one interaction wants on the switch at one version. What is not in it is to be removed.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub tenant: String,
    pub interaction: InteractionId,
    pub switch: SwitchId,
    /// The interaction's version, of which this is the projection.
    pub version: u64,
    /// By name.
    pub rooms: BTreeMap<String, Treatment>,
    /// The customer's is the first.
    pub legs: Vec<WantedLeg>,
    pub announcements: Vec<WantedAnnouncement>,
    pub exit: Option<WantedExit>,
    pub segment: Option<WantedSegment>,
    /// The interaction is over, and the plan is empty.
    pub ended: bool,
    /// Segments that are no longer wanted, and whose end the transfer service waits for.
    pub awaited_segments: Vec<String>,
    /// The trace of the call that brought the plan.
    pub trace: Option<TraceParent>,
    /// A newer one may have been lost: it is [not carried out](crate::doubt) yet.
    pub is_doubtful: bool,
}

impl Plan {
    /// The wanted leg that has this name on the switch.
    pub fn leg_named(&self, name: &str) -> Option<&WantedLeg> {
        self.legs.iter().find(|leg| leg.name() == name)
    }
}

/// One attempt to connect one party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedLeg {
    /// As in plans and facts.
    pub id: String,
    pub origin: WantedOrigin,
    /// The room to move it into as soon as it is up.
    pub room: Option<String>,
    /// The others in the room do not hear it.
    pub muted: bool,
}

impl WantedLeg {
    /// The name on the switch.
    pub fn name(&self) -> &str {
        match &self.origin {
            WantedOrigin::Inbound(name) => name,
            WantedOrigin::Dial(_) | WantedOrigin::Refused(_) => &self.id,
        }
    }

    /// `None`: the leg is not dialled.
    pub fn dial(&self) -> Option<&WantedDial> {
        match &self.origin {
            WantedOrigin::Inbound(_) | WantedOrigin::Refused(_) => None,
            WantedOrigin::Dial(dial) => Some(dial),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedOrigin {
    /// An inbound call, with its name on the switch.
    Inbound(String),
    Dial(WantedDial),
    /// Must not be dialled, for this reason; reported as unreachable.
    Refused(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedDial {
    /// The address of an agent's phone, or the digits of an external number.
    pub phone: String,
    /// End of the ring time; 0: it was answered.
    pub ring_until_us: i64,
    /// The caller id that the phone shows.
    pub caller: String,
    /// The dialling rule that allows an external number, which is always set for one (X3); `None` for an agent's phone.
    pub allowed_by: Option<String>,
}

/// Played once, to everybody in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedAnnouncement {
    pub id: String,
    pub room: String,
    /// Of the sound.
    pub name: String,
}

/// A leg leaves the rooms, for a voicemail box or an IVR flow.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedExit {
    pub id: String,
    /// The leg's id in the plan.
    pub leg_id: String,
    /// Empty for a flow.
    pub mailbox: String,
    /// Empty for voicemail.
    pub flow: Vec<IvrElement>,
    /// Who leaves the message: kept with it, as is the tenant's number.
    pub customer: Customer,
    pub number: String,
}

/// One uninterrupted stretch of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedSegment {
    /// One attempt; also the name on the switch.
    pub id: String,
    pub room: String,
    pub recording_id: String,
}
