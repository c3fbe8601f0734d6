//! The rows of the behaviours, played through on the pure state.

use crate::world::{SECOND, World, agent, by, policy};
use baton_domain::{
    Action, Command, EventKind, Fact, Refusal, StartTransfer, TeamId,
    ids::{ClaimNo, LegNo, RecordingNo},
    input::{ExitOutcome, RecordingCommand},
    interaction::{FlowStep, Phase, Stage},
    permit::allowed,
    project::{self, Treatment},
    words::{Kind, Reason, RecordingMode, Room, Target},
};
use uuid::Uuid;

fn phase(world: &World) -> Phase {
    world.i.transfer.as_ref().expect("a transfer").phase
}

fn customer_in(world: &World) -> Option<Room> {
    project::plan(&world.i).room_of(LegNo(1))
}

fn treatment(world: &World, room: Room) -> Option<Treatment> {
    project::plan(&world.i).rooms.iter().find(|(known, _)| *known == room).map(|(_, treatment)| *treatment)
}

#[test]
fn b101_cold_releases_the_initiator_and_the_customer_hears_ringing() {
    let mut world = World::talking("lead_center");
    world.start(1, Kind::Cold, 2).expect("permitted");
    assert_eq!(customer_in(&world), Some(Room::Talk), "nothing changes before the claim is granted");
    world.grant();
    assert_eq!((world.agents_in(), customer_in(&world)), (vec![], Some(Room::Lobby)));
    assert_eq!(treatment(&world, Room::Lobby), Some(Treatment::Ringback));
    world.answer(2);
    assert_eq!((phase(&world), world.agents_in(), customer_in(&world)), (Phase::Completed, vec![2], Some(Room::Talk)));
}

#[test]
fn b102_cold_unanswered_goes_to_the_recipients_voicemail() {
    let mut world = World::talking("lead_center");
    world.start(1, Kind::Cold, 2).expect("permitted");
    world.grant();
    world.no_answer(2);
    assert_eq!(phase(&world), Phase::Diverted);
    let exit = project::plan(&world.i).exit.expect("an exit");
    assert_eq!(&*exit.mailbox, agent(2).id.to_string());
    world.fact(Fact::ExitOver(exit.exit, ExitOutcome::Left));
    assert_eq!(world.i.stage, Stage::Ended(Reason::Voicemail));
}

#[test]
fn b102_without_voicemail_the_next_step_and_without_a_step_the_end() {
    let mut world = World::talking("lead_center");
    world.start(1, Kind::Cold, 3).expect("permitted");
    world.refuse(Reason::Offline);
    assert!(world.happened(|kind| matches!(kind, EventKind::TransferDiverted { to: Reason::NextStep, .. })));
    assert_eq!(&*project::plan(&world.i).exit.expect("an exit").mailbox, "desk");

    let flow = vec![FlowStep::RingAgent(agent(1), 20_000)];
    let mut world = World::new(policy("lead_center", ""), RecordingMode::Manual, flow);
    world.grant();
    world.answer(1);
    world.start(1, Kind::Cold, 3).expect("permitted");
    world.grant();
    world.no_answer(3);
    assert!(world.happened(|kind| matches!(kind, EventKind::TransferDiverted { to: Reason::Disconnected, .. })));
    assert_eq!(world.i.stage, Stage::Ended(Reason::Disconnected));
}

#[test]
fn b103_warm_holds_rings_consults_joins_and_completes() {
    let mut world = World::talking("lead_center");
    world.start(1, Kind::Warm, 2).expect("permitted");
    world.grant();
    assert_eq!((customer_in(&world), treatment(&world, Room::Hold)), (Some(Room::Hold), Some(Treatment::HoldMusic)));
    assert_eq!(treatment(&world, Room::Consult), Some(Treatment::Ringback), "the initiator hears ringing");
    world.answer(2);
    assert_eq!(phase(&world), Phase::Consulting);
    assert_eq!(treatment(&world, Room::Consult), Some(Treatment::Conversation));
    world.does(1, Command::Resume);
    assert_eq!((phase(&world), customer_in(&world), world.agents_in()), (Phase::Joined, Some(Room::Talk), vec![1, 2]));
    world.hang_up(1);
    assert_eq!((phase(&world), world.agents_in()), (Phase::Completed, vec![2]));
    assert_eq!(world.i.journey.len(), 2);
}

