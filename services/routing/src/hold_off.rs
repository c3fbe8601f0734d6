//! The hold-off: an agent who was just proposed to one interaction is not proposed to another until the claim has been sent.
//!
//! This only avoids needless refusals: the claim at presence decides which interaction gets the agent. So a hold-off is no longer
//! than the claim takes: while it lasts, a free agent is kept from the next interaction that waits (A6).

use std::collections::HashMap;

/// Longer than a proposal takes to become a claim; with the pass that follows still within the two seconds of A6.
const HOLD_OFF_US: i64 = 1_500_000;
/// The wait ends with the version that requests the claim, and presence gets that version when routing does: soon after, presence
/// no longer names the agent. If there was no claim, the agent is free.
const CLAIM_TAKES_US: i64 = 250_000;

/// The agents of a tenant who are held off, by id.
#[derive(Debug, Default)]
pub(crate) struct HoldOff(HashMap<String, AgentHold>);

#[derive(Debug)]
struct AgentHold {
    interaction_id: String,
    until_us: i64,
}

impl HoldOff {
    /// Holds an agent off for all interactions but this one.
    pub(crate) fn start(&mut self, agent_id: &str, interaction_id: &str, now_us: i64) {
        self.0.retain(|_, hold| hold.until_us > now_us);
        let hold = AgentHold { interaction_id: interaction_id.to_owned(), until_us: now_us + HOLD_OFF_US };
        self.0.insert(agent_id.to_owned(), hold);
    }

    /// Whether this agent is held off.
    pub(crate) fn covers(&self, agent_id: &str, now_us: i64) -> bool {
        self.0.get(agent_id).is_some_and(|hold| hold.until_us > now_us)
    }

    /// Ends the hold-off of an agent who was not proposed after all.
    pub(crate) fn lift(&mut self, agent_id: &str) {
        self.0.remove(agent_id);
    }

    /// The interaction asks anew. An agent whom it now skips declined, and is free for others at once: `true` if there is one. An
    /// agent whom it does not skip was refused to it, and would be proposed to it again and again if they were free at once.
    pub(crate) fn asks_anew(&mut self, interaction_id: &str, skip: &[String], now_us: i64) -> bool {
        let before = self.0.len();
        self.0.retain(|agent_id, hold| hold.interaction_id != interaction_id || !skip.contains(agent_id));
        self.wait_is_over(interaction_id, now_us);
        self.0.len() < before
    }

    /// The agents who are held off.
    pub(crate) fn agents(&self, now_us: i64) -> Vec<String> {
        self.0.iter().filter(|(_, hold)| hold.until_us > now_us).map(|(agent_id, _)| agent_id.clone()).collect()
    }

    /// The interaction no longer waits: it claims the proposed agent, or needs none.
    pub(crate) fn wait_is_over(&mut self, interaction_id: &str, now_us: i64) {
        for hold in self.0.values_mut().filter(|it| it.interaction_id == interaction_id) {
            hold.until_us = hold.until_us.min(now_us + CLAIM_TAKES_US);
        }
    }

    /// When the next hold-off ends.
    pub(crate) fn next_end_us(&self, now_us: i64) -> Option<i64> {
        self.0.values().map(|hold| hold.until_us).filter(|until_us| *until_us > now_us).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_held_off_for_a_while() {
        let mut hold_off = HoldOff::default();
        hold_off.start("bob", "i1", 0);
        assert!(hold_off.covers("bob", HOLD_OFF_US - 1));
        assert!(!hold_off.covers("bob", HOLD_OFF_US));
        assert_eq!((hold_off.next_end_us(0), hold_off.next_end_us(HOLD_OFF_US)), (Some(HOLD_OFF_US), None));
        hold_off.start("ann", "i2", HOLD_OFF_US);
        assert_eq!(hold_off.0.len(), 1);
    }

    #[test]
    fn an_interaction_frees_its_own_agents_only() {
        let mut hold_off = HoldOff::default();
        hold_off.start("bob", "i1", 0);
        hold_off.start("ann", "i2", 0);
        assert!(!hold_off.asks_anew("i1", &["ann".to_owned()], 0));
        assert!(hold_off.covers("bob", CLAIM_TAKES_US - 1) && !hold_off.covers("bob", CLAIM_TAKES_US));
        assert!(hold_off.asks_anew("i1", &["bob".to_owned()], 0));
        assert!(!hold_off.covers("bob", 1) && hold_off.covers("ann", 1));
        hold_off.wait_is_over("i2", 5);
        assert_eq!(hold_off.next_end_us(5), Some(5 + CLAIM_TAKES_US));
        hold_off.wait_is_over("i2", HOLD_OFF_US);
        assert_eq!(hold_off.next_end_us(5), Some(5 + CLAIM_TAKES_US), "never longer");
    }
}
