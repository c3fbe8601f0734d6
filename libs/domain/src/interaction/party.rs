//! The parties: everybody who is connected, or is to be. In voice each has one leg, which knows how it is; where a party is wanted is not
//! kept but projected from the state (`project::place`).

use crate::{
    actor::{AgentRef, ExternalRef, Recipient},
    queue::FromQueue,
};
use baton_words::{AgentId, ClaimNo, LegNo, Room};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The number of a party within its interaction, in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartyNo(pub u32);

/// Somebody in an interaction. An agent who leaves is taken out; a customer who leaves stays as one whose leg is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    pub no: PartyNo,
    pub who: Who,
    pub leg: Leg,
    /// They have muted themselves.
    pub muted: bool,
    /// When they came.
    pub since_us: i64,
    /// An agent who was found by a queue: which one it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_queue: Option<FromQueue>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The address may be empty. Personal data.
    Customer {
        address: Arc<str>,
    },
    Agent {
        agent: AgentRef,
        claim: ClaimNo,
    },
    /// A party outside, who was called for a transfer. They are the customer once the one before has left and the agent goes on with them
    /// (B409).
    External(Arc<ExternalRef>),
}

/// One attempt to connect one party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    pub no: LegNo,
    pub origin: LegSource,
    pub state: LegState,
}

/// Where a leg comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegSource {
    /// It came in, under this name on the switch.
    Inbound(Arc<str>),
    /// An agent's phone is dialled.
    Phone(Arc<str>),
    /// A number outside is dialled.
    Outside(Outside),
    /// None: they write. What a leg is for those who hear, taking part is for them, and it is so as soon as it is decided.
    Written,
}

/// A number outside, and the rule that allows it to be dialled (X3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// What is dialled.
    pub phone: Arc<str>,
    /// The prefix of the dial rule.
    pub allowed_by: Arc<str>,
    /// The phone shows the customer's number, and not the tenant's (B408).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shows_customer: bool,
}

/// How a leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegState {
    /// Not dialled yet: its time comes when the agent who calls is on the line.
    Planned,
    /// Dialled.
    Ringing {
        since_us: i64,
        until_us: i64,
    },
    /// Connected, and last seen in this room by telephony.
    Up {
        seen_in: Option<Room>,
    },
    Over,
}

impl Party {
    pub fn agent(&self) -> Option<&AgentRef> {
        match &self.who {
            Who::Agent { agent, .. } => Some(agent),
            Who::Customer { .. } | Who::External(_) => None,
        }
    }

    pub fn external(&self) -> Option<&Arc<ExternalRef>> {
        match &self.who {
            Who::External(external) => Some(external),
            Who::Customer { .. } | Who::Agent { .. } => None,
        }
    }

    /// As whom a transfer's recipient is told of.
    pub(crate) fn recipient(&self) -> Option<Recipient> {
        match &self.who {
            Who::Agent { agent, .. } => Some(Recipient::Agent(agent.id)),
            Who::External(external) => Some(Recipient::External(external.clone())),
            Who::Customer { .. } => None,
        }
    }

    pub fn agent_id(&self) -> Option<AgentId> {
        self.agent().map(|agent| agent.id)
    }

    /// The customer's number or address.
    pub fn address(&self) -> &Arc<str> {
        match &self.who {
            Who::Customer { address } => address,
            Who::Agent { agent, .. } => &agent.phone,
            Who::External(external) => &external.number,
        }
    }
}

impl Leg {
    pub fn is_up(&self) -> bool {
        matches!(self.state, LegState::Up { .. })
    }

    pub fn is_ringing(&self) -> bool {
        matches!(self.state, LegState::Ringing { .. })
    }

    pub fn is_over(&self) -> bool {
        self.state == LegState::Over
    }

    pub fn seen_in(&self) -> Option<Room> {
        match self.state {
            LegState::Up { seen_in } => seen_in,
            _ => None,
        }
    }
}
