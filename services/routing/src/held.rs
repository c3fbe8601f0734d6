//! Agents who were just proposed: nobody else is proposed the same one until their claim has been asked for.
//!
//! Only to avoid needless refusals. Who gets an agent is decided by their claim, at presence. So nobody is held for longer
//! than it takes to ask: a free agent whom we hold is one whom somebody waits for (A6).

use std::collections::HashMap;

/// Longer than a proposal takes to become a claim; with the look that follows still within the two seconds of A6.
const HELD_US: i64 = 1_500_000;
/// The wait ends with the version that asks for the claim, and presence hears of that version when we do: from then on it
/// is soon presence that says that the agent is taken. If there was no claim, they are free.
const CLAIM_TAKES_US: i64 = 250_000;

/// Who of a tenant is held.
#[derive(Debug, Default)]
pub(crate) struct Held(HashMap<String, Hold>);

#[derive(Debug)]
struct Hold {
    interaction_id: String,
    until_us: i64,
}

impl Held {
    /// Holds an agent for an interaction from now on.
    pub(crate) fn hold(&mut self, agent_id: &str, interaction_id: &str, now_us: i64) {
        self.0.retain(|_, hold| hold.until_us > now_us);
        let hold = Hold { interaction_id: interaction_id.to_owned(), until_us: now_us + HELD_US };
        self.0.insert(agent_id.to_owned(), hold);
    }

    /// Whether somebody was just proposed this agent.
    pub(crate) fn is_held(&self, agent_id: &str, now_us: i64) -> bool {
        self.0.get(agent_id).is_some_and(|hold| hold.until_us > now_us)
    }

    /// The agent was not proposed after all.
    pub(crate) fn free(&mut self, agent_id: &str) {
        self.0.remove(agent_id);
    }

    /// The interaction asks anew. Whom it skips from now on declined, and is free for others at once: `true` if there is somebody.
    /// Whom it does not skip could not be had, and would be proposed to it again and again if they were free at once.
    pub(crate) fn asks_anew(&mut self, interaction_id: &str, skip: &[String], now_us: i64) -> bool {
        let before = self.0.len();
        self.0.retain(|agent_id, hold| hold.interaction_id != interaction_id || !skip.contains(agent_id));
        self.wait_is_over(interaction_id, now_us);
        self.0.len() < before
    }

    /// Everybody who is held.
    pub(crate) fn agents(&self, now_us: i64) -> Vec<String> {
        self.0.iter().filter(|(_, hold)| hold.until_us > now_us).map(|(agent_id, _)| agent_id.clone()).collect()
    }

    /// The interaction waits no more: it claims whom it was proposed, or needs nobody.
    pub(crate) fn wait_is_over(&mut self, interaction_id: &str, now_us: i64) {
        for hold in self.0.values_mut().filter(|it| it.interaction_id == interaction_id) {
            hold.until_us = hold.until_us.min(now_us + CLAIM_TAKES_US);
        }
    }

    /// When the next of them is free again.
    pub(crate) fn next_end_us(&self, now_us: i64) -> Option<i64> {
        self.0.values().map(|hold| hold.until_us).filter(|until_us| *until_us > now_us).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_held_for_a_while() {
        let mut held = Held::default();
        held.hold("bob", "i1", 0);
        assert!(held.is_held("bob", HELD_US - 1));
        assert!(!held.is_held("bob", HELD_US));
        assert_eq!((held.next_end_us(0), held.next_end_us(HELD_US)), (Some(HELD_US), None));
        held.hold("ann", "i2", HELD_US);
        assert_eq!(held.0.len(), 1);
    }

    #[test]
    fn an_interaction_lets_go_of_its_own_only() {
        let mut held = Held::default();
        held.hold("bob", "i1", 0);
        held.hold("ann", "i2", 0);
        assert!(!held.asks_anew("i1", &["ann".to_owned()], 0));
        assert!(held.is_held("bob", CLAIM_TAKES_US - 1) && !held.is_held("bob", CLAIM_TAKES_US));
        assert!(held.asks_anew("i1", &["bob".to_owned()], 0));
        assert!(!held.is_held("bob", 1) && held.is_held("ann", 1));
        held.wait_is_over("i2", 5);
        assert_eq!(held.next_end_us(5), Some(5 + CLAIM_TAKES_US));
        held.wait_is_over("i2", HELD_US);
        assert_eq!(held.next_end_us(5), Some(5 + CLAIM_TAKES_US), "never longer");
    }
}
