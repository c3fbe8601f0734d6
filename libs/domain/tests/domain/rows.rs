//! The rows of the behaviours, played through on the pure state.

use crate::world::{SECOND, World, agent, by, on_behalf_of, policy, ring, supervisor, team};
use baton_domain::{
    Action, Actor, Command, EventKind, Fact, Input, RecordingCommand, Refusal, StartTransfer, interaction::Stage,
    project,
};
use baton_words::{
    ClaimNo, DivertedTo, ExitOutcome, LegNo, Phase, Reason, RecordingMode, RecordingNo, Room, TransferKind, TransferNo,
    Treatment,
};

fn customer_in(world: &World) -> Option<Room> {
    world.plan().room_of(LegNo(1))
}

fn treatment(world: &World, room: Room) -> Option<Treatment> {
    world.plan().treatment(room)
}

#[test]
fn b101_cold_releases_the_initiator_and_the_customer_hears_ringing() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Cold, 2).expect("permitted");
    assert_eq!(customer_in(&world), Some(Room::Talk), "nothing changes before the claim is granted");
    world.grant();
    assert_eq!((world.agents_in(), customer_in(&world)), (vec![], Some(Room::Lobby)));
    assert_eq!(treatment(&world, Room::Lobby), Some(Treatment::Ringback));
    world.answer(2);
    assert_eq!((world.phase(), world.agents_in(), customer_in(&world)), (Phase::Completed, vec![2], Some(Room::Talk)));
}

#[test]
fn b102_cold_unanswered_goes_to_the_recipients_voicemail() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Cold, 2).expect("permitted");
    world.grant();
    world.no_answer(2);
    assert_eq!(world.phase(), Phase::Diverted);
    let exit = world.plan().exit.expect("an exit");
    assert_eq!(&*exit.mailbox, agent(2).id.to_string());
    world.fact(Fact::ExitOver(exit.exit, ExitOutcome::Left));
    assert_eq!(world.i.stage, Stage::Ended(Reason::Voicemail));
}

#[test]
fn b102_without_voicemail_the_next_step_and_without_a_step_the_end() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Cold, 3).expect("permitted");
    world.refuse(Reason::Offline);
    assert!(world.happened(|kind| matches!(kind, EventKind::TransferDiverted { to: DivertedTo::NextStep, .. })));
    assert_eq!(&*world.plan().exit.expect("an exit").mailbox, "desk");

    let flow = vec![ring(1)];
    let mut world = World::new(policy("lead_center", ""), RecordingMode::Manual, flow);
    world.grant();
    world.answer(1);
    world.start(1, TransferKind::Cold, 3).expect("permitted");
    world.grant();
    world.no_answer(3);
    assert!(world.happened(|kind| matches!(kind, EventKind::TransferDiverted { to: DivertedTo::Disconnect, .. })));
    assert_eq!(world.i.stage, Stage::Ended(Reason::Disconnected));
}

#[test]
fn b103_warm_holds_rings_consults_joins_and_completes() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    assert_eq!((customer_in(&world), treatment(&world, Room::Hold)), (Some(Room::Hold), Some(Treatment::HoldMusic)));
    assert_eq!(treatment(&world, Room::Consult), Some(Treatment::Ringback), "the initiator hears ringing");
    world.answer(2);
    assert_eq!(world.phase(), Phase::Consulting);
    assert_eq!(treatment(&world, Room::Consult), Some(Treatment::Conversation));
    world.does(1, Command::Resume);
    assert_eq!((world.phase(), customer_in(&world), world.agents_in()), (Phase::Joined, Some(Room::Talk), vec![1, 2]));
    world.hang_up(1);
    assert_eq!((world.phase(), world.agents_in()), (Phase::Completed, vec![2]));
    assert_eq!(world.i.journey.len(), 2);
}

#[test]
fn b104_warm_needs_the_entitlement() {
    let mut world = World::talking("lead_center");
    let without = baton_domain::policy::parse("lead_center", "", vec![]).expect("valid");
    world.policy = without.into();
    let before = world.i.version;
    assert_eq!(world.start(1, TransferKind::Warm, 2), Err(Refusal::NotInPlan(TransferKind::Warm)));
    assert_eq!(world.i.version, before);
    assert!(!world.allowed(&by(1)).contains(Action::Start(TransferKind::Warm)));
}

