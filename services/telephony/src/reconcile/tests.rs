//! Tables for the order of steps, and every way from one placing of three parties to another.

mod outgoing;

use std::collections::BTreeMap;

use super::*;
use crate::plan::{Announcement, Exit, InteractionId, Leg, Origin, Segment};
use crate::thing::{Stamp, Thing};
use crate::world::{LegThere, RoomThere};

const CUSTOMER: &str = "in-1";

fn leg(id: &str, room: Option<&str>) -> Leg {
    let origin = if id == "c" {
        Origin::Inbound(CUSTOMER.into())
    } else {
        Origin::Dial(Dial { phone: id.into(), ring_until_us: 100, caller: String::new(), allowed_by: None })
    };
    Leg { id: id.into(), origin, room: room.map(Into::into), muted: false }
}

fn plan(legs: Vec<Leg>) -> Plan {
    let treatment = |room: &str| if room == "hold" { Treatment::HoldMusic } else { Treatment::Conversation };
    let rooms = legs.iter().filter_map(|it| it.room.clone()).map(|room| (room.clone(), treatment(&room)));
    Plan {
        tenant: "acme".into(),
        interaction: InteractionId::parse("0192f0c1-2d3e-7f00-8000-000000000001").unwrap(),
        version: 1,
        rooms: rooms.collect(),
        legs,
        announcements: vec![],
        exit: None,
        segment: None,
        ended: false,
        awaited_segments: Vec::new(),
        trace: None,
    }
}

fn name(id: &str) -> &str {
    if id == "c" { CUSTOMER } else { id }
}

fn world(legs: &[(&str, Option<&str>)]) -> World {
    let mut world = World::default();
    for (id, room) in legs {
        let thing = Thing { name: name(id).into(), confirmed: true, ..Thing::default() };
        world.things.insert(Key::leg(id), thing);
        let there = LegThere { state: LegState::Up, room: room.map(Into::into), ..LegThere::ringing(Stamp::default()) };
        world.legs.insert(name(id).into(), there);
        if let Some(room) = room {
            let treatment = if *room == "hold" { Treatment::HoldMusic } else { Treatment::Conversation };
            let there = RoomThere { treatment: Some(treatment), stamp: Stamp::default() };
            world.rooms.insert((*room).to_owned(), there);
        }
    }
    world
}

fn record(world: &mut World, id: &str) {
    world.recordings.insert(id.into(), Stamp::default());
    world.things.insert(Key::segment(id), Thing::default());
}

fn to(leg: &str, room: &str) -> Step {
    Step::Move { leg: leg.into(), room: room.into() }
}

fn ensure(room: &str, treatment: Treatment) -> Step {
    Step::EnsureRoom { room: room.into(), treatment }
}

/// What the switch would be like after the step.
fn apply(world: &mut World, step: Step) {
    match step {
        Step::StopRecording(id) => drop(world.recordings.remove(&id)),
        Step::TakeOut(leg) => world.legs.get_mut(&leg).unwrap().room = None,
        Step::Move { leg, room } => {
            assert!(world.rooms.contains_key(&room), "moved into a room that is not there");
            world.legs.get_mut(&leg).unwrap().room = Some(room);
        }
        Step::Answer(leg) => world.legs.get_mut(&leg).unwrap().state = LegState::Up,
        Step::EnsureRoom { room, treatment } => {
            world.rooms.insert(room, RoomThere { treatment: Some(treatment), stamp: Stamp::default() });
        }
        Step::SetMute { leg, muted } => world.legs.get_mut(&leg).unwrap().muted = Some(muted),
        Step::StartRecording { id, .. } => record(world, &id),
        Step::HangUp { leg, .. } => drop(world.legs.remove(&leg)),
        Step::DestroyRoom(room) => {
            assert!(
                world.legs.values().all(|it| it.room.as_ref() != Some(&room)),
                "destroyed a room with people in it"
            );
            world.rooms.remove(&room);
        }
        other => panic!("{other:?} has no place here"),
    }
}

