//! Makes the wait of one interaction the one that it wants, and answers it if an agent is free.

use std::sync::Arc;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::transfer::v1::ProposalFact;
use baton_runtime::auth::TenantId;
use baton_runtime::lifecycle;
use baton_store::{StoreError, change};
use tonic::Status;
use uuid::Uuid;

use crate::match_pass::MatchPass;
use crate::matcher::Matcher;
use crate::store::served::{self, ServedCall};
use crate::store::waits::{self, StoredWait, WaitRow, WaitState};

/// What an interaction waits for at one version.
#[derive(Debug, Clone)]
pub(crate) struct WaitProjection {
    pub(crate) tenant: TenantId,
    pub(crate) interaction_id: String,
    pub(crate) version: i64,
    pub(crate) wait: Option<StoredWait>,
    /// The queue in which the customer stands.
    pub(crate) stands_in: Option<Uuid>,
    /// The agents in the call whom queues have found.
    pub(crate) served: Vec<ServedCall>,
}

/// Returns the wait as it is stored afterwards.
pub(crate) async fn sync_wait(matcher: &Arc<Matcher>, projection: WaitProjection) -> Result<WaitRow, Status> {
    if let Some(known) = repeated(matcher, &projection).await? {
        return Ok(known);
    }
    let (stored, is_new) = store_detached(matcher, &projection).await?;
    if !is_new || stored.state != WaitState::Waiting {
        return Ok(stored);
    }
    if let Err(status) = match_immediately(matcher, &projection).await {
        // The wait is stored, and the next scan matches it.
        tracing::warn!(error = status.message(), "nobody could be proposed at once");
    }
    Ok(current(matcher, &projection).await?.filter(|it| it.version == projection.version).unwrap_or(stored))
}

/// The stored wait if the projection repeats it: a wait is repeated every few seconds, and costs only a read then.
async fn repeated(matcher: &Matcher, projection: &WaitProjection) -> Result<Option<WaitRow>, Status> {
    let known = current(matcher, projection).await?;
    Ok(known.filter(|it| it.version == projection.version && it.wait == projection.wait))
}

/// The wait as it is stored durably.
async fn current(matcher: &Matcher, projection: &WaitProjection) -> Result<Option<WaitRow>, StoreError> {
    let row =
        waits::look_up(&mut matcher.core.db.read().await?, &projection.tenant, &projection.interaction_id).await?;
    matcher.core.db.settled().await?;
    Ok(row)
}

/// In a task of its own: a caller that goes away half way must not leave a wait behind without a queue worker.
async fn store_detached(matcher: &Arc<Matcher>, projection: &WaitProjection) -> Result<(WaitRow, bool), Status> {
    let (this, projection, busy) = (Arc::clone(matcher), projection.clone(), matcher.core.clock.busy());
    let task = lifecycle::spawn(async move {
        let _busy = busy;
        store(&this, &projection).await
    });
    task.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a wait panicked");
        Err(ApiError::internal("The wait was not stored; the service's log says why.").into())
    })
}

/// `true` if the interaction waits for something else than before.
async fn store(matcher: &Arc<Matcher>, projection: &WaitProjection) -> Result<(WaitRow, bool), Status> {
    let WaitProjection { tenant, interaction_id, .. } = projection;
    let now_us = matcher.core.clock.now_us();
    let stored = matcher.core.db.change(change!(|tx| {
        waits::lock(tx, tenant, interaction_id).await?;
        let known = waits::get(tx, tenant, interaction_id).await?;
        let next = next_row(known.as_ref(), projection, now_us).ok_or_else(stale)?;
        waits::put(tx, tenant, &next, now_us).await?;
        served::sync(tx, tenant, interaction_id, &projection.served, now_us).await?;
        Ok::<_, Status>((known, next))
    }));
    let (known, next) = stored.await?;
    let worker = matcher.worker(tenant);
    let known = known.as_ref().and_then(|it| it.wait.as_ref());
    match &next.wait {
        None => worker.hold_off().wait_is_over(interaction_id, now_us),
        Some(_) if is_same_round(known, next.wait.as_ref()) => {}
        Some(wait) if worker.hold_off().asks_anew(interaction_id, &wait.skip, now_us) => worker.wake(),
        Some(_) => {}
    }
    worker.reschedule();
    let is_new = known != next.wait.as_ref();
    Ok((next, is_new))
}

