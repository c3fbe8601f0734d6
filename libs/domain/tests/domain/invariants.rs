//! What must hold in every state, whatever came before; each by its id.

use crate::world::{World, by, command_of, on_behalf_of, supervisor};
use baton_domain::{
    Action, Actor, EventKind, Input, Refusal,
    interaction::{LegState, Stage},
    project,
};
use baton_words::{Phase, Reason, Room};

/// Checks all of them on one state.
pub fn check(world: &World) {
    customer_is_in_one_place(world);
    held_means_held(world);
    only_conversations_are_recorded(world);
    without_a_primary_there_is_no_turn(world);
    nothing_is_left_at_the_end(world);
    a_deadline_is_armed(world);
    buttons_do_not_lie(world);
    nobody_is_hung_up_by_a_transfer(world);
    nobody_is_left_alone(world);
    a_turn_is_that_of_somebody_present(world);
    nobody_is_claimed_twice(world);
    one_recording_each_until_a_hop_is_made(world);
    a_customer_who_writes_is_never_held(world);
    nothing_but_segments_and_dispositions_comes_after_the_end(world);
}

/// What holds when everything has been done that the plan says, and was reported.
pub fn check_placed(mut world: World) {
    world.place();
    let phase = world.i.transfer.as_ref().map(baton_domain::Transfer::phase);
    assert_ne!(phase, Some(Phase::HandingOver), "T2: it has gone through: {:?}", world.i);
    let recording = &world.i.recorder;
    if world.i.talking() && recording.on() && !recording.paused {
        assert!(recording.current.is_some_and(|segment| segment.live), "R2: {:?}", world.i);
    }
}

/// B309: and hears nothing that would be recorded.
fn a_customer_who_writes_is_never_held(world: &World) {
    let held = |kind: &EventKind| matches!(kind, EventKind::CustomerHeld | EventKind::RecordingStarted(_));
    assert!(!world.i.medium.is_written() || !world.i.held() && !world.happened(held), "B309: {:?}", world.i);
}

/// C2: nobody looks for an agent while one is there.
fn nobody_is_left_alone(world: &World) {
    let with_nobody = matches!(world.i.stage, Stage::Seeking(_) | Stage::Exiting(_));
    let somebody = !world.agents_in().is_empty() || world.i.externals().next().is_some();
    assert!(!with_nobody || !somebody, "C2: {:?}", world.i);
}

/// B206: a segment belongs to an agent who is there.
fn a_turn_is_that_of_somebody_present(world: &World) {
    let recording = &world.i.recorder;
    if let (Some(_), Some(tenure)) = (recording.current, recording.tenure) {
        assert!(world.i.agent(tenure.agent).is_some(), "B206: {:?}", world.i);
    }
    for suspended in &recording.suspended {
        assert!(world.i.agent(suspended.tenure.agent).is_some(), "B206: {:?}", world.i);
    }
}

/// A1: at most one claim an agent.
fn nobody_is_claimed_twice(world: &World) {
    let wanted = project::claims(&world.i).wanted;
    for (at, claim) in wanted.iter().enumerate() {
        assert!(wanted[..at].iter().all(|other| other.agent != claim.agent), "A1: {wanted:?}");
    }
}

/// B206: whoever comes back after a failed attempt goes on with their recording.
fn one_recording_each_until_a_hop_is_made(world: &World) {
    if world.i.journey.iter().filter(|hop| hop.outcome.to().is_some()).count() > 1 || world.happened(left_and_came_back)
    {
        return;
    }
    let started = world.events.iter().filter_map(|event| match &event.kind {
        EventKind::RecordingStarted(started) => Some(started.agent),
        _ => None,
    });
    let started: Vec<_> = started.collect();
    for (at, agent) in started.iter().enumerate() {
        assert!(!started[..at].contains(agent), "B206: {:?}", world.i.journey);
    }
}

/// Whoever has received the customer and lost them may receive them again.
fn left_and_came_back(kind: &EventKind) -> bool {
    // B409: and each customer's conversation is a recording of its own.
    matches!(kind, EventKind::PrimaryChanged { from: Some(_), .. } | EventKind::CustomerChanged { .. })
}

/// What is over is over: only the ends of recordings are still told, and how each agent says that their turn ended.
fn nothing_but_segments_and_dispositions_comes_after_the_end(world: &World) {
    let mut after = world.events.iter().skip_while(|event| !matches!(event.kind, EventKind::Ended(_))).skip(1);
    let late = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::SegmentStarted { .. }
                | EventKind::SegmentEnded { .. }
                | EventKind::RecordingEnded { .. }
                | EventKind::Excluded { .. }
                | EventKind::Dispositioned { .. }
        )
    };
    assert!(after.all(|event| late(&event.kind)), "E1: {:?}", world.events);
}