#[test]
fn a_call_that_comes_in_is_answered_and_put_where_it_belongs() {
    let mut world = world(&[("c", None)]);
    world.legs.get_mut(CUSTOMER).unwrap().state = LegState::Ringing;
    let steps = steps(&plan(vec![leg("c", Some("lobby"))]), &world, 0);
    let expected = [Step::Answer(CUSTOMER.into()), ensure("lobby", Treatment::Conversation), to(CUSTOMER, "lobby")];
    assert_eq!(steps, expected);
}

#[test]
fn the_recording_stops_before_the_customer_is_moved_and_the_customer_before_the_others() {
    let mut world = world(&[("c", Some("talk")), ("a1", Some("talk"))]);
    record(&mut world, "s1");
    let plan = plan(vec![leg("c", Some("hold")), leg("a1", Some("consult")), leg("a2", Some("consult"))]);
    let dial = plan.legs[2].dial().unwrap().clone();
    let expected = [
        Step::StopRecording("s1".into()),
        ensure("hold", Treatment::HoldMusic),
        to(CUSTOMER, "hold"),
        ensure("consult", Treatment::Conversation),
        to("a1", "consult"),
        Step::Dial { leg: "a2".into(), dial },
        Step::DestroyRoom("talk".into()),
    ];
    assert_eq!(steps(&plan, &world, 0), expected);
}

#[test]
fn skipped_versions_lead_to_the_same_end_in_one_pass() {
    // From a consult (customer on hold) straight to the end of a warm transfer: nobody saw the three-way in between.
    let world = world(&[("c", Some("hold")), ("a1", Some("consult")), ("a2", Some("consult"))]);
    let mut plan = plan(vec![leg("c", Some("talk")), leg("a2", Some("talk"))]);
    plan.segment = Some(Segment { id: "s2".into(), room: "talk".into(), recording_id: "r2".into() });
    let expected = [
        ensure("talk", Treatment::Conversation),
        to(CUSTOMER, "talk"),
        to("a2", "talk"),
        Step::StartRecording { id: "s2".into(), room: "talk".into(), recording_id: "r2".into() },
        Step::HangUp { leg: "a1".into(), no_answer: false },
        Step::DestroyRoom("consult".into()),
        Step::DestroyRoom("hold".into()),
    ];
    assert_eq!(steps(&plan, &world, 0), expected);
}

#[test]
fn who_must_not_hear_leaves_before_anybody_is_moved() {
    // The agent who is released sits in the room that the customer comes back to.
    let world = world(&[("c", Some("hold")), ("a1", Some("talk")), ("a2", Some("consult"))]);
    let plan = plan(vec![leg("c", Some("talk")), leg("a2", Some("talk"))]);
    let steps = steps(&plan, &world, 0);
    assert_eq!(steps[..3], [Step::TakeOut("a1".into()), to(CUSTOMER, "talk"), to("a2", "talk")]);
    assert!(steps.contains(&Step::HangUp { leg: "a1".into(), no_answer: false }));
}

#[test]
fn mute_comes_before_the_move_and_unmute_after_it() {
    let mut world = world(&[("c", Some("hold")), ("a1", Some("consult")), ("a2", Some("consult"))]);
    world.legs.get_mut("a2").unwrap().muted = Some(true);
    let mut plan = plan(vec![leg("c", Some("talk")), leg("a1", Some("talk")), leg("a2", Some("talk"))]);
    plan.legs[1].muted = true;
    let steps = steps(&plan, &world, 0);
    assert_eq!(steps[0], Step::SetMute { leg: "a1".into(), muted: true });
    assert_eq!(steps[5], Step::SetMute { leg: "a2".into(), muted: false }, "{steps:?}");
}

