//! The closed lists that everything else is written in.

use crate::ids::{AgentId, TeamId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How a customer is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The initiator is released at once.
    Cold,
    /// The initiator stays until somebody commits.
    Warm,
}

/// Why something ended as it did. The meaning of each is in `baton.common.v1.Reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is its own sentence; the contract documents them")]
pub enum Reason {
    NoAnswer,
    Busy,
    Offline,
    NotAvailable,
    Declined,
    Taken,
    Unreachable,
    CustomerLeft,
    InitiatorLeft,
    RecipientLeft,
    Requested,
    Timeout,
    SwitchLost,
    Voicemail,
    NextStep,
    Disconnected,
    NobodyAvailable,
    Expired,
    HungUp,
}

/// Which way the call was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The customer called.
    Inbound,
    /// An agent called.
    Outbound,
}

/// What is recorded on a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingMode {
    /// Every call.
    All,
    /// Calls that customers placed.
    Incoming,
    /// Calls that agents placed.
    Outgoing,
    /// Only what an agent starts by hand.
    Manual,
}

impl RecordingMode {
    /// Whether a call of this direction is recorded without anybody's doing (B206).
    pub fn records(self, direction: Direction) -> bool {
        match self {
            Self::All => true,
            Self::Incoming => direction == Direction::Inbound,
            Self::Outgoing => direction == Direction::Outbound,
            Self::Manual => false,
        }
    }
}

/// An agent state, as presence knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is its own sentence; the contract documents them")]
pub enum AgentState {
    Offline,
    Available,
    Away,
    WrapUp,
    NotResponding,
}

/// A place on the switch. The customer is in exactly one (C1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Room {
    /// The customer with whoever serves them.
    Talk,
    /// The customer alone, with music.
    Hold,
    /// Agents in private, while the customer is held. Never recorded (B208).
    Consult,
    /// The customer, before and between agents.
    Lobby,
}

impl Room {
    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Talk => "talk",
            Self::Hold => "hold",
            Self::Consult => "consult",
            Self::Lobby => "lobby",
        }
    }

    /// Reads a name of the contract.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Talk, Self::Hold, Self::Consult, Self::Lobby].into_iter().find(|room| room.name() == name)
    }
}

/// Who wants something, or did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// An agent.
    Agent(AgentId),
    /// A supervisor, by the subject of their token.
    Supervisor(Arc<str>),
    /// The customer.
    Customer,
    /// Baton itself: a deadline, a policy, the switch.
    System,
}

/// An agent with what is needed to ring them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRef {
    /// Who.
    pub id: AgentId,
    /// Display name.
    pub name: Arc<str>,
    /// The address of their phone on the switch.
    pub phone: Arc<str>,
    /// They have a personal voicemail box, named by their id.
    pub voicemail: bool,
}

/// Whom a transfer goes to, with what was looked up about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One agent.
    Agent(AgentRef),
    /// Whoever of a team is free.
    Team {
        /// Which team.
        id: TeamId,
        /// Display name.
        name: Arc<str>,
    },
}

/// The sort of a target, as policies speak of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetSort {
    /// One agent.
    Agent,
    /// A team.
    Team,
}

impl Target {
    /// Its sort.
    pub fn sort(&self) -> TargetSort {
        match self {
            Self::Agent(_) => TargetSort::Agent,
            Self::Team { .. } => TargetSort::Team,
        }
    }
}
