//! Sequences at the edges of the rows: what comes late, twice, or from somebody whom the row does not speak of.

use crate::world::{SECOND, World, agent, by, policy, ring, supervisor, team};
use baton_domain::{
    Action, Actor, Command, EventKind, Fact, Input, RecordingCommand, Refusal,
    input::SegmentEnd,
    interaction::{MAX_DATA, MAX_NOTES, Stage},
    machine::FlowStep,
    project,
};
use baton_words::{Exclusion, ExitOutcome, LegNo, Phase, Reason, RecordingMode, RecordingNo, TransferKind};

/// Agents 1 and 2 are in the consult of a warm transfer.
fn consulting(profile: &str) -> World {
    let mut world = World::talking(profile);
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    world.pass(5 * SECOND);
    world
}

/// Agent 1 has handed over to agent 2 by muting themselves, and listens on.
fn with_a_bystander() -> World {
    let mut world = consulting("helpdesk");
    world.does(1, Command::SetMute(true));
    world.does(2, Command::Resume);
    assert_eq!((world.phase(), world.agents_in()), (Phase::Completed, vec![1, 2]));
    world
}

fn recording(world: &World) -> Option<RecordingNo> {
    world.i.recorder.current.map(|segment| segment.recording)
}

#[test]
fn c2_a_bystander_goes_with_the_initiator_of_a_cold_transfer() {
    let mut world = with_a_bystander();
    world.start(2, TransferKind::Cold, 3).expect("permitted");
    world.grant();
    assert!(matches!(world.i.stage, Stage::Seeking(_)), "{:?}", world.i.stage);
    assert!(world.agents_in().is_empty(), "nobody is left alone in a room");
    world.no_answer(3);
    assert_eq!(world.phase(), Phase::Diverted);
}

#[test]
fn c2_a_bystander_takes_over_from_an_initiator_who_leaves_while_it_rings() {
    let mut world = with_a_bystander();
    world.start(2, TransferKind::Warm, 3).expect("permitted");
    world.grant();
    world.hang_up(2);
    assert_eq!((world.phase(), world.i.primary()), (Phase::Offered, Some(agent(1).id)));
    assert!(world.allowed(&by(1)).contains(Action::Resume));
    world.no_answer(3);
    assert_eq!((world.phase(), world.i.primary(), world.agents_in()), (Phase::Failed, Some(agent(1).id), vec![1]));
}

#[test]
fn t2_what_was_seen_before_it_was_wanted_completes_the_transfer() {
    let mut world = consulting("lead_center");
    world.command(1, world.complete()).expect("permitted");
    world.command(2, Command::Hold).expect("permitted");
    assert_eq!(world.phase(), Phase::Completed, "the customer is seen on hold already");

    let mut world = consulting("helpdesk");
    world.does(1, Command::Resume);
    for (who, command) in [(1, Command::Hold), (1, world.complete()), (2, Command::Resume)] {
        world.command(who, command).expect("permitted");
    }
    assert_eq!(world.phase(), Phase::Completed, "everybody is seen in conversation already");
}