#[test]
fn an_unknown_mute_is_said_again() {
    let mut world = world(&[("c", Some("talk"))]);
    world.legs.get_mut(CUSTOMER).unwrap().muted = None;
    let steps = steps(&plan(vec![leg("c", Some("talk"))]), &world, 0);
    assert_eq!(steps, [Step::SetMute { leg: CUSTOMER.into(), muted: false }]);
}

#[test]
fn what_was_asked_for_once_is_never_asked_for_again() {
    let mut world = world(&[("c", Some("talk"))]);
    let mut plan = plan(vec![leg("c", Some("talk")), leg("a1", Some("talk"))]);
    plan.segment = Some(Segment { id: "s1".into(), room: "talk".into(), recording_id: "r1".into() });
    plan.announcements = vec![Announcement { id: "n1".into(), room: "talk".into(), name: "goodbye".into() }];
    assert_eq!(steps(&plan, &world, 0).len(), 3);
    for key in [Key::leg("a1"), Key::segment("s1"), Key::announcement("n1")] {
        world.things.insert(key, Thing::default());
    }
    assert_eq!(steps(&plan, &world, 0), []);
}

#[test]
fn nobody_is_dialled_after_their_ring_time() {
    let plan = plan(vec![leg("a1", Some("talk"))]);
    assert_eq!(steps(&plan, &World::default(), 99).len(), 1);
    assert_eq!(steps(&plan, &World::default(), 100), []);
}

#[test]
fn an_answer_after_the_leg_was_given_up_is_hung_up_and_never_connected() {
    let mut world = world(&[("c", Some("hold")), ("a1", None)]);
    let over = baton_api::transfer::v1::Fact {
        observed_at_us: 0,
        fact: Some(crate::fact::ended("a1", crate::switch::Ending::NoAnswer)),
    };
    world.things.get_mut(&Key::leg("a1")).unwrap().fact = Some(over);
    let plan = plan(vec![leg("c", Some("hold")), leg("a1", Some("talk"))]);
    assert_eq!(steps(&plan, &world, 100), [Step::HangUp { leg: "a1".into(), no_answer: false }]);
}

#[test]
fn a_room_without_the_customer_is_not_recorded_whatever_the_plan_says() {
    let world = world(&[("c", Some("hold")), ("a1", Some("talk"))]);
    let mut plan = plan(vec![leg("c", Some("hold")), leg("a1", Some("talk"))]);
    plan.segment = Some(Segment { id: "s1".into(), room: "talk".into(), recording_id: "r1".into() });
    assert_eq!(steps(&plan, &world, 0), []);
}

#[test]
fn the_recording_ends_with_the_customer_although_the_plan_still_wants_it() {
    let mut world = world(&[("c", Some("talk")), ("a1", Some("talk"))]);
    record(&mut world, "s1");
    let mut plan = plan(vec![leg("c", Some("talk")), leg("a1", Some("talk"))]);
    plan.segment = Some(Segment { id: "s1".into(), room: "talk".into(), recording_id: "r1".into() });
    assert_eq!(steps(&plan, &world, 0), []);
    world.legs.remove(CUSTOMER);
    assert_eq!(steps(&plan, &world, 0), [Step::StopRecording("s1".into())]);
}

#[test]
fn an_exit_takes_the_leg_from_where_it_is_once_and_leaves_it_alone_then() {
    let mut world = world(&[("c", Some("hold"))]);
    let mut plan = plan(vec![leg("c", None)]);
    plan.exit = Some(Exit { id: "x1".into(), leg_id: "c".into(), mailbox: "anna".into() });
    let exit = Step::Exit { id: "x1".into(), leg: CUSTOMER.into(), mailbox: "anna".into() };
    assert_eq!(steps(&plan, &world, 0), [exit, Step::DestroyRoom("hold".into())]);
    world.rooms.clear();
    world.things.insert(Key::exit("x1"), Thing::default());
    world.legs.get_mut(CUSTOMER).unwrap().state = LegState::Exited("x1".into());
    assert_eq!(steps(&plan, &world, 0), []);
}

