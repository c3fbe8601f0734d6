//! A match pass proposes free agents to the interactions that have waited longest.
//!
//! Presence is asked once for each team and queue, without regard to skip lists: those are applied here. If no agent is free, the pass is
//! over; otherwise waits are read, in the order of their queue positions over all teams and queues of the pass (by priority; A6), until each free agent is
//! proposed or no wait is left that may have them. So the cost of a pass depends on the number of free agents, and not on the
//! number of waits.
//!
//! Such a pass can't find out that *all* agents whom a wait does not skip are gone. Presence is asked that for each wait by itself:
//! when the wait comes, and then by the scans, some waits in each.

use std::collections::HashMap;
use std::sync::Arc;

use baton_api::common::v1::{Medium, Reason};
use baton_api::transfer::v1::ProposalFact;
use baton_runtime::auth::TenantId;
use baton_store::change;
use tokio::sync::MutexGuard;
use tonic::Status;
use uuid::Uuid;

use crate::core::RoutingCore;
use crate::pool_rules::{Candidates, PoolRules};
use crate::queue_worker::QueueWorker;
use crate::store::served;
use crate::store::waits::{self, StoredWait, WaitPool, WaitRow, WaitState};
use crate::team_queue::TeamQueue;

/// One pass over a tenant's waits. It keeps the worker's lock.
pub(crate) struct MatchPass<'a> {
    core: &'a RoutingCore,
    tenant: &'a TenantId,
    worker: &'a QueueWorker,
    /// The interaction whose request this pass serves: its answer is the response, and is not reported as well.
    asking: Option<&'a str>,
    _matching: MutexGuard<'a, ()>,
}

impl<'a> MatchPass<'a> {
    /// Waits until no other pass runs.
    pub(crate) async fn begin(
        core: &'a RoutingCore,
        tenant: &'a TenantId,
        worker: &'a QueueWorker,
        asking: Option<&'a str>,
    ) -> Self {
        Self { core, tenant, worker, asking, _matching: worker.matching.lock().await }
    }

    /// Proposes the free agents of these teams and queues.
    pub(crate) async fn propose(&self, pools: &[WaitPool]) -> Result<(), Status> {
        let mut pools = pools.to_vec();
        while !pools.is_empty() {
            let mut queues = Vec::with_capacity(pools.len());
            for pool in pools.drain(..) {
                let rules = self.rules(pool).await?;
                let has_chats = waits::has_chats(&mut self.core.db.read().await?, self.tenant, pool).await?;
                if has_chats {
                    let of_chats = rules.clone().of(Medium::Chat);
                    let candidates = self.candidates(&of_chats).await?;
                    queues.push(TeamQueue::new(of_chats, candidates));
                }
                let candidates = self.candidates(&rules).await?;
                queues.push(TeamQueue::new(rules, candidates));
            }
            while let Some((row, rules, candidates)) = self.next(&mut queues, &mut pools).await? {
                self.decide(&row, &rules, &candidates).await?;
            }
        }
        Ok(())
    }

    async fn rules(&self, pool: WaitPool) -> Result<PoolRules, Status> {
        let mut reader = self.core.db.read().await?;
        Ok(PoolRules::read(&mut reader, self.tenant, pool, self.core.clock.now_us()).await?)
    }

    /// The available agents of a team or queue who are not held off.
    async fn candidates(&self, rules: &PoolRules) -> Result<Candidates, Status> {
        let held_off = self.worker.hold_off().agents(self.core.clock.now_us());
        let mut candidates = self.asked(rules, &held_off).await?;
        if rules.nobody(&candidates).is_some() && !held_off.is_empty() {
            // An agent who is held off counts as left, and as signed in; a team without members has none left.
            let all = self.asked(rules, &[]).await?.found;
            (candidates.found.anybody_left, candidates.found.signed_in) = (all.anybody_left, all.signed_in);
        }
        Ok(candidates)
    }

    /// Asks presence; a queue that is closed has nobody.
    async fn asked(&self, rules: &PoolRules, skip: &[String]) -> Result<Candidates, Status> {
        if rules.is_closed() {
            return Ok(Candidates::default());
        }
        let presence = &self.core.presence;
        let mut found = presence.candidates(self.tenant, &rules.asked, skip).await?;
        rules.order(&mut found);
        let all_signed_in = if found.signed_in > 0 || skip.is_empty() || matches!(rules.pool, WaitPool::Team(_)) {
            found.signed_in
        } else {
            presence.candidates(self.tenant, &rules.asked, &[]).await?.signed_in
        };
        Ok(Candidates { found, all_signed_in })
    }

    /// Answers each of these waits with a request to presence of its own, or one for all that skip the same agents.
    pub(crate) async fn propose_individually(&self, rows: Vec<WaitRow>) -> Result<(), Status> {
        let mut known: HashMap<(WaitPool, i32, Vec<String>), (PoolRules, Candidates)> = HashMap::new();
        for row in rows {
            let Some(StoredWait { pool, skip, medium, .. }) = &row.wait else { continue };
            let question = (*pool, i32::from(*medium), skip.clone());
            if !known.contains_key(&question) {
                let rules = self.rules(*pool).await?.of(*medium);
                let candidates = self.asked(&rules, skip).await?;
                known.insert(question.clone(), (rules, candidates));
            }
            if let Some((rules, candidates)) = known.get(&question) {
                self.decide(&row, rules, candidates).await?;
            }
        }
        Ok(())
    }