#[test]
fn b105_warm_unanswered_keeps_the_customer_on_hold() {
    for refused in [true, false] {
        let mut world = World::talking("lead_center");
        world.start(1, TransferKind::Warm, 2).expect("permitted");
        if refused {
            world.refuse(Reason::Offline);
        } else {
            world.grant();
            world.no_answer(2);
        }
        let reason = if refused { Reason::Offline } else { Reason::NoAnswer };
        assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(reason)));
        assert_eq!((customer_in(&world), world.agents_in()), (Some(Room::Hold), vec![1]));
    }
}

#[test]
fn b106_the_customer_may_be_taken_off_hold_while_it_rings_and_the_recipient_joins() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.does(1, Command::Resume);
    assert_eq!((world.phase(), customer_in(&world)), (Phase::Offered, Some(Room::Talk)));
    world.answer(2);
    assert_eq!((world.phase(), world.agents_in()), (Phase::Joined, vec![1, 2]));
}

#[test]
fn b106_who_was_taken_off_hold_stays_so_when_the_recipient_leaves() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    world.does(1, Command::Resume);
    world.hang_up(2);
    assert_eq!((world.phase(), customer_in(&world), world.agents_in()), (Phase::Failed, Some(Room::Talk), vec![1]));
}

#[test]
fn b107_after_a_failure_another_agent_can_be_tried_without_losing_the_hold() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.no_answer(2);
    world.start(1, TransferKind::Warm, 3).expect("permitted");
    assert_eq!(customer_in(&world), Some(Room::Hold));
    world.grant();
    world.answer(3);
    assert_eq!((world.phase(), customer_in(&world)), (Phase::Consulting, Some(Room::Hold)));
}

#[test]
fn b203_muting_or_leaving_makes_the_recipient_primary() {
    for mutes in [true, false] {
        let mut world = World::talking("helpdesk");
        world.start(1, TransferKind::Warm, 2).expect("permitted");
        world.grant();
        world.answer(2);
        world.does(1, if mutes { Command::SetMute(true) } else { Command::Leave });
        assert_eq!(world.i.primary(), Some(agent(2).id));
        assert_eq!(
            (world.phase(), customer_in(&world)),
            (Phase::Completed, Some(Room::Hold)),
            "held for the recipient"
        );
        world.does(2, Command::Resume);
        assert_eq!(customer_in(&world), Some(Room::Talk));
        assert!(world.allowed(&by(2)).contains(Action::Start(TransferKind::Warm)));
    }
}

#[test]
fn b206_recording_two_starts_when_the_recipient_takes_the_customer_off_hold() {
    let mut world = World::talking("helpdesk");
    let first = world.i.recorder.current.expect("a segment").recording;
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    assert_eq!(world.plan().segment, None, "B208: a consult is not recorded");
    world.answer(2);
    assert_eq!(world.plan().segment, None, "B208: a consult is not recorded");
    world.pass(5 * SECOND);
    world.does(2, Command::Resume);
    let second = world.i.recorder.current.expect("a segment").recording;
    assert_eq!((first, second), (RecordingNo(1), RecordingNo(2)));
    assert!(world.happened(|kind| matches!(kind, EventKind::Excluded { recording: RecordingNo(1), .. })));
    let ended = |kind: &EventKind| matches!(kind, EventKind::RecordingEnded { recording: RecordingNo(1) });
    assert!(!world.happened(ended), "the initiator may come back as long as the transfer is undecided");
    world.hang_up(1);
    assert!(world.happened(ended));
}

#[test]
fn b206_coming_back_after_a_failed_attempt_is_more_of_recording_one() {
    let mut world = World::talking("helpdesk");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.no_answer(2);
    world.does(1, Command::Resume);
    let segment = world.i.recorder.current.expect("a segment");
    assert_eq!((segment.recording, segment.no.0), (RecordingNo(1), 2));
}

#[test]
fn b206_after_a_cold_transfer_recording_one_ends_when_the_initiator_has_gone() {
    for answers in [true, false] {
        let mut world = World::talking("lead_center");
        let ended = |kind: &EventKind| matches!(kind, EventKind::RecordingEnded { recording: RecordingNo(1) });
        world.pass(5 * SECOND);
        world.start(1, TransferKind::Cold, 2).expect("permitted");
        world.fact(Fact::ClaimGranted(ClaimNo(2)));
        assert_eq!(world.agents_in(), vec![]);
        assert!(!world.happened(ended), "the end of its segment is not known yet");
        world.place();
        assert!(world.happened(ended), "it does not wait for an answer");
        world.pass(4 * SECOND);
        if answers {
            world.answer(2);
            let second = world.i.recorder.current.expect("a segment").recording;
            assert_eq!(second, RecordingNo(2));
        } else {
            world.no_answer(2);
            assert!(world.plan().exit.is_some(), "voicemail");
        }
        world.pass(4 * SECOND);
        world.customer_hangs_up();
        assert!(!world.happened(|kind| matches!(kind, EventKind::Excluded { .. })), "{:?}", world.events);
    }
}

