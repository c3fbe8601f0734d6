//! Facts of one interaction that are still to be reported: the last one of each operation, in the order of observation.

use std::collections::{BTreeMap, HashMap};

use baton_api::transfer::v1::Fact;
use baton_runtime::telemetry::TraceParent;

use crate::operation::OperationKey;

/// By position. A fact replaces an older one of the same operation, and goes to the end of the queue.
#[derive(Debug, Default)]
pub(super) struct ReportQueue {
    pending: BTreeMap<i64, PendingFact>,
    positions: HashMap<OperationKey, i64>,
}

#[derive(Debug)]
struct PendingFact {
    key: OperationKey,
    fact: Fact,
    /// Of the call that led to the fact; `None` if it came by itself.
    trace: Option<TraceParent>,
}

/// What is reported at once. All its facts have one cause.
#[derive(Debug, Default, PartialEq)]
pub(super) struct FactBatch {
    pub facts: Vec<(i64, Fact)>,
    pub trace: Option<TraceParent>,
}

impl ReportQueue {
    pub(super) fn put(&mut self, position: i64, key: OperationKey, fact: Fact, trace: Option<TraceParent>) {
        if let Some(older) = self.positions.insert(key.clone(), position) {
            self.pending.remove(&older);
        }
        self.pending.insert(position, PendingFact { key, fact, trace });
    }

    /// The first facts, `most` at most, as far as they have one trace; they stay in the queue until they are acknowledged.
    pub(super) fn batch(&self, most: usize) -> FactBatch {
        let Some(first) = self.pending.values().next() else { return FactBatch::default() };
        let same = self.pending.iter().take(most).take_while(|(_, it)| it.trace == first.trace);
        FactBatch { facts: same.map(|(position, it)| (*position, it.fact.clone())).collect(), trace: first.trace }
    }

    /// Removes facts that the transfer service has committed; those that a newer one has replaced meanwhile are gone
    /// already.
    pub(super) fn acknowledge(&mut self, positions: &[i64]) {
        for position in positions {
            if let Some(reported) = self.pending.remove(position) {
                self.positions.remove(&reported.key);
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

    fn positions(queue: &ReportQueue) -> Vec<i64> {
        queue.batch(9).facts.into_iter().map(|(position, _)| position).collect()
    }

    #[test]
    fn a_newer_observation_replaces_the_one_that_was_not_sent() {
        let mut queue = ReportQueue::default();
        queue.put(1, OperationKey::leg("a"), fact(1), None);
        queue.put(2, OperationKey::leg("b"), fact(2), None);
        queue.put(3, OperationKey::leg("a"), fact(3), None);
        assert_eq!(positions(&queue), [2, 3]);
    }

    #[test]
    fn an_answer_for_a_replaced_observation_does_not_forget_the_newer_one() {
        let mut queue = ReportQueue::default();
        queue.put(1, OperationKey::leg("a"), fact(1), None);
        queue.put(2, OperationKey::leg("a"), fact(2), None);
        queue.acknowledge(&[1]);
        assert_eq!(queue.batch(9), FactBatch { facts: vec![(2, fact(2))], trace: None });
        queue.acknowledge(&[2]);
        assert!(queue.is_empty());
    }

    #[test]
    fn facts_of_two_causes_are_not_reported_together() {
        let mut queue = ReportQueue::default();
        let trace = Some(TraceParent::new_root());
        queue.put(1, OperationKey::leg("a"), fact(1), trace);
        queue.put(2, OperationKey::leg("b"), fact(2), trace);
        queue.put(3, OperationKey::leg("c"), fact(3), None);
        assert_eq!((positions(&queue), queue.batch(9).trace), (vec![1, 2], trace));
        queue.acknowledge(&[1, 2]);
        assert_eq!((positions(&queue), queue.batch(9).trace), (vec![3], None));
    }
}
