//! Which errors refuse the plan, which refuse one leg, and which text is only cleaned.

use super::*;

fn plan() -> wire::MediaPlan {
    wire::MediaPlan {
        tenant: "acme".into(),
        interaction_id: "0192f0c1-2d3e-7f00-8000-000000000001".into(),
        version: 1,
        ..Default::default()
    }
}

fn dialling(dial: wire::Dial) -> wire::MediaPlan {
    let origin = Some(wire::leg::Origin::Dial(dial));
    wire::MediaPlan { legs: vec![wire::Leg { leg_id: "l".into(), origin, ..Default::default() }], ..plan() }
}

fn outside(phone: &str, allowed_by: &str) -> wire::MediaPlan {
    let (phone, allowed_by) = (phone.into(), allowed_by.into());
    dialling(wire::Dial { phone, allowed_by, outside: true, ..Default::default() })
}

fn refused(plan: &wire::MediaPlan, field: &str) {
    let error = parse(plan).unwrap_err();
    assert!(error.message.starts_with(field), "{error}");
}

#[test]
fn an_empty_plan_is_one() {
    assert!(parse(&plan()).is_ok());
}

fn origin(plan: &wire::MediaPlan) -> WantedOrigin {
    parse(plan).unwrap().legs.remove(0).origin
}

fn never_dialled(plan: &wire::MediaPlan) {
    let origin = origin(plan);
    assert!(matches!(origin, WantedOrigin::Refused(_)), "{origin:?} of {plan:?}");
}

#[test]
fn text_that_could_be_syntax_is_never_dialled() {
    for phone in ["a/b", "a b", "PJSIP/1@x", "a\nb", "", "ä", ".a", "a&b", "+32470000001"] {
        never_dialled(&dialling(wire::Dial { phone: phone.into(), ..Default::default() }));
    }
    refused(&wire::MediaPlan { interaction_id: "../x".into(), ..plan() }, "plan.interaction_id");
}

#[test]
fn whatever_a_caller_is_called_is_shown_in_plain_characters_and_refuses_no_plan() {
    let long = "ä".repeat(40);
    let cases = [
        ("", ""),
        ("+15550100", "+15550100"),
        ("Ada Lovelace", "Ada Lovelace"),
        ("sip:anna@home", "sip anna home"),
        ("*31#5550100", "31 5550100"),
        ("\"a\" <b>;c=${d}\r\n&e", "a b c d e"),
        ("안나", "안나"),
        ("☎", ""),
        (&long, &long[..64]),
    ];
    for (given, shown) in cases {
        let dial = wire::Dial { phone: "anna".into(), caller: given.into(), ..Default::default() };
        let WantedOrigin::Dial(dial) = origin(&dialling(dial)) else { panic!("{given} is not dialled") };
        assert_eq!(dial.caller, shown, "{given}");
    }
}

#[test]
fn a_number_outside_is_not_dialled_without_a_rule_that_fits() {
    for allowed_by in ["", "32", "+", "+33", "+324701234567890", "+3247000000012", "any", "+32\n"] {
        never_dialled(&outside("32470000001", allowed_by));
    }
    for allowed_by in ["+3", "+3247", "+32470000001"] {
        let plan = parse(&outside("32470000001", allowed_by)).unwrap();
        assert_eq!(plan.legs[0].dial().unwrap().allowed_by.as_deref(), Some(allowed_by));
    }
}

#[test]
fn a_number_outside_is_digits() {
    for phone in ["+32470000001", "anna", "3247-0000", "1234567890123456", "3247a"] {
        never_dialled(&outside(phone, "+3"));
    }
}

#[test]
fn an_agents_phone_needs_no_rule_and_has_none() {
    let dial = wire::Dial { phone: "anna".into(), ..Default::default() };
    assert_eq!(parse(&dialling(dial.clone())).unwrap().legs[0].dial().unwrap().allowed_by, None);
    never_dialled(&dialling(wire::Dial { allowed_by: "+32".into(), ..dial }));
}

#[test]
fn a_number_is_outside_also_when_it_is_said_to_be_an_agents_phone() {
    for phone in ["5550100", "32470000001", "123456789012345"] {
        never_dialled(&dialling(wire::Dial { phone: phone.into(), ..Default::default() }));
    }
    for phone in ["101", "555010", "1234567890123456", "32470000001-a", "agent1234567"] {
        let dial = wire::Dial { phone: phone.into(), ..Default::default() };
        assert!(matches!(origin(&dialling(dial)), WantedOrigin::Dial(_)), "{phone}");
    }
}

#[test]
fn a_room_that_is_used_must_be_listed() {
    let segment = wire::Segment { segment_id: "s".into(), room: "talk".into(), recording_id: "r".into() };
    refused(&wire::MediaPlan { segment: Some(segment), ..plan() }, "plan.rooms");
}

#[test]
fn a_room_name_leads_back_to_its_interaction() {
    let id = InteractionId::parse(&plan().interaction_id).unwrap();
    for name in ["talk", "segment-1"] {
        assert_eq!(InteractionId::of_name(&id.room_on_switch(name)), Some((id.clone(), name)));
    }
    for other in ["somebody-elses", id.as_str(), &format!("{id}+talk")] {
        assert_eq!(InteractionId::of_name(other), None);
    }
}