#[test]
fn b104_warm_needs_the_entitlement() {
    let mut world = World::talking("lead_center");
    let without = baton_domain::policy::parse("lead_center", "", vec![]).expect("valid");
    world.i.policy = without.into();
    let before = world.i.version;
    assert_eq!(world.start(1, Kind::Warm, 2), Err(Refusal::NotInPlan(Kind::Warm)));
    assert_eq!(world.i.version, before);
    assert!(!allowed(&world.i, &by(1)).contains(Action::StartWarm));
}

#[test]
fn b105_warm_unanswered_keeps_the_customer_on_hold() {
    for refused in [true, false] {
        let mut world = World::talking("lead_center");
        world.start(1, Kind::Warm, 2).expect("permitted");
        if refused {
            world.refuse(Reason::Offline);
        } else {
            world.grant();
            world.no_answer(2);
        }
        let reason = if refused { Reason::Offline } else { Reason::NoAnswer };
        assert_eq!((phase(&world), world.i.transfer.clone().unwrap().reason), (Phase::Failed, Some(reason)));
        assert_eq!((customer_in(&world), world.agents_in()), (Some(Room::Hold), vec![1]));
    }
}

#[test]
fn b106_the_customer_may_be_taken_off_hold_while_it_rings_and_the_recipient_joins() {
    let mut world = World::talking("lead_center");
    world.start(1, Kind::Warm, 2).expect("permitted");
    world.grant();
    world.does(1, Command::Resume);
    assert_eq!((phase(&world), customer_in(&world)), (Phase::Offered, Some(Room::Talk)));
    world.answer(2);
    assert_eq!((phase(&world), world.agents_in()), (Phase::Joined, vec![1, 2]));
}

