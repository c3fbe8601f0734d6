//! The part each agent had in a call, once that part is over. Where the policy has dispositions, the agent says how it ended, also after
//! the call (B507, B509).

use crate::input::Disposition;
use baton_words::{AgentId, ClaimNo, TransferNo};
use serde::{Deserialize, Serialize};

/// The most participations of which dispositions are kept; the oldest goes first.
pub(crate) const MAX_PARTICIPATIONS: usize = 100;

/// An agent's part in a call, which is over: they have left it. Times are microseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participation {
    pub agent: AgentId,
    /// The claim by which they were in the call.
    pub claim: ClaimNo,
    /// The transfer whose recipient they were, where it came to nothing: the call that they disposition is that one, and the customer is
    /// still with the initiator (B507).
    pub transfer: Option<TransferNo>,
    pub left_at_us: i64,
    /// They wrap up until it is given.
    pub due: bool,
    pub given: Option<Dispositioned>,
}

/// A disposition that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispositioned {
    pub disposition: Disposition,
    pub at_us: i64,
}