#[test]
fn b207_by_hand_only_when_somebody_starts_it_and_then_it_carries_over() {
    let flow = vec![ring(1)];
    let mut world = World::new(policy("helpdesk", ""), RecordingMode::Manual, flow);
    world.grant();
    world.answer(1);
    assert_eq!(world.i.recorder.current, None);
    world.does(1, Command::Recording(RecordingCommand::Start));
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    world.does(2, Command::Resume);
    assert_eq!(world.i.recorder.current.map(|segment| segment.recording), Some(RecordingNo(2)));
}

#[test]
fn b209_the_recipient_hears_that_the_customer_has_gone_then_all_ends() {
    let mut world = World::talking("helpdesk");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    world.customer_hangs_up();
    assert_eq!(world.phase(), Phase::Abandoned);
    let planned = world.plan().announcement.expect("an announcement");
    assert_eq!((planned.room, planned.name), (Room::Consult, "customer_disconnected"));
    world.fact(Fact::AnnouncementOver(planned.announcement));
    assert_eq!(world.i.stage, Stage::Ended(Reason::CustomerLeft));
}

#[test]
fn b209_while_it_still_rings_the_recipients_phone_stops_at_once() {
    let mut world = World::talking("helpdesk");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.customer_hangs_up();
    assert_eq!(world.leg(2), None);
    assert_eq!(world.phase(), Phase::Abandoned);
}

#[test]
fn b606_a_team_is_waited_for_and_who_declines_is_skipped() {
    let mut world = World::talking("helpdesk");
    world.start_to(1, TransferKind::Warm, team()).expect("permitted");
    let wait = project::wait(&world.i).expect("a wait");
    assert_eq!(wait.skip.as_slice(), [agent(1).id]);
    world.fact(Fact::Proposed(wait.wait, vec![agent(2)]));
    assert_eq!(project::wait(&world.i), None);
    world.grant();
    world.command(2, world.decline()).expect("permitted");
    let again = project::wait(&world.i).expect("another round");
    assert_eq!((again.since_us, again.skip.contains(&agent(2).id)), (wait.since_us, true), "A5, A6");
    world.fact(Fact::Exhausted(again.wait));
    assert_eq!((world.phase(), project::wait(&world.i)), (Phase::Waiting, None), "F3: there is time left");
    world.tick_at_deadline();
    let later = project::wait(&world.i).expect("a round for those who come back");
    assert!(!later.skip.contains(&agent(2).id), "F3: after the pause they may be asked again");
    assert_eq!(later.since_us, wait.since_us, "A6");
    for _ in 0..20 {
        match project::wait(&world.i) {
            Some(wait) => drop(world.fact(Fact::Exhausted(wait.wait))),
            None if world.i.transfer.is_some() => world.tick_at_deadline(),
            None => break,
        }
    }
    assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(Reason::Declined)));
}

#[test]
fn f3_who_declined_is_asked_again_only_where_the_policy_names_a_pause() {
    let mut world = World::talking_by(policy("helpdesk", "[methods.warm.offer]\nagain_after_ms = 0\n"));
    world.start_to(1, TransferKind::Warm, team()).expect("permitted");
    let wait = project::wait(&world.i).expect("a wait").wait;
    world.fact(Fact::Proposed(wait, vec![agent(2)]));
    world.grant();
    world.command(2, world.decline()).expect("permitted");
    let again = project::wait(&world.i).expect("another round");
    world.fact(Fact::Exhausted(again.wait));
    assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(Reason::Declined)), "A5");
}

