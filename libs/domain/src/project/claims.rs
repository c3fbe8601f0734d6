//! The claims: which agents are reserved or engaged because of this interaction, and why the last ones were released.

use crate::{
    ids::{AgentId, ClaimNo},
    interaction::{Interaction, ReleasedClaim},
    words::AgentState,
};
use smallvec::SmallVec;

/// What an interaction wants of presence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The version of which this is the projection.
    pub version: u64,
    /// Who is wanted.
    pub wanted: SmallVec<[WantedClaim; 3]>,
    /// The last ones released.
    pub released: SmallVec<[ReleasedClaim; 4]>,
    /// It is over.
    pub ended: bool,
}

/// An agent who is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedClaim {
    /// Which attempt.
    pub claim: ClaimNo,
    /// Whom.
    pub agent: AgentId,
    /// When the reservation runs out by itself (A2); none: the agent is engaged.
    pub reserved_until_us: Option<i64>,
    /// The states in which the agent may be chosen.
    pub choosable: SmallVec<[AgentState; 2]>,
}

/// The claims of this state.
pub fn claims(i: &Interaction) -> Claims {
    let engaged = i.agents.iter().map(|agent| WantedClaim {
        claim: agent.claim,
        agent: agent.who.id,
        reserved_until_us: None,
        choosable: SmallVec::new(),
    });
    let reserved = i.search.iter().flat_map(|search| {
        search.offers.iter().map(|offer| WantedClaim {
            claim: offer.claim,
            agent: offer.who.id,
            reserved_until_us: Some(offer.expires_at_us),
            choosable: search.choosable.clone(),
        })
    });
    Claims {
        version: i.version,
        wanted: engaged.chain(reserved).collect(),
        released: i.released.clone(),
        ended: i.ended(),
    }
}
