//! Contradictions in a policy: what each field allows but all together do not.

use super::{Ending, Fallback, OfferRules, PhaseRules, Policy};
use crate::action::{Action, ActionSet};

/// The longest time that any deadline may be set to: a day.
const MAX_MS: i64 = 24 * 60 * 60 * 1000;
/// A phone that is not there after so many tries is not there.
const MAX_REDIALS: u8 = 5;

/// A field's path, and what would be right.
type Contradiction = Option<(&'static str, String)>;

/// The first contradiction.
pub(super) fn contradiction(policy: &Policy) -> Contradiction {
    times(policy)
        .or_else(|| offer(&COLD, &policy.cold.offer))
        .or_else(|| offer(&WARM, &policy.warm.offer))
        .or_else(|| orphan(&policy.interaction.orphan))
        .or_else(|| permissions(policy))
        .or_else(|| endings(policy))
        .or_else(|| patience(policy))
}

fn times(policy: &Policy) -> Contradiction {
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

/// The paths of the fields of an offer.
struct OfferPaths {
    redials: &'static str,
    targets: &'static str,
    choosable: &'static str,
    fallback: &'static str,
}

const COLD: OfferPaths = OfferPaths {
    redials: "cold.offer.redials",
    targets: "cold.offer.targets",
    choosable: "cold.offer.choosable",
    fallback: "cold.offer.fallback",
};
const WARM: OfferPaths = OfferPaths {
    redials: "warm.offer.redials",
    targets: "warm.offer.targets",
    choosable: "warm.offer.choosable",
    fallback: "warm.offer.fallback",
};

fn offer(paths: &OfferPaths, rules: &OfferRules) -> Contradiction {
    let OfferPaths { redials, targets, choosable, fallback } = paths;
    if rules.redials > MAX_REDIALS {
        return Some((redials, format!("`{redials}` is {}; it must be 0 to {MAX_REDIALS}", rules.redials)));
    }
    if rules.targets.is_empty() {
        let why = format!("`{targets}` names nobody; leave the kind's section as the profile has it instead");
        return Some((targets, why));
    }
    if rules.choosable.is_empty() {
        return Some((choosable, format!("`{choosable}` names no state: nobody could ever be chosen")));
    }
    chain(fallback, &rules.fallback)
}

fn chain(path: &'static str, chain: &[Fallback]) -> Contradiction {
    let ends_well = chain.last() == Some(&Fallback::Disconnect);
    let once = chain.iter().enumerate().all(|(at, step)| !chain[..at].contains(step));
    let why = || format!("`{path}` must end with \"disconnect\", and name each step at most once");
    (!(ends_well && once)).then(|| (path, why()))
}

fn orphan(steps: &[Fallback]) -> Contradiction {
    const PATH: &str = "interaction.orphan";
    let why = format!("`{PATH}` can't be \"voicemail\": there is no recipient whose it would be");
    if steps.contains(&Fallback::Voicemail) { Some((PATH, why)) } else { chain(PATH, steps) }
}

/// C5: in every phase somebody who is there may take the customer off hold or end the transfer; the deadline alone would be a long wait.
fn permissions(policy: &Policy) -> Contradiction {
    let may = |phase: &PhaseRules| -> Vec<ActionSet> { vec![phase.initiator_may, phase.recipient_may] };
    let (offered, warm) = (&policy.warm.offered, &policy.warm);
    // While it rings there is no recipient: neither can they do anything, nor can the customer be given to them.
    let phases = [
        ("warm.offered.initiator_may", vec![offered.initiator_may], &[Action::Resume, Action::Cancel][..]),
        ("warm.consulting.initiator_may", may(&warm.consulting), &[Action::Resume, Action::Cancel, Action::Complete]),
        ("warm.joined.initiator_may", may(&warm.joined), &[Action::Cancel, Action::Complete]),
    ];
    let stuck = phases
        .into_iter()
        .find(|(_, sets, ways_out)| !ways_out.iter().any(|way| sets.iter().any(|set| set.contains(*way))));
    stuck.map(|(path, ..)| {
        (path, "in this phase nobody may end the transfer or resume: the customer could be stuck".into())
    })
}

/// What a phase's end can mean.
fn endings(policy: &Policy) -> Contradiction {
    let warm = &policy.warm;
    let cases = [
        ("warm.offered.on_timeout", warm.offered.on_timeout, &[Ending::Cancel][..]),
        ("warm.consulting.on_timeout", warm.consulting.on_timeout, &[Ending::Cancel, Ending::Complete]),
        ("warm.joined.on_timeout", warm.joined.on_timeout, &[Ending::Cancel, Ending::Complete]),
        ("warm.offered.initiator_leaves", warm.offered.initiator_leaves, &[Ending::Continue, Ending::Cancel]),
        ("warm.consulting.initiator_leaves", warm.consulting.initiator_leaves, &[Ending::Complete, Ending::Cancel]),
        ("warm.joined.initiator_leaves", warm.joined.initiator_leaves, &[Ending::Complete, Ending::Cancel]),
    ];
    let bad = cases.into_iter().find(|(_, ending, possible)| !possible.contains(ending));
    bad.map(|(path, _, possible)| {
        let words: Vec<_> = possible.iter().map(|ending| format!("{ending:?}").to_lowercase()).collect();
        (path, format!("`{path}` can be {} in this phase", words.join(" or ")))
    })
}

/// T9: a phone that rings out must have rung out before its phase does, or nobody is told why.
fn patience(policy: &Policy) -> Contradiction {
    const PATH: &str = "warm.offered.max_ms";
    let (max_ms, ring_ms) = (policy.warm.offered.max_ms, policy.warm.offer.ring_ms);
    (max_ms <= ring_ms)
        .then(|| (PATH, format!("`{PATH}` is {max_ms}; it must be longer than `warm.offer.ring_ms` ({ring_ms})")))
}