#[test]
fn f3_a_team_without_anybody_is_waited_for_where_the_policy_says_so() {
    let patient = "[methods.warm.offer]\nwhen_nobody = \"wait\"\n";
    for (overrides, phase) in [("", Phase::Failed), (patient, Phase::Waiting)] {
        let mut world = World::talking_by(policy("helpdesk", overrides));
        world.start_to(1, TransferKind::Warm, team()).expect("permitted");
        let wait = project::wait(&world.i).expect("a wait");
        world.fact(Fact::Exhausted(wait.wait));
        assert_eq!(world.phase(), phase, "{overrides}");
        if phase == Phase::Waiting {
            world.tick_at_deadline();
            assert!(project::wait(&world.i).is_some_and(|again| again.wait > wait.wait), "it is asked anew");
        }
    }
}

#[test]
fn f2_a_cold_transfer_to_a_team_changes_nothing_before_somebody_is_reserved() {
    let mut world = World::talking("helpdesk");
    world.start_to(1, TransferKind::Cold, team()).expect("permitted");
    let wait = project::wait(&world.i).expect("a wait");
    assert_eq!((customer_in(&world), world.agents_in()), (Some(Room::Talk), vec![1]), "the initiator still talks");
    let mut refused = world.clone();
    refused.fact(Fact::Exhausted(wait.wait));
    assert_eq!((refused.phase(), refused.reason()), (Phase::Failed, Some(Reason::NobodyAvailable)));
    assert_eq!((customer_in(&refused), refused.agents_in()), (Some(Room::Talk), vec![1]), "C2");
    world.fact(Fact::Proposed(wait.wait, vec![agent(2)]));
    assert_eq!(world.agents_in(), [1]);
    world.grant();
    assert_eq!((customer_in(&world), world.agents_in()), (Some(Room::Lobby), vec![]), "now they are released");
}

#[test]
fn f11_nobody_is_on_hold_for_ever_and_somebody_is_reminded() {
    let times = "[interaction]\nhold_reminder_ms = 60_000\nhold_max_ms = 150_000\n";
    let mut world = World::talking_by(policy("lead_center", times));
    world.does(1, Command::Hold);
    let held_at = world.now;
    for minute in [1, 2] {
        world.tick_at_deadline();
        assert_eq!(world.now - held_at, minute * 60 * SECOND);
        assert!(world.events.iter().any(|event| event.actor == Actor::System
            && event.kind == EventKind::HoldReminder { held_us: minute * 60 * SECOND }));
    }
    world.tick_at_deadline();
    assert_eq!((world.now - held_at, customer_in(&world)), (150 * SECOND, Some(Room::Talk)));
    assert!(world.happened(|kind| *kind == EventKind::CustomerResumed { held_us: 150 * SECOND }));
}

#[test]
fn k2_a_late_command_never_hits_the_next_transfer() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    let late = world.cancel();
    world.grant();
    world.no_answer(2);
    world.start(1, TransferKind::Warm, 3).expect("permitted");
    assert_eq!(world.command(1, late), Err(Refusal::OtherTransfer(TransferNo(1))));
    assert_eq!(world.phase(), Phase::Offered);
}

#[test]
fn n5_a_service_does_for_an_agent_what_the_agent_may_do_and_the_event_says_both() {
    let mut world = World::talking("lead_center");
    let start = Command::Start(StartTransfer {
        kind: TransferKind::Warm,
        target: baton_domain::Target::Agent(agent(2)),
        message: "".into(),
        outcome: "".into(),
    });
    let nobodys = world.input(Input::Command(supervisor(), start.clone()));
    assert!(matches!(nobodys, Err(Refusal::NotNow(_))), "without an agent there is nobody to start it: {nobodys:?}");
    assert_eq!(world.input(Input::Command(on_behalf_of(3), start.clone())), Err(Refusal::NotAParty));
    world.input(Input::Command(on_behalf_of(1), start)).expect("permitted");
    let started = |event: &&baton_domain::Event| matches!(event.kind, EventKind::TransferStarted(_));
    let event = world.events.iter().find(started).expect("it has started");
    assert_eq!(event.actor, on_behalf_of(1));
    assert_eq!(world.last_transfer().map(|transfer| transfer.initiator), Some(agent(1).id));
}

#[test]
fn h5_who_receives_is_said_while_their_phone_rings_and_the_deadline_with_it() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    let transfer = world.last_transfer().expect("open");
    assert_eq!((transfer.recipient, transfer.deadline_us), (Some(agent(2).id), world.deadline()));
}

#[test]
fn h6_a_consult_that_was_completed_is_handing_over_until_it_is_heard() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    world.command(1, world.complete()).expect("permitted");
    assert_eq!((world.phase(), world.agents_in()), (Phase::HandingOver, vec![2]));
    world.place();
    assert_eq!(world.phase(), Phase::Completed);
}

