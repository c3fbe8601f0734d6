//! The journey: how the customer came, or should have come, to somebody (B603). A transfer that has ended is a hop of it, and nothing else.

use crate::{
    actor::{AgentRef, Target},
    machine::Transfer,
};
use baton_words::{AgentId, DivertedTo, Phase, Reason, TransferKind, TransferNo};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One hop of the journey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The transfer that made it; none for the call flow.
    pub by: Option<HandedOver>,
    /// To whom it was meant to go.
    pub target: Target,
    pub outcome: HopOutcome,
    pub started_at_us: i64,
    pub ended_at_us: i64,
}

/// What a hop keeps of its transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    pub transfer: TransferNo,
    pub kind: TransferKind,
    pub from: AgentId,
    /// What the initiator wrote to the recipient.
    pub message: Arc<str>,
    /// What the transfer was for: one of the policy's outcomes, or empty (B503).
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub outcome: Arc<str>,
}

/// How a hop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopOutcome {
    /// This agent got the customer.
    Completed {
        to: AgentId,
    },
    /// Nobody did, and the customer went elsewhere.
    Diverted {
        to: DivertedTo,
        reason: Reason,
    },
    /// It did not go through. `to`: the agent who had taken over when it was lost.
    Failed {
        reason: Reason,
        to: Option<AgentId>,
    },
    Cancelled {
        reason: Reason,
    },
    /// The customer left.
    Abandoned,
    /// The customer was in an IVR flow, and came back to who had sent them (B406).
    Returned,
    /// The customer came into an IVR flow, for good.
    InFlow,
    /// Whoever has the target's number outside got the customer.
    CompletedOutside,
    /// They had taken over when it was lost.
    FailedOutside {
        reason: Reason,
    },
}

impl HopOutcome {
    pub fn phase(self) -> Phase {
        match self {
            Self::Completed { .. } | Self::CompletedOutside | Self::Returned | Self::InFlow => Phase::Completed,
            Self::Diverted { .. } => Phase::Diverted,
            Self::Failed { .. } | Self::FailedOutside { .. } => Phase::Failed,
            Self::Cancelled { .. } => Phase::Cancelled,
            Self::Abandoned => Phase::Abandoned,
        }
    }

    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Completed { .. } | Self::CompletedOutside | Self::Returned | Self::InFlow => None,
            Self::Diverted { reason, .. }
            | Self::Failed { reason, .. }
            | Self::FailedOutside { reason }
            | Self::Cancelled { reason } => Some(reason),
            Self::Abandoned => Some(Reason::CustomerLeft),
        }
    }

    /// Where the customer went instead.
    pub fn diverted_to(self) -> Option<DivertedTo> {
        match self {
            Self::Diverted { to, .. } => Some(to),
            _ => None,
        }
    }

    /// Somebody got the customer.
    pub fn reached(self) -> bool {
        self.to_outside() || self.to().is_some()
    }

    /// Whoever has the target's number outside got the customer.
    pub fn to_outside(self) -> bool {
        matches!(self, Self::CompletedOutside | Self::FailedOutside { .. })
    }

    /// The agent who got the customer.
    pub fn to(self) -> Option<AgentId> {
        match self {
            Self::Completed { to } => Some(to),
            Self::Failed { to, .. } => to,
            _ => None,
        }
    }
}

impl Hop {
    /// The customer came to an agent without a transfer.
    pub fn of_flow(agent: &AgentRef, started_at_us: i64, ended_at_us: i64) -> Self {
        let outcome = HopOutcome::Completed { to: agent.id };
        Self { by: None, target: Target::Agent(agent.clone()), outcome, started_at_us, ended_at_us }
    }

    /// A transfer that has ended.
    pub fn of(transfer: Transfer, outcome: HopOutcome, ended_at_us: i64) -> Self {
        let by = HandedOver {
            transfer: transfer.no,
            kind: transfer.kind,
            from: transfer.initiator.id,
            message: transfer.message,
            outcome: transfer.outcome,
        };
        let (target, started_at_us) = (transfer.target, transfer.started_at_us);
        Self { by: Some(by), target, outcome, started_at_us, ended_at_us }
    }
}
