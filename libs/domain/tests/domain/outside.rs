//! Transfers to numbers outside, on the pure state: whom the policy lets them go to, who is with whom, and what is recorded.

use crate::world::{SECOND, World, outside, policy};
use baton_domain::{
    EventKind, Fact, OutsideSort, Recipient, Refusal, Target, interaction::LegSource, interaction::Stage,
    machine::FlowStep, project,
};
use baton_words::{Direction, LegNo, Phase, Reason, RecordingMode, Room, TransferKind, Treatment};

use OutsideSort::{Forwarding, NotForwarding, Typed};
use TransferKind::{Cold, OnAnswer, Warm};

/// The leg of the party outside: it rings, or they are connected.
fn leg(world: &World) -> LegNo {
    let rings = world.i.search().and_then(|search| search.outside).map(|call| call.leg);
    rings.or_else(|| world.i.externals().next().map(|party| party.leg.no)).expect("somebody outside")
}

fn answers(world: &mut World) {
    world.fact(Fact::LegUp(leg(world), None));
    world.place();
}

fn ends(world: &mut World, reason: Reason) {
    world.fact(Fact::LegEnded(leg(world), reason));
    world.place();
}

/// A call that agent 1 has placed, with the customer on the line.
fn placed() -> World {
    let mut world = World::placed(policy("aicc", ""), RecordingMode::All);
    world.grant();
    world.answer(1);
    world.fact(Fact::LegUp(LegNo(1), None));
    world.place();
    world
}

fn talking(direction: Direction) -> World {
    match direction {
        Direction::Inbound => World::talking("aicc"),
        Direction::Outbound => placed(),
    }
}

#[test]
fn b408_every_cell_of_the_table_is_as_the_policy_says() {
    for sort in [Forwarding, NotForwarding, Typed] {
        for direction in [Direction::Inbound, Direction::Outbound] {
            for kind in [Cold, OnAnswer, Warm] {
                let mut world = talking(direction);
                let answer = world.start_to(1, kind, outside(sort)).map(drop);
                let is_possible = kind != Cold || sort != Forwarding && direction == Direction::Inbound;
                assert_eq!(answer.is_ok(), is_possible, "{sort:?} {direction:?} {kind}: {answer:?}");
                if let Err(refusal) = answer {
                    let possible = "possible is: on_answer, warm";
                    assert!(matches!(refusal, Refusal::OutsideNotOffered(..)), "{refusal:?}");
                    assert!(refusal.to_string().ends_with(possible), "{refusal}");
                }
            }
        }
    }
}

#[test]
fn other_profiles_do_not_go_outside() {
    for profile in ["lead_center", "helpdesk", "engagement", "user_transfer"] {
        let mut world = World::talking(profile);
        for kind in [Cold, Warm] {
            let refused = world.start_to(1, kind, outside(Typed)).map(drop);
            assert!(matches!(refused, Err(Refusal::TargetNotOffered(..))), "{profile} {kind}: {refused:?}");
        }
    }
}

#[test]
fn b404_a_release_transfer_leaves_the_customer_with_ringing_and_then_with_whoever_answers() {
    let mut world = World::talking("aicc");
    world.start_to(1, Cold, outside(Typed)).expect("permitted");
    world.place();
    assert_eq!((world.agents_in(), world.plan().room_of(LegNo(1))), (vec![], Some(Room::Lobby)));
    assert_eq!(world.plan().treatment(Room::Lobby), Some(Treatment::Ringback));
    let dialled = world.plan().legs.iter().find(|planned| planned.leg == leg(&world)).expect("a leg").origin.clone();
    let LegSource::Outside(dialled) = dialled else { panic!("an agent's phone: {dialled:?}") };
    assert_eq!((&*dialled.phone, &*dialled.allowed_by), ("32470000009", "+3247"));
    assert!(project::claims(&world.i).wanted.is_empty());
    answers(&mut world);
    assert_eq!((world.phase(), world.agents_in()), (Phase::Completed, vec![]));
    assert!(world.happened(|kind| matches!(kind, EventKind::ExternalTookOver { from: None, .. })));
    let to_outside =
        |kind: &EventKind| matches!(kind, EventKind::TransferCompleted { recipient: Recipient::External(_), .. });
    assert!(world.happened(to_outside));
    assert!(world.plan().legs.iter().all(|planned| planned.room == Some(Room::Talk)), "{:?}", world.plan());
    assert_eq!(world.plan().segment, None, "what is said without an agent is not recorded");
    ends(&mut world, Reason::HungUp);
    assert_eq!(world.i.stage, Stage::Ended(Reason::HungUp));
}

#[test]
fn s2_a_number_outside_is_never_dialled_again() {
    let mut world = World::talking("aicc");
    world.start_to(1, OnAnswer, outside(Typed)).expect("permitted");
    world.place();
    let legs = world.i.counters.leg;
    ends(&mut world, Reason::Unreachable);
    assert_eq!((world.phase(), world.reason()), (Phase::Failed, Some(Reason::Unreachable)));
    assert_eq!(world.i.counters.leg, legs);
    assert!(world.plan().legs.iter().all(|planned| !matches!(planned.origin, LegSource::Outside(_))));
}

#[test]
fn a_silent_phone_outside_is_given_up() {
    let mut world = World::talking("aicc");
    world.start_to(1, OnAnswer, outside(Typed)).expect("permitted");
    world.tick_at_deadline();
    assert_eq!((world.phase(), world.reason(), world.agents_in()), (Phase::Failed, Some(Reason::Unreachable), vec![1]));
}

/// Agent 1 consults a party outside.
fn consulting(sort: OutsideSort) -> World {
    let mut world = World::talking("aicc");
    world.start_to(1, Warm, outside(sort)).expect("permitted");
    world.place();
    answers(&mut world);
    assert_eq!((world.phase(), world.i.held()), (Phase::Consulting, true));
    world
}