/// A kind that no built-in profile has: a row of the table, and nothing else.
const ON_ANSWER: &str = include_str!("on_answer.toml");

#[test]
fn b403_on_answer_releases_the_initiator_only_when_the_target_answers() {
    let policy = baton_domain::policy::parse_file("on_answer.toml", ON_ANSWER, vec![]).expect("a valid policy");
    for answers in [true, false] {
        let mut world = World::talking_by(policy.clone().into());
        assert_eq!(world.start(1, TransferKind::Warm, 2), Err(Refusal::KindNotOffered(TransferKind::Warm)));
        world.start(1, TransferKind::OnAnswer, 2).expect("permitted");
        world.grant();
        assert_eq!((customer_in(&world), world.agents_in()), (Some(Room::Talk), vec![1]), "they go on talking");
        if answers {
            world.answer(2);
            assert_eq!((world.phase(), world.agents_in()), (Phase::Completed, vec![2]));
        } else {
            world.no_answer(2);
            assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(Reason::NoAnswer)));
            assert_eq!((customer_in(&world), world.agents_in()), (Some(Room::Talk), vec![1]));
        }
    }
}

#[test]
fn the_record_of_the_contact_counts_each_second_once() {
    let mut world = World::new(policy("lead_center", ""), RecordingMode::All, vec![ring(1)]);
    world.pass(2 * SECOND);
    world.grant();
    world.pass(3 * SECOND);
    world.answer(1);
    world.pass(10 * SECOND);
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.pass(4 * SECOND);
    world.answer(2);
    world.pass(5 * SECOND);
    world.does(1, Command::Resume);
    world.pass(6 * SECOND);
    world.hang_up(1);
    world.pass(7 * SECOND);
    world.customer_hangs_up();
    let ended = world.events.iter().find_map(|event| match &event.kind {
        EventKind::Ended(ended) => Some(ended.clone()),
        _ => None,
    });
    let summary = ended.expect("it has ended").summary;
    let times = summary.times;
    assert_eq!((times.wait_us, times.ring_us, times.talk_us), (2 * SECOND, 3 * SECOND, 23 * SECOND));
    assert_eq!((times.hold_us, times.consult_us, summary.duration_us), (4 * SECOND, 5 * SECOND, 37 * SECOND));
    assert_eq!((summary.first_agent, summary.last_agent), (Some(agent(1).id), Some(agent(2).id)));
    assert_eq!((summary.hops, summary.transfers, summary.holds), (2, 1, 1));
}

#[test]
fn b608_a_pause_stops_the_segment_and_survives_a_transfer() {
    let mut world = World::talking("lead_center");
    world.does(1, Command::Recording(RecordingCommand::Pause));
    assert_eq!(world.plan().segment, None);
    world.start(1, TransferKind::Cold, 2).expect("permitted");
    world.grant();
    world.answer(2);
    assert_eq!(world.plan().segment, None, "R3: a pause survives a transfer");
    world.does(2, Command::Recording(RecordingCommand::Resume));
    assert!(world.plan().segment.is_some());
}

#[test]
fn t4_an_answer_after_the_end_is_not_connected() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    let leg = world.leg(2).expect("rings");
    {
        let cancel = world.cancel();
        world.does(1, cancel);
    };
    assert!(!world.fact(Fact::LegUp(leg, None)).changed);
    assert_eq!(world.agents_in(), vec![1]);
}

#[test]
fn t4_silence_about_a_ringing_phone_ends_five_seconds_after_its_ring_time() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    let asked_at = world.now;
    assert_eq!(world.deadline(), Some(asked_at + 10 * SECOND), "presence has ten seconds to answer");
    world.grant();
    assert_eq!(world.deadline(), Some(asked_at + 25 * SECOND), "20 s of ringing, 5 s of silence");
    world.tick_at_deadline();
    assert_eq!(world.reason(), Some(Reason::Unreachable));
}

