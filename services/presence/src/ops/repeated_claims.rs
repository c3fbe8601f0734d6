//! A projection that changes nothing: the claims of each live interaction are repeated every few seconds, and cost two reads
//! then, no turn of the writer and no sync of the disk.

use std::collections::BTreeSet;

use baton_store::StoreError;

use crate::core::Core;
use crate::projection::{Known, Projection, Verdict, Wanted, kept, known};
use crate::state::Taken;
use crate::store::claims::{self, ClaimRow, ClaimState};
use crate::store::versions;

/// How the claims stand; `None` if anything may have to change, which only the writer can say.
pub(super) async fn answer(core: &Core, projection: &Projection) -> Result<Option<Vec<Verdict>>, StoreError> {
    let Projection { tenant, interaction_id, .. } = projection;
    let mut reader = core.db.read().await?;
    let known = known(claims::look_up(&mut reader, tenant, interaction_id).await?);
    // Read last: if a newer version came meanwhile, it is seen here.
    let version = versions::newest(&mut reader, tenant, interaction_id).await?;
    drop(reader);
    let Some(verdicts) = unchanged(projection, &known).filter(|_| version == Some(projection.version)) else {
        return Ok(None);
    };
    core.db.settled().await?;
    Ok(Some(verdicts))
}

fn unchanged(projection: &Projection, known: &Known) -> Option<Vec<Verdict>> {
    let wanted: BTreeSet<&str> = projection.wanted.iter().map(|it| it.claim_id.as_str()).collect();
    let is_held = |it: &ClaimRow| !it.state.is_active() || wanted.contains(it.claim_id.as_str());
    let is_known = |id: &str| known.contains_key(id) || wanted.contains(id);
    let is_same = known.values().all(is_held) && projection.released.iter().all(|it| is_known(&it.claim_id));
    let verdicts = projection.wanted.iter().map(|it| stands(it, known.get(&it.claim_id)?));
    is_same.then(|| verdicts.collect()).flatten()
}

fn stands(wanted: &Wanted, claim: &ClaimRow) -> Option<Verdict> {
    match claim.state {
        _ if claim.agent_id != wanted.agent => None,
        ClaimState::Reserved | ClaimState::Engaged => (kept(wanted, claim, 0) == *claim).then_some(Verdict::Granted),
        ClaimState::Expired => (wanted.taken == Taken::Reserved).then_some(Verdict::Expired),
        ClaimState::Released | ClaimState::Refused => Some(Verdict::Refused(claim.reason)),
    }
}