/// Runs a pass over all waits for its team, so that a new wait does not overtake. (Between teams the queue worker's passes decide
/// the order.) A wait that skips agents and is not answered then asks presence whether any agent is left.
async fn match_immediately(matcher: &Arc<Matcher>, projection: &WaitProjection) -> Result<(), Status> {
    let Some(wait) = &projection.wait else { return Ok(()) };
    let worker = matcher.worker(&projection.tenant);
    let pass = MatchPass::begin(&matcher.core, &projection.tenant, &worker, Some(&projection.interaction_id)).await;
    pass.propose(&[wait.pool]).await?;
    if !wait.skip.is_empty() {
        let row = current(matcher, projection).await?.filter(|it| it.state == WaitState::Waiting);
        pass.propose_individually(row.into_iter().collect()).await?;
    }
    worker.reschedule();
    Ok(())
}

/// The row after this projection; `None` if the projection is older than the row.
pub(crate) fn next_row(known: Option<&WaitRow>, projection: &WaitProjection, now_us: i64) -> Option<WaitRow> {
    if known.is_some_and(|it| it.version > projection.version) {
        return None;
    }
    let answered = known.filter(|it| is_same_round(it.wait.as_ref(), projection.wait.as_ref()));
    let state = match (&projection.wait, answered) {
        (None, _) => WaitState::None,
        (Some(_), Some(answered)) => answered.state,
        (Some(_), None) => WaitState::Waiting,
    };
    // Whoever stands in a queue keeps their time in it; another one begins it by the place that is kept (A6).
    let stood = known.and_then(|it| it.stands_in).filter(|(queue, _)| projection.stands_in == Some(*queue));
    let since_us = projection.wait.as_ref().map_or(now_us, |it| it.since_us);
    Some(WaitRow {
        stands_in: stood.or(projection.stands_in.map(|queue| (queue, since_us))),
        interaction_id: projection.interaction_id.clone(),
        version: projection.version,
        state,
        wait: projection.wait.clone(),
        proposal: answered.map_or_else(ProposalFact::default, |it| it.proposal.clone()),
    })
}

/// An answer belongs to its wait id: it is repeated for the same one, and another one is answered anew.
pub(crate) fn is_same_round(known: Option<&StoredWait>, wanted: Option<&StoredWait>) -> bool {
    known.zip(wanted).is_some_and(|(known, wanted)| known.id == wanted.id)
}

pub(crate) fn stale() -> ApiError {
    let message = "A newer version of this wait was applied already. Load the interaction again.";
    ApiError::aborted(ErrorReason::Stale, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::waits::WaitPool;

    fn wants(version: i64, wait_id: Option<&str>) -> WaitProjection {
        WaitProjection {
            tenant: "acme".parse().unwrap(),
            interaction_id: "i1".to_owned(),
            version,
            wait: wait_id.map(|it| StoredWait {
                id: it.to_owned(),
                pool: WaitPool::Team(Uuid::nil()),
                priority: waits::DEFAULT_PRIORITY,
                skip: Vec::new(),
                since_us: version,
                medium: baton_api::common::v1::Medium::Voice,
            }),
            stands_in: None,
            served: Vec::new(),
        }
    }

    fn proposed() -> WaitRow {
        let proposal = ProposalFact { wait_id: "w1".to_owned(), agents: Vec::new(), ..ProposalFact::default() };
        WaitRow { state: WaitState::Proposed, proposal, ..next_row(None, &wants(2, Some("w1")), 0).unwrap() }
    }

    #[test]
    fn an_older_version_changes_nothing() {
        assert_eq!(next_row(Some(&proposed()), &wants(1, None), 0), None);
    }

    #[test]
    fn the_same_round_keeps_its_answer() {
        for version in [2, 3] {
            let next = next_row(Some(&proposed()), &wants(version, Some("w1")), 0).unwrap();
            assert_eq!((next.state, next.proposal), (WaitState::Proposed, proposed().proposal));
        }
    }

    #[test]
    fn another_round_is_answered_anew_and_the_end_of_the_wait_ends_it() {
        let next = next_row(Some(&proposed()), &wants(3, Some("w2")), 0).unwrap();
        assert_eq!((next.state, &next.proposal), (WaitState::Waiting, &ProposalFact::default()));
        let none = next_row(Some(&next), &wants(4, None), 0).unwrap();
        assert_eq!(none.state, WaitState::None);
        let back = next_row(Some(&none), &wants(5, Some("w2")), 0).unwrap();
        assert_eq!(back.state, WaitState::Waiting);
    }
}
