//! A match pass proposes free agents to the interactions that have waited longest.
//!
//! Presence is asked once for each team, without regard to skip lists: those are applied here. If no agent is free, the pass is
//! over; otherwise waits are read, in the order of their queue positions over all teams of the pass (A6), until each free agent is
//! proposed or no wait is left that may have them. So the cost of a pass depends on the number of free agents, and not on the
//! number of waits.
//!
//! Such a pass can't find out that *all* agents whom a wait does not skip are gone. Presence is asked that for each wait by itself:
//! when the wait comes, and then by the scans, some waits in each.

use std::collections::HashMap;
use std::sync::Arc;

use baton_api::common::v1::Medium;
use baton_api::presence::v1::ListCandidatesResponse;
use baton_api::transfer::v1::ProposalFact;
use baton_runtime::auth::TenantId;
use baton_store::change;
use tokio::sync::MutexGuard;
use tonic::Status;
use uuid::Uuid;

use crate::core::RoutingCore;
use crate::queue_worker::QueueWorker;
use crate::store::waits::{self, StoredWait, WaitRow, WaitState};
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

    /// Proposes the free agents of these teams.
    pub(crate) async fn propose(&self, teams: &[Uuid]) -> Result<(), Status> {
        let mut teams = teams.to_vec();
        while !teams.is_empty() {
            let mut queues = Vec::with_capacity(teams.len());
            for team in teams.drain(..) {
                queues.push(TeamQueue::new((team, Medium::Voice), self.candidates(team, Medium::Voice).await?));
                if waits::has_chats(&mut self.core.db.read().await?, self.tenant, team).await? {
                    queues.push(TeamQueue::new((team, Medium::Chat), self.candidates(team, Medium::Chat).await?));
                }
            }
            while let Some((row, candidates)) = self.next(&mut queues, &mut teams).await? {
                self.decide(&row, &candidates).await?;
            }
        }
        Ok(())
    }

    /// The agents of a team who have room for one more of this medium, and are not held off.
    async fn candidates(&self, team: Uuid, medium: Medium) -> Result<ListCandidatesResponse, Status> {
        let held_off = self.worker.hold_off().agents(self.core.clock.now_us());
        let mut candidates = self.core.presence.candidates(self.tenant, (team, medium), &held_off).await?;
        if !candidates.anybody_left && !held_off.is_empty() {
            // An agent who is held off counts as left; a team without members has none left.
            candidates.anybody_left =
                self.core.presence.candidates(self.tenant, (team, medium), &[]).await?.anybody_left;
        }
        Ok(candidates)
    }

    /// Answers each of these waits with a request to presence of its own, or one for all that skip the same agents.
    pub(crate) async fn propose_individually(&self, rows: Vec<WaitRow>) -> Result<(), Status> {
        let mut known: HashMap<(Uuid, Medium, Vec<String>), ListCandidatesResponse> = HashMap::new();
        for row in rows {
            let Some(StoredWait { team, skip, medium, .. }) = &row.wait else { continue };
            let question = (*team, *medium, skip.clone());
            if !known.contains_key(&question) {
                let candidates = self.core.presence.candidates(self.tenant, (*team, *medium), skip).await?;
                known.insert(question.clone(), candidates);
            }
            if let Some(candidates) = known.get(&question) {
                self.decide(&row, candidates).await?;
            }
        }
        Ok(())
    }

    /// The longest wait among those that can be answered. Teams that may have more agents are added to `more`, to be asked again.
    async fn next(
        &self,
        queues: &mut Vec<TeamQueue>,
        more: &mut Vec<Uuid>,
    ) -> Result<Option<(WaitRow, Arc<ListCandidatesResponse>)>, Status> {
        let mut reader = self.core.db.read().await?;
        let mut first: Option<(waits::QueuePosition, usize)> = None;
        let is_done = |queue: &mut TeamQueue| !queue.is_answerable(|agent_id| self.is_free(agent_id));
        more.extend(queues.extract_if(.., is_done).filter(TeamQueue::may_have_more).map(|queue| queue.team));
        for (at, queue) in queues.iter_mut().enumerate() {
            let position = queue.first_position(&mut reader, self.tenant).await?;
            first = first.into_iter().chain(position.map(|position| (position, at))).min();
        }
        let queue = first.and_then(|(_, at)| queues.get_mut(at));
        Ok(queue.and_then(|queue| Some((queue.rows.pop_front()?, Arc::clone(&queue.candidates)))))
    }

    fn is_free(&self, agent_id: &str) -> bool {
        !self.worker.hold_off().covers(agent_id, self.core.clock.now_us())
    }

    async fn decide(&self, row: &WaitRow, candidates: &ListCandidatesResponse) -> Result<(), Status> {
        let Some(wait) = &row.wait else { return Ok(()) };
        match decide(wait, candidates, |agent_id| self.is_free(agent_id)) {
            Some(answer) => self.answer(row, answer).await,
            None => Ok(()),
        }
    }

    async fn answer(&self, row: &WaitRow, (state, proposal): (WaitState, ProposalFact)) -> Result<(), Status> {
        let interaction_id = &row.interaction_id;
        let is_asking = self.asking == Some(interaction_id.as_str());
        // The hold-off starts before the answer can be seen: the request that ends the round must find it.
        for agent in &proposal.agents {
            self.worker.hold_off().start(&agent.agent_id, interaction_id, self.core.clock.now_us());
        }
        let answer = (state, &proposal);
        let is_valid = self.core.db.change(change!(|tx| {
            waits::lock(tx, self.tenant, interaction_id).await?;
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
fn decide(
    wait: &StoredWait,
    candidates: &ListCandidatesResponse,
    is_free: impl Fn(&str) -> bool,
) -> Option<(WaitState, ProposalFact)> {
    let proposal = |agents| ProposalFact { wait_id: wait.id.clone(), agents };
    let mut wanted = candidates.agents.iter().filter(|it| !wait.skip.contains(&it.agent_id));
    if let Some(agent) = wanted.find(|it| is_free(&it.agent_id)) {
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

    fn decided(
        skip: &[&str],
        candidates: &ListCandidatesResponse,
        held_off: &[&str],
    ) -> Option<(WaitState, Vec<String>)> {
        let skip = skip.iter().map(|it| (*it).to_owned()).collect();
        let wait = StoredWait { id: "w".to_owned(), team: Uuid::nil(), skip, since_us: 0, medium: Medium::Voice };
        let (state, proposal) = decide(&wait, candidates, |it| !held_off.contains(&it))?;
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
