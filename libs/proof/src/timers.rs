//! Every deadline that is armed in a world, not only the next.

use crate::world::{FIRST_RING_MS, World};
use baton_domain::{
    Policy,
    interaction::{Interaction, LegState, Stage},
    machine::{OfferState, Round},
    project,
};
use smallvec::SmallVec;

/// Deadlines, microseconds since the epoch, each thing's at its own place.
pub(crate) type Timers = SmallVec<[i64; 12]>;

/// All that are armed, but for the longest time that a call may last.
pub(crate) fn armed(i: &Interaction, policy: &Policy) -> Timers {
    let house = &policy.interaction;
    // Nobody tells of a chat that was not accepted: there is no silence to wait for.
    let silence_ms = if i.medium.is_written() { 0 } else { house.ring_silence_ms };
    let mut timers = Timers::new();
    if let Some(search) = i.search() {
        timers.push(search.until_us);
        timers.extend(search.offers.iter().map(|offer| match offer.state {
            OfferState::Claiming { until_us } | OfferState::Queued { until_us } => until_us,
            OfferState::Ringing { until_us, .. } => until_us + silence_ms * 1000,
        }));
        timers.extend(search.outside.map(|call| call.until_us + house.ring_silence_ms * 1000));
        timers.extend(search.skip.iter().filter_map(|skipped| skipped.until_us));
        if let Round::Paused { until_us } = search.round {
            timers.push(until_us);
        }
    }
    if let Some(transfer) = &i.transfer
        && let Some(method) = policy.method(transfer.kind)
    {
        timers.push(transfer.deadline_us(method, house));
    }
    match &i.stage {
        Stage::Served(service) => {
            if let Some(hold) = &service.hold {
                let after = |since_us: i64, ms: i64| (ms > 0).then_some(since_us + ms * 1000);
                timers.extend(after(hold.reminded_at_us, house.hold_reminder_ms));
                timers.extend(after(hold.since_us, house.hold_max_ms));
            }
        }
        Stage::Exiting(exit) => timers.push(exit.until_us),
        Stage::Farewell { until_us, .. } => timers.push(*until_us),
        Stage::Seeking(_) | Stage::Ended(_) => {}
    }
    if let LegState::Ringing { until_us, .. } = i.customer().leg.state {
        timers.push(until_us + house.ring_silence_ms * 1000);
    }
    timers
}

/// When phones have rung for as long as they may, in order: what comes after is silence.
pub(crate) fn ring_ends(i: &Interaction) -> SmallVec<[i64; 2]> {
    let offers = i.search().into_iter().flat_map(|search| &search.offers);
    let mut ends: SmallVec<_> = offers
        .filter_map(|offer| match offer.state {
            OfferState::Ringing { until_us, .. } => Some(until_us),
            OfferState::Claiming { .. } | OfferState::Queued { .. } => None,
        })
        .collect();
    ends.extend(i.search().and_then(|search| search.outside).map(|call| call.until_us));
    ends.sort_unstable();
    ends
}

/// The moments that time can jump to: each deadline that is armed, and the call's last; and this one, if a deadline has passed already.
pub(crate) fn moments(world: &World, policy: &Policy) -> SmallVec<[i64; 12]> {
    let mut moments = armed(&world.interaction, policy);
    moments.push(world.interaction.opened_at_us + policy.interaction.max_call_ms * 1000);
    moments.retain(|at_us| *at_us > world.now_us);
    let overdue = project::deadline(&world.interaction, policy).is_some_and(|at_us| at_us <= world.now_us);
    moments.extend(overdue.then_some(world.now_us));
    moments.sort_unstable();
    moments.dedup();
    moments
}

/// The durations, in microseconds, of what can begin while another deadline is armed already: whether they still fit before it matters.
pub(crate) fn durations(policy: &Policy) -> Vec<i64> {
    let house = &policy.interaction;
    let rings = policy.methods.values().flat_map(|method| {
        [method.offer.ring_ms, method.offer.ring_ms + house.ring_silence_ms, method.offer.again_after_ms]
    });
    let phases = policy.methods.values().flat_map(|method| {
        let consult = method.consult.iter().flat_map(|consult| [consult.consulting.max_ms, consult.joined.max_ms]);
        let away = method.away.iter().map(|away| away.max_ms);
        consult.chain(away).chain([method.offer.wait_ms, method.offered.max_ms])
    });
    let first = [
        house.claim_answer_ms,
        house.hand_over_ms,
        house.ring_silence_ms,
        FIRST_RING_MS,
        FIRST_RING_MS + house.ring_silence_ms,
    ];
    let mut durations: Vec<_> = rings.chain(phases).chain(first).filter(|ms| *ms > 0).map(|ms| ms * 1000).collect();
    durations.sort_unstable();
    durations.dedup();
    durations
}
