//! What is still to be reported of one interaction: the last observation of each thing, in the order of observing.

use std::collections::{BTreeMap, HashMap};

use baton_api::transfer::v1::Fact;

use crate::thing::Key;

/// The queue. An observation takes the place of an older one of the same thing that was not sent yet, at the end.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pending: BTreeMap<i64, (Key, Fact)>,
    positions: HashMap<Key, i64>,
}

impl Queue {
    /// Adds an observation.
    pub(super) fn put(&mut self, position: i64, key: Key, fact: Fact) {
        if let Some(older) = self.positions.insert(key.clone(), position) {
            self.pending.remove(&older);
        }
        self.pending.insert(position, (key, fact));
    }

    /// The first that are to be sent, so many at most.
    pub(super) fn batch(&self, most: usize) -> Vec<(i64, Fact)> {
        self.pending.iter().take(most).map(|(position, (_, fact))| (*position, fact.clone())).collect()
    }

    /// These are committed: those that a newer observation has replaced meanwhile are gone already.
    pub(super) fn done(&mut self, positions: &[i64]) {
        for position in positions {
            if let Some((key, _)) = self.pending.remove(position) {
                self.positions.remove(&key);
            }
        }
    }

    /// Nothing is to be sent.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(at_us: i64) -> Fact {
        Fact { observed_at_us: at_us, fact: None }
    }

    #[test]
    fn a_newer_observation_replaces_the_one_that_was_not_sent() {
        let mut queue = Queue::default();
        queue.put(1, Key::leg("a"), fact(1));
        queue.put(2, Key::leg("b"), fact(2));
        queue.put(3, Key::leg("a"), fact(3));
        let positions: Vec<_> = queue.batch(9).into_iter().map(|(position, _)| position).collect();
        assert_eq!(positions, [2, 3]);
    }

    #[test]
    fn an_answer_for_a_replaced_observation_does_not_forget_the_newer_one() {
        let mut queue = Queue::default();
        queue.put(1, Key::leg("a"), fact(1));
        queue.put(2, Key::leg("a"), fact(2));
        queue.done(&[1]);
        assert_eq!(queue.batch(9), [(2, fact(2))]);
        queue.done(&[2]);
        assert!(queue.is_empty());
    }
}
