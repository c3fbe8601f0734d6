//! Who waits meets who is free.
//!
//! A pass over a tenant goes through its waits in the order of their places (A6) and proposes to each the agent of its team
//! who has been idle longest (B606, the first strategy). It runs at once for a new wait, whenever presence says that
//! somebody became available, and every second behind that while anybody waits. A proposal is only that: the interaction
//! asks presence for the claim, and comes back with a new wait id and a longer skip list if it does not get it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use baton_api::presence::v1::ListCandidatesResponse;
use baton_api::transfer::v1::ProposalFact;
use baton_runtime::Clock;
use baton_runtime::auth::TenantId;
use baton_runtime::client::Backoff;
use baton_runtime::lifecycle::Lifecycle;
use baton_store::Db;
use tokio::sync::{Mutex, Notify};
use tonic::Status;
use uuid::Uuid;

use crate::held::Held;
use crate::people::People;
use crate::store::waits::{self, Wait, WaitRow, WaitState};

/// Waits that one pass looks at in one tenant.
const MAX_WAITS: i64 = 1_000;

/// Everything that the passes share.
pub(crate) struct Matcher {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) people: People,
    pub(crate) rescan: Duration,
    /// Somebody may be free, or somebody new waits.
    wake: Notify,
    /// There are answers that the transfer service does not know.
    pub(crate) unreported: Notify,
    /// One pass at a time; who was just proposed.
    turn: Mutex<Held>,
}

/// What candidates depend on.
type Question = (Uuid, Vec<String>);

impl Matcher {
    pub(crate) fn new(db: Db, clock: Clock, people: People, rescan: Duration) -> Self {
        Self { db, clock, people, rescan, wake: Notify::new(), unreported: Notify::new(), turn: Mutex::default() }
    }

    /// Looks again soon.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Runs until the service stops. While nobody waits, nothing does.
    pub(crate) async fn run(self: Arc<Self>, lifecycle: Lifecycle) {
        loop {
            let somebody_waits = self.pass().await.unwrap_or_else(|status| {
                tracing::warn!(error = status.message(), "waits could not be looked at; trying again soon");
                true
            });
            tokio::select! {
                () = lifecycle.stopping() => return,
                () = self.wake.notified() => {}
                () = self.clock.sleep(self.rescan), if somebody_waits => {}
            }
        }
    }

    /// All tenants. `true` if somebody waits.
    async fn pass(&self) -> Result<bool, Status> {
        let _busy = self.clock.busy();
        let tenants = waits::waiting_tenants(&mut self.db.read().await?).await?;
        for tenant in &tenants {
            self.match_tenant(tenant, None).await?;
        }
        Ok(!tenants.is_empty())
    }

    /// One tenant. The answer for the interaction that asks just now goes back to it, and is not reported beside that.
    pub(crate) async fn match_tenant(&self, tenant: &TenantId, asking: Option<&str>) -> Result<(), Status> {
        let mut held = self.turn.lock().await;
        let mut known: HashMap<Question, ListCandidatesResponse> = HashMap::new();
        let rows = waits::waiting(&mut self.db.read().await?, tenant, MAX_WAITS).await?;
        for row in rows {
            let Some(wait) = &row.wait else { continue };
            let question = (wait.team, wait.skip.clone());
            if !known.contains_key(&question) {
                let candidates = self.people.candidates(tenant, wait).await?;
                known.insert(question.clone(), candidates);
            }
            let Some(candidates) = known.get(&question) else { continue };
            let now_us = self.clock.now_us();
            let is_free = |agent_id: &str| !held.is_held(tenant, agent_id, now_us);
            if let Some((state, proposal)) = decide(wait, candidates, is_free) {
                let is_asking = asking == Some(row.interaction_id.as_str());
                if self.answer(tenant, &row, (state, &proposal), is_asking).await? {
                    for agent in &proposal.agents {
                        held.hold(tenant, &agent.agent_id, now_us);
                    }
                }
            }
        }
        Ok(())
    }

    async fn answer(
        &self,
        tenant: &TenantId,
        row: &WaitRow,
        answer: (WaitState, &ProposalFact),
        is_asking: bool,
    ) -> Result<bool, Status> {
        let mut tx = self.db.begin().await?;
        let is_valid = waits::answer(&mut tx, tenant, &row.interaction_id, answer, is_asking).await?;
        tx.commit().await?;
        if is_valid && !is_asking {
            self.unreported.notify_one();
        }
        Ok(is_valid)
    }

    /// Listens to presence, and looks again whenever somebody became available. Runs until the service stops.
    pub(crate) async fn listen(self: Arc<Self>, lifecycle: Lifecycle) {
        let stopping = lifecycle.soft();
        let backoff = Backoff::default();
        let mut failures = 0;
        loop {
            let heard = stopping.run_until_cancelled(self.hear()).await;
            let Some(was_heard) = heard else { return };
            failures = if was_heard { 1 } else { failures + 1 };
            let pause = self.clock.sleep(backoff.pause(failures));
            if stopping.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// One connection to presence. `true` if it said anything before it ended.
    async fn hear(&self) -> bool {
        let Ok(mut changes) = self.people.watch().await else { return false };
        let mut was_heard = false;
        while let Ok(Some(_)) = changes.message().await {
            was_heard = true;
            self.wake();
        }
        was_heard
    }
}

/// What a wait is answered, if anything can be said yet.
fn decide(
    wait: &Wait,
    candidates: &ListCandidatesResponse,
    is_free: impl Fn(&str) -> bool,
) -> Option<(WaitState, ProposalFact)> {
    let proposal = |agents| ProposalFact { wait_id: wait.id.clone(), agents };
    if let Some(agent) = candidates.agents.iter().find(|it| is_free(&it.agent_id)) {
        return Some((WaitState::Proposed, proposal(vec![agent.clone()])));
    }
    (!candidates.anybody_left).then(|| (WaitState::Exhausted, proposal(Vec::new())))
}

#[cfg(test)]
mod tests {
    use baton_api::common::v1::AgentRef;

    use super::*;

    fn candidates(ids: &[&str], anybody_left: bool) -> ListCandidatesResponse {
        let agents = ids.iter().map(|it| AgentRef { agent_id: (*it).to_owned(), ..AgentRef::default() });
        ListCandidatesResponse { agents: agents.collect(), anybody_left }
    }

    fn decided(candidates: &ListCandidatesResponse, held: &[&str]) -> Option<(WaitState, Vec<String>)> {
        let wait = Wait { id: "w".to_owned(), team: Uuid::nil(), skip: Vec::new(), since_us: 0 };
        let (state, proposal) = decide(&wait, candidates, |it| !held.contains(&it))?;
        Some((state, proposal.agents.into_iter().map(|it| it.agent_id).collect()))
    }

    #[test]
    fn the_first_who_is_not_held_is_proposed() {
        let both = candidates(&["ann", "bob"], true);
        assert_eq!(decided(&both, &[]), Some((WaitState::Proposed, vec!["ann".to_owned()])));
        assert_eq!(decided(&both, &["ann"]), Some((WaitState::Proposed, vec!["bob".to_owned()])));
        assert_eq!(decided(&both, &["ann", "bob"]), None);
    }

    #[test]
    fn nobody_left_is_an_answer_and_nobody_free_is_none() {
        assert_eq!(decided(&candidates(&[], true), &[]), None);
        assert_eq!(decided(&candidates(&[], false), &[]), Some((WaitState::Exhausted, Vec::new())));
    }
}