#[test]
fn completed_is_said_only_when_the_customer_was_seen_with_the_recipient() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Cold, 2).expect("permitted");
    world.grant();
    let leg = world.leg(2).expect("rings");
    world.fact(Fact::LegUp(leg, None));
    assert_eq!(world.phase(), Phase::HandingOver);
    world.fact(Fact::LegUp(leg, Some(Room::Talk)));
    assert!(
        !world.happened(|kind| matches!(kind, EventKind::TransferCompleted { .. })),
        "the customer is still on the way"
    );
    world.fact(Fact::LegUp(LegNo(1), Some(Room::Talk)));
    assert!(world.happened(|kind| matches!(kind, EventKind::TransferCompleted { .. })));
}

#[test]
fn a7_of_two_who_answer_the_first_is_in_and_the_other_is_released_as_taken() {
    let mut world = World::talking("helpdesk");
    world.start_to(1, TransferKind::Warm, team()).expect("permitted");
    let wait = project::wait(&world.i).expect("a wait");
    world.fact(Fact::Proposed(wait.wait, vec![agent(2), agent(3)]));
    world.grant();
    let late = world.leg(3).expect("rings");
    world.answer(2);
    assert!(world.plan().legs.iter().all(|leg| leg.leg != late), "its leg is no longer wanted");
    let released = project::claims(&world.i).released;
    assert!(released.iter().any(|claim| claim.agent == agent(3).id && claim.reason == Reason::Taken));
    assert!(!world.fact(Fact::LegUp(late, None)).changed);
    assert_eq!(world.agents_in(), vec![1, 2]);
}

#[test]
fn r2_a_segment_whose_end_is_not_known_is_awaited_also_after_the_end() {
    let mut world = World::talking("lead_center");
    let segment = world.plan().segment.expect("a segment").segment;
    world.customer_hangs_up();
    let plan = world.plan();
    assert_eq!((plan.ended, plan.segment, plan.awaited.as_slice()), (true, None, [segment].as_slice()));
    assert!(!world.i.settled());
    let end = baton_domain::input::SegmentEnd { started_at_us: 0, ended_at_us: 0, failed: true };
    world.fact(Fact::SegmentEnded(segment, end));
    assert!(world.plan().awaited.is_empty() && world.i.settled());
}

#[test]
fn an_agent_calls_a_customer_their_own_phone_first_and_it_is_recorded_as_outgoing() {
    let mut world = World::placed(policy("lead_center", ""), RecordingMode::Outgoing);
    assert_eq!(customer_in(&world), None, "the customer is not dialled before the agent is on the line");
    world.grant();
    let leg = world.leg(1).expect("rings");
    world.fact(Fact::LegUp(leg, None));
    assert_eq!(customer_in(&world), Some(Room::Talk));
    assert_eq!(treatment(&world, Room::Talk), Some(Treatment::Ringback), "the agent hears ringing");
    assert_eq!(world.plan().segment, None, "nobody is recorded before the customer is there");
    assert!(!world.allowed(&by(1)).contains(Action::Start(TransferKind::Warm)));
    world.now += 5 * SECOND;
    world.fact(Fact::LegUp(LegNo(1), Some(Room::Talk)));
    assert!(world.happened(|kind| matches!(kind, EventKind::CustomerAnswered { .. })));
    assert!(world.plan().segment.is_some());
    assert!(!world.happened(|kind| matches!(kind, EventKind::Excluded { .. })), "ringing is nothing to leave out");
    world.place();
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    assert_eq!((world.phase(), customer_in(&world)), (Phase::Consulting, Some(Room::Hold)));
}

#[test]
fn a_called_customer_who_does_not_answer_ends_the_call_with_the_reason() {
    for (fact, reason) in [(Reason::Busy, Reason::Busy), (Reason::HungUp, Reason::Declined)] {
        let mut world = World::placed(policy("helpdesk", ""), RecordingMode::All);
        world.grant();
        world.answer_only(1);
        world.fact(Fact::LegEnded(LegNo(1), fact));
        assert_eq!(world.i.stage, Stage::Ended(reason));
        assert!(!world.happened(|kind| *kind == EventKind::CustomerLeft), "who never came can't leave");
    }
    let mut world = World::placed(policy("helpdesk", ""), RecordingMode::All);
    world.grant();
    world.no_answer(1);
    assert_eq!(world.i.stage, Stage::Ended(Reason::NoAnswer), "the agent's own phone");
}

#[test]
fn a_phone_that_could_not_be_reached_is_dialled_once_more_under_a_new_id() {
    let mut world = World::talking("lead_center");
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    let first = world.leg(2).expect("rings");
    world.fact(Fact::LegEnded(first, Reason::Unreachable));
    let second = world.leg(2).expect("rings again");
    assert!(second > first);
    assert_eq!(world.phase(), Phase::Offered);
    assert!(!world.fact(Fact::LegUp(first, None)).changed, "S2: the first id is over for good");
    world.fact(Fact::LegEnded(second, Reason::Unreachable));
    assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(Reason::Unreachable)));
}

