//! A customer who is called: their leg is the first, as that of a customer who called, and like any other that is dialled
//! it is nowhere until it is answered.

use super::*;

/// The same plan, with a customer whom we called and who has answered. Their leg has the name that the tables know.
pub(super) fn called(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    if let Some(customer) = plan.legs.first_mut().filter(|it| it.id == "c") {
        customer.id = CUSTOMER.into();
        customer.origin = dialled(0);
    }
    plan
}

fn dialled(ring_until_us: i64) -> WantedOrigin {
    let (phone, allowed_by) = ("32470000001".into(), Some("+32".into()));
    WantedOrigin::Dial(WantedDial { phone, ring_until_us, caller: "+3225550100".into(), allowed_by })
}

/// The agent is there, the customer's phone is to ring until 100, and both are to be in `talk`, which is to be recorded.
fn calling() -> Plan {
    let mut plan = called(&plan(vec![leg("c", Some("talk")), leg("a1", Some("talk"))]));
    plan.legs[0].origin = dialled(100);
    plan.rooms.insert("talk".into(), Treatment::Ringback);
    plan.segment = Some(WantedSegment { id: "s1".into(), room: "talk".into(), recording_id: "r1".into() });
    plan
}

fn answered() -> Plan {
    let mut plan = calling();
    plan.legs[0].origin = dialled(0);
    plan.rooms.insert("talk".into(), Treatment::Conversation);
    plan
}

/// The agent waits in `talk`, and the customer's leg, if it is there, is in no room.
fn agent_and(customer: Option<LegProgress>) -> ObservedState {
    let mut observed = observed(&[("a1", Some("talk"))]);
    observed.rooms.get_mut("talk").unwrap().treatment = Some(Treatment::Ringback);
    if let Some(progress) = customer {
        observed.operations.insert(
            OperationKey::leg(CUSTOMER),
            Operation { name: CUSTOMER.into(), confirmed: true, ..Operation::default() },
        );
        observed.legs.insert(CUSTOMER.into(), ObservedLeg { progress, ..ObservedLeg::ringing(Stamp::default()) });
    }
    observed
}

fn record_talk() -> ReconcileStep {
    ReconcileStep::StartRecording { id: "s1".into(), room: "talk".into(), recording_id: "r1".into() }
}

#[test]
fn the_customer_is_dialled_while_the_agent_hears_ringing() {
    let mut observed = agent_and(None);
    observed.rooms.get_mut("talk").unwrap().treatment = Some(Treatment::Conversation);
    let plan = calling();
    let dial = plan.legs[0].dial().unwrap().clone();
    assert_eq!(
        steps(&plan, &observed, 0),
        [ensure("talk", Treatment::Ringback), ReconcileStep::Dial { leg: CUSTOMER.into(), dial }]
    );
}

#[test]
fn a_customer_whose_phone_rings_is_in_no_room_and_nothing_is_recorded_whatever_the_plan_says() {
    assert_eq!(steps(&calling(), &agent_and(Some(LegProgress::Ringing)), 0), []);
    assert_eq!(
        steps(&answered(), &agent_and(Some(LegProgress::Ringing)), 0),
        [ensure("talk", Treatment::Conversation)]
    );
}

#[test]
fn the_customer_who_answers_is_put_with_the_agent_before_the_recording_begins() {
    let mut observed = agent_and(Some(LegProgress::Up));
    assert_eq!(steps(&calling(), &observed, 0), [to(CUSTOMER, "talk"), record_talk()]);
    let expected = [ensure("talk", Treatment::Conversation), to(CUSTOMER, "talk"), record_talk()];
    assert_eq!(steps(&answered(), &observed, 0), expected);
    apply(&mut observed, to(CUSTOMER, "talk"));
    assert_eq!(steps(&answered(), &observed, 0), [ensure("talk", Treatment::Conversation), record_talk()]);
}

#[test]
fn the_customer_is_dialled_once_and_only_in_time() {
    assert_eq!(steps(&calling(), &agent_and(None), 100), [], "too late");
    assert_eq!(steps(&answered(), &agent_and(None), 0), [ensure("talk", Treatment::Conversation)], "answered already");
    let mut observed = agent_and(Some(LegProgress::Ringing));
    observed.legs.remove(CUSTOMER);
    assert_eq!(steps(&calling(), &observed, 0), [], "asked for already");
}

#[test]
fn a_customer_who_does_not_answer_is_hung_up_and_an_answer_after_it_is_not_connected() {
    let over = baton_api::transfer::v1::Fact {
        observed_at_us: 0,
        fact: Some(crate::fact::ended(CUSTOMER, crate::switch::LegEnding::NoAnswer)),
    };
    for (progress, no_answer) in [(LegProgress::Ringing, true), (LegProgress::Up, false)] {
        let mut observed = agent_and(Some(progress));
        observed.operations.get_mut(&OperationKey::leg(CUSTOMER)).unwrap().fact = Some(over.clone());
        assert_eq!(steps(&calling(), &observed, 100), [ReconcileStep::HangUp { leg: CUSTOMER.into(), no_answer }]);
    }
}

#[test]
fn a_customer_who_answered_is_never_taken_for_one_who_rang_too_long() {
    let mut observed = agent_and(Some(LegProgress::Up));
    apply(&mut observed, to(CUSTOMER, "talk"));
    record(&mut observed, "s1");
    assert_eq!(steps(&calling(), &observed, 200), [], "the plan does not know of the answer yet");
    observed.rooms.get_mut("talk").unwrap().treatment = Some(Treatment::Conversation);
    assert_eq!(steps(&answered(), &observed, 200), []);
}

#[test]
fn the_recording_ends_when_the_customer_who_was_called_has_left() {
    let mut observed = agent_and(None);
    observed.operations.insert(OperationKey::leg(CUSTOMER), Operation::default());
    record(&mut observed, "s1");
    observed.rooms.get_mut("talk").unwrap().treatment = Some(Treatment::Conversation);
    assert_eq!(steps(&answered(), &observed, 0), [ReconcileStep::StopRecording("s1".into())]);
}
