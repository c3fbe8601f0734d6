//! The saga of one handing over.

use crate::{
    ids::{AgentId, TransferNo},
    words::{AgentRef, Kind, Reason, Target},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One handing over of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Which.
    pub no: TransferNo,
    /// How.
    pub kind: Kind,
    /// Whom it was started to.
    pub target: Target,
    /// Who transfers.
    pub initiator: AgentRef,
    /// Shown to the recipient; may be empty.
    pub message: Arc<str>,
    /// Where it stands.
    pub phase: Phase,
    /// Why it ended so.
    pub reason: Option<Reason>,
    /// Who answered.
    pub recipient: Option<AgentId>,
    /// The customer was taken off hold while it was open (B106): if it fails, they stay so.
    pub resumed: bool,
    /// When it was started.
    pub started_at_us: i64,
    /// When this phase began.
    pub phase_since_us: i64,
    /// When it ended; 0 before.
    pub ended_at_us: i64,
}

/// Where a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A recipient is being looked for: reserved, ringing, or waited for.
    Offered,
    /// Initiator and recipient talk in private.
    Consulting,
    /// All three hear each other.
    Joined,
    /// The recipient has taken over; telephony has yet to report the customer where they belong.
    HandedOver,
    /// The recipient has the customer.
    Completed,
    /// The customer went elsewhere.
    Diverted,
    /// It did not go through.
    Failed,
    /// Somebody took it back.
    Cancelled,
    /// The customer left.
    Abandoned,
}

impl Phase {
    /// Not final.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Offered | Self::Consulting | Self::Joined | Self::HandedOver)
    }
}

/// One hop of the journey: how the customer came, or should have come, to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The transfer; none for the call flow.
    pub transfer: Option<TransferNo>,
    /// How; none for the call flow.
    pub kind: Option<Kind>,
    /// From whom; nobody for the call flow.
    pub from: Option<AgentId>,
    /// To whom it was meant to go.
    pub target: Target,
    /// Who got the customer.
    pub to: Option<AgentId>,
    /// How it ended.
    pub outcome: Phase,
    /// Why.
    pub reason: Option<Reason>,
    /// When it began.
    pub started_at_us: i64,
    /// When it ended.
    pub ended_at_us: i64,
}
