//! What is to be done so that the switch matches the plan: a pure function of both, in the one order that is safe however
//! many versions of the plan were skipped.
//!
//! Announcements and recordings that are not wanted end first, so that nobody hears and no file holds what comes after. Who
//! must not hear leaves before others are moved; the customer is moved before the others, so that they are never the one who
//! waits; new things begin when everybody is in their place; and nothing is hung up before all of that is true. The caller
//! takes the first step, notes what it has changed, and asks again: so a step that fails ends the pass before anything is
//! hung up, and a plan or an event that comes meanwhile is taken into account at once.

mod place;
#[cfg(test)]
mod tests;

use crate::plan::{Dial, Plan, Treatment};
use crate::switch::LegState;
use crate::thing::Key;
use crate::world::World;

/// One command to the switch. Legs are named as on the switch, rooms as in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Stop an announcement.
    StopPlayback(String),
    /// Stop a recording, and await that it is closed.
    StopRecording(String),
    /// Others don't hear the leg, or do again.
    SetMute {
        /// The leg.
        leg: String,
        /// Whether they don't.
        muted: bool,
    },
    /// Take a leg out of its room.
    TakeOut(String),
    /// Answer a call that came in.
    Answer(String),
    /// Make a room, or change what is heard in it.
    EnsureRoom {
        /// The room.
        room: String,
        /// What is heard.
        treatment: Treatment,
    },
    /// Put a leg into a room.
    Move {
        /// The leg.
        leg: String,
        /// The room.
        room: String,
    },
    /// Send a leg to a mailbox, once.
    Exit {
        /// The exit.
        id: String,
        /// The leg.
        leg: String,
        /// The mailbox.
        mailbox: String,
    },
    /// Play an announcement, once.
    Play {
        /// The announcement's id.
        id: String,
        /// The room.
        room: String,
        /// What is played.
        name: String,
    },
    /// Record a room, once.
    StartRecording {
        /// The segment.
        id: String,
        /// The room.
        room: String,
        /// The recording that the segment belongs to.
        recording_id: String,
    },
    /// Ring a phone, once.
    Dial {
        /// The leg.
        leg: String,
        /// How.
        dial: Dial,
    },
    /// Hang up.
    HangUp {
        /// The leg.
        leg: String,
        /// It rang for as long as it may.
        no_answer: bool,
    },
    /// Remove a room that is empty by now.
    DestroyRoom(String),
}

impl Step {
    /// What it begins, if that happens once only, and what is to be remembered of it.
    pub fn once(&self) -> Option<(Key, &str)> {
        match self {
            Self::Dial { leg, .. } => Some((Key::leg(leg), "")),
            Self::Exit { id, .. } => Some((Key::exit(id), "")),
            Self::Play { id, .. } => Some((Key::announcement(id), "")),
            Self::StartRecording { id, recording_id, .. } => Some((Key::segment(id), recording_id)),
            _ => None,
        }
    }
}

/// All steps, in their order. Empty: the switch matches the plan.
pub fn steps(plan: &Plan, world: &World, now_us: i64) -> Vec<Step> {
    let mut steps = Vec::new();
    stop_playbacks(plan, world, &mut steps);
    stop_recordings(plan, world, &mut steps);
    place::mute(plan, world, true, &mut steps);
    place::take_out(plan, world, &mut steps);
    place::place(plan, world, &mut steps);
    place::mute(plan, world, false, &mut steps);
    play(plan, world, &mut steps);
    record(plan, world, &mut steps);
    dial(plan, world, now_us, &mut steps);
    hang_up(plan, world, now_us, &mut steps);
    destroy_rooms(plan, world, &mut steps);
    steps
}

fn stop_playbacks(plan: &Plan, world: &World, steps: &mut Vec<Step>) {
    let unwanted = world.playbacks.keys().filter(|id| !plan.announcements.iter().any(|it| it.id == **id));
    steps.extend(unwanted.cloned().map(Step::StopPlayback));
}

/// Also when the customer is not in the room any more (R1) and the transfer service does not know it yet; and what was given
/// up and shows up after all. One whose file is being completed is stopped already, and stopping it again changes nothing.
fn stop_recordings(plan: &Plan, world: &World, steps: &mut Vec<Step>) {
    let wanted = plan.segment.as_ref().filter(|it| customer_is_in(plan, world, &it.room));
    let wanted = wanted.filter(|it| !world.is_over(&Key::segment(&it.id)));
    let unwanted = world.recordings.keys().filter(|id| wanted.is_none_or(|it| it.id != **id));
    steps.extend(unwanted.cloned().map(Step::StopRecording));
}

/// An announcement waits until there is somebody in the room to hear it.
fn play(plan: &Plan, world: &World, steps: &mut Vec<Step>) {
    for it in &plan.announcements {
        if !world.was_asked(&Key::announcement(&it.id)) && place::is_occupied(plan, world, &it.room) {
            steps.push(Step::Play { id: it.id.clone(), room: it.room.clone(), name: it.name.clone() });
        }
    }
}

/// Only a room that the customer is in is recorded (R1), whatever the plan says.
fn record(plan: &Plan, world: &World, steps: &mut Vec<Step>) {
    let Some(segment) = &plan.segment else { return };
    if customer_is_in(plan, world, &segment.room) && !world.was_asked(&Key::segment(&segment.id)) {
        steps.push(Step::StartRecording {
            id: segment.id.clone(),
            room: segment.room.clone(),
            recording_id: segment.recording_id.clone(),
        });
    }
}

fn customer_is_in(plan: &Plan, world: &World, room: &str) -> bool {
    plan.legs.first().is_some_and(|leg| place::will_be_in(plan, world, leg) == Some(room))
}

fn dial(plan: &Plan, world: &World, now_us: i64, steps: &mut Vec<Step>) {
    for leg in &plan.legs {
        let Some(dial) = leg.dial().filter(|it| now_us < it.ring_until_us) else { continue };
        if !world.was_asked(&Key::leg(&leg.id)) {
            steps.push(Step::Dial { leg: leg.id.clone(), dial: dial.clone() });
        }
    }
}

/// What is not wanted, and what was given up: a leg that rang too long, or that shows up after it was taken for gone (T4).
fn hang_up(plan: &Plan, world: &World, now_us: i64, steps: &mut Vec<Step>) {
    for (name, there) in &world.legs {
        let wanted = plan.leg_named(name);
        if wanted.is_some_and(|leg| world.live(leg).is_some()) {
            continue;
        }
        let rang_out = wanted.and_then(|leg| leg.dial()).is_some_and(|it| it.ring_until_us <= now_us);
        let no_answer = rang_out && there.state == LegState::Ringing;
        steps.push(Step::HangUp { leg: name.clone(), no_answer });
    }
}

/// By now everybody has left them, as a leg that is wanted somewhere is wanted in a room of the plan.
fn destroy_rooms(plan: &Plan, world: &World, steps: &mut Vec<Step>) {
    let unwanted = world.rooms.keys().filter(|room| !plan.rooms.contains_key(*room));
    steps.extend(unwanted.cloned().map(Step::DestroyRoom));
}