/// A way in which an attempt fails.
type Way = (&'static str, fn(&mut World));

#[test]
fn b206_the_initiator_comes_back_to_recording_one_however_the_attempt_failed() {
    let taken_back = |world: &mut World| {
        let cancel = world.cancel();
        world.does(1, cancel);
    };
    let hung_up = |world: &mut World| world.hang_up(2);
    let by_supervisor = |world: &mut World| {
        let cancel = Input::Command(supervisor(), world.cancel());
        world.input(cancel).expect("permitted");
        world.place();
    };
    let ways: [Way; 3] = [("taken back", taken_back), ("hung up", hung_up), ("by a supervisor", by_supervisor)];
    for (way, fail) in ways {
        let mut world = consulting("helpdesk");
        world.does(2, Command::Resume);
        assert_eq!(recording(&world), Some(RecordingNo(2)), "{way}");
        world.pass(SECOND);
        if way == "taken back" {
            world.does(1, Command::Hold);
        }
        fail(&mut world);
        if world.i.held() {
            world.does(1, Command::Resume);
        }
        assert_eq!((world.agents_in(), recording(&world)), (vec![1], Some(RecordingNo(1))), "{way}");
        let other_tenure = |kind: &EventKind| {
            matches!(kind, EventKind::Excluded { recording: RecordingNo(1), reason: Exclusion::OtherTenure, .. })
        };
        assert!(world.happened(other_tenure), "{way}: {:?}", world.events);
        assert!(world.happened(|kind| matches!(kind, EventKind::RecordingEnded { recording: RecordingNo(2) })));
    }
}

#[test]
fn b206_however_often_the_customer_changes_sides_each_agent_has_one_recording() {
    let mut world = consulting("helpdesk");
    for who in [2, 1, 2, 1] {
        world.does(who, Command::Resume);
        assert_eq!(recording(&world), Some(RecordingNo(if who == 1 { 1 } else { 2 })));
        world.pass(SECOND);
        world.does(1, Command::Hold);
        world.pass(SECOND);
    }
    world.hang_up(1);
    assert_eq!((world.phase(), world.i.held()), (Phase::Completed, true), "B206: held for the recipient");
    world.does(2, Command::Resume);
    assert_eq!(recording(&world), Some(RecordingNo(2)));
    assert!(world.happened(|kind| matches!(kind, EventKind::RecordingEnded { recording: RecordingNo(1) })));
}

#[test]
fn b207_who_took_the_customer_off_hold_may_start_recording() {
    let mut world = World::new(policy("helpdesk", ""), RecordingMode::Manual, vec![ring(1)]);
    world.grant();
    world.answer(1);
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    assert!(!world.allowed(&by(2)).contains(Action::StartRecording));
    world.does(2, Command::Resume);
    world.does(2, Command::Recording(RecordingCommand::Start));
    assert!(
        world.happened(|kind| matches!(kind, EventKind::RecordingStarted(started) if started.agent == agent(2).id))
    );
}

#[test]
fn b608_starting_by_hand_ends_a_pause_from_before() {
    let mut world = World::new(policy("helpdesk", ""), RecordingMode::Manual, vec![ring(1)]);
    world.grant();
    world.answer(1);
    for command in [RecordingCommand::Start, RecordingCommand::Pause, RecordingCommand::Stop, RecordingCommand::Start] {
        world.does(1, Command::Recording(command));
    }
    assert!(recording(&world).is_some(), "{:?}", world.i.recorder);
    assert!(world.happened(|kind| matches!(kind, EventKind::RecordingResumed { .. })));
}

#[test]
fn r2_after_three_segments_that_could_not_be_written_the_next_hold_tries_again() {
    let mut world = World::talking("lead_center");
    for _ in 0..3 {
        world.pass(SECOND);
        let segment = world.i.recorder.current.expect("a segment").no;
        let end = SegmentEnd { started_at_us: 0, ended_at_us: 0, failed: true };
        world.fact(Fact::SegmentEnded(segment, end));
    }
    assert_eq!(recording(&world), None);
    world.pass(SECOND);
    world.does(1, Command::Hold);
    world.does(1, Command::Resume);
    assert_eq!(recording(&world), Some(RecordingNo(1)));
    assert!(world.happened(|kind| matches!(kind, EventKind::Excluded { reason: Exclusion::NotWritten, .. })));
}

#[test]
fn r2_the_next_agents_turn_is_recorded_whatever_could_not_be_written_before() {
    for kind in [TransferKind::Cold, TransferKind::Warm] {
        let mut world = World::talking("lead_center");
        for _ in 0..3 {
            let segment = world.i.recorder.current.expect("a segment").no;
            let end = SegmentEnd { started_at_us: 0, ended_at_us: 0, failed: true };
            world.fact(Fact::SegmentEnded(segment, end));
        }
        world.start(1, kind, 2).expect("permitted");
        world.grant();
        if kind == TransferKind::Warm {
            world.does(1, Command::Resume);
        }
        world.answer(2);
        if kind == TransferKind::Warm {
            world.hang_up(1);
        }
        assert!(recording(&world).is_some(), "{kind:?}: {:?}", world.i.recorder);
    }
}

#[test]
fn b206_who_takes_over_from_an_initiator_has_the_turn_though_the_customer_is_held() {
    let mut world = with_a_bystander();
    world.start(2, TransferKind::Warm, 3).expect("permitted");
    world.grant();
    world.hang_up(2);
    assert_eq!(world.i.recorder.tenure.map(|tenure| tenure.agent), Some(agent(1).id));
    assert!(world.happened(|kind| matches!(kind, EventKind::RecordingEnded { recording: RecordingNo(2) })));
}

#[test]
fn r4_a_segment_that_was_never_begun_is_no_loss_and_no_event() {
    let mut world = World::talking("lead_center");
    world.does(1, Command::Hold);
    world.command(1, Command::Resume).expect("permitted");
    let segment = world.i.recorder.current.expect("a segment").no;
    world.command(1, Command::Hold).expect("permitted");
    let before = world.events.len();
    world.fact(Fact::SegmentEnded(segment, SegmentEnd { started_at_us: 0, ended_at_us: 0, failed: false }));
    assert!(world.i.recorder.closing.is_empty());
    assert_eq!(world.events.len(), before);
}

#[test]
fn b604_who_still_rings_when_the_teams_time_is_up_has_let_nothing_ring_out() {
    let mut world = World::talking("helpdesk");
    world.start_to(1, TransferKind::Warm, team()).expect("permitted");
    world.pass(118 * SECOND);
    let wait = project::wait(&world.i).expect("it waits").wait;
    world.fact(Fact::Proposed(wait, vec![agent(3)]));
    world.grant();
    world.pass(2 * SECOND);
    world.input(Input::Tick).expect("a tick is never refused");
    assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(Reason::NoAnswer)));
    let claims = project::claims(&world.i);
    let why = claims.released.iter().find(|released| released.agent == agent(3).id).map(|released| released.reason);
    assert_eq!(why, Some(Reason::Timeout));
}

