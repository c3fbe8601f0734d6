//! Tables for the order of steps, and all changes from one placing of three parties to another.

mod outgoing;

use std::collections::BTreeMap;

use super::*;
use crate::observed::{ObservedLeg, ObservedRoom};
use crate::operation::{Operation, Stamp};
use baton_api::common::v1::{Customer, IvrElement, IvrEnd, ivr_element::Element};

use crate::plan::{InteractionId, WantedAnnouncement, WantedExit, WantedLeg, WantedOrigin, WantedSegment};

const CUSTOMER: &str = "in-1";

fn leg(id: &str, room: Option<&str>) -> WantedLeg {
    let origin = if id == "c" {
        WantedOrigin::Inbound(CUSTOMER.into())
    } else {
        WantedOrigin::Dial(WantedDial { phone: id.into(), ring_until_us: 100, caller: String::new(), allowed_by: None })
    };
    WantedLeg { id: id.into(), origin, room: room.map(Into::into), muted: false }
}

fn plan(legs: Vec<WantedLeg>) -> Plan {
    let treatment = |room: &str| if room == "hold" { Treatment::HoldMusic } else { Treatment::Conversation };
    let rooms = legs.iter().filter_map(|it| it.room.clone()).map(|room| (room.clone(), treatment(&room)));
    Plan {
        tenant: "acme".into(),
        interaction: InteractionId::parse("0192f0c1-2d3e-7f00-8000-000000000001").unwrap(),
        switch: baton_words::SwitchId::default(),
        version: 1,
        rooms: rooms.collect(),
        legs,
        announcements: vec![],
        exit: None,
        segment: None,
        ended: false,
        awaited_segments: Vec::new(),
        trace: None,
        is_doubtful: false,
    }
}

fn name(id: &str) -> &str {
    if id == "c" { CUSTOMER } else { id }
}

fn observed(legs: &[(&str, Option<&str>)]) -> ObservedState {
    let mut observed = ObservedState::default();
    for (id, room) in legs {
        let operation = Operation { name: name(id).into(), confirmed: true, ..Operation::default() };
        observed.operations.insert(OperationKey::leg(id), operation);
        let actual = ObservedLeg {
            progress: LegProgress::Up,
            room: room.map(Into::into),
            ..ObservedLeg::ringing(Stamp::default())
        };
        observed.legs.insert(name(id).into(), actual);
        if let Some(room) = room {
            let treatment = if *room == "hold" { Treatment::HoldMusic } else { Treatment::Conversation };
            let actual = ObservedRoom { treatment: Some(treatment), stamp: Stamp::default() };
            observed.rooms.insert((*room).to_owned(), actual);
        }
    }
    observed
}

fn record(observed: &mut ObservedState, id: &str) {
    observed.recordings.insert(id.into(), Stamp::default());
    observed.operations.insert(OperationKey::segment(id), Operation::default());
}

fn to(leg: &str, room: &str) -> ReconcileStep {
    ReconcileStep::Move { leg: leg.into(), room: room.into() }
}

fn ensure(room: &str, treatment: Treatment) -> ReconcileStep {
    ReconcileStep::EnsureRoom { room: room.into(), treatment }
}

/// The observed state after the step.
fn apply(observed: &mut ObservedState, step: ReconcileStep) {
    match step {
        ReconcileStep::StopRecording(id) => drop(observed.recordings.remove(&id)),
        ReconcileStep::TakeOut(leg) => observed.legs.get_mut(&leg).unwrap().room = None,
        ReconcileStep::Move { leg, room } => {
            assert!(observed.rooms.contains_key(&room), "moved into a room that is not there");
            observed.legs.get_mut(&leg).unwrap().room = Some(room);
        }
        ReconcileStep::Answer(leg) => observed.legs.get_mut(&leg).unwrap().progress = LegProgress::Up,
        ReconcileStep::EnsureRoom { room, treatment } => {
            observed.rooms.insert(room, ObservedRoom { treatment: Some(treatment), stamp: Stamp::default() });
        }
        ReconcileStep::SetMute { leg, muted } => observed.legs.get_mut(&leg).unwrap().muted = Some(muted),
        ReconcileStep::StartRecording { id, .. } => record(observed, &id),
        ReconcileStep::HangUp { leg, .. } => drop(observed.legs.remove(&leg)),
        ReconcileStep::DestroyRoom(room) => {
            assert!(
                observed.legs.values().all(|it| it.room.as_ref() != Some(&room)),
                "destroyed a room with people in it"
            );
            observed.rooms.remove(&room);
        }
        other => panic!("{other:?} has no place here"),
    }
}

