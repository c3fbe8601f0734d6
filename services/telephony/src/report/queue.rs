//! Facts of one interaction that are still to be reported: the last one of each operation, in the order of observation.

use std::collections::{BTreeMap, HashMap};

use baton_api::transfer::v1::Fact;

use crate::operation::OperationKey;

/// By position. A fact replaces an older one of the same operation, and goes to the end of the queue.
#[derive(Debug, Default)]
pub(super) struct ReportQueue {
    pending: BTreeMap<i64, (OperationKey, Fact)>,
    positions: HashMap<OperationKey, i64>,
}

impl ReportQueue {
    pub(super) fn put(&mut self, position: i64, key: OperationKey, fact: Fact) {
        if let Some(older) = self.positions.insert(key.clone(), position) {
            self.pending.remove(&older);
        }
        self.pending.insert(position, (key, fact));
    }

    /// The first facts, `most` at most; they stay in the queue until they are acknowledged.
    pub(super) fn batch(&self, most: usize) -> Vec<(i64, Fact)> {
        self.pending.iter().take(most).map(|(position, (_, fact))| (*position, fact.clone())).collect()
    }

    /// Removes facts that the transfer service has committed; those that a newer one has replaced meanwhile are gone
    /// already.
    pub(super) fn acknowledge(&mut self, positions: &[i64]) {
        for position in positions {
            if let Some((key, _)) = self.pending.remove(position) {
                self.positions.remove(&key);
            }
        }
    }

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
        let mut queue = ReportQueue::default();
        queue.put(1, OperationKey::leg("a"), fact(1));
        queue.put(2, OperationKey::leg("b"), fact(2));
        queue.put(3, OperationKey::leg("a"), fact(3));
        let positions: Vec<_> = queue.batch(9).into_iter().map(|(position, _)| position).collect();
        assert_eq!(positions, [2, 3]);
    }

    #[test]
    fn an_answer_for_a_replaced_observation_does_not_forget_the_newer_one() {
        let mut queue = ReportQueue::default();
        queue.put(1, OperationKey::leg("a"), fact(1));
        queue.put(2, OperationKey::leg("a"), fact(2));
        queue.acknowledge(&[1]);
        assert_eq!(queue.batch(9), [(2, fact(2))]);
        queue.acknowledge(&[2]);
        assert!(queue.is_empty());
    }
}
