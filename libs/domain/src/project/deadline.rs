//! When to look again although nothing happens. Every state that is not final has such a moment, and it leads nearer to the end (C5, T2).

use crate::{
    interaction::{Interaction, LegState, Stage},
    machine::Search,
    policy::Policy,
};

/// The next moment at which a tick changes something, microseconds since the epoch; none once it is over.
pub fn deadline(i: &Interaction, policy: &Policy) -> Option<i64> {
    let stage = match &i.stage {
        Stage::Ended(_) => return None,
        Stage::Exiting(exit) => exit.until_us,
        Stage::Farewell { until_us, .. } => *until_us,
        Stage::Seeking(_) | Stage::Served(_) => call_limit_us(i, policy),
    };
    let transfer = i
        .transfer
        .as_ref()
        .and_then(|transfer| Some(transfer.deadline_us(policy.method(transfer.kind)?, &policy.interaction)));
    let (reminder, limit) = hold_deadlines_us(i, policy).unwrap_or_default();
    let search = i.search().map(Search::deadline_us);
    let others = [search, transfer, customer_ring_deadline_us(i, policy), reminder, limit];
    Some(others.into_iter().flatten().fold(stage, i64::min))
}

/// When the call has lasted as long as any may.
pub(crate) fn call_limit_us(i: &Interaction, policy: &Policy) -> i64 {
    i.opened_at_us + policy.interaction.max_call_ms * 1000
}

/// When the customer's phone has rung for as long as it may, and telephony has said nothing (T4).
pub(crate) fn customer_ring_deadline_us(i: &Interaction, policy: &Policy) -> Option<i64> {
    match i.customer().leg.state {
        LegState::Ringing { until_us, .. } => Some(until_us + policy.interaction.ring_silence_ms * 1000),
        _ => None,
    }
}

/// When to remind of a customer who is on hold, and when to take them off. During a transfer its phases have limits of their own.
pub(crate) fn hold_deadlines_us(i: &Interaction, policy: &Policy) -> Option<(Option<i64>, Option<i64>)> {
    let hold = i.service().filter(|_| i.transfer.is_none())?.hold.as_ref()?;
    let after = |since_us: i64, ms: i64| (ms > 0).then_some(since_us + ms * 1000);
    let house = &policy.interaction;
    Some((after(hold.reminded_at_us, house.hold_reminder_ms), after(hold.since_us, house.hold_max_ms)))
}
