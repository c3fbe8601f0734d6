//! Contradictions in a policy: what each field allows but all together do not.

use super::{Fallback, OfferRules, PhaseRules, Policy};
use crate::action::Action;

/// The longest time that any deadline may be set to: a day.
const MAX_MS: i64 = 24 * 60 * 60 * 1000;
/// A phone that is not there after so many tries is not there.
const MAX_REDIALS: u8 = 5;

/// The first contradiction: the field's path, and what would be right.
pub(super) fn contradiction(policy: &Policy) -> Option<(&'static str, String)> {
    times(policy)
        .or_else(|| offer("cold.offer.fallback", "cold.offer.targets", &policy.cold.offer))
        .or_else(|| offer("warm.offer.fallback", "warm.offer.targets", &policy.warm.offer))
        .or_else(|| chain("interaction.orphan", &policy.interaction.orphan))
        .or_else(|| permissions(policy))
}

fn times(policy: &Policy) -> Option<(&'static str, String)> {
    let all = [
        ("interaction.max_call_ms", policy.interaction.max_call_ms, 1000),
        ("interaction.dial_ring_ms", policy.interaction.dial_ring_ms, 100),
        ("interaction.wrap_up_ms", policy.interaction.wrap_up_ms, 0),
        ("cold.offer.ring_ms", policy.cold.offer.ring_ms, 100),
        ("cold.offer.wait_ms", policy.cold.offer.wait_ms, 100),
        ("warm.offer.ring_ms", policy.warm.offer.ring_ms, 100),
        ("warm.offer.wait_ms", policy.warm.offer.wait_ms, 100),
        ("warm.offered.max_ms", policy.warm.offered.max_ms, 100),
        ("warm.consulting.max_ms", policy.warm.consulting.max_ms, 100),
        ("warm.joined.max_ms", policy.warm.joined.max_ms, 100),
    ];
    let bad = all.into_iter().find(|(_, value, min)| value < min || *value > MAX_MS);
    bad.map(|(path, value, min)| (path, format!("`{path}` is {value}; it must be {min} to {MAX_MS} (ms)")))
}

fn offer(fallback: &'static str, targets: &'static str, rules: &OfferRules) -> Option<(&'static str, String)> {
    if rules.redials > MAX_REDIALS {
        return Some((targets, format!("`redials` is {}; it must be 0 to {MAX_REDIALS}", rules.redials)));
    }
    if rules.targets.is_empty() {
        return Some((
            targets,
            format!("`{targets}` names nobody; leave the kind's section as the profile has it instead"),
        ));
    }
    chain(fallback, &rules.fallback)
}

fn chain(path: &'static str, chain: &[Fallback]) -> Option<(&'static str, String)> {
    let ends_well = chain.last() == Some(&Fallback::Disconnect);
    let once = chain.iter().filter(|step| **step == Fallback::Disconnect).count() == 1;
    (!(ends_well && once)).then(|| (path, format!("`{path}` must end with \"disconnect\", and have it only there")))
}

/// C5: in every phase somebody may take the customer off hold or end the transfer; the deadline alone would be a long wait.
fn permissions(policy: &Policy) -> Option<(&'static str, String)> {
    let ways_out = [Action::Resume, Action::Cancel, Action::Complete];
    let phases: [(&'static str, &PhaseRules); 3] = [
        ("warm.offered.initiator_may", &policy.warm.offered),
        ("warm.consulting.initiator_may", &policy.warm.consulting),
        ("warm.joined.initiator_may", &policy.warm.joined),
    ];
    let stuck = phases.into_iter().find(|(_, phase)| {
        !ways_out.iter().any(|way| phase.initiator_may.contains(*way) || phase.recipient_may.contains(*way))
    });
    stuck.map(|(path, _)| {
        (path, "in this phase nobody may resume, cancel or complete: the customer could be stuck".into())
    })
}