#[test]
fn the_end_of_an_interaction_removes_everything() {
    let mut world = world(&[("c", Some("talk")), ("a1", Some("talk"))]);
    record(&mut world, "s1");
    let plan = Plan { ended: true, ..plan(vec![]) };
    let expected = [
        Step::StopRecording("s1".into()),
        Step::HangUp { leg: "a1".into(), no_answer: false },
        Step::HangUp { leg: CUSTOMER.into(), no_answer: false },
        Step::DestroyRoom("talk".into()),
    ];
    assert_eq!(steps(&plan, &world, 0), expected);
}

/// Every placing of the three parties, from every other one; absent parties are hung up, or were never there.
#[test]
fn from_anywhere_to_anywhere() {
    const IDS: [&str; 3] = ["c", "a1", "a2"];
    // In no call; in no room; in a room.
    const PLACES: [Option<&str>; 5] = [None, Some(""), Some("talk"), Some("hold"), Some("consult")];
    let room = |place: &'static str| (!place.is_empty()).then_some(place);
    let placings: Vec<_> =
        PLACES.iter().flat_map(|c| PLACES.iter().flat_map(move |a| PLACES.iter().map(move |b| [*c, *a, *b]))).collect();
    for before in &placings {
        for after in &placings {
            let there: Vec<_> =
                IDS.iter().zip(before).filter_map(|(id, it)| it.map(|place| (*id, room(place)))).collect();
            // Nobody joins who is not on the switch: that would be a dial.
            let wanted = IDS.iter().zip(before.iter().zip(after)).filter(|(_, (old, _))| old.is_some());
            let legs = wanted.filter_map(|(id, (_, new))| new.map(|place| leg(id, room(place)))).collect();
            let plan = plan(legs);
            check_way(world(&there), &plan);
            check_way(world(&there), &outgoing::called(&plan));
        }
    }
}

fn check_way(mut world: World, plan: &Plan) {
    if world.legs.get(CUSTOMER).is_some_and(|it| it.room.as_deref() == Some("talk")) {
        record(&mut world, "s1");
    }
    let mut hung_up = false;
    for _ in 0..20 {
        let Some(step) = steps(plan, &world, 0).into_iter().next() else {
            return check_end(&world, plan);
        };
        let way = format!("{step:?}\n{world:?}\n{plan:?}");
        if matches!(step, Step::HangUp { .. }) {
            hung_up = true;
        } else {
            assert!(!hung_up || matches!(step, Step::DestroyRoom(_)), "something came after a hang-up: {way}");
        }
        let recorded = !world.recordings.is_empty();
        assert!(!recorded || matches!(step, Step::StopRecording(_)), "the recording goes on: {way}");
        if let Step::Move { leg, room } = &step {
            let members = world.legs.iter().filter(|(_, it)| it.room.as_ref() == Some(room));
            for (member, _) in members {
                let wanted = plan.leg_named(member).is_some_and(|it| it.room.as_ref() == Some(room));
                assert!(wanted || member == CUSTOMER, "{leg} meets {member}, who is not to hear: {way}");
            }
        }
        if plan.legs.first().is_some_and(|it| it.name() == CUSTOMER && it.room.is_some()) {
            assert_ne!(step, Step::TakeOut(CUSTOMER.into()), "the customer is nowhere (C1): {way}");
        }
        apply(&mut world, step);
    }
    panic!("no end: {world:?} {plan:?}");
}

fn check_end(world: &World, plan: &Plan) {
    let is: BTreeMap<_, _> = world.legs.iter().map(|(name, it)| (name.as_str(), it.room.as_deref())).collect();
    let should: BTreeMap<_, _> = plan.legs.iter().map(|it| (it.name(), it.room.as_deref())).collect();
    assert_eq!(is, should);
    assert!(world.rooms.keys().eq(plan.rooms.keys()), "{:?} {:?}", world.rooms, plan.rooms);
}
