//! IVR flows: the round trip to one (B406), which flows it can't go to (B407), and a cold transfer to one (B401).

use crate::{
    random::pressed,
    world::{SECOND, World, agent, by, flow, policy, supervisor},
};
use baton_domain::{
    Action, Command, EventKind, Fact, Input, Refusal,
    input::FlowEnd,
    interaction::{HopOutcome, Stage},
};
use baton_words::{DivertedTo, Exclusion, ExitNo, FlowOutcome, LegNo, Phase, Reason, Room, TransferKind, Treatment};

const EXIT: ExitNo = ExitNo(1);

fn customer_in(world: &World) -> Option<Room> {
    world.plan().room_of(LegNo(1))
}

/// A customer who is in a flow, from which they come back to agent 1.
fn away() -> World {
    let mut world = World::talking("aicc");
    world.start_to(1, TransferKind::RoundTrip, flow(false)).expect("permitted");
    world.place();
    world
}

fn left_flow(world: &World, outcome: FlowOutcome) -> bool {
    world.happened(|kind| matches!(kind, EventKind::FlowLeft { outcome: own, .. } if *own == outcome))
}

#[test]
fn b406_the_agent_waits_and_has_the_customer_again() {
    let mut world = away();
    assert_eq!((world.phase(), world.agents_in(), customer_in(&world)), (Phase::Away, vec![1], None));
    let exit = world.plan().exit.expect("an exit");
    assert_eq!((exit.exit, exit.leg, exit.flow.expect("a flow").elements.len()), (EXIT, LegNo(1), 3));
    assert_eq!(world.i.primary(), Some(agent(1).id));
    assert_eq!(world.plan().treatment(Room::Consult), Some(Treatment::HoldMusic), "who waits hears music");
    assert!(world.plan().segment.is_none(), "nothing is recorded while they are away");
    let kept = serde_json::to_string(&world.i).expect("written");
    assert_eq!(serde_json::from_str::<baton_domain::Interaction>(&kept).expect("read"), world.i);
    world.pass(10 * SECOND);
    world.fact(Fact::FlowOver(EXIT, FlowEnd::Returned, pressed(3)));
    world.place();
    assert_eq!((world.phase(), world.agents_in(), customer_in(&world)), (Phase::Completed, vec![1], Some(Room::Talk)));
    assert_eq!(world.i.journey.last().expect("a hop").outcome, HopOutcome::Returned);
    let data: Vec<_> = world.i.data.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(data, [("choice", "2"), ("pin", "collected"), ("seen", "yes")], "sensitive digits stay on the switch");
    assert!(!format!("{:?}", world.events).contains("\"2\""), "what was pressed is in no event");
    let collected = world.events.iter().filter(|event| matches!(event.kind, EventKind::FlowCollected { .. }));
    assert_eq!(collected.count(), 2, "what an element sets was not pressed");
    let recorded: Vec<_> =
        world.events.iter().filter(|event| matches!(event.kind, EventKind::RecordingStarted(_))).collect();
    assert_eq!(recorded.len(), 1, "the same tenure goes on");
    assert!(world.happened(|kind| matches!(
        kind,
        EventKind::Excluded { reason: Exclusion::InFlow, from_us, to_us, .. } if to_us - from_us == 10 * SECOND
    )));
    let version = world.i.version;
    world.fact(Fact::FlowOver(EXIT, FlowEnd::Left, vec![]));
    world.fact(Fact::InFlow(EXIT, pressed(3)));
    assert_eq!(world.i.version, version, "S5: what is over changes nothing");
}

#[test]
fn b406_a_customer_on_hold_goes_and_comes_back_to_a_conversation() {
    let mut world = World::talking("aicc");
    world.does(1, Command::Hold);
    world.start_to(1, TransferKind::RoundTrip, flow(false)).expect("permitted");
    world.place();
    assert!(!world.i.held() && world.i.away());
    world.fact(Fact::FlowOver(EXIT, FlowEnd::Ended, vec![]));
    assert_eq!((world.phase(), customer_in(&world)), (Phase::Completed, Some(Room::Talk)));
}

