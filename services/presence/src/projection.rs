//! What an interaction wants of presence, and what is known of its claims.

use std::collections::BTreeMap;

use baton_api::common::v1::Reason;
use baton_runtime::auth::TenantId;

use crate::ids::AgentId;
use crate::state::{State, Taken};
use crate::store::claims::{ClaimRow, ClaimState};

/// What an interaction wants.
#[derive(Debug, Clone)]
pub(crate) struct Projection {
    pub(crate) tenant: TenantId,
    pub(crate) interaction_id: String,
    pub(crate) version: i64,
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) released: Vec<Released>,
    pub(crate) ended: bool,
}

/// A claim that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) claim_id: String,
    pub(crate) agent: AgentId,
    pub(crate) taken: Taken,
    pub(crate) expires_at_us: i64,
    pub(crate) choosable: Vec<State>,
    pub(crate) inbox: Vec<u8>,
}

/// A claim that is no longer wanted, and what follows from it.
#[derive(Debug, Clone)]
pub(crate) struct Released {
    pub(crate) claim_id: String,
    pub(crate) agent: AgentId,
    pub(crate) reason: Reason,
    pub(crate) wrap_up_us: i64,
}

/// How a wanted claim stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Granted,
    Refused(Reason),
    Expired,
}

/// The claims that were ever seen of an interaction, by id.
pub(crate) type Known = BTreeMap<String, ClaimRow>;

pub(crate) fn known(rows: Vec<ClaimRow>) -> Known {
    rows.into_iter().map(|row| (row.claim_id.clone(), row)).collect()
}

/// An active claim as it is to be.
pub(crate) fn kept(wanted: &Wanted, claim: &ClaimRow, now_us: i64) -> ClaimRow {
    let mut next = claim.clone();
    next.inbox.clone_from(&wanted.inbox);
    if wanted.taken == Taken::Engaged && claim.state == ClaimState::Reserved {
        next.state = ClaimState::Engaged;
        next.since_us = now_us;
    }
    if next.state == ClaimState::Reserved {
        next.expires_at_us = wanted.expires_at_us;
    }
    next
}
