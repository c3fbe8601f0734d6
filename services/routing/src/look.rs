//! A look at who waits: whoever is free is proposed to who waits longest.
//!
//! Presence is asked once for each team, whatever its waits want to skip: that is left out here. Nobody free is the end of the
//! look; otherwise waits are read, in the order of their places over all teams that are looked at (A6), until everybody is
//! proposed or nobody is left who wants them. So the cost of a look follows from who is free, and not from how many wait.
//!
//! What that can't say is that *everybody* whom a wait does not skip is gone. This is asked for each wait by itself: when it
//! comes, and then in turn by the scans.

use std::collections::HashMap;
use std::sync::Arc;

use baton_api::presence::v1::ListCandidatesResponse;
use baton_api::transfer::v1::ProposalFact;
use baton_runtime::auth::TenantId;
use tokio::sync::MutexGuard;
use tonic::Status;
use uuid::Uuid;

use crate::core::Core;
use crate::line::Line;
use crate::queue::Queue;
use crate::store::waits::{self, Wait, WaitRow, WaitState};

/// The turn of one look in a tenant's line.
pub(crate) struct Look<'a> {
    core: &'a Core,
    tenant: &'a TenantId,
    line: &'a Line,
    /// The interaction that asks just now: its answer goes back to it, and is not reported beside that.
    asking: Option<&'a str>,
    _turn: MutexGuard<'a, ()>,
}

impl<'a> Look<'a> {
    /// Waits for the turn.
    pub(crate) async fn begin(core: &'a Core, tenant: &'a TenantId, line: &'a Line, asking: Option<&'a str>) -> Self {
        Self { core, tenant, line, asking, _turn: line.turn.lock().await }
    }

    /// Proposes who is free in these teams.
    pub(crate) async fn propose(&self, teams: &[Uuid]) -> Result<(), Status> {
        let mut teams = teams.to_vec();
        while !teams.is_empty() {
            let mut queues = Vec::with_capacity(teams.len());
            for team in teams.drain(..) {
                queues.push(Queue::new(team, self.candidates(team).await?));
            }
            while let Some((row, candidates)) = self.next(&mut queues, &mut teams).await? {
                self.decide(&row, &candidates).await?;
            }
        }
        Ok(())
    }

    /// Who of a team can be had and is not held.
    async fn candidates(&self, team: Uuid) -> Result<ListCandidatesResponse, Status> {
        let held = self.line.held().agents(self.core.clock.now_us());
        let mut candidates = self.core.people.candidates(self.tenant, team, &held).await?;
        if !candidates.anybody_left && !held.is_empty() {
            // Who is held is left; a team that has nobody is not.
            candidates.anybody_left = self.core.people.candidates(self.tenant, team, &[]).await?.anybody_left;
        }
        Ok(candidates)
    }

    /// Asks for each of these by itself.
    pub(crate) async fn ask(&self, rows: Vec<WaitRow>) -> Result<(), Status> {
        let mut known: HashMap<(Uuid, Vec<String>), ListCandidatesResponse> = HashMap::new();
        for row in rows {
            let Some(Wait { team, skip, .. }) = &row.wait else { continue };
            let question = (*team, skip.clone());
            if !known.contains_key(&question) {
                let candidates = self.core.people.candidates(self.tenant, *team, skip).await?;
                known.insert(question.clone(), candidates);
            }
            if let Some(candidates) = known.get(&question) {
                self.decide(&row, candidates).await?;
            }
        }
        Ok(())
    }

    /// Who waits longest among all for whom there is something to say. Teams that may have `more` agents are asked for again.
    async fn next(
        &self,
        queues: &mut Vec<Queue>,
        more: &mut Vec<Uuid>,
    ) -> Result<Option<(WaitRow, Arc<ListCandidatesResponse>)>, Status> {
        let mut reader = self.core.db.read().await?;
        let mut first: Option<(waits::Place, usize)> = None;
        let is_done = |queue: &mut Queue| !queue.says_something(|agent_id| self.is_free(agent_id));
        more.extend(queues.extract_if(.., is_done).filter(Queue::is_cut).map(|queue| queue.team));
        for (at, queue) in queues.iter_mut().enumerate() {
            let place = queue.first(&mut reader, self.tenant).await?;
            first = first.into_iter().chain(place.map(|place| (place, at))).min();
        }
        let queue = first.and_then(|(_, at)| queues.get_mut(at));
        Ok(queue.and_then(|queue| Some((queue.rows.pop_front()?, Arc::clone(&queue.candidates)))))
    }

    fn is_free(&self, agent_id: &str) -> bool {
        !self.line.held().is_held(agent_id, self.core.clock.now_us())
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
        // Held before the answer can be seen: what ends the round must find whom to let go.
        for agent in &proposal.agents {
            self.line.held().hold(&agent.agent_id, interaction_id, self.core.clock.now_us());
        }
        let mut tx = self.core.db.begin().await?;
        let is_valid = waits::answer(&mut tx, self.tenant, interaction_id, (state, &proposal), is_asking).await?;
        tx.commit().await?;
        if !is_valid {
            for agent in &proposal.agents {
                self.line.held().free(&agent.agent_id);
            }
        } else if !is_asking {
            self.core.unreported.notify_one();
        }
        Ok(())
    }
}

/// What a wait is answered, if anything can be said yet.
fn decide(
    wait: &Wait,
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

    fn decided(skip: &[&str], candidates: &ListCandidatesResponse, held: &[&str]) -> Option<(WaitState, Vec<String>)> {
        let skip = skip.iter().map(|it| (*it).to_owned()).collect();
        let wait = Wait { id: "w".to_owned(), team: Uuid::nil(), skip, since_us: 0 };
        let (state, proposal) = decide(&wait, candidates, |it| !held.contains(&it))?;
        Some((state, proposal.agents.into_iter().map(|it| it.agent_id).collect()))
    }

    #[test]
    fn the_first_who_is_neither_held_nor_skipped_is_proposed() {
        let both = candidates(&["ann", "bob"], true);
        let proposes = |it: &str| Some((WaitState::Proposed, vec![it.to_owned()]));
        assert_eq!(decided(&[], &both, &[]), proposes("ann"));
        assert_eq!(decided(&[], &both, &["ann"]), proposes("bob"));
        assert_eq!(decided(&["ann"], &both, &[]), proposes("bob"));
        assert_eq!(decided(&["ann"], &both, &["bob"]), None);
    }

    #[test]
    fn nobody_left_is_an_answer_and_nobody_free_is_none() {
        assert_eq!(decided(&[], &candidates(&[], true), &[]), None);
        assert_eq!(decided(&[], &candidates(&[], false), &[]), Some((WaitState::Exhausted, Vec::new())));
    }
}