#[test]
fn b406_the_customer_hangs_up_in_the_flow() {
    for by_leg in [true, false] {
        let mut world = away();
        if by_leg {
            world.customer_hangs_up();
        } else {
            world.fact(Fact::FlowOver(EXIT, FlowEnd::Left, vec![]));
        }
        assert_eq!((world.phase(), &world.i.stage), (Phase::Abandoned, &Stage::Ended(Reason::CustomerLeft)));
        assert!(left_flow(&world, FlowOutcome::Left));
        assert!(!world.i.summary().voicemail);
    }
}

#[test]
fn b406_the_agent_leaves_meanwhile_and_the_flow_goes_on() {
    let mut world = away();
    world.hang_up(1);
    assert_eq!((world.phase(), world.agents_in()), (Phase::Away, vec![]));
    assert_eq!(world.plan().exit.expect("still in the flow").exit, EXIT);
    world.fact(Fact::FlowOver(EXIT, FlowEnd::Returned, pressed(1)));
    assert_eq!((world.phase(), world.reason()), (Phase::Diverted, Some(Reason::InitiatorLeft)));
    assert!(world.happened(|kind| matches!(kind, EventKind::TransferDiverted { to: DivertedTo::NextStep, .. })));
    assert_eq!(&*world.plan().exit.expect("the next step").mailbox, "desk");
}

#[test]
fn b406_where_the_policy_says_so_a_leaving_agent_takes_the_customer_out() {
    let policy = policy("aicc", "[methods.round_trip.away]\ninitiator_leaves = \"cancel\"\n");
    let mut world = World::talking_by(policy);
    world.start_to(1, TransferKind::RoundTrip, flow(false)).expect("permitted");
    world.place();
    world.hang_up(1);
    assert_eq!((world.phase(), world.reason()), (Phase::Diverted, Some(Reason::InitiatorLeft)));
    assert!(left_flow(&world, FlowOutcome::TakenBack));
}

#[test]
fn b406_the_agent_takes_the_customer_back_and_so_does_the_time() {
    let mut world = away();
    let cancel = world.cancel();
    assert!(world.allowed(&by(1)).contains(Action::Cancel));
    world.does(1, cancel);
    assert_eq!((world.phase(), customer_in(&world)), (Phase::Cancelled, Some(Room::Talk)));
    assert!(left_flow(&world, FlowOutcome::TakenBack));

    let mut world = away();
    world.tick_at_deadline();
    assert_eq!((world.phase(), world.reason()), (Phase::Cancelled, Some(Reason::Timeout)));
    assert_eq!((world.agents_in(), customer_in(&world)), (vec![1], Some(Room::Talk)));
    let cause = world.events.last().expect("an event").cause;
    assert_eq!(cause.limit.expect("a time").path(), "methods.round_trip.away.max_ms");

    let mut world = away();
    world.hang_up(1);
    world.tick_at_deadline();
    assert_eq!((world.phase(), world.reason()), (Phase::Diverted, Some(Reason::Timeout)));
}

#[test]
fn b406_a_flow_that_the_switch_has_lost_gives_the_customer_back() {
    let mut world = away();
    world.fact(Fact::FlowOver(EXIT, FlowEnd::Unknown, vec![]));
    world.place();
    assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(Reason::FlowFailed)));
    assert_eq!((world.agents_in(), customer_in(&world)), (vec![1], Some(Room::Talk)));
    world.start_to(1, TransferKind::RoundTrip, flow(false)).expect("it can be tried again");
    assert_eq!(world.plan().exit.expect("an exit").exit, ExitNo(2), "and is another exit");
}

