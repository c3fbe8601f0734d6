//! The wait: for whom of which team the interaction waits.

use crate::{
    ids::{AgentId, TeamId, WaitNo},
    interaction::Interaction,
    words::Target,
};
use smallvec::SmallVec;

/// What an interaction wants of routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// Which round.
    pub wait: WaitNo,
    /// The team.
    pub team: TeamId,
    /// Whom not to propose: who declined or did not answer, and who is in it already.
    pub skip: SmallVec<[AgentId; 4]>,
    /// The place in the queue (A6).
    pub since_us: i64,
}

/// The wait of this state.
pub fn wait(i: &Interaction) -> Option<Wait> {
    let search = i.search.as_ref()?;
    let Target::Team { id, .. } = &search.target else { return None };
    let in_it = i.agents.iter().map(|agent| agent.who.id).filter(|agent| !search.skip.contains(agent));
    Some(Wait {
        wait: search.wait?,
        team: *id,
        skip: search.skip.iter().copied().chain(in_it).collect(),
        since_us: search.since_us,
    })
}
