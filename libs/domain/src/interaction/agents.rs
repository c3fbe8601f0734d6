//! The agents of an interaction, and what presence is told of those who left it.

use crate::{
    ids::{AgentId, ClaimNo, LegNo},
    words::{AgentRef, Reason, Room},
};
use serde::{Deserialize, Serialize};

/// An agent who is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engaged {
    /// Who.
    pub who: AgentRef,
    /// Their leg.
    pub leg: LegNo,
    /// Their claim.
    pub claim: ClaimNo,
    /// They have muted themselves.
    pub muted: bool,
    /// The room in which telephony last saw their leg.
    pub seen_in: Option<Room>,
    /// Since when.
    pub since_us: i64,
}

/// A claim that is over. The last few are kept in the claims' projection, so that presence learns why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedClaim {
    /// Which.
    pub claim: ClaimNo,
    /// Whose.
    pub agent: AgentId,
    /// Why.
    pub reason: Reason,
    /// How long they wrap up, ms (A4).
    pub wrap_up_ms: i64,
}

/// How many released claims are kept: more than are ever released before presence has taken notice, unless it is down.
pub(crate) const RELEASED_KEPT: usize = 16;
