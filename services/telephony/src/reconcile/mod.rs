//! The steps that make the switch match the plan: a pure function of plan and observed state, in the one order that is safe
//! however many versions of the plan were skipped.
//!
//! Unwanted announcements and recordings end first, so that nobody hears, and no file contains, what comes after. A party
//! that must not hear the others is taken out before they are moved in. The customer is moved before the others, so that
//! the customer never waits for them. New operations begin when all parties are in their place. Legs are hung up after all
//! of that. The caller executes the first steps, updates the observed state, and asks for the steps again: so a step that
//! fails ends the pass before a leg is hung up, and a plan or an event that comes meanwhile counts at once.

mod place;
#[cfg(test)]
mod tests;

use baton_api::common::v1::IvrElement;

use crate::observed::ObservedState;
use crate::operation::{Operation, OperationKey};
use crate::plan::{Plan, Treatment, WantedDial};
use crate::switch::LegProgress;

/// One command to the switch. Legs are named as on the switch, rooms as in the plan.
#[derive(Clone, Debug, PartialEq)]
pub enum ReconcileStep {
    StopPlayback(String),
    /// The switch answers when no further sample is taken.
    StopRecording(String),
    SetMute {
        leg: String,
        muted: bool,
    },
    TakeOut(String),
    Answer(String),
    /// Creates the room, or changes its treatment.
    EnsureRoom {
        room: String,
        treatment: Treatment,
    },
    Move {
        leg: String,
        room: String,
    },
    Exit {
        id: String,
        leg: String,
        /// Empty for a flow.
        mailbox: String,
        /// Empty for voicemail.
        flow: Vec<IvrElement>,
    },
    /// Takes the leg back out of a flow that is no longer wanted.
    Recall {
        exit: String,
        leg: String,
    },
    Play {
        id: String,
        room: String,
        /// Of the sound.
        name: String,
    },
    StartRecording {
        /// Of the segment.
        id: String,
        room: String,
        recording_id: String,
    },
    Dial {
        leg: String,
        dial: WantedDial,
    },
    HangUp {
        leg: String,
        /// The ring time is over.
        no_answer: bool,
    },
    /// By now the room is empty.
    DestroyRoom(String),
}

impl ReconcileStep {
    /// The operation that the step begins, if it does, and its [detail](crate::operation::Operation::detail).
    pub fn operation(&self) -> Option<(OperationKey, &str)> {
        match self {
            Self::Dial { leg, .. } => Some((OperationKey::leg(leg), "")),
            Self::Exit { id, flow, .. } => {
                Some((OperationKey::exit(id), if flow.is_empty() { "" } else { Operation::FLOW }))
            }
            Self::Play { id, .. } => Some((OperationKey::announcement(id), "")),
            Self::StartRecording { id, recording_id, .. } => Some((OperationKey::segment(id), recording_id)),
            _ => None,
        }
    }
}

/// All steps, in their order. Empty: the switch matches the plan.
pub fn steps(plan: &Plan, observed: &ObservedState, now_us: i64) -> Vec<ReconcileStep> {
    let mut steps = Vec::new();
    stop_playbacks(plan, observed, &mut steps);
    stop_recordings(plan, observed, &mut steps);
    place::mute(plan, observed, true, &mut steps);
    place::take_out(plan, observed, &mut steps);
    place::place(plan, observed, &mut steps);
    place::mute(plan, observed, false, &mut steps);
    play(plan, observed, &mut steps);
    record(plan, observed, &mut steps);
    dial(plan, observed, now_us, &mut steps);
    hang_up(plan, observed, now_us, &mut steps);
    destroy_rooms(plan, observed, &mut steps);
    steps
}

fn stop_playbacks(plan: &Plan, observed: &ObservedState, steps: &mut Vec<ReconcileStep>) {
    let unwanted = observed.playbacks.keys().filter(|id| !plan.announcements.iter().any(|it| it.id == **id));
    steps.extend(unwanted.cloned().map(ReconcileStep::StopPlayback));
}

/// Also stops the wanted recording when the customer has left the room (R1) and the transfer service does not know it yet,
/// and one that was given up and has appeared after all. One whose file is being completed has stopped already: to stop it
/// again changes nothing.
fn stop_recordings(plan: &Plan, observed: &ObservedState, steps: &mut Vec<ReconcileStep>) {
    let wanted = plan.segment.as_ref().filter(|it| customer_is_in(plan, observed, &it.room));
    let wanted = wanted.filter(|it| !observed.is_over(&OperationKey::segment(&it.id)));
    let unwanted = observed.recordings.keys().filter(|id| wanted.is_none_or(|it| it.id != **id));
    steps.extend(unwanted.cloned().map(ReconcileStep::StopRecording));
}

/// An announcement waits until a party is in the room.
fn play(plan: &Plan, observed: &ObservedState, steps: &mut Vec<ReconcileStep>) {
    for it in &plan.announcements {
        if !observed.was_requested(&OperationKey::announcement(&it.id)) && place::is_occupied(plan, observed, &it.room)
        {
            steps.push(ReconcileStep::Play { id: it.id.clone(), room: it.room.clone(), name: it.name.clone() });
        }
    }
}

/// Only a room that the customer is in is recorded (R1), whatever the plan says.
fn record(plan: &Plan, observed: &ObservedState, steps: &mut Vec<ReconcileStep>) {
    let Some(segment) = &plan.segment else { return };
    if customer_is_in(plan, observed, &segment.room) && !observed.was_requested(&OperationKey::segment(&segment.id)) {
        steps.push(ReconcileStep::StartRecording {
            id: segment.id.clone(),
            room: segment.room.clone(),
            recording_id: segment.recording_id.clone(),
        });
    }
}

fn customer_is_in(plan: &Plan, observed: &ObservedState, room: &str) -> bool {
    plan.legs.first().is_some_and(|leg| place::will_be_in(plan, observed, leg) == Some(room))
}

fn dial(plan: &Plan, observed: &ObservedState, now_us: i64, steps: &mut Vec<ReconcileStep>) {
    for leg in &plan.legs {
        let Some(dial) = leg.dial().filter(|it| now_us < it.ring_until_us) else { continue };
        if !observed.was_requested(&OperationKey::leg(&leg.id)) {
            steps.push(ReconcileStep::Dial { leg: leg.id.clone(), dial: dial.clone() });
        }
    }
}

/// Also hangs up a leg that was given up: it rang too long, or it appeared after it was taken for gone (T4).
fn hang_up(plan: &Plan, observed: &ObservedState, now_us: i64, steps: &mut Vec<ReconcileStep>) {
    for (name, actual) in &observed.legs {
        let wanted = plan.leg_named(name);
        if wanted.is_some_and(|leg| observed.live(leg).is_some()) {
            continue;
        }
        let rang_out = wanted.and_then(|leg| leg.dial()).is_some_and(|it| it.ring_until_us <= now_us);
        let no_answer = rang_out && actual.progress == LegProgress::Ringing;
        steps.push(ReconcileStep::HangUp { leg: name.clone(), no_answer });
    }
}

/// By now the rooms are empty, as each wanted leg is in a room of the plan.
fn destroy_rooms(plan: &Plan, observed: &ObservedState, steps: &mut Vec<ReconcileStep>) {
    let unwanted = observed.rooms.keys().filter(|room| !plan.rooms.contains_key(*room));
    steps.extend(unwanted.cloned().map(ReconcileStep::DestroyRoom));
}
