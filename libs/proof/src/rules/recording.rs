//! What is recorded, and whose recording it is.

use crate::{
    happening::Happening,
    invariants::{Checked, ensure},
    model::Proof,
    transitions::Transition,
    world::{World, number_of},
};
use baton_domain::{Command, Input, RecordingCommand, project};
use baton_words::{Exclusion, Room};

pub(crate) fn only_talk(proof: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let plan = project::plan(i, &proof.policy);
    if plan.segment.is_none() {
        return Ok(());
    }
    let own = i.customer().leg.no;
    ensure(plan.room_of(own) == Some(Room::Talk), || "recorded although the customer is not in the talk".to_owned())?;
    let somebody = plan.legs.iter().any(|leg| leg.leg != own && leg.room == Some(Room::Talk));
    ensure(somebody, || "recorded although the customer is alone".to_owned())?;
    ensure(!i.recorder.paused, || "recorded although it is paused".to_owned())
}

pub(crate) fn nobodys_tenure(_: &Proof, world: &World) -> Checked {
    let i = &world.interaction;
    let nobody = i.recorder.tenure.is_none() && i.recorder.gap.is_none();
    ensure(i.primary().is_some() || nobody, || "it is somebody's turn".to_owned())
}

pub(crate) fn tenure_of_the_present(_: &Proof, world: &World) -> Checked {
    let recorder = &world.interaction.recorder;
    let running = recorder.tenure.filter(|_| recorder.current.is_some());
    let all = running.into_iter().chain(recorder.suspended.iter().map(|suspended| suspended.tenure));
    let mixed = recorder.current.filter(|segment| recorder.recording() != Some(segment.recording));
    ensure(mixed.is_none(), || "what is written is of another recording".to_owned())?;
    for tenure in all {
        let here = world.interaction.agent(tenure.agent).is_some();
        ensure(here, || format!("agent {} is not there any more", number_of(tenure.agent)))?;
    }
    Ok(())
}

/// So many segments in a row that could not be written are given up, and left out as not written.
const MOST_FAILURES: u8 = 3;

pub(crate) fn all_talk(_: &Proof, world: &World) -> Checked {
    let (i, r) = (&world.interaction, &world.interaction.recorder);
    if i.medium.is_written() {
        return ensure(r.current.is_none() && r.gap.is_none(), || "a chat is recorded".to_owned());
    }
    // What is said without an agent is nobody's recording.
    if i.primary().is_none() || !i.customer().leg.is_up() {
        return Ok(());
    }
    let left_out = if i.away() {
        Some(Exclusion::InFlow)
    } else if i.held() {
        Some(Exclusion::OnHold)
    } else if r.paused {
        Some(Exclusion::Paused)
    } else if !r.on() {
        Some(Exclusion::NotStarted)
    } else {
        (r.failures >= MOST_FAILURES).then_some(Exclusion::NotWritten)
    };
    let is = r.gap.map(|gap| gap.reason);
    ensure(is == left_out, || format!("it is left out as {is:?} instead of {left_out:?}"))?;
    ensure(r.current.is_some() == left_out.is_none(), || "nothing is recorded although it is to be".to_owned())
}

/// B207: what somebody started by hand goes on with the next agent.
pub(crate) fn by_hand_by_command(step: &Transition<'_>) -> bool {
    let (was, is) = (&step.was().recorder, &step.is().recorder);
    let asked = |wanted: RecordingCommand| matches!(step.happening, Happening::Input(Input::Command(_, Command::Recording(command))) if *command == wanted);
    let started = !was.by_hand && is.by_hand && asked(RecordingCommand::Start);
    let stopped = was.by_hand && !is.by_hand && asked(RecordingCommand::Stop);
    let goes_on = asked(RecordingCommand::Resume) || started;
    let pause_is_asked_for =
        was.paused == is.paused || if is.paused { asked(RecordingCommand::Pause) } else { goes_on };
    (was.by_hand == is.by_hand || started || stopped) && pause_is_asked_for
}

pub(crate) fn all_have_an_end(proof: &Proof, world: &World) -> Checked {
    let (i, r) = (&world.interaction, &world.interaction.recorder);
    let none = r.tenure.is_none() && r.suspended.is_empty() && r.gap.is_none();
    ensure(!i.ended() || none, || "it is over, and a tenure goes on".to_owned())?;
    let awaited = project::plan(i, &proof.policy).awaited;
    let all = awaited.len() == r.closing.len() && r.closing.iter().all(|segment| awaited.contains(&segment.no));
    ensure(all, || "the end of a segment is not awaited".to_owned())?;
    ensure(!i.settled() || r.ending.is_empty(), || "a recording has no end although all of it is known".to_owned())
}