#[test]
fn a_cold_transfer_to_a_team_never_comes_back_to_its_initiator() {
    let mut world = World::talking_by(policy("lead_center", "[methods.cold]\nreleased = \"enqueued\"\n"));
    world.start_to(1, TransferKind::Cold, team()).expect("permitted");
    let wait = project::wait(&world.i).expect("a wait");
    assert_eq!(world.agents_in(), [1], "F2: it is in no queue yet");
    world.fact(Fact::Queued(wait.wait, 3));
    assert!(world.agents_in().is_empty(), "the initiator is free again: the policy releases them into the queue");
    assert!(world.happened(|kind| matches!(kind, EventKind::Queued { position: 3, .. })));
    assert!(wait.skip.contains(&agent(1).id));
    assert!(!world.fact(Fact::Proposed(wait.wait, vec![agent(1)])).changed);
}

/// Agent 1 has swapped from agent 2 to the customer.
fn swapped(profile: &str) -> World {
    let overrides =
        "[methods.warm.consult.consulting]\ninitiator_may = [\"resume\", \"complete\", \"cancel\", \"swap\"]\n";
    let mut world = World::talking_by(policy(profile, overrides));
    world.start(1, TransferKind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    assert!(world.allowed(&by(1)).contains(Action::Swap) && !world.allowed(&by(2)).contains(Action::Swap));
    world.does(1, world.command_of(Action::Swap));
    world
}

#[test]
fn b602_whoever_is_not_spoken_to_hears_music() {
    let mut world = swapped("lead_center");
    let recipient = world.leg(2).expect("a leg");
    assert_eq!((world.phase(), customer_in(&world)), (Phase::Swapped, Some(Room::Talk)));
    assert_eq!(
        (world.plan().room_of(recipient), treatment(&world, Room::Parked)),
        (Some(Room::Parked), Some(Treatment::HoldMusic))
    );
    world.does(1, world.command_of(Action::Swap));
    assert_eq!((world.phase(), customer_in(&world)), (Phase::Consulting, Some(Room::Hold)));
    assert_eq!(world.plan().room_of(recipient), Some(Room::Consult));
}

#[test]
fn b602_the_recipient_takes_over_from_where_they_wait() {
    for leaves in [true, false] {
        let mut world = swapped("lead_center");
        if leaves {
            world.hang_up(1);
        } else {
            world.does(1, world.complete());
        }
        assert_eq!(
            (world.phase(), customer_in(&world), world.agents_in()),
            (Phase::Completed, Some(Room::Talk), vec![2])
        );
    }
}

#[test]
fn b602_a_customer_in_conversation_is_not_put_on_hold_because_the_recipient_gives_up_or_is_sent_away() {
    for gives_up in [true, false] {
        let mut world = swapped("lead_center");
        if gives_up {
            world.hang_up(2);
        } else {
            world.does(1, world.cancel());
        }
        assert_eq!((customer_in(&world), world.agents_in()), (Some(Room::Talk), vec![1]));
    }
}

#[test]
fn b602_each_stretch_with_the_customer_is_of_the_initiators_recording() {
    let mut world = swapped("helpdesk");
    assert_eq!(world.i.recorder.current.map(|segment| segment.recording), Some(RecordingNo(1)), "B206");
    let heard = world.events.iter().rev().find_map(|event| match &event.kind {
        EventKind::SegmentStarted { agents, .. } => Some(agents.to_vec()),
        _ => None,
    });
    assert_eq!(heard, Some(vec![agent(1).id]), "who waits is not heard");
    world.does(1, world.command_of(Action::Swap));
    assert_eq!(world.i.recorder.current, None, "B208: a consult is never recorded");
}

#[test]
fn b602_the_customer_hangs_up_and_who_waits_apart_hears_so() {
    let mut world = swapped("helpdesk");
    world.customer_hangs_up();
    assert!(matches!(world.i.stage, Stage::Farewell { .. }), "B209: {:?}", world.i.stage);
    let recipient = world.leg(2).expect("a leg");
    assert_eq!(world.plan().room_of(recipient), Some(Room::Consult));
}