    /// The first wait among those that can be answered. Pools that may have more agents are added to `more`, to be asked again.
    async fn next(
        &self,
        queues: &mut Vec<TeamQueue>,
        more: &mut Vec<WaitPool>,
    ) -> Result<Option<(WaitRow, Arc<PoolRules>, Arc<Candidates>)>, Status> {
        let mut reader = self.core.db.read().await?;
        let mut first: Option<(waits::QueuePosition, usize)> = None;
        let is_done = |queue: &mut TeamQueue| !queue.is_answerable(|agent_id| self.is_free(agent_id));
        more.extend(queues.extract_if(.., is_done).filter(TeamQueue::may_have_more).map(|queue| queue.rules.pool));
        for (at, queue) in queues.iter_mut().enumerate() {
            let position = queue.first_position(&mut reader, self.tenant).await?;
            first = first.into_iter().chain(position.map(|position| (position, at))).min();
        }
        let queue = first.and_then(|(_, at)| queues.get_mut(at));
        Ok(queue
            .and_then(|queue| Some((queue.rows.pop_front()?, Arc::clone(&queue.rules), Arc::clone(&queue.candidates)))))
    }

    fn is_free(&self, agent_id: &str) -> bool {
        !self.worker.hold_off().covers(agent_id, self.core.clock.now_us())
    }

    async fn decide(&self, row: &WaitRow, rules: &PoolRules, candidates: &Candidates) -> Result<(), Status> {
        let Some(wait) = &row.wait else { return Ok(()) };
        match decide(wait, rules, candidates, |agent_id| self.is_free(agent_id)) {
            Some(answer) => self.answer(row, rules, answer).await,
            None => Ok(()),
        }
    }

    async fn answer(
        &self,
        row: &WaitRow,
        rules: &PoolRules,
        (state, proposal): (WaitState, ProposalFact),
    ) -> Result<(), Status> {
        let interaction_id = &row.interaction_id;
        let is_asking = self.asking == Some(interaction_id.as_str());
        // The hold-off starts before the answer can be seen: the request that ends the round must find it.
        for agent in &proposal.agents {
            self.worker.hold_off().start(&agent.agent_id, interaction_id, self.core.clock.now_us());
        }
        let (answer, proposal, now_us) = ((state, &proposal), &proposal, self.core.clock.now_us());
        let is_valid = self.core.db.change(change!(|tx| {
            waits::lock(tx, self.tenant, interaction_id).await?;
            if rules.keeps_turns() {
                for agent in proposal.agents.iter().filter_map(|it| Uuid::try_parse(&it.agent_id).ok()) {
                    served::asked(tx, self.tenant, rules.pool.id(), agent, now_us).await?;
                }
            }
            waits::answer(tx, self.tenant, interaction_id, answer, is_asking).await
        }));
        if !is_valid.await? {
            for agent in &proposal.agents {
                self.worker.hold_off().lift(&agent.agent_id);
            }
        } else if !is_asking {
            self.core.unreported.notify_one();
        }
        Ok(())
    }
}

/// The answer to a wait; `None` if it has to go on waiting.
pub(crate) fn decide(
    wait: &StoredWait,
    rules: &PoolRules,
    candidates: &Candidates,
    is_free: impl Fn(&str) -> bool,
) -> Option<(WaitState, ProposalFact)> {
    let proposal = |agents, reason: Reason| ProposalFact { wait_id: wait.id.clone(), agents, reason: reason.into() };
    let wanted = candidates.found.agents.iter().filter(|it| !wait.skip.contains(&it.agent_id) && is_free(&it.agent_id));
    let wanted: Vec<_> = wanted.take(rules.at_once()).cloned().collect();
    if !wanted.is_empty() {
        return Some((WaitState::Proposed, proposal(wanted, Reason::Unspecified)));
    }
    rules.nobody(candidates).map(|reason| (WaitState::Exhausted, proposal(Vec::new(), reason)))
}

#[cfg(test)]
mod tests {
    use baton_api::common::v1::AgentRef;
    use baton_api::presence::v1::ListCandidatesResponse;

    use super::*;

    fn candidates(ids: &[&str], anybody_left: bool) -> Candidates {
        let agents = ids.iter().map(|it| AgentRef { agent_id: (*it).to_owned(), ..AgentRef::default() });
        let found =
            ListCandidatesResponse { agents: agents.collect(), anybody_left, ..ListCandidatesResponse::default() };
        Candidates { found, all_signed_in: 0 }
    }

    fn decided(skip: &[&str], candidates: &Candidates, held_off: &[&str]) -> Option<(WaitState, Vec<String>)> {
        let skip = skip.iter().map(|it| (*it).to_owned()).collect();
        let (pool, priority) = (WaitPool::Team(Uuid::nil()), waits::DEFAULT_PRIORITY);
        let wait = StoredWait { id: "w".to_owned(), pool, priority, skip, since_us: 0, medium: Medium::Voice };
        let (state, proposal) =
            decide(&wait, &PoolRules::of_team(Uuid::nil()), candidates, |it| !held_off.contains(&it))?;
        Some((state, proposal.agents.into_iter().map(|it| it.agent_id).collect()))
    }

    #[test]
    fn the_first_agent_who_is_neither_held_off_nor_skipped_is_proposed() {
        let both = candidates(&["ann", "bob"], true);
        let proposes = |it: &str| Some((WaitState::Proposed, vec![it.to_owned()]));
        assert_eq!(decided(&[], &both, &[]), proposes("ann"));
        assert_eq!(decided(&[], &both, &["ann"]), proposes("bob"));
        assert_eq!(decided(&["ann"], &both, &[]), proposes("bob"));
        assert_eq!(decided(&["ann"], &both, &["bob"]), None);
    }

    #[test]
    fn an_exhausted_team_is_an_answer_and_a_busy_one_is_none() {
        assert_eq!(decided(&[], &candidates(&[], true), &[]), None);
        assert_eq!(decided(&[], &candidates(&[], false), &[]), Some((WaitState::Exhausted, Vec::new())));
    }
}