#[test]
fn a_call_that_comes_in_is_answered_and_put_where_it_belongs() {
    let mut observed = observed(&[("c", None)]);
    observed.legs.get_mut(CUSTOMER).unwrap().progress = LegProgress::Ringing;
    let steps = steps(&plan(vec![leg("c", Some("lobby"))]), &observed, 0);
    let expected =
        [ReconcileStep::Answer(CUSTOMER.into()), ensure("lobby", Treatment::Conversation), to(CUSTOMER, "lobby")];
    assert_eq!(steps, expected);
}

#[test]
fn the_recording_stops_before_the_customer_is_moved_and_the_customer_before_the_others() {
    let mut observed = observed(&[("c", Some("talk")), ("a1", Some("talk"))]);
    record(&mut observed, "s1");
    let plan = plan(vec![leg("c", Some("hold")), leg("a1", Some("consult")), leg("a2", Some("consult"))]);
    let dial = plan.legs[2].dial().unwrap().clone();
    let expected = [
        ReconcileStep::StopRecording("s1".into()),
        ensure("hold", Treatment::HoldMusic),
        to(CUSTOMER, "hold"),
        ensure("consult", Treatment::Conversation),
        to("a1", "consult"),
        ReconcileStep::Dial { leg: "a2".into(), dial },
        ReconcileStep::DestroyRoom("talk".into()),
    ];
    assert_eq!(steps(&plan, &observed, 0), expected);
}

#[test]
fn skipped_versions_lead_to_the_same_end_in_one_pass() {
    // From a consult (customer on hold) straight to the end of a warm transfer: the version with all three was skipped.
    let observed = observed(&[("c", Some("hold")), ("a1", Some("consult")), ("a2", Some("consult"))]);
    let mut plan = plan(vec![leg("c", Some("talk")), leg("a2", Some("talk"))]);
    plan.segment = Some(WantedSegment { id: "s2".into(), room: "talk".into(), recording_id: "r2".into() });
    let expected = [
        ensure("talk", Treatment::Conversation),
        to(CUSTOMER, "talk"),
        to("a2", "talk"),
        ReconcileStep::StartRecording { id: "s2".into(), room: "talk".into(), recording_id: "r2".into() },
        ReconcileStep::HangUp { leg: "a1".into(), no_answer: false },
        ReconcileStep::DestroyRoom("consult".into()),
        ReconcileStep::DestroyRoom("hold".into()),
    ];
    assert_eq!(steps(&plan, &observed, 0), expected);
}

#[test]
fn a_party_that_must_not_hear_is_taken_out_before_others_are_moved() {
    // The agent who is released sits in the room that the customer comes back to.
    let observed = observed(&[("c", Some("hold")), ("a1", Some("talk")), ("a2", Some("consult"))]);
    let plan = plan(vec![leg("c", Some("talk")), leg("a2", Some("talk"))]);
    let steps = steps(&plan, &observed, 0);
    assert_eq!(steps[..3], [ReconcileStep::TakeOut("a1".into()), to(CUSTOMER, "talk"), to("a2", "talk")]);
    assert!(steps.contains(&ReconcileStep::HangUp { leg: "a1".into(), no_answer: false }));
}

#[test]
fn mute_comes_before_the_move_and_unmute_after_it() {
    let mut observed = observed(&[("c", Some("hold")), ("a1", Some("consult")), ("a2", Some("consult"))]);
    observed.legs.get_mut("a2").unwrap().muted = Some(true);
    let mut plan = plan(vec![leg("c", Some("talk")), leg("a1", Some("talk")), leg("a2", Some("talk"))]);
    plan.legs[1].muted = true;
    let steps = steps(&plan, &observed, 0);
    assert_eq!(steps[0], ReconcileStep::SetMute { leg: "a1".into(), muted: true });
    assert_eq!(steps[5], ReconcileStep::SetMute { leg: "a2".into(), muted: false }, "{steps:?}");
}

#[test]
fn an_unknown_mute_is_repeated() {
    let mut observed = observed(&[("c", Some("talk"))]);
    observed.legs.get_mut(CUSTOMER).unwrap().muted = None;
    let steps = steps(&plan(vec![leg("c", Some("talk"))]), &observed, 0);
    assert_eq!(steps, [ReconcileStep::SetMute { leg: CUSTOMER.into(), muted: false }]);
}