/// C1: exactly one place: a room, or an exit.
fn customer_is_in_one_place(world: &World) {
    let (plan, own) = (world.plan(), world.i.customer().leg.no);
    if world.i.medium.is_written() {
        assert!(
            plan.legs.is_empty() && plan.rooms.is_empty() && plan.exit.is_none(),
            "a chat wants a switch: {plan:?}"
        );
        assert!(!matches!(world.i.stage, Stage::Exiting(_) | Stage::Farewell { .. }), "C1: {:?}", world.i.stage);
        return;
    }
    let legs: Vec<_> = plan.legs.iter().filter(|leg| leg.leg == own).collect();
    let customer = world.i.customer().leg.state;
    let wanted = usize::from(!world.i.ended() && !matches!(customer, LegState::Planned | LegState::Over));
    assert_eq!(legs.len(), wanted, "C1: {plan:?}");
    if let Some(leg) = legs.first() {
        assert_eq!(plan.legs.first().map(|leg| leg.leg), Some(own), "telephony knows the customer by it: {plan:?}");
        assert!(leg.room.is_some() != plan.exit.is_some(), "C1: {plan:?}");
    }
    for leg in &plan.legs {
        assert_eq!(plan.legs.iter().filter(|other| other.leg == leg.leg).count(), 1, "C1: {plan:?}");
        if let Some(room) = leg.room {
            assert!(plan.treatment(room).is_some(), "C1: a room that is not there: {plan:?}");
        }
    }
}

/// C6: who is held is alone.
fn held_means_held(world: &World) {
    let (plan, own) = (world.plan(), world.i.customer().leg.no);
    for room in [Room::Hold, Room::Lobby] {
        let members: Vec<_> = plan.legs.iter().filter(|leg| leg.room == Some(room)).collect();
        assert!(members.iter().all(|leg| leg.leg == own), "C6: {plan:?}");
    }
}

/// R1, B208: a segment only where the customer talks with an agent.
fn only_conversations_are_recorded(world: &World) {
    let (plan, own) = (world.plan(), world.i.customer().leg.no);
    if plan.segment.is_some() {
        assert_eq!(plan.room_of(own), Some(Room::Talk), "R1: {plan:?}");
        assert!(plan.legs.iter().any(|leg| leg.leg != own && leg.room == Some(Room::Talk)), "R1: {plan:?}");
        assert!(!world.i.recorder.paused, "R3: {plan:?}");
    }
}

/// R2: while nobody has the customer it is nobody's turn, and nothing is left out.
fn without_a_primary_there_is_no_turn(world: &World) {
    let r = &world.i.recorder;
    assert!(world.i.primary().is_some() || (r.tenure.is_none() && r.gap.is_none()), "R2: {r:?}");
}

/// T5: no claim, leg or wait outlives the interaction.
fn nothing_is_left_at_the_end(world: &World) {
    if world.i.ended() {
        let plan = world.plan();
        assert!(plan.legs.is_empty() && plan.segment.is_none(), "T5: {plan:?}");
        assert!(project::claims(&world.i).wanted.is_empty(), "T5");
        assert_eq!(project::wait(&world.i), None, "T5");
    }
}

/// C5, T2: every state that is not final has a deadline.
fn a_deadline_is_armed(world: &World) {
    assert_eq!(world.deadline().is_none(), world.i.ended(), "C5: {:?}", world.i.stage);
}

/// C2: a call that nobody ended ends only when the customer left, an agent who had them hung up, or a flow or fallback said so.
fn nobody_is_hung_up_by_a_transfer(world: &World) {
    let was_there = world.happened(|kind| matches!(kind, EventKind::CustomerAnswered { .. }))
        || world.i.direction == baton_words::Direction::Inbound;
    if let Stage::Ended(reason) = world.i.stage
        && was_there
    {
        let known = [
            Reason::CustomerLeft,
            Reason::HungUp,
            Reason::Requested,
            Reason::Disconnected,
            Reason::Voicemail,
            Reason::Timeout,
            Reason::SwitchLost,
        ];
        assert!(known.contains(&reason), "C2: {reason:?}");
    }
}

/// T6: what a party is told it may do is exactly what is accepted from it.
fn buttons_do_not_lie(world: &World) {
    let agents = (1..=4).map(by);
    let actors = agents.chain((1..=2).map(on_behalf_of)).chain([supervisor(), Actor::Customer, Actor::External]);
    let open = world.i.transfer.as_ref().map(|transfer| transfer.no);
    for actor in actors {
        let shown = world.allowed(&actor);
        for action in Action::ALL {
            let mut trial = world.i.clone();
            let input = Input::Command(actor.clone(), command_of(action, open));
            let answer = baton_domain::react(&mut trial, &world.policy, input, world.now);
            // The target of a start and its outcome, and to whom a message goes, are not part of the button.
            let accepted = match &answer {
                Ok(_) | Err(Refusal::TargetInInteraction | Refusal::OutcomeMissing(_) | Refusal::AgentsOnly) => true,
                Err(_) => false,
            };
            assert_eq!(shown.contains(action), accepted, "T6: {actor:?} {action:?} {answer:?} in {:?}", world.i);
            assert!(answer.is_ok() || trial == world.i, "T5: a refusal changed something");
        }
    }
}