#[test]
fn b407_a_flow_that_transfers_on_is_refused_and_so_is_one_that_is_not_marked() {
    let mut world = World::talking("aicc");
    let refused = world.start_to(1, TransferKind::RoundTrip, flow(true)).expect_err("refused");
    assert_eq!(refused, Refusal::FlowTransfersOn(TransferKind::RoundTrip));
    let baton_domain::Target::IvrFlow(marked) = flow(false) else { unreachable!("a flow") };
    let survey = baton_domain::machine::IvrFlow { round_trip: false, ..(*marked).clone() };
    let refused = world.start_to(1, TransferKind::RoundTrip, baton_domain::Target::IvrFlow(survey.into()));
    assert_eq!(refused.expect_err("refused"), Refusal::FlowNotForRoundTrip(TransferKind::RoundTrip));
    for kind in [TransferKind::OnAnswer, TransferKind::Warm] {
        let refused = world.start_to(1, kind, flow(false)).expect_err("refused");
        assert!(matches!(refused, Refusal::TargetNotOffered(..)), "{refused:?}");
    }
}

#[test]
fn b401_a_cold_transfer_to_a_flow_releases_the_initiator_and_ends_with_the_flow() {
    let mut world = World::talking("aicc");
    world.start_to(1, TransferKind::Cold, flow(true)).expect("permitted");
    assert_eq!((world.phase(), world.agents_in()), (Phase::Away, vec![]));
    world.fact(Fact::InFlow(EXIT, vec![]));
    assert_eq!(world.phase(), Phase::Completed, "they are seen in it");
    assert_eq!(world.i.journey.last().expect("a hop").outcome, HopOutcome::InFlow);
    assert!(world.i.transfer.is_none() && world.plan().exit.is_some());
    world.fact(Fact::FlowOver(EXIT, FlowEnd::Ended, pressed(1)));
    assert_eq!(world.i.stage, Stage::Ended(Reason::Disconnected));
    assert_eq!(world.i.data.len(), 1);
}

#[test]
fn b401_a_transfer_element_leaves_the_flow_for_its_target_or_the_next_step() {
    let cold = || {
        let mut world = World::talking("aicc");
        world.start_to(1, TransferKind::Cold, flow(true)).expect("permitted");
        world
    };
    let mut world = cold();
    world.fact(Fact::FlowOver(EXIT, FlowEnd::Transferred(2), vec![]));
    assert_eq!((world.phase(), &*world.plan().exit.expect("the next step").mailbox), (Phase::Completed, "desk"));
    let mut world = cold();
    world.fact(Fact::FlowOver(EXIT, FlowEnd::Transferred(3), vec![]));
    world.grant();
    world.answer(3);
    assert_eq!((world.agents_in(), customer_in(&world)), (vec![3], Some(Room::Talk)));
    let mut world = cold();
    world.fact(Fact::FlowOver(EXIT, FlowEnd::Unknown, vec![]));
    assert_eq!((world.phase(), world.reason()), (Phase::Diverted, Some(Reason::FlowFailed)));
}

#[test]
fn b401_a_customer_who_hangs_up_in_a_flow_for_good_has_left() {
    let mut world = World::talking("aicc");
    world.start_to(1, TransferKind::Cold, flow(false)).expect("permitted");
    world.place();
    world.customer_hangs_up();
    assert_eq!(world.i.stage, Stage::Ended(Reason::CustomerLeft));
    let mut world = World::talking("aicc");
    world.start_to(1, TransferKind::Cold, flow(false)).expect("permitted");
    world.place();
    world.tick_at_deadline();
    assert!(left_flow(&world, FlowOutcome::Failed));
    assert_eq!(&*world.plan().exit.expect("the next step").mailbox, "desk");
}

#[test]
fn b406_a_supervisor_ends_the_call_of_a_customer_who_is_away() {
    let mut world = away();
    world.input(Input::Command(supervisor(), Command::End)).expect("permitted");
    assert_eq!(world.i.stage, Stage::Ended(Reason::Requested));
    assert!(left_flow(&world, FlowOutcome::TakenBack) && world.plan().exit.is_none());
}