#[test]
fn an_operation_that_was_requested_is_never_requested_again() {
    let mut observed = observed(&[("c", Some("talk"))]);
    let mut plan = plan(vec![leg("c", Some("talk")), leg("a1", Some("talk"))]);
    plan.segment = Some(WantedSegment { id: "s1".into(), room: "talk".into(), recording_id: "r1".into() });
    plan.announcements = vec![WantedAnnouncement { id: "n1".into(), room: "talk".into(), name: "goodbye".into() }];
    assert_eq!(steps(&plan, &observed, 0).len(), 3);
    for key in [OperationKey::leg("a1"), OperationKey::segment("s1"), OperationKey::announcement("n1")] {
        observed.operations.insert(key, Operation::default());
    }
    assert_eq!(steps(&plan, &observed, 0), []);
}

#[test]
fn nobody_is_dialled_after_their_ring_time() {
    let plan = plan(vec![leg("a1", Some("talk"))]);
    assert_eq!(steps(&plan, &ObservedState::default(), 99).len(), 1);
    assert_eq!(steps(&plan, &ObservedState::default(), 100), []);
}

#[test]
fn an_answer_after_the_leg_was_given_up_is_hung_up_and_never_connected() {
    let mut observed = observed(&[("c", Some("hold")), ("a1", None)]);
    let over = baton_api::transfer::v1::Fact {
        observed_at_us: 0,
        fact: Some(crate::fact::ended("a1", crate::switch::LegEnding::NoAnswer)),
    };
    observed.operations.get_mut(&OperationKey::leg("a1")).unwrap().fact = Some(over);
    let plan = plan(vec![leg("c", Some("hold")), leg("a1", Some("talk"))]);
    assert_eq!(steps(&plan, &observed, 100), [ReconcileStep::HangUp { leg: "a1".into(), no_answer: false }]);
}

#[test]
fn a_room_without_the_customer_is_not_recorded_whatever_the_plan_says() {
    let observed = observed(&[("c", Some("hold")), ("a1", Some("talk"))]);
    let mut plan = plan(vec![leg("c", Some("hold")), leg("a1", Some("talk"))]);
    plan.segment = Some(WantedSegment { id: "s1".into(), room: "talk".into(), recording_id: "r1".into() });
    assert_eq!(steps(&plan, &observed, 0), []);
}

#[test]
fn the_recording_ends_with_the_customer_although_the_plan_still_wants_it() {
    let mut observed = observed(&[("c", Some("talk")), ("a1", Some("talk"))]);
    record(&mut observed, "s1");
    let mut plan = plan(vec![leg("c", Some("talk")), leg("a1", Some("talk"))]);
    plan.segment = Some(WantedSegment { id: "s1".into(), room: "talk".into(), recording_id: "r1".into() });
    assert_eq!(steps(&plan, &observed, 0), []);
    observed.legs.remove(CUSTOMER);
    assert_eq!(steps(&plan, &observed, 0), [ReconcileStep::StopRecording("s1".into())]);
}

#[test]
fn an_exit_takes_the_leg_from_where_it_is_once_and_leaves_it_alone_then() {
    let mut observed = observed(&[("c", Some("hold"))]);
    let mut plan = plan(vec![leg("c", None)]);
    plan.exit = Some(WantedExit {
        id: "x1".into(),
        leg_id: "c".into(),
        mailbox: "anna".into(),
        flow: vec![],
        customer: Customer::default(),
        number: String::new(),
    });
    let exit = ReconcileStep::Exit { id: "x1".into(), leg: CUSTOMER.into(), mailbox: "anna".into(), flow: vec![] };
    assert_eq!(steps(&plan, &observed, 0), [exit, ReconcileStep::DestroyRoom("hold".into())]);
    observed.rooms.clear();
    observed.operations.insert(OperationKey::exit("x1"), Operation::default());
    observed.legs.get_mut(CUSTOMER).unwrap().progress = LegProgress::Exited("x1".into());
    assert_eq!(steps(&plan, &observed, 0), []);
}

