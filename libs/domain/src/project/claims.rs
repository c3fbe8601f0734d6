//! The claims: which agents are reserved or engaged because of this interaction, what their inboxes show, and why the last ones were
//! released.

use crate::{
    interaction::{Interaction, Party, ReleasedClaim, Who},
    machine::{Offer, Search},
};
use baton_words::{AgentId, AgentState, ClaimNo, TransferKind, TransferNo};
use smallvec::SmallVec;
use std::sync::Arc;

/// What an interaction wants of presence. The customer whom the agents' inboxes show is always the interaction's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The version of which this is the projection.
    pub version: u64,
    pub wanted: SmallVec<[WantedClaim; 3]>,
    /// The last ones released.
    pub released: SmallVec<[ReleasedClaim; 4]>,
    /// It is over.
    pub ended: bool,
}

/// An agent who is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedClaim {
    /// One attempt to have the agent.
    pub claim: ClaimNo,
    pub agent: AgentId,
    /// When the agent was asked for, or came.
    pub since_us: i64,
    /// None: the agent is engaged.
    pub reservation: Option<Reservation>,
}

/// What an agent is told whom the customer is being offered (B108).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// When it runs out by itself (A2).
    pub until_us: i64,
    /// The states in which the agent may be chosen.
    pub choosable: SmallVec<[AgentState; 2]>,
    /// An agent in another call is waited for: the claim is kept until they are free (B504).
    pub waits_if_busy: bool,
    /// The transfer by which the customer is offered; none for a call flow.
    pub transfer: Option<OfferedBy>,
}

/// The transfer by which a customer is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedBy {
    pub transfer: TransferNo,
    pub kind: TransferKind,
    /// The initiator's display name.
    pub from_name: Arc<str>,
    pub message: Arc<str>,
}

/// The claims of this state.
pub fn claims(i: &Interaction) -> Claims {
    let (wanted, released) = (SmallVec::new(), SmallVec::new());
    let mut claims = Claims { version: i.version, wanted, released, ended: i.ended() };
    claims.wanted.extend(i.parties.iter().filter_map(engaged));
    if let Some(search) = i.search() {
        claims.wanted.extend(search.offers.iter().map(|offer| reserved(i, search, offer)));
    }
    claims.released.extend_from_slice(&i.released);
    claims
}

fn engaged(party: &Party) -> Option<WantedClaim> {
    let Who::Agent { agent, claim } = &party.who else { return None };
    Some(WantedClaim { claim: *claim, agent: agent.id, since_us: party.since_us, reservation: None })
}

fn reserved(i: &Interaction, search: &Search, offer: &Offer) -> WantedClaim {
    let transfer = i.transfer.as_ref().map(|transfer| OfferedBy {
        transfer: transfer.no,
        kind: transfer.kind,
        from_name: transfer.initiator.name.clone(),
        message: transfer.message.clone(),
    });
    let choosable = SmallVec::from_slice(search.choosable());
    let waits_if_busy = search.waits_if_busy();
    let reservation = Some(Reservation { until_us: offer.expires_at_us, choosable, waits_if_busy, transfer });
    WantedClaim { claim: offer.claim, agent: offer.agent.id, since_us: offer.since_us, reservation }
}
