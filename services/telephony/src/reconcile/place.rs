//! Who is where: out of rooms, into rooms, heard or not.

use std::collections::BTreeSet;

use super::Step;
use crate::plan::{Exit, Leg, Origin, Plan};
use crate::switch::LegState;
use crate::thing::Key;
use crate::world::{LegThere, World};

/// Mutes before anybody is moved, so that nobody is heard for a moment; unmutes after it. What is not known is said again.
pub(super) fn mute(plan: &Plan, world: &World, muted: bool, steps: &mut Vec<Step>) {
    for leg in plan.legs.iter().filter(|leg| leg.muted == muted) {
        let Some(there) = world.live(leg) else { continue };
        if there.state == LegState::Up && there.muted != Some(muted) {
            steps.push(Step::SetMute { leg: leg.name().to_owned(), muted });
        }
    }
}

/// Takes out whoever is in a room that others are to be in, and not they; and whoever is to be in none. The customer is
/// moved next in any case, and is never left in no room for it; an exit takes its leg out by itself.
pub(super) fn take_out(plan: &Plan, world: &World, steps: &mut Vec<Step>) {
    for (name, there) in &world.legs {
        let Some(room) = there.room.as_deref().filter(|_| there.state == LegState::Up) else { continue };
        let wanted = plan.leg_named(name).filter(|leg| world.live(leg).is_some());
        if wanted.is_some_and(|leg| leaves(plan, world, leg)) {
            continue;
        }
        let out = match wanted.map(|leg| leg.room.as_deref()) {
            Some(Some(to)) => to != room && !is_customer(plan, name) && is_occupied(plan, world, room),
            Some(None) => true,
            None => is_occupied(plan, world, room),
        };
        if out {
            steps.push(Step::TakeOut(name.clone()));
        }
    }
}

/// Puts the customer where they belong, then the others.
pub(super) fn place(plan: &Plan, world: &World, steps: &mut Vec<Step>) {
    let mut ensured = BTreeSet::new();
    for leg in &plan.legs {
        let Some(there) = world.live(leg) else { continue };
        match exit_of(plan, world, leg) {
            Some(exit) => leave(leg, there, exit, world, steps),
            None => enter(plan, world, leg, there, &mut ensured, steps),
        }
    }
}

/// Sends the leg to its exit, once. Until that is over it belongs nowhere else.
fn leave(leg: &Leg, there: &LegThere, exit: &Exit, world: &World, steps: &mut Vec<Step>) {
    if world.was_asked(&Key::exit(&exit.id)) || !answer(leg, there, steps) {
        return;
    }
    let (id, mailbox) = (exit.id.clone(), exit.mailbox.clone());
    steps.push(Step::Exit { id, leg: leg.name().to_owned(), mailbox });
}

fn enter<'a>(
    plan: &'a Plan,
    world: &World,
    leg: &'a Leg,
    there: &LegThere,
    ensured: &mut BTreeSet<&'a str>,
    steps: &mut Vec<Step>,
) {
    let Some(room) = leg.room.as_deref() else { return };
    if !answer(leg, there, steps) {
        return;
    }
    ensure(plan, world, room, ensured, steps);
    if there.room.as_deref() != Some(room) {
        steps.push(Step::Move { leg: leg.name().to_owned(), room: room.to_owned() });
    }
}

/// Answers a call that came in; says whether the leg can be put somewhere now.
fn answer(leg: &Leg, there: &LegThere, steps: &mut Vec<Step>) -> bool {
    match (&there.state, &leg.origin) {
        (LegState::Up, _) => true,
        (LegState::Ringing, Origin::Inbound(name)) => {
            steps.push(Step::Answer(name.clone()));
            true
        }
        _ => false,
    }
}

fn ensure<'a>(plan: &'a Plan, world: &World, room: &'a str, ensured: &mut BTreeSet<&'a str>, steps: &mut Vec<Step>) {
    let Some(treatment) = plan.rooms.get(room).copied() else { return };
    let there = world.rooms.get(room).and_then(|it| it.treatment);
    if there != Some(treatment) && ensured.insert(room) {
        steps.push(Step::EnsureRoom { room: room.to_owned(), treatment });
    }
}

/// The room that a wanted leg is in when everybody is in their place.
pub(super) fn will_be_in<'a>(plan: &Plan, world: &World, leg: &'a Leg) -> Option<&'a str> {
    let there = world.live(leg)?;
    let can_be = match (&there.state, &leg.origin) {
        (LegState::Up, _) | (LegState::Ringing, Origin::Inbound(_)) => true,
        (LegState::Ringing, Origin::Dial(_) | Origin::Refused(_)) | (LegState::Exited(_), _) => false,
    };
    leg.room.as_deref().filter(|_| can_be && !leaves(plan, world, leg))
}

/// Somebody who is wanted there will be in the room.
pub(super) fn is_occupied(plan: &Plan, world: &World, room: &str) -> bool {
    plan.legs.iter().any(|leg| will_be_in(plan, world, leg) == Some(room))
}

/// The exit that the leg is to leave to, or is in.
fn exit_of<'a>(plan: &'a Plan, world: &World, leg: &Leg) -> Option<&'a Exit> {
    plan.exit.as_ref().filter(|exit| exit.leg_id == leg.id && !world.is_over(&Key::exit(&exit.id)))
}

fn leaves(plan: &Plan, world: &World, leg: &Leg) -> bool {
    exit_of(plan, world, leg).is_some()
}

fn is_customer(plan: &Plan, name: &str) -> bool {
    plan.legs.first().is_some_and(|leg| leg.name() == name)
}