#[test]
fn a_flow_that_is_no_longer_wanted_gives_the_leg_back_before_it_is_moved() {
    let mut observed = observed(&[("c", None), ("a1", Some("consult"))]);
    let mut away = plan(vec![leg("c", None), leg("a1", Some("consult"))]);
    let end = Element::End(IvrEnd {});
    let flow = vec![IvrElement { label: String::new(), element: Some(end) }];
    away.exit = Some(WantedExit {
        id: "x1".into(),
        leg_id: "c".into(),
        mailbox: String::new(),
        flow: flow.clone(),
        customer: Customer::default(),
        number: String::new(),
    });
    let exit = ReconcileStep::Exit { id: "x1".into(), leg: CUSTOMER.into(), mailbox: String::new(), flow };
    assert_eq!(exit.operation(), Some((OperationKey::exit("x1"), Operation::FLOW)));
    assert_eq!(steps(&away, &observed, 0), [exit]);
    let operation = Operation { detail: Operation::FLOW.into(), ..Operation::default() };
    observed.operations.insert(OperationKey::exit("x1"), operation);
    observed.legs.get_mut(CUSTOMER).unwrap().progress = LegProgress::Exited("x1".into());
    assert_eq!(steps(&away, &observed, 0), []);
    let back = plan(vec![leg("c", Some("talk")), leg("a1", Some("talk"))]);
    let first = steps(&back, &observed, 0).into_iter().next();
    assert_eq!(first, Some(ReconcileStep::Recall { exit: "x1".into(), leg: CUSTOMER.into() }));
    observed.legs.get_mut(CUSTOMER).unwrap().progress = LegProgress::Up;
    let moved = ReconcileStep::Move { leg: CUSTOMER.into(), room: "talk".into() };
    assert!(steps(&back, &observed, 0).contains(&moved));
    // A message that is being left is never cut off.
    let operation = Operation::default();
    observed.operations.insert(OperationKey::exit("x1"), operation);
    observed.legs.get_mut(CUSTOMER).unwrap().progress = LegProgress::Exited("x1".into());
    assert!(!steps(&back, &observed, 0).iter().any(|step| matches!(step, ReconcileStep::Recall { .. })));
}

#[test]
fn the_end_of_an_interaction_removes_everything() {
    let mut observed = observed(&[("c", Some("talk")), ("a1", Some("talk"))]);
    record(&mut observed, "s1");
    let plan = Plan { ended: true, ..plan(vec![]) };
    let expected = [
        ReconcileStep::StopRecording("s1".into()),
        ReconcileStep::HangUp { leg: "a1".into(), no_answer: false },
        ReconcileStep::HangUp { leg: CUSTOMER.into(), no_answer: false },
        ReconcileStep::DestroyRoom("talk".into()),
    ];
    assert_eq!(steps(&plan, &observed, 0), expected);
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
            let actual: Vec<_> =
                IDS.iter().zip(before).filter_map(|(id, it)| it.map(|place| (*id, room(place)))).collect();
            // A party that is not on the switch does not join: that would be a dial.
            let wanted = IDS.iter().zip(before.iter().zip(after)).filter(|(_, (old, _))| old.is_some());
            let legs = wanted.filter_map(|(id, (_, new))| new.map(|place| leg(id, room(place)))).collect();
            let plan = plan(legs);
            check_way(observed(&actual), &plan);
            check_way(observed(&actual), &outgoing::called(&plan));
        }
    }
}

fn check_way(mut observed: ObservedState, plan: &Plan) {
    if observed.legs.get(CUSTOMER).is_some_and(|it| it.room.as_deref() == Some("talk")) {
        record(&mut observed, "s1");
    }
    let mut hung_up = false;
    for _ in 0..20 {
        let Some(step) = steps(plan, &observed, 0).into_iter().next() else {
            return check_end(&observed, plan);
        };
        let way = format!("{step:?}\n{observed:?}\n{plan:?}");
        if matches!(step, ReconcileStep::HangUp { .. }) {
            hung_up = true;
        } else {
            assert!(!hung_up || matches!(step, ReconcileStep::DestroyRoom(_)), "something came after a hang-up: {way}");
        }
        let recorded = !observed.recordings.is_empty();
        assert!(!recorded || matches!(step, ReconcileStep::StopRecording(_)), "the recording goes on: {way}");
        if let ReconcileStep::Move { leg, room } = &step {
            let members = observed.legs.iter().filter(|(_, it)| it.room.as_ref() == Some(room));
            for (member, _) in members {
                let wanted = plan.leg_named(member).is_some_and(|it| it.room.as_ref() == Some(room));
                assert!(wanted || member == CUSTOMER, "{leg} meets {member}, who is not to hear: {way}");
            }
        }
        if plan.legs.first().is_some_and(|it| it.name() == CUSTOMER && it.room.is_some()) {
            assert_ne!(step, ReconcileStep::TakeOut(CUSTOMER.into()), "the customer is nowhere (C1): {way}");
        }
        apply(&mut observed, step);
    }
    panic!("no end: {observed:?} {plan:?}");
}

fn check_end(observed: &ObservedState, plan: &Plan) {
    let is: BTreeMap<_, _> = observed.legs.iter().map(|(name, it)| (name.as_str(), it.room.as_deref())).collect();
    let should: BTreeMap<_, _> = plan.legs.iter().map(|it| (it.name(), it.room.as_deref())).collect();
    assert_eq!(is, should);
    assert!(observed.rooms.keys().eq(plan.rooms.keys()), "{:?} {:?}", observed.rooms, plan.rooms);
}
