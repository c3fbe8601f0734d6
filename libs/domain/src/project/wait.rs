//! The wait: in which queue, or for whom of which team the interaction waits.

use crate::{
    actor::Target,
    interaction::{Interaction, Party},
    machine::Round,
    queue::{FromQueue, Pool},
};
use baton_words::{AgentId, QueueId, WaitNo};
use smallvec::SmallVec;

/// The priority of whoever waits for a team: that of a queue which says nothing else.
pub const TEAM_PRIORITY: u8 = 5;

/// What an interaction wants of routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// One round of waiting.
    pub wait: WaitNo,
    pub pool: Pool,
    /// Whose is higher is served first.
    pub priority: u8,
    /// Who is not to be proposed: who declined or did not answer, and who is in it already.
    pub skip: SmallVec<[AgentId; 4]>,
    /// The place in the queue (A6).
    pub since_us: i64,
}

/// All that routing has to know of an interaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queueing {
    pub wait: Option<Wait>,
    /// The queue in which the customer still stands, while somebody is asked or nobody can be.
    pub stands_in: Option<QueueId>,
    /// The agents in the call whom queues have found.
    pub served: SmallVec<[Served; 1]>,
}

/// An agent whom a queue has found, while they are in the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    pub agent: AgentId,
    pub from: FromQueue,
    /// When they answered.
    pub since_us: i64,
}

/// The wait of this state.
pub fn wait(i: &Interaction) -> Option<Wait> {
    let search = i.search()?;
    let (Round::Open(wait), Some(pool)) = (search.round, search.target.pool()) else { return None };
    let priority = search.target.queue().map_or(TEAM_PRIORITY, |queue| queue.priority);
    let skipped = || search.skip.iter().map(|skipped| skipped.agent);
    let in_it = i.agents().filter_map(Party::agent_id).filter(|agent| !skipped().any(|skipped| skipped == *agent));
    Some(Wait { wait, pool, priority, skip: skipped().chain(in_it).collect(), since_us: search.since_us })
}

/// The wait of this state, and what else routing counts.
pub fn queueing(i: &Interaction) -> Queueing {
    let search = i.search().filter(|search| search.round != Round::Over);
    let stands_in = search.and_then(|search| match &search.target {
        Target::Queue(queue) => Some(queue.id),
        Target::Agent(_) | Target::Team { .. } | Target::External(_) | Target::IvrFlow(_) => None,
    });
    let served = |party: &Party| {
        let (agent, from) = (party.agent_id()?, party.from_queue?);
        Some(Served { agent, from, since_us: party.since_us })
    };
    Queueing { wait: wait(i), stands_in, served: i.agents().filter_map(served).collect() }
}
