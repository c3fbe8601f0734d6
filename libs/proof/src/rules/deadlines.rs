//! Deadlines: what happens although nobody does anything.

use crate::{
    happening::Happening,
    invariants::{Checked, ensure},
    model::Proof,
    timers,
    transitions::Transition,
    world::World,
};
use baton_domain::{
    Fact, Input, Policy,
    interaction::{Interaction, Stage},
    machine::{Round, TransferState},
    policy::CustomerGone,
    project,
};

pub(crate) fn farewell_is_short(_: &Proof, world: &World) -> Checked {
    let Stage::Farewell { until_us, .. } = world.interaction.stage else { return Ok(()) };
    let left_us = until_us - world.now_us;
    ensure(left_us <= 15_000_000, || format!("agents may be kept for another {} s", left_us / 1_000_000))
}

/// The customer leaves while they are on hold, and agents are there: those hear so where the policy says it, for as long as it says.
pub(crate) fn farewell_as_the_policy_says(step: &Transition<'_>) -> bool {
    let (was, is, house) = (step.was(), step.is(), &step.policy.interaction);
    let Happening::Input(Input::Fact(Fact::LegEnded(leg, _))) = step.happening else { return true };
    // Who goes on with somebody else is told nothing (B409).
    if *leg != was.customer().leg.no || !was.held() || is.customer != was.customer {
        return true;
    }
    match is.stage {
        Stage::Farewell { until_us, .. } => {
            house.customer_gone == CustomerGone::Announce && until_us - step.after.now_us == house.farewell_ms * 1000
        }
        _ => house.customer_gone == CustomerGone::End,
    }
}

pub(crate) fn a_deadline_is_armed(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let deadline = project::deadline(i, &proof.policy);
    ensure(deadline.is_none() == i.ended(), || "it is not over, and no deadline is armed".to_owned())?;
    let Some(at_us) = deadline else { return Ok(()) };
    let known = timers::moments(world, &proof.policy).contains(&at_us.max(world.now_us));
    ensure(known, || "the deadline is that of nothing".to_owned())
}

/// So many deadlines in a row lead somewhere, hold reminders among them; more go round in a circle.
const MOST_DEADLINES: usize = 200;

pub(crate) fn lead_to_the_end(proof: &Proof, world: &World) -> Checked {
    let waits = |i: &Interaction| matches!(i.stage, Stage::Seeking(_)).then_some(i.flow.next);
    let open = |i: &Interaction| (i.transfer.as_ref().map(|transfer| transfer.no), i.held(), waits(i));
    let begun = open(&world.interaction);
    if begun == (None, false, None) {
        return Ok(());
    }
    let (mut trial, mut now_us) = (world.interaction.clone(), world.now_us);
    for _ in 0..MOST_DEADLINES {
        if open(&trial) != begun || trial.ended() {
            return Ok(());
        }
        let Some(at_us) = project::deadline(&trial, &proof.policy) else { return Ok(()) };
        now_us = now_us.max(at_us);
        let changed = tick(&mut trial, &proof.policy, now_us);
        ensure(changed, || "a deadline has passed and changed nothing".to_owned())?;
    }
    Err(format!("after {MOST_DEADLINES} deadlines, one after the other, it is still so"))
}

fn tick(interaction: &mut Interaction, policy: &Policy, now_us: i64) -> bool {
    baton_domain::react(interaction, policy, Input::Tick, now_us).is_ok_and(|reaction| reaction.changed)
}

pub(crate) fn handing_over_is_short(proof: &Proof, world: &World) -> Checked {
    let Some(transfer) = &world.interaction.transfer else { return Ok(()) };
    let (TransferState::HandingOver { .. }, Some(method)) = (&transfer.state, proof.policy.method(transfer.kind))
    else {
        return Ok(());
    };
    let left_us = transfer.deadline_us(method, &proof.policy.interaction) - world.now_us;
    ensure(left_us <= 30_000_000, || format!("it may take another {} s", left_us / 1_000_000))
}

/// What is overdue, because something else came first, is looked at at once. Nobody looks before the deadline that is armed: what waits for an earlier moment waits for nothing. But for whoever may be asked again, while
/// others are asked: that is looked at when they are over.
pub(crate) fn exactly_then(step: &Transition<'_>) -> bool {
    let Happening::Deadline(at_us) = step.happening else { return true };
    let has_passed = project::deadline(step.was(), step.policy).is_some_and(|deadline_us| deadline_us <= *at_us);
    let somebody_is_back = || {
        step.was().search().filter(|search| search.round == Round::Proposed).is_some_and(|search| {
            search.skip.iter().any(|skipped| skipped.until_us.is_some_and(|until_us| until_us <= *at_us))
        })
    };
    step.changed() == has_passed || !has_passed && somebody_is_back()
}
