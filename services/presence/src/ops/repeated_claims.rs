//! A projection that changes nothing. The claims of each live interaction are repeated every few seconds; a repetition costs two
//! reads, and neither the writer nor a sync of the disk.

use std::collections::BTreeSet;

use baton_store::StoreError;

use crate::core::PresenceCore;
use crate::projection::{ClaimDecision, ClaimsProjection, KnownClaims, Wanted, known, updated};
use crate::status::Occupied;
use crate::store::claims::{self, ClaimRow, ClaimState};
use crate::store::versions;

/// The decisions on the claims; `None` if a claim may have to change, which only the writer can tell.
pub(super) async fn answer(
    core: &PresenceCore,
    projection: &ClaimsProjection,
) -> Result<Option<Vec<ClaimDecision>>, StoreError> {
    let ClaimsProjection { tenant, interaction_id, .. } = projection;
    let mut reader = core.db.read().await?;
    let known = known(claims::look_up(&mut reader, tenant, interaction_id).await?);
    // Read last, so that a newer version that came meanwhile is seen.
    let version = versions::newest(&mut reader, tenant, interaction_id).await?;
    drop(reader);
    let Some(decisions) = unchanged(projection, &known).filter(|_| version == Some(projection.version)) else {
        return Ok(None);
    };
    core.db.settled().await?;
    Ok(Some(decisions))
}

fn unchanged(projection: &ClaimsProjection, known: &KnownClaims) -> Option<Vec<ClaimDecision>> {
    let wanted: BTreeSet<&str> = projection.wanted.iter().map(|it| it.claim_id.as_str()).collect();
    let is_wanted_or_over = |it: &ClaimRow| !it.state.is_active() || wanted.contains(it.claim_id.as_str());
    let is_known = |id: &str| known.contains_key(id) || wanted.contains(id);
    let is_same = known.values().all(is_wanted_or_over) && projection.released.iter().all(|it| is_known(&it.claim_id));
    let decisions = projection.wanted.iter().map(|it| unchanged_decision(it, known.get(&it.claim_id)?));
    is_same.then(|| decisions.collect()).flatten()
}

fn unchanged_decision(wanted: &Wanted, claim: &ClaimRow) -> Option<ClaimDecision> {
    match claim.state {
        _ if claim.agent_id != wanted.agent => None,
        ClaimState::Reserved | ClaimState::Engaged => {
            (updated(wanted, claim, 0) == *claim).then_some(ClaimDecision::Granted)
        }
        ClaimState::Expired => (wanted.occupied == Occupied::Reserved).then_some(ClaimDecision::Expired),
        ClaimState::Released | ClaimState::Refused => Some(ClaimDecision::Refused(claim.reason)),
    }
}
