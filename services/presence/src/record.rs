//! Agents and teams as they are read in one piece: from the database into memory, and from there to callers.

use std::collections::BTreeSet;

use baton_api::presence::v1::InboxItem;
use baton_runtime::auth::TenantId;

use crate::ids::{AgentId, TeamId};
use crate::status::{AgentStatus, Occupied};

/// The fields of an agent that an admin sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentProfile {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) voicemail: bool,
}

/// An agent with their status and the claim on them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AgentRecord {
    pub(crate) tenant: TenantId,
    pub(crate) id: AgentId,
    pub(crate) profile: AgentProfile,
    pub(crate) status: AgentStatus,
    pub(crate) claim: Option<ActiveClaim>,
}

/// The claim that occupies an agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ActiveClaim {
    pub(crate) claim_id: String,
    pub(crate) interaction_id: String,
    pub(crate) occupied: Occupied,
    pub(crate) since_us: i64,
    /// As the interaction described it; [`crate::convert::inbox_item`] completes it.
    pub(crate) inbox: InboxItem,
}

/// A team with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TeamRecord {
    pub(crate) tenant: TenantId,
    pub(crate) id: TeamId,
    pub(crate) name: String,
    pub(crate) members: BTreeSet<AgentId>,
}

/// A name in lower case: lists are ordered by it, and searches look into it.
pub(crate) fn name_key(name: &str) -> String {
    name.to_lowercase()
}