#[test]
fn b106_who_was_taken_off_hold_stays_so_when_the_recipient_leaves() {
    let mut world = World::talking("lead_center");
    world.start(1, Kind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    world.does(1, Command::Resume);
    world.hang_up(2);
    assert_eq!((phase(&world), customer_in(&world), world.agents_in()), (Phase::Failed, Some(Room::Talk), vec![1]));
}

#[test]
fn b107_after_a_failure_another_agent_can_be_tried_without_losing_the_hold() {
    let mut world = World::talking("lead_center");
    world.start(1, Kind::Warm, 2).expect("permitted");
    world.grant();
    world.no_answer(2);
    world.start(1, Kind::Warm, 3).expect("permitted");
    assert_eq!(customer_in(&world), Some(Room::Hold));
    world.grant();
    world.answer(3);
    assert_eq!((phase(&world), customer_in(&world)), (Phase::Consulting, Some(Room::Hold)));
}

#[test]
fn b203_muting_or_leaving_makes_the_recipient_primary() {
    for mutes in [true, false] {
        let mut world = World::talking("helpdesk");
        world.start(1, Kind::Warm, 2).expect("permitted");
        world.grant();
        world.answer(2);
        world.does(1, if mutes { Command::SetMute(true) } else { Command::Leave });
        assert_eq!(world.i.primary, Some(agent(2).id));
        assert_eq!(
            (phase(&world), customer_in(&world)),
            (Phase::Completed, Some(Room::Hold)),
            "held for the recipient"
        );
        world.does(2, Command::Resume);
        assert_eq!(customer_in(&world), Some(Room::Talk));
        assert!(allowed(&world.i, &by(2)).contains(Action::StartWarm));
    }
}

#[test]
fn b206_recording_two_starts_when_the_recipient_takes_the_customer_off_hold() {
    let mut world = World::talking("helpdesk");
    let first = world.i.recording.current.expect("a segment").recording;
    world.start(1, Kind::Warm, 2).expect("permitted");
    world.grant();
    assert_eq!(project::plan(&world.i).segment, None, "B208: a consult is not recorded");
    world.answer(2);
    assert_eq!(project::plan(&world.i).segment, None, "B208: a consult is not recorded");
    world.pass(5 * SECOND);
    world.does(2, Command::Resume);
    let second = world.i.recording.current.expect("a segment").recording;
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
    world.start(1, Kind::Warm, 2).expect("permitted");
    world.grant();
    world.no_answer(2);
    world.does(1, Command::Resume);
    let segment = world.i.recording.current.expect("a segment");
    assert_eq!((segment.recording, segment.no.0), (RecordingNo(1), 2));
}

#[test]
fn b206_after_a_cold_transfer_recording_one_ends_when_the_initiator_has_gone() {
    for answers in [true, false] {
        let mut world = World::talking("lead_center");
        let ended = |kind: &EventKind| matches!(kind, EventKind::RecordingEnded { recording: RecordingNo(1) });
        world.pass(5 * SECOND);
        world.start(1, Kind::Cold, 2).expect("permitted");
        world.fact(Fact::ClaimGranted(ClaimNo(2)));
        assert_eq!(world.agents_in(), vec![]);
        assert!(!world.happened(ended), "the end of its segment is not known yet");
        world.place();
        assert!(world.happened(ended), "it does not wait for an answer");
        world.pass(4 * SECOND);
        if answers {
            world.answer(2);
            let second = world.i.recording.current.expect("a segment").recording;
            assert_eq!(second, RecordingNo(2));
        } else {
            world.no_answer(2);
            assert!(project::plan(&world.i).exit.is_some(), "voicemail");
        }
        world.pass(4 * SECOND);
        world.customer_hangs_up();
        assert!(!world.happened(|kind| matches!(kind, EventKind::Excluded { .. })), "{:?}", world.events);
    }
}

#[test]
fn b207_by_hand_only_when_somebody_starts_it_and_then_it_carries_over() {
    let flow = vec![FlowStep::RingAgent(agent(1), 20_000)];
    let mut world = World::new(policy("helpdesk", ""), RecordingMode::Manual, flow);
    world.grant();
    world.answer(1);
    assert_eq!(world.i.recording.current, None);
    world.does(1, Command::Recording(RecordingCommand::Start));
    world.start(1, Kind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    world.does(2, Command::Resume);
    assert_eq!(world.i.recording.current.map(|segment| segment.recording), Some(RecordingNo(2)));
}

#[test]
fn b209_the_recipient_hears_that_the_customer_has_gone_then_all_ends() {
    let mut world = World::talking("helpdesk");
    world.start(1, Kind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    world.customer_hangs_up();
    assert_eq!(phase(&world), Phase::Abandoned);
    let (no, room, name) = project::plan(&world.i).announcement.expect("an announcement");
    assert_eq!((room, name), (Room::Consult, "customer_disconnected"));
    world.fact(Fact::AnnouncementOver(no));
    assert_eq!(world.i.stage, Stage::Ended(Reason::CustomerLeft));
}

#[test]
fn b209_while_it_still_rings_the_recipients_phone_stops_at_once() {
    let mut world = World::talking("helpdesk");
    world.start(1, Kind::Warm, 2).expect("permitted");
    world.grant();
    world.customer_hangs_up();
    assert_eq!(world.leg(2), None);
    assert_eq!(phase(&world), Phase::Abandoned);
}

#[test]
fn b606_a_team_is_waited_for_and_who_declines_is_skipped() {
    let mut world = World::talking("helpdesk");
    let team = TeamId(Uuid::from_u128(500));
    let target = Target::Team { id: team, name: "support".into() };
    let start = StartTransfer { kind: Kind::Warm, target, message: "".into() };
    world.command(1, Command::Start(start)).expect("permitted");
    let wait = project::wait(&world.i).expect("a wait");
    assert_eq!(wait.skip.as_slice(), [agent(1).id]);
    world.fact(Fact::Proposed(wait.wait, vec![agent(2)]));
    assert_eq!(project::wait(&world.i), None);
    world.grant();
    world.command(2, Command::Decline).expect("permitted");
    let again = project::wait(&world.i).expect("another round");
    assert_eq!((again.since_us, again.skip.contains(&agent(2).id)), (wait.since_us, true), "A5, A6");
    world.fact(Fact::Exhausted(again.wait));
    assert_eq!((phase(&world), world.i.transfer.clone().unwrap().reason), (Phase::Failed, Some(Reason::Declined)));
}

#[test]
fn b608_a_pause_stops_the_segment_and_survives_a_transfer() {
    let mut world = World::talking("lead_center");
    world.does(1, Command::Recording(RecordingCommand::Pause));
    assert_eq!(project::plan(&world.i).segment, None);
    world.start(1, Kind::Cold, 2).expect("permitted");
    world.grant();
    world.answer(2);
    assert_eq!(project::plan(&world.i).segment, None, "R3: a pause survives a transfer");
    world.does(2, Command::Recording(RecordingCommand::Resume));
    assert!(project::plan(&world.i).segment.is_some());
}

#[test]
fn t4_an_answer_after_the_end_is_not_connected() {
    let mut world = World::talking("lead_center");
    world.start(1, Kind::Warm, 2).expect("permitted");
    world.grant();
    let leg = world.leg(2).expect("rings");
    world.does(1, Command::Cancel);
    assert!(!world.fact(Fact::LegUp(leg, None)).changed);
    assert_eq!(world.agents_in(), vec![1]);
}

#[test]
fn t4_silence_about_a_ringing_phone_ends_five_seconds_after_its_ring_time() {
    let mut world = World::talking("lead_center");
    world.start(1, Kind::Warm, 2).expect("permitted");
    let asked_at = world.now;
    assert_eq!(project::deadline(&world.i), Some(asked_at + 10 * SECOND), "presence has ten seconds to answer");
    world.grant();
    assert_eq!(project::deadline(&world.i), Some(asked_at + 25 * SECOND), "20 s of ringing, 5 s of silence");
    world.tick_at_deadline();
    assert_eq!(world.i.transfer.clone().unwrap().reason, Some(Reason::Unreachable));
}

#[test]
fn completed_is_said_only_when_the_customer_was_seen_with_the_recipient() {
    let mut world = World::talking("lead_center");
    world.start(1, Kind::Cold, 2).expect("permitted");
    world.grant();
    let leg = world.leg(2).expect("rings");
    world.fact(Fact::LegUp(leg, None));
    assert_eq!(phase(&world), Phase::HandedOver);
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
    let target = Target::Team { id: TeamId(Uuid::from_u128(500)), name: "support".into() };
    let start = StartTransfer { kind: Kind::Warm, target, message: "".into() };
    world.command(1, Command::Start(start)).expect("permitted");
    let wait = project::wait(&world.i).expect("a wait");
    world.fact(Fact::Proposed(wait.wait, vec![agent(2), agent(3)]));
    world.grant();
    let late = world.leg(3).expect("rings");
    world.answer(2);
    assert!(project::plan(&world.i).legs.iter().all(|leg| leg.leg != late), "its leg is no longer wanted");
    let released = project::claims(&world.i).released;
    assert!(released.iter().any(|claim| claim.agent == agent(3).id && claim.reason == Reason::Taken));
    assert!(!world.fact(Fact::LegUp(late, None)).changed);
    assert_eq!(world.agents_in(), vec![1, 2]);
}

#[test]
fn r2_a_segment_whose_end_is_not_known_is_awaited_also_after_the_end() {
    let mut world = World::talking("lead_center");
    let segment = project::plan(&world.i).segment.expect("a segment").segment;
    world.customer_hangs_up();
    let plan = project::plan(&world.i);
    assert_eq!((plan.ended, plan.segment, plan.awaited.as_slice()), (true, None, [segment].as_slice()));
    assert!(!world.i.settled());
    let end = baton_domain::input::SegmentEnd { started_at_us: 0, ended_at_us: 0, failed: true };
    world.fact(Fact::SegmentEnded(segment, end));
    assert!(project::plan(&world.i).awaited.is_empty() && world.i.settled());
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
    assert_eq!(project::plan(&world.i).segment, None, "nobody is recorded before the customer is there");
    assert!(!allowed(&world.i, &by(1)).contains(Action::StartWarm));
    world.now += 5 * SECOND;
    world.fact(Fact::LegUp(LegNo(1), Some(Room::Talk)));
    assert!(world.happened(|kind| *kind == EventKind::CustomerAnswered));
    assert!(project::plan(&world.i).segment.is_some());
    assert!(!world.happened(|kind| matches!(kind, EventKind::Excluded { .. })), "ringing is nothing to leave out");
    world.place();
    world.start(1, Kind::Warm, 2).expect("permitted");
    world.grant();
    world.answer(2);
    assert_eq!((phase(&world), customer_in(&world)), (Phase::Consulting, Some(Room::Hold)));
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
    world.start(1, Kind::Warm, 2).expect("permitted");
    world.grant();
    let first = world.leg(2).expect("rings");
    world.fact(Fact::LegEnded(first, Reason::Unreachable));
    let second = world.leg(2).expect("rings again");
    assert!(second > first);
    assert_eq!(phase(&world), Phase::Offered);
    assert!(!world.fact(Fact::LegUp(first, None)).changed, "S2: the first id is over for good");
    world.fact(Fact::LegEnded(second, Reason::Unreachable));
    assert_eq!((phase(&world), world.i.transfer.clone().unwrap().reason), (Phase::Failed, Some(Reason::Unreachable)));
}

#[test]
fn a_cold_transfer_to_a_team_never_comes_back_to_its_initiator() {
    let mut world = World::talking("lead_center");
    let target = Target::Team { id: TeamId(Uuid::from_u128(500)), name: "support".into() };
    let start = StartTransfer { kind: Kind::Cold, target, message: "".into() };
    world.command(1, Command::Start(start)).expect("permitted");
    assert!(world.agents_in().is_empty(), "the initiator is free again");
    let wait = project::wait(&world.i).expect("a wait");
    assert!(wait.skip.contains(&agent(1).id));
    assert!(!world.fact(Fact::Proposed(wait.wait, vec![agent(1)])).changed);
}
