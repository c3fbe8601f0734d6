//! A leg has ended while nobody listened: Baton was away, or the connection to the switch was. The switch is asked how, so that a decline is
//! a decline whenever it is seen (A5); only where it can't tell, the last observation decides.

use super::InteractionDriver;
use super::pass::StepError;
use crate::fact;
use crate::operation::{Operation, OperationKey};
use crate::switch::{LegEnd, LegEnding};

impl InteractionDriver {
    pub(super) async fn ask_how_they_ended(&mut self) -> Result<(), StepError> {
        if !self.is_ready() || self.is_backing_off() {
            return Ok(());
        }
        while let Some(key) = self.ended_unheard.first().cloned() {
            if let Some(operation) = self.observed.operations.get(&key).filter(|it| !it.is_over()).cloned() {
                let end = self.context.switch.how_ended(&operation.name).await?;
                let now_us = self.now_us();
                let LegEnd { why, at_us } =
                    end.unwrap_or_else(|| LegEnd { why: self.guess(&operation, &key), at_us: now_us });
                self.observe(&key, fact::ended(&key.id, why), at_us.min(now_us));
            }
            self.ended_unheard.remove(&key);
        }
        Ok(())
    }

    fn guess(&self, operation: &Operation, key: &OperationKey) -> LegEnding {
        let leg = self.plan.as_ref().and_then(|plan| plan.legs.iter().find(|leg| leg.id == key.id));
        let ring_until_us = leg.and_then(|leg| leg.dial()).map(|dial| dial.ring_until_us);
        how_it_ended(operation, key, ring_until_us, self.now_us())
    }
}

/// Why a leg ended whose end was not observed, from its last observation. The plan counts, too: an answer may have been
/// reported and not stored here.
fn how_it_ended(operation: &Operation, key: &OperationKey, ring_until_us: Option<i64>, now_us: i64) -> LegEnding {
    let last = operation.fact.as_ref().and_then(|it| it.fact.as_ref());
    let came_in = operation.name != key.id;
    if came_in || ring_until_us == Some(0) || last.is_some_and(fact::is_up) {
        LegEnding::HungUp
    } else if last.is_some() && ring_until_us.is_some_and(|it| it <= now_us) {
        LegEnding::NoAnswer
    } else {
        LegEnding::Unreachable
    }
}

#[cfg(test)]
mod tests {
    use baton_api::transfer::v1::Fact;

    use super::*;

    fn operation(name: &str, last: Option<baton_api::transfer::v1::fact::Fact>) -> Operation {
        let fact = last.map(|it| Fact { observed_at_us: 1, fact: Some(it) });
        Operation { name: name.into(), fact, ..Operation::default() }
    }

    #[test]
    fn how_a_leg_ended_whose_end_was_not_observed_follows_from_its_last_observation() {
        let (ringing, up) = (|| Some(fact::ringing("c")), || Some(fact::up("c", "talk")));
        let cases = [
            ("a call that came in", operation("in-1", None), None, LegEnding::HungUp),
            ("answered, as was seen here", operation("c", up()), Some(100), LegEnding::HungUp),
            ("answered, as the plan knows", operation("c", up()), Some(0), LegEnding::HungUp),
            (
                "answered, and the note of it lost with the process",
                operation("c", ringing()),
                Some(0),
                LegEnding::HungUp,
            ),
            ("answered, and all notes lost", operation("c", None), Some(0), LegEnding::HungUp),
            ("rang for as long as it may", operation("c", ringing()), Some(50), LegEnding::NoAnswer),
            ("rang, and there was time left", operation("c", ringing()), Some(100), LegEnding::Unreachable),
            ("never rang", operation("c", None), Some(50), LegEnding::Unreachable),
            ("not wanted any more", operation("c", ringing()), None, LegEnding::Unreachable),
        ];
        for (case, operation, ring_until_us, expected) in cases {
            assert_eq!(how_it_ended(&operation, &OperationKey::leg("c"), ring_until_us, 50), expected, "{case}");
        }
    }
}
