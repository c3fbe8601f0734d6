//! The wait of one interaction becomes what it wants, and is answered if it can be.

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::transfer::v1::ProposalFact;
use baton_runtime::auth::TenantId;
use tonic::Status;

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
pub(crate) async fn sync_wait(matcher: &Matcher, projection: Projection) -> Result<WaitRow, Status> {
    let Projection { tenant, interaction_id, .. } = &projection;
    let stored = store(matcher, &projection).await?;
    if stored.state != WaitState::Waiting {
        return Ok(stored);
    }
    if let Err(status) = matcher.match_tenant(tenant, Some(interaction_id)).await {
        // It waits, then; the next pass finds out.
        tracing::warn!(error = status.message(), "nobody could be proposed at once");
    }
    let mut tx = matcher.db.begin().await?;
    let row = waits::get(&mut tx, tenant, interaction_id).await?;
    tx.rollback().await?;
    let row = row.filter(|it| it.version == projection.version).unwrap_or(stored);
    if row.state == WaitState::Waiting {
        matcher.wake();
    }
    Ok(row)
}

async fn store(matcher: &Matcher, projection: &Projection) -> Result<WaitRow, Status> {
    let mut tx = matcher.db.begin().await?;
    let known = waits::get(&mut tx, &projection.tenant, &projection.interaction_id).await?;
    let next = follow(known.as_ref(), projection).ok_or_else(stale)?;
    if known.as_ref() != Some(&next) {
        waits::put(&mut tx, &projection.tenant, &next, matcher.clock.now_us()).await?;
    }
    tx.commit().await?;
    Ok(next)
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