#[test]
fn e1_nothing_happens_after_the_end() {
    let mut world = World::placed(policy("lead_center", ""), RecordingMode::All);
    world.grant();
    world.answer_only(1);
    world.hang_up(1);
    assert!(world.i.ended());
    let before = world.i.clone();
    for fact in [Fact::LegUp(LegNo(1), None), Fact::LegEnded(LegNo(1), Reason::HungUp), Fact::SwitchLost] {
        assert!(!world.fact(fact).changed);
    }
    assert_eq!(world.i, before);
}

#[test]
fn t8_only_a_customer_who_was_handed_on_has_made_a_hop() {
    let mut world = World::talking("lead_center");
    world.policy = policy("lead_center", "[interaction]\nmax_hops = 1\n");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.no_answer(2);
    world.start(1, TransferKind::Warm, 3).expect("the failed attempt is no hop");
    world.grant();
    world.answer(3);
    {
        let complete = world.complete();
        world.does(1, complete);
    };
    assert!(world.start(3, TransferKind::Warm, 4).is_err(), "one hop is the most");
}

#[test]
fn t8_a_customer_does_not_go_round_in_circles() {
    let mut world = World::talking("aicc");
    world.policy = policy("aicc", "[interaction]\nmax_hops_to_agent = 2\n");
    for (from, to) in [(1, 2), (2, 1), (1, 2), (2, 1)] {
        world.start(from, TransferKind::Cold, to).expect("permitted");
        world.grant();
        world.answer(to);
        world.place();
    }
    assert_eq!(world.start(1, TransferKind::Cold, 2).err(), Some(Refusal::AgentHopLimit(2)));
    assert!(world.allowed(&by(1)).contains(Action::Start(TransferKind::Cold)), "to somebody else");
    world.start(1, TransferKind::Cold, 3).expect("nobody has handed the customer to agent 3");
}

#[test]
fn s2_transfers_that_come_to_nothing_are_a_hundred_at_most() {
    let mut world = World::talking("lead_center");
    for _ in 0..100 {
        world.start(1, TransferKind::Warm, 2).expect("permitted");
        world.refuse(Reason::Offline);
    }
    assert_eq!(world.start(1, TransferKind::Warm, 2).err(), Some(Refusal::TooMany("transfers", 100)));
    assert!(!world.allowed(&by(1)).contains(Action::Start(TransferKind::Cold)), "nor is another kind offered");
    assert_eq!(world.i.journey.iter().filter(|hop| hop.by.is_some()).count(), 100);
}

#[test]
fn b105_a_transfer_taken_back_before_anything_happened_leaves_the_customer_in_conversation() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    {
        let cancel = world.cancel();
        world.does(1, cancel);
    };
    assert_eq!((world.phase(), world.i.held()), (Phase::Cancelled, false));
}

#[test]
fn b603_a_later_step_of_the_flow_begins_when_it_began() {
    let mut world = World::new(policy("lead_center", ""), RecordingMode::All, vec![ring(1), ring(4)]);
    world.grant();
    world.no_answer(1);
    world.pass(7 * SECOND);
    let second_step_us = world.i.search().expect("a search").since_us;
    world.grant();
    world.answer(4);
    assert_eq!(world.i.journey[0].started_at_us, second_step_us);
}

