//! How long the customer did what: counted whenever the state changes, and told when the interaction ends. Metrics of calls are computed
//! from it (abandonment, answer and handling times) and never from the order of events.

use super::{Interaction, Stage};
use baton_words::AgentId;
use serde::{Deserialize, Serialize};

/// What is counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Up to when everything is counted, microseconds since the epoch.
    pub counted_to_us: i64,
    pub times: Times,
    /// How often the customer was put on hold.
    pub holds: u32,
}

/// Microseconds spent in each. Their sum is the time from the opening to the end, but for voicemail, IVR flows, announcements, talk with somebody
/// outside to whom they were handed over, and what the customer was not there for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Waiting for an agent to be found.
    pub wait_us: i64,
    /// Waiting while an agent's or the customer's phone rings.
    pub ring_us: i64,
    /// With an agent.
    pub talk_us: i64,
    /// On hold, without a consult.
    pub hold_us: i64,
    /// On hold, while agents consult.
    pub consult_us: i64,
}

/// An interaction that has ended, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub duration_us: i64,
    /// When the first agent answered the customer; none: nobody did.
    pub answered_at_us: Option<i64>,
    pub times: Times,
    pub holds: u32,
    /// How often the customer came to an agent.
    pub hops: u32,
    pub transfers: u32,
    pub first_agent: Option<AgentId>,
    pub last_agent: Option<AgentId>,
    /// The customer came to voicemail.
    pub voicemail: bool,
}

/// What the customer does in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    Waits,
    Rings,
    Talks,
    Held,
    Consulted,
    Other,
}

impl Tally {
    /// Until now the customer did this.
    pub(crate) fn count(&mut self, activity: Activity, now_us: i64) {
        let passed_us = (now_us - self.counted_to_us).max(0);
        self.counted_to_us = now_us;
        let counter = match activity {
            Activity::Waits => &mut self.times.wait_us,
            Activity::Rings => &mut self.times.ring_us,
            Activity::Talks => &mut self.times.talk_us,
            Activity::Held => &mut self.times.hold_us,
            Activity::Consulted => &mut self.times.consult_us,
            Activity::Other => return,
        };
        *counter += passed_us;
    }
}

impl Interaction {
    pub(crate) fn activity(&self) -> Activity {
        let rings = || self.search().is_some_and(crate::machine::Search::ringing);
        match &self.stage {
            Stage::Seeking(_) if rings() => Activity::Rings,
            Stage::Seeking(_) => Activity::Waits,
            Stage::Served(_) if self.customer().leg.is_ringing() => Activity::Rings,
            Stage::Served(service) if service.away.is_some() => Activity::Other,
            // Handed over outside: no agent has anything to do with it any more.
            Stage::Served(_) if self.primary().is_none() => Activity::Other,
            Stage::Served(service) if service.hold.is_none() => Activity::Talks,
            Stage::Served(_) if self.agents().chain(self.externals()).nth(1).is_some() => Activity::Consulted,
            Stage::Served(_) => Activity::Held,
            Stage::Exiting(_) | Stage::Farewell { .. } | Stage::Ended(_) => Activity::Other,
        }
    }

    /// The interaction in numbers, as far as it has come.
    pub fn summary(&self) -> Summary {
        let came_to: smallvec::SmallVec<[_; 4]> =
            self.journey.iter().filter_map(|hop| hop.outcome.to().map(|to| (to, hop.ended_at_us))).collect();
        Summary {
            duration_us: self.tally.counted_to_us - self.opened_at_us,
            answered_at_us: came_to.first().map(|(_, at_us)| *at_us),
            times: self.tally.times,
            holds: self.tally.holds,
            hops: came_to.len() as u32,
            transfers: self.counters.transfer,
            first_agent: came_to.first().map(|(agent, _)| *agent),
            last_agent: came_to.last().map(|(agent, _)| *agent),
            voicemail: self.counters.exit > self.counters.flow_exit,
        }
    }
}