#[test]
fn b405_a_conversation_transfer_outside_is_completed_by_the_initiator() {
    let mut world = consulting(Forwarding);
    world.does(1, baton_domain::Command::Resume);
    assert_eq!(world.phase(), Phase::Joined);
    assert!(world.plan().segment.is_some(), "the agent still talks with the customer");
    world.hang_up(1);
    assert_eq!((world.phase(), world.agents_in(), world.i.held()), (Phase::Completed, vec![], false));
    assert_eq!(world.plan().segment, None);
    world.customer_hangs_up();
    assert_eq!(world.i.stage, Stage::Ended(Reason::CustomerLeft));
}

#[test]
fn b409_the_agent_goes_on_with_customer_2_and_not_outside_from_then_on() {
    let mut world = consulting(Typed);
    world.customer_hangs_up();
    world.place();
    assert_eq!((world.phase(), world.agents_in(), world.i.held()), (Phase::Abandoned, vec![1], false));
    assert_eq!(&**world.i.customer().address(), "+32470000009");
    assert_eq!(&**world.i.present_customer_key(), "key of 9");
    assert!(world.plan().legs.iter().all(|planned| planned.room == Some(Room::Talk)), "{:?}", world.plan());
    for kind in [OnAnswer, Warm, Cold] {
        let refused = world.start_to(1, kind, outside(Forwarding)).map(drop);
        assert_eq!(refused, Err(Refusal::CustomerIsOutside), "{kind}");
    }
    // Each customer's conversation is a recording of its own.
    let recordings = world.events.iter().filter_map(|event| match &event.kind {
        EventKind::RecordingStarted(started) => Some(started.customer_key.to_string()),
        _ => None,
    });
    assert_eq!(recordings.collect::<Vec<_>>(), ["", "key of 9"]);
    // To an agent they can be handed over like any customer; and there the restriction is kept.
    world.start(1, OnAnswer, 2).expect("permitted");
    world.grant();
    world.answer(2);
    assert_eq!((world.phase(), world.agents_in()), (Phase::Completed, vec![2]));
    assert_eq!(world.start_to(2, Warm, outside(Typed)).map(drop), Err(Refusal::CustomerIsOutside));
    world.customer_hangs_up();
    assert_eq!(world.i.stage, Stage::Ended(Reason::CustomerLeft));
}

#[test]
fn b409_when_customer_2_hangs_up_the_agent_goes_on_with_customer_1_and_may_go_outside() {
    let mut world = consulting(Typed);
    ends(&mut world, Reason::HungUp);
    assert_eq!(
        (world.phase(), world.agents_in(), world.reason()),
        (Phase::Failed, vec![1], Some(Reason::RecipientLeft))
    );
    assert_eq!(&**world.i.customer().address(), "+32470000000");
    world.start_to(1, Warm, outside(Typed)).expect("permitted again");
}

#[test]
fn without_the_policys_word_the_call_ends_with_the_customer() {
    let ends = policy("aicc", "[methods.warm.consult]\ncustomer_gone = \"end\"\n");
    let mut world = World::talking_by(ends);
    world.start_to(1, Warm, outside(Typed)).expect("permitted");
    world.place();
    answers(&mut world);
    world.customer_hangs_up();
    assert_eq!(world.i.stage, Stage::Ended(Reason::CustomerLeft));
}

#[test]
fn b408_with_user_number_forwarding_the_phone_shows_the_customers_number() {
    for (sort, direction, shown) in [
        (Forwarding, Direction::Inbound, "+32470000000"),
        (NotForwarding, Direction::Inbound, "+3225550100"),
        (Typed, Direction::Inbound, "+3225550100"),
        (Forwarding, Direction::Outbound, "+3225550100"),
    ] {
        let mut world = talking(direction);
        world.start_to(1, Warm, outside(sort)).expect("permitted");
        let plan = world.plan();
        let dialled = plan.legs.iter().find(|planned| planned.leg == leg(&world)).expect("a leg");
        assert_eq!(&**world.i.shown_to(&dialled.origin), shown, "{sort:?} {direction:?}");
    }
}

#[test]
fn the_customer_cannot_be_handed_over_to_themselves() {
    let Target::External(external) = outside(Typed) else { panic!("a number outside") };
    let own = Target::External(std::sync::Arc::new(baton_domain::ExternalRef {
        number: "+32470000000".into(),
        ..external.as_ref().clone()
    }));
    let mut world = World::talking("aicc");
    assert_eq!(world.start_to(1, Warm, own).map(drop), Err(Refusal::TargetInInteraction));
}

#[test]
fn a_customer_whose_party_outside_is_lost_goes_where_the_fallback_says() {
    let flow = vec![crate::world::ring(1), FlowStep::Voicemail("desk".into())];
    let mut world = World::new(policy("aicc", ""), RecordingMode::All, flow);
    world.grant();
    world.answer(1);
    world.place();
    world.start_to(1, Cold, outside(Typed)).expect("permitted");
    world.place();
    answers(&mut world);
    world.pass(SECOND);
    ends(&mut world, Reason::Unreachable);
    assert!(matches!(world.i.stage, Stage::Exiting(_)), "{:?}", world.i.stage);
}

#[test]
fn a_policy_whose_recipient_alone_could_end_a_consult_does_not_go_outside() {
    let alone = "[methods.warm.offer]\ntargets = [\"external\"]\n[methods.warm.consult.consulting]\ninitiator_may = []\nrecipient_may = [\"complete\"]\n";
    let refused = baton_domain::policy::parse("aicc", alone, vec![]).expect_err("refused").to_string();
    assert!(refused.contains("nobody may end the transfer"), "{refused}");
}
