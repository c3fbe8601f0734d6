//! The claims that an interaction wants, and the answers to them.

use baton_api::common::v1::Reason;
use baton_api::presence::v1::InboxItem;
use baton_api::presence::v1::released_claim::Closing;
use baton_runtime::auth::TenantId;

use crate::ids::AgentId;
use crate::record::ClaimMedium;
use crate::status::{Occupied, ShownState};

/// All claims that an interaction wants at one version.
#[derive(Debug, Clone)]
pub(crate) struct ClaimsProjection {
    pub(crate) tenant: TenantId,
    pub(crate) interaction_id: String,
    pub(crate) version: i64,
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) released: Vec<Released>,
    pub(crate) ended: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) claim_id: String,
    pub(crate) agent: AgentId,
    pub(crate) occupied: Occupied,
    /// 0 for an engagement, which does not expire.
    pub(crate) expires_at_us: i64,
    /// The states in which the agent may be reserved.
    pub(crate) choosable: Vec<ShownState>,
    /// An agent in another call is waited for (B504).
    pub(crate) waits_if_busy: bool,
    /// For what they need room.
    pub(crate) medium: ClaimMedium,
    pub(crate) inbox: InboxItem,
}

/// A claim that is no longer wanted, and what follows for its agent.
#[derive(Debug, Clone)]
pub(crate) struct Released {
    pub(crate) claim_id: String,
    pub(crate) agent: AgentId,
    pub(crate) reason: Reason,
    pub(crate) wrap_up_us: i64,
    pub(crate) closing: Closing,
}

/// The answer to a wanted claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClaimDecision {
    Granted,
    /// The agent is in another call; it is granted when they are free.
    Queued,
    Refused(Reason),
    Expired,
}
