//! In which order a queue asks those who are free, and how many at once (B606).

use std::collections::HashMap;

use baton_api::common::v1::AgentRef;
use baton_api::routing::v1::queue::Strategy;

/// Phones that ring at once for one customer.
const MOST_AT_ONCE: usize = 20;

/// What a strategy looks at, by the agent's id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    /// Calls from queues on this day.
    pub(crate) calls: HashMap<String, i64>,
    /// When they were last asked for this queue.
    pub(crate) asked_us: HashMap<String, i64>,
}

/// Puts agents who are ordered by how long they have been idle into the order of this strategy.
pub(crate) fn order(strategy: Strategy, agents: &mut [AgentRef], past: &Past) {
    let of = |known: &HashMap<String, i64>, agent: &AgentRef| known.get(&agent.agent_id).copied().unwrap_or_default();
    match strategy {
        Strategy::Unspecified | Strategy::LongestIdle | Strategy::Broadcast => {}
        Strategy::FewestCallsToday => agents.sort_by_key(|agent| of(&past.calls, agent)),
        Strategy::RoundRobin => agents.sort_by_key(|agent| of(&past.asked_us, agent)),
    }
}

/// How many are asked at once.
pub(crate) fn at_once(strategy: Strategy) -> usize {
    if strategy == Strategy::Broadcast { MOST_AT_ONCE } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_strategy_has_its_order_and_the_longest_idle_is_first_among_equals() {
        let idle = ["ann", "bob", "cy", "di"];
        let known = |all: &[(&str, i64)]| all.iter().map(|(id, value)| ((*id).to_owned(), *value)).collect();
        let past =
            Past { calls: known(&[("ann", 2), ("cy", 1)]), asked_us: known(&[("bob", 9), ("ann", 8), ("di", 7)]) };
        for (strategy, expected, most) in [
            (Strategy::LongestIdle, ["ann", "bob", "cy", "di"], 1),
            (Strategy::Broadcast, ["ann", "bob", "cy", "di"], MOST_AT_ONCE),
            (Strategy::FewestCallsToday, ["bob", "di", "cy", "ann"], 1),
            (Strategy::RoundRobin, ["cy", "di", "ann", "bob"], 1),
        ] {
            let mut agents: Vec<_> =
                idle.iter().map(|id| AgentRef { agent_id: (*id).to_owned(), ..AgentRef::default() }).collect();
            order(strategy, &mut agents, &past);
            let ordered: Vec<_> = agents.iter().map(|it| it.agent_id.as_str()).collect();
            assert_eq!((ordered.as_slice(), at_once(strategy)), (expected.as_slice(), most), "{strategy:?}");
        }
    }
}
