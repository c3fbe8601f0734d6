//! The wait: for whom of which team the interaction waits.

use crate::{
    interaction::{Interaction, Party},
    machine::Round,
};
use baton_words::{AgentId, TeamId, WaitNo};
use smallvec::SmallVec;

/// What an interaction wants of routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// One round of waiting.
    pub wait: WaitNo,
    pub team: TeamId,
    /// Who is not to be proposed: who declined or did not answer, and who is in it already.
    pub skip: SmallVec<[AgentId; 4]>,
    /// The place in the queue (A6).
    pub since_us: i64,
}

/// The wait of this state.
pub fn wait(i: &Interaction) -> Option<Wait> {
    let search = i.search()?;
    let (Round::Open(wait), Some(team)) = (search.round, search.target.team()) else { return None };
    let skipped = || search.skip.iter().map(|skipped| skipped.agent);
    let in_it = i.agents().filter_map(Party::agent_id).filter(|agent| !skipped().any(|skipped| skipped == *agent));
    Some(Wait { wait, team, skip: skipped().chain(in_it).collect(), since_us: search.since_us })
}
