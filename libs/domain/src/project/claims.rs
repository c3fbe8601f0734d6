//! The claims: which agents are reserved or engaged because of this interaction, what their inboxes show, and why the last ones were
//! released.

use crate::{
    interaction::{Interaction, Party, ReleasedClaim, Who},
    machine::{Offer, Search},
};
use baton_words::{AgentId, AgentState, ClaimNo, TransferKind, TransferNo};
use smallvec::SmallVec;
use std::sync::Arc;

/// What an interaction wants of presence.
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
    /// When the reservation runs out by itself (A2); none: the agent is engaged.
    pub reserved_until_us: Option<i64>,
    /// The states in which the agent may be chosen.
    pub choosable: SmallVec<[AgentState; 2]>,
    pub inbox: InboxItem,
}

/// What the agent's inbox shows (B108).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxItem {
    /// The transfer by which the customer is offered; none once the agent is engaged, and for a call flow.
    pub transfer: Option<OfferedBy>,
    /// The customer's number or address. Personal data.
    pub customer: Arc<str>,
    pub since_us: i64,
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
    let engaged = i.parties.iter().filter_map(|party| engaged(i, party));
    let search = i.search();
    let reserved = search.into_iter().flat_map(|search| search.offers.iter().map(|offer| reserved(i, search, offer)));
    Claims {
        version: i.version,
        wanted: engaged.chain(reserved).collect(),
        released: i.released.clone(),
        ended: i.ended(),
    }
}

fn engaged(i: &Interaction, party: &Party) -> Option<WantedClaim> {
    let Who::Agent { agent, claim } = &party.who else { return None };
    let customer = i.customer().address().clone();
    Some(WantedClaim {
        claim: *claim,
        agent: agent.id,
        reserved_until_us: None,
        choosable: SmallVec::new(),
        inbox: InboxItem { transfer: None, customer, since_us: party.since_us },
    })
}

fn reserved(i: &Interaction, search: &Search, offer: &Offer) -> WantedClaim {
    let transfer = i.transfer.as_ref().map(|transfer| OfferedBy {
        transfer: transfer.no,
        kind: transfer.kind,
        from_name: transfer.initiator.name.clone(),
        message: transfer.message.clone(),
    });
    let customer = i.customer().address().clone();
    WantedClaim {
        claim: offer.claim,
        agent: offer.agent.id,
        reserved_until_us: Some(offer.expires_at_us),
        choosable: search.choosable().iter().copied().collect(),
        inbox: InboxItem { transfer, customer, since_us: offer.since_us },
    }
}
