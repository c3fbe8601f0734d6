//! Looking for an agent to take the customer: one agent, or whoever of a team is free. The call flow and the transfer use the same.

use crate::{
    ids::{AgentId, ClaimNo, LegNo, WaitNo},
    words::{AgentRef, AgentState, Reason, Target},
};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Looking for an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Whom.
    pub target: Target,
    /// How long each may ring, ms.
    pub ring_ms: i64,
    /// The states in which an agent may be chosen.
    pub choosable: SmallVec<[AgentState; 2]>,
    /// Since when: the place in the queue, kept over failed offers (A6).
    pub since_us: i64,
    /// When to stop.
    pub until_us: i64,
    /// The open round of waiting; only for teams.
    pub wait: Option<WaitNo>,
    /// Who declined or did not answer, and who hands over; not offered (again) (A5).
    pub skip: SmallVec<[AgentId; 2]>,
    /// Who is being offered the customer.
    pub offers: SmallVec<[Offer; 1]>,
    /// Why the last offer failed.
    pub last_failure: Option<Reason>,
}

/// One agent who is being offered the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Who.
    pub who: AgentRef,
    /// Their claim.
    pub claim: ClaimNo,
    /// How far it is.
    pub state: OfferState,
    /// When the reservation runs out by itself (A2).
    pub expires_at_us: i64,
    /// How often their phone may still be dialled anew.
    #[serde(default)]
    pub redials: u8,
}

/// How far an offer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferState {
    /// Presence was asked.
    Claiming {
        /// When to stop waiting for its answer.
        until_us: i64,
    },
    /// The phone rings, or is about to.
    Ringing {
        /// The leg.
        leg: LegNo,
        /// Until when it may ring; judged by telephony (T4).
        until_us: i64,
    },
}

impl Search {
    /// Somebody's phone rings.
    pub fn ringing(&self) -> bool {
        self.offers.iter().any(|offer| matches!(offer.state, OfferState::Ringing { .. }))
    }

    /// The offer with this leg.
    pub fn by_leg(&self, leg: LegNo) -> Option<usize> {
        self.offers.iter().position(|offer| matches!(offer.state, OfferState::Ringing { leg: own, .. } if own == leg))
    }

    /// The offer with this claim.
    pub fn by_claim(&self, claim: ClaimNo) -> Option<usize> {
        self.offers.iter().position(|offer| offer.claim == claim)
    }
}
