//! What is known of an agent and of a team, read in one piece: from the database into memory, and from there to callers.

use std::collections::BTreeSet;

use baton_api::presence::v1::InboxItem;
use baton_runtime::auth::TenantId;

use crate::ids::{AgentId, TeamId};
use crate::state::{Standing, Taken};

/// What an admin says of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) voicemail: bool,
}

/// An agent as they are now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AgentRecord {
    pub(crate) tenant: TenantId,
    pub(crate) id: AgentId,
    pub(crate) profile: Profile,
    pub(crate) standing: Standing,
    pub(crate) claim: Option<ActiveClaim>,
}

/// The claim that holds an agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ActiveClaim {
    pub(crate) claim_id: String,
    pub(crate) interaction_id: String,
    pub(crate) taken: Taken,
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

/// What lists are ordered by, and what a search looks into.
pub(crate) fn name_key(name: &str) -> String {
    name.to_lowercase()
}
