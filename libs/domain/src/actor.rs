//! Who acts, and whom a customer is handed to.

use crate::{
    interaction::Outside,
    machine::IvrFlow,
    queue::{Pool, Queue},
};
use baton_words::{AgentId, TargetSort, TeamId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Who wants something, or did something. Each event says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    Agent(AgentId),
    /// A person or program with a role over the whole tenant, by their token.
    Staff {
        role: StaffRole,
        /// The subject of the token.
        subject: Arc<str>,
        /// The agent for whom they act: what they may do is then what this agent may do (N5).
        for_agent: Option<AgentId>,
    },
    Customer,
    /// A party outside: who answered a number that was dialled.
    External,
    /// Baton itself: a deadline, a policy, the switch.
    System,
}

/// A role over the whole tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaffRole {
    Supervisor,
    Admin,
    /// A program of the tenant.
    Service,
    /// Who runs Baton.
    Operator,
}

impl Actor {
    /// The agent who acts, or for whom somebody acts.
    pub fn agent(&self) -> Option<AgentId> {
        match self {
            Self::Agent(agent) => Some(*agent),
            Self::Staff { for_agent, .. } => *for_agent,
            Self::Customer | Self::External | Self::System => None,
        }
    }
}

/// An agent with what is needed to ring them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRef {
    pub id: AgentId,
    /// Display name. Personal data.
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
    Agent(AgentRef),
    /// Whoever of a team is free.
    Team {
        id: TeamId,
        name: Arc<str>,
    },
    /// Whoever has the skills that a queue wants.
    Queue(Box<Queue>),
    /// Through an IVR flow, which is frozen with it.
    IvrFlow(Arc<IvrFlow>),
    /// A number outside.
    External(Arc<ExternalRef>),
}

/// A number outside with what was looked up about it, and the rule that allows it to be dialled (X3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalRef {
    /// The id of the tenant's external number; none: it was typed in.
    pub id: Option<Arc<str>>,
    /// Display name; empty for one that was typed in.
    pub name: Arc<str>,
    /// E.164. Personal data.
    pub number: Arc<str>,
    /// A stable pseudonym of whoever has the number, within the tenant.
    pub key: Arc<str>,
    /// The prefix of the dial rule.
    pub allowed_by: Arc<str>,
    /// *User number forwarding* (B408): whoever is called sees the customer's number, and not the tenant's.
    pub forwarding: bool,
}

impl ExternalRef {
    pub fn sort(&self) -> OutsideSort {
        match (&self.id, self.forwarding) {
            (None, _) => OutsideSort::Typed,
            (Some(_), true) => OutsideSort::Forwarding,
            (Some(_), false) => OutsideSort::NotForwarding,
        }
    }

    /// How its leg comes about.
    pub fn outside(&self) -> Outside {
        Outside {
            phone: self.number.trim_start_matches('+').into(),
            allowed_by: self.allowed_by.clone(),
            shows_customer: self.forwarding,
        }
    }
}

/// The sort of a number outside, as policies speak of it (B408).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsideSort {
    /// Configured, with user number forwarding.
    Forwarding,
    /// Configured, without.
    NotForwarding,
    /// Typed in.
    Typed,
}

impl std::fmt::Display for OutsideSort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Forwarding => "an external number with user number forwarding",
            Self::NotForwarding => "an external number without user number forwarding",
            Self::Typed => "a number that was typed in",
        })
    }
}

/// Who receives a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    Agent(AgentId),
    External(Arc<ExternalRef>),
}

impl Target {
    pub fn sort(&self) -> TargetSort {
        match self {
            Self::Agent(_) => TargetSort::Agent,
            Self::Team { .. } => TargetSort::Team,
            Self::Queue(_) => TargetSort::Queue,
            Self::IvrFlow(_) => TargetSort::IvrFlow,
            Self::External(_) => TargetSort::External,
        }
    }

    /// Those of whom whoever is free is asked; none for one agent.
    pub fn pool(&self) -> Option<Pool> {
        match self {
            Self::Agent(_) | Self::External(_) | Self::IvrFlow(_) => None,
            Self::Team { id, .. } => Some(Pool::Team(*id)),
            Self::Queue(queue) => Some(Pool::Queue(queue.id)),
        }
    }

    /// The queue, where it is one.
    pub fn queue(&self) -> Option<&Queue> {
        match self {
            Self::Queue(queue) => Some(queue),
            Self::Agent(_) | Self::Team { .. } | Self::External(_) | Self::IvrFlow(_) => None,
        }
    }

    pub fn external(&self) -> Option<&Arc<ExternalRef>> {
        match self {
            Self::External(external) => Some(external),
            Self::Agent(_) | Self::Team { .. } | Self::Queue(_) | Self::IvrFlow(_) => None,
        }
    }
}
