//! The wait of one interaction becomes what it wants, and is answered if it can be.

use std::sync::Arc;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::transfer::v1::ProposalFact;
use baton_runtime::auth::TenantId;
use baton_runtime::lifecycle;
use baton_store::StoreError;
use tonic::Status;

use crate::look::Look;
use crate::matcher::Matcher;
use crate::store::waits::{self, Wait, WaitRow, WaitState};

/// What an interaction wants.
#[derive(Debug, Clone)]
pub(crate) struct Projection {
    pub(crate) tenant: TenantId,
    pub(crate) interaction_id: String,
    pub(crate) version: i64,
    pub(crate) wait: Option<Wait>,
}

/// How its wait stands then.
pub(crate) async fn sync_wait(matcher: &Arc<Matcher>, projection: Projection) -> Result<WaitRow, Status> {
    if let Some(known) = repeated(matcher, &projection).await? {
        return Ok(known);
    }
    let (stored, is_new) = store_to_the_end(matcher, &projection).await?;
    if !is_new || stored.state != WaitState::Waiting {
        return Ok(stored);
    }
    if let Err(status) = match_at_once(matcher, &projection).await {
        // It waits, then; the next scan finds out.
        tracing::warn!(error = status.message(), "nobody could be proposed at once");
    }
    Ok(current(matcher, &projection).await?.filter(|it| it.version == projection.version).unwrap_or(stored))
}

/// The answer to what was said before in the same words: a wait is repeated every few seconds, and costs a read then.
async fn repeated(matcher: &Matcher, projection: &Projection) -> Result<Option<WaitRow>, Status> {
    let known = current(matcher, projection).await?;
    Ok(known.filter(|it| it.version == projection.version && it.wait == projection.wait))
}

/// The wait as it is now, and will be after a power cut.
async fn current(matcher: &Matcher, projection: &Projection) -> Result<Option<WaitRow>, StoreError> {
    let row =
        waits::look_up(&mut matcher.core.db.read().await?, &projection.tenant, &projection.interaction_id).await?;
    matcher.core.db.settled().await?;
    Ok(row)
}

/// In a task of its own: a caller who goes away half way must not leave a wait behind that no line knows of.
async fn store_to_the_end(matcher: &Arc<Matcher>, projection: &Projection) -> Result<(WaitRow, bool), Status> {
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

/// `true` if it waits for something else than before.
async fn store(matcher: &Arc<Matcher>, projection: &Projection) -> Result<(WaitRow, bool), Status> {
    let Projection { tenant, interaction_id, .. } = projection;
    let mut tx = matcher.core.db.begin().await?;
    let known = waits::get(&mut tx, tenant, interaction_id).await?;
    let next = follow(known.as_ref(), projection).ok_or_else(stale)?;
    let now_us = matcher.core.clock.now_us();
    waits::put(&mut tx, tenant, &next, now_us).await?;
    tx.commit().await?;
    let line = matcher.line(tenant);
    let known = known.as_ref().and_then(|it| it.wait.as_ref());
    match &next.wait {
        None => line.held().wait_is_over(interaction_id, now_us),
        Some(_) if is_same_round(known, next.wait.as_ref()) => {}
        Some(wait) if line.held().asks_anew(interaction_id, &wait.skip, now_us) => line.wake(),
        Some(_) => {}
    }
    line.joined();
    let is_new = known != next.wait.as_ref();
    Ok((next, is_new))
}

/// Its team is looked at for all who wait there: a newcomer does not overtake. (Between teams the order is the line's.) Who
/// skips somebody and gets nobody asks whether anybody is left.
async fn match_at_once(matcher: &Arc<Matcher>, projection: &Projection) -> Result<(), Status> {
    let Some(wait) = &projection.wait else { return Ok(()) };
    let line = matcher.line(&projection.tenant);
    let look = Look::begin(&matcher.core, &projection.tenant, &line, Some(&projection.interaction_id)).await;
    look.propose(&[wait.team]).await?;
    if !wait.skip.is_empty() {
        let row = current(matcher, projection).await?.filter(|it| it.state == WaitState::Waiting);
        look.ask(row.into_iter().collect()).await?;
    }
    line.joined();
    Ok(())
}

/// The wait after this projection; `None` if it is older than what was seen.
fn follow(known: Option<&WaitRow>, projection: &Projection) -> Option<WaitRow> {
    if known.is_some_and(|it| it.version > projection.version) {
        return None;
    }
    let answered = known.filter(|it| is_same_round(it.wait.as_ref(), projection.wait.as_ref()));
    let state = match (&projection.wait, answered) {
        (None, _) => WaitState::None,
        (Some(_), Some(answered)) => answered.state,
        (Some(_), None) => WaitState::Waiting,
    };
    Some(WaitRow {
        interaction_id: projection.interaction_id.clone(),
        version: projection.version,
        state,
        wait: projection.wait.clone(),
        proposal: answered.map_or_else(ProposalFact::default, |it| it.proposal.clone()),
    })
}

/// The answer belongs to the wait id: it is repeated under the same one, and asked for anew under another.
fn is_same_round(known: Option<&Wait>, wanted: Option<&Wait>) -> bool {
    known.zip(wanted).is_some_and(|(known, wanted)| known.id == wanted.id)
}

fn stale() -> Status {
    let message = "A newer version of this wait was applied already. Load the interaction again.";
    ApiError::aborted(ErrorReason::Stale, message).into()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn wants(version: i64, wait_id: Option<&str>) -> Projection {
        Projection {
            tenant: "acme".parse().unwrap(),
            interaction_id: "i1".to_owned(),
            version,
            wait: wait_id.map(|it| Wait { id: it.to_owned(), team: Uuid::nil(), skip: Vec::new(), since_us: version }),
        }
    }

    fn proposed() -> WaitRow {
        let proposal = ProposalFact { wait_id: "w1".to_owned(), agents: Vec::new() };
        WaitRow { state: WaitState::Proposed, proposal, ..follow(None, &wants(2, Some("w1"))).unwrap() }
    }

    #[test]
    fn an_older_version_changes_nothing() {
        assert_eq!(follow(Some(&proposed()), &wants(1, None)), None);
    }

    #[test]
    fn the_same_round_keeps_its_answer() {
        for version in [2, 3] {
            let next = follow(Some(&proposed()), &wants(version, Some("w1"))).unwrap();
            assert_eq!((next.state, next.proposal), (WaitState::Proposed, proposed().proposal));
        }
    }

    #[test]
    fn another_round_asks_anew_and_nothing_ends_it() {
        let next = follow(Some(&proposed()), &wants(3, Some("w2"))).unwrap();
        assert_eq!((next.state, &next.proposal), (WaitState::Waiting, &ProposalFact::default()));
        let none = follow(Some(&next), &wants(4, None)).unwrap();
        assert_eq!(none.state, WaitState::None);
        let back = follow(Some(&none), &wants(5, Some("w2"))).unwrap();
        assert_eq!(back.state, WaitState::Waiting);
    }
}