#[test]
fn notes_and_attached_data_have_a_limit_and_the_buttons_know_it() {
    let mut world = World::talking("lead_center");
    for n in 0..MAX_NOTES {
        world.does(1, Command::Note(format!("note {n}").into()));
    }
    assert!(!world.allowed(&by(1)).contains(Action::Note));
    assert_eq!(world.command(1, Command::Note("one more".into())), Err(Refusal::TooMany("notes", MAX_NOTES)));

    let keys = |from: usize, to: usize| (from..to).map(|n| (format!("k{n}").into(), "v".into())).collect::<Vec<_>>();
    let set = |world: &mut World, set, remove: Vec<std::sync::Arc<str>>| {
        world.command(1, Command::SetData { set, remove }).map(|_| world.i.data.len())
    };
    assert_eq!(set(&mut world, keys(0, MAX_DATA), vec![]), Ok(MAX_DATA));
    assert_eq!(set(&mut world, keys(0, 5), vec![]), Ok(MAX_DATA), "known keys take no place");
    assert_eq!(set(&mut world, keys(90, 91), vec!["k0".into()]), Ok(MAX_DATA), "what is removed makes place");
    assert!(set(&mut world, keys(91, 92), vec![]).is_err());
}

#[test]
fn b603_a_called_customer_has_come_to_somebody_when_they_answer() {
    let mut world = World::placed(policy("lead_center", ""), RecordingMode::All);
    world.grant();
    world.answer_only(1);
    assert!(world.i.journey.is_empty(), "their phone rings");
    world.fact(Fact::LegUp(LegNo(1), None));
    assert_eq!(world.i.journey.iter().map(|hop| hop.outcome.to()).collect::<Vec<_>>(), [Some(agent(1).id)]);
}

#[test]
fn each_agents_phone_has_its_own_redials() {
    let mut world = World::talking("helpdesk");
    world.start_to(1, TransferKind::Warm, team()).expect("permitted");
    let wait = project::wait(&world.i).expect("it waits").wait;
    world.fact(Fact::Proposed(wait, vec![agent(2), agent(3)]));
    world.grant();
    for n in [2, 3] {
        let leg = world.leg(n).expect("it rings");
        world.fact(Fact::LegEnded(leg, Reason::Unreachable));
        assert!(world.leg(n).is_some_and(|again| again != leg), "agent {n} is dialled anew");
    }
}

#[test]
fn whose_doing_it_was_is_said_of_each_event() {
    let actor_of = |world: &World, wanted: &dyn Fn(&EventKind) -> bool| {
        world.events.iter().rfind(|event| wanted(&event.kind)).map(|event| event.actor.clone())
    };
    let mut world = World::talking("lead_center");
    assert_eq!(actor_of(&world, &|kind| matches!(kind, EventKind::AgentJoined { .. })), Some(by(1)));
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.hang_up(2);
    assert_eq!(actor_of(&world, &|kind| matches!(kind, EventKind::OfferFailed { .. })), Some(by(2)), "it was declined");
    let leg = world.leg(1).expect("a leg");
    world.fact(Fact::LegEnded(leg, Reason::Unreachable));
    assert_eq!(actor_of(&world, &|kind| matches!(kind, EventKind::AgentLeft { .. })), Some(Actor::System));
    assert_eq!(actor_of(&world, &|kind| matches!(kind, EventKind::FlowStep { .. })), Some(Actor::System));
}

#[test]
fn whoever_reports_first_that_the_customer_left_voicemail_the_same_is_told() {
    let mut told = Vec::new();
    for exit_first in [true, false] {
        let flow = vec![FlowStep::Voicemail("desk".into())];
        let mut world = World::new(policy("lead_center", ""), RecordingMode::All, flow);
        let exit = world.plan().exit.expect("an exit").exit;
        if exit_first {
            world.fact(Fact::ExitOver(exit, ExitOutcome::Left));
        }
        world.customer_hangs_up();
        world.fact(Fact::ExitOver(exit, ExitOutcome::Left));
        assert_eq!(world.i.stage, Stage::Ended(Reason::Voicemail));
        // Why it is so, is what was reported first.
        let events = world.events.into_iter().map(|event| (event.sequence, event.actor, event.kind));
        told.push(events.collect::<Vec<_>>());
    }
    assert_eq!(told[0], told[1]);
}

#[test]
fn t2_who_has_taken_over_the_initiators_part_and_left_is_not_offered_the_customer() {
    let mut world = with_a_bystander();
    world.start_to(2, TransferKind::Warm, team()).expect("permitted");
    world.does(2, Command::Leave);
    assert_eq!(world.agents_in(), [1], "agent 1 has the initiator's part");
    world.does(1, Command::Leave);
    let wait = project::wait(&world.i).expect("the customer waits for the team");
    assert!(wait.skip.contains(&agent(1).id), "{wait:?}");
    world.fact(Fact::Proposed(wait.wait, vec![agent(1), agent(3)]));
    world.grant();
    world.answer(3);
    assert_eq!((world.phase(), world.agents_in()), (Phase::Completed, vec![3]));
}
