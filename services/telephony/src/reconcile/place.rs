//! Puts each leg into its room, takes legs out of rooms, and mutes them.

use std::collections::BTreeSet;

use super::ReconcileStep;
use crate::observed::{ObservedLeg, ObservedState};
use crate::operation::OperationKey;
use crate::plan::{Plan, WantedExit, WantedLeg, WantedOrigin};
use crate::switch::LegProgress;

/// Legs are muted before the moves, so that a muted party is never heard, and unmuted after them. A mute that is not known
/// is repeated.
pub(super) fn mute(plan: &Plan, observed: &ObservedState, muted: bool, steps: &mut Vec<ReconcileStep>) {
    for leg in plan.legs.iter().filter(|leg| leg.muted == muted) {
        let Some(actual) = observed.live(leg) else { continue };
        if actual.progress == LegProgress::Up && actual.muted != Some(muted) {
            steps.push(ReconcileStep::SetMute { leg: leg.name().to_owned(), muted });
        }
    }
}

/// Takes out a leg that is in a room where others are wanted and it is not, and a leg that is wanted in no room. The
/// customer's leg is not taken out before it is moved, as it is moved next in any case; an exit takes its leg out by
/// itself.
pub(super) fn take_out(plan: &Plan, observed: &ObservedState, steps: &mut Vec<ReconcileStep>) {
    for (name, actual) in &observed.legs {
        let Some(room) = actual.room.as_deref().filter(|_| actual.progress == LegProgress::Up) else { continue };
        let wanted = plan.leg_named(name).filter(|leg| observed.live(leg).is_some());
        if wanted.is_some_and(|leg| leaves(plan, observed, leg)) {
            continue;
        }
        let out = match wanted.map(|leg| leg.room.as_deref()) {
            Some(Some(to)) => to != room && !is_customer(plan, name) && is_occupied(plan, observed, room),
            Some(None) => true,
            None => is_occupied(plan, observed, room),
        };
        if out {
            steps.push(ReconcileStep::TakeOut(name.clone()));
        }
    }
}

/// Moves the customer, then the others.
pub(super) fn place(plan: &Plan, observed: &ObservedState, steps: &mut Vec<ReconcileStep>) {
    let mut ensured = BTreeSet::new();
    for leg in &plan.legs {
        let Some(actual) = observed.live(leg) else { continue };
        match exit_of(plan, observed, leg) {
            Some(exit) => leave(leg, actual, exit, observed, steps),
            None => enter(plan, observed, leg, actual, &mut ensured, steps),
        }
    }
}

/// Sends the leg to its exit, once. It is moved to no room before the exit is over.
fn leave(
    leg: &WantedLeg,
    actual: &ObservedLeg,
    exit: &WantedExit,
    observed: &ObservedState,
    steps: &mut Vec<ReconcileStep>,
) {
    if observed.was_requested(&OperationKey::exit(&exit.id)) || !answer(leg, actual, steps) {
        return;
    }
    let (id, mailbox, flow) = (exit.id.clone(), exit.mailbox.clone(), exit.flow.clone());
    steps.push(ReconcileStep::Exit { id, leg: leg.name().to_owned(), mailbox, flow });
}

fn enter<'a>(
    plan: &'a Plan,
    observed: &ObservedState,
    leg: &'a WantedLeg,
    actual: &ObservedLeg,
    ensured: &mut BTreeSet<&'a str>,
    steps: &mut Vec<ReconcileStep>,
) {
    let Some(room) = leg.room.as_deref() else { return };
    if let Some(exit) = observed.flow_of(actual) {
        steps.push(ReconcileStep::Recall { exit: exit.to_owned(), leg: leg.name().to_owned() });
    } else if !answer(leg, actual, steps) {
        return;
    }
    ensure(plan, observed, room, ensured, steps);
    if actual.room.as_deref() != Some(room) {
        steps.push(ReconcileStep::Move { leg: leg.name().to_owned(), room: room.to_owned() });
    }
}

/// Answers an inbound call; returns whether the leg can be moved now.
fn answer(leg: &WantedLeg, actual: &ObservedLeg, steps: &mut Vec<ReconcileStep>) -> bool {
    match (&actual.progress, &leg.origin) {
        (LegProgress::Up, _) => true,
        (LegProgress::Ringing, WantedOrigin::Inbound(name)) => {
            steps.push(ReconcileStep::Answer(name.clone()));
            true
        }
        _ => false,
    }
}

fn ensure<'a>(
    plan: &'a Plan,
    observed: &ObservedState,
    room: &'a str,
    ensured: &mut BTreeSet<&'a str>,
    steps: &mut Vec<ReconcileStep>,
) {
    let Some(treatment) = plan.rooms.get(room).copied() else { return };
    let actual = observed.rooms.get(room).and_then(|it| it.treatment);
    if actual != Some(treatment) && ensured.insert(room) {
        steps.push(ReconcileStep::EnsureRoom { room: room.to_owned(), treatment });
    }
}

/// The room that a wanted leg is in after all moves.
pub(super) fn will_be_in<'a>(plan: &Plan, observed: &ObservedState, leg: &'a WantedLeg) -> Option<&'a str> {
    let actual = observed.live(leg)?;
    let can_be = match (&actual.progress, &leg.origin) {
        (LegProgress::Up, _) | (LegProgress::Ringing, WantedOrigin::Inbound(_)) => true,
        (LegProgress::Exited(_), _) => observed.flow_of(actual).is_some(),
        (LegProgress::Ringing, WantedOrigin::Dial(_) | WantedOrigin::Refused(_)) => false,
    };
    leg.room.as_deref().filter(|_| can_be && !leaves(plan, observed, leg))
}

/// After all moves, a leg that is wanted in the room is in it.
pub(super) fn is_occupied(plan: &Plan, observed: &ObservedState, room: &str) -> bool {
    plan.legs.iter().any(|leg| will_be_in(plan, observed, leg) == Some(room))
}

/// The exit that the leg is to take, or is in.
fn exit_of<'a>(plan: &'a Plan, observed: &ObservedState, leg: &WantedLeg) -> Option<&'a WantedExit> {
    plan.exit.as_ref().filter(|exit| exit.leg_id == leg.id && !observed.is_over(&OperationKey::exit(&exit.id)))
}

fn leaves(plan: &Plan, observed: &ObservedState, leg: &WantedLeg) -> bool {
    exit_of(plan, observed, leg).is_some()
}

fn is_customer(plan: &Plan, name: &str) -> bool {
    plan.legs.first().is_some_and(|leg| leg.name() == name)
}
