//! Legs: ringing, answer and end; and no attempt is made twice.

use baton_switch::engine::model::{EndCause, PlayTarget, RoomTreatment, Side, SwitchLegState};
use baton_switch::engine::{AnswerBehaviour, LedgerAction, Leftovers, Selector, SwitchError, SwitchLimits};

use super::harness::{EngineHarness, TENANT, leg, room};

fn ended(id: &str, cause: EndCause, side: Side) -> LedgerAction {
    LedgerAction::LegEnded { leg_id: leg(id), cause, side }
}

#[test]
fn a_phone_does_what_it_is_set_to() {
    let cases = [
        (AnswerBehaviour::Busy, EndCause::Busy, Side::Phone, 0),
        (AnswerBehaviour::Unreachable, EndCause::Unreachable, Side::Switch, 0),
        (AnswerBehaviour::Declines { delay_ms: 700 }, EndCause::Declined, Side::Phone, 700),
        (AnswerBehaviour::NeverAnswers, EndCause::NoAnswer, Side::Switch, 5_000),
        (AnswerBehaviour::Manual, EndCause::NoAnswer, Side::Switch, 5_000),
    ];
    for (behaviour, cause, side, after_ms) in cases {
        let mut harness = EngineHarness::new();
        harness.phone("p", behaviour);
        harness.dial("l", "p", 5_000).expect("dial");
        harness.run(10_000);
        assert_eq!(harness.when(&ended("l", cause, side)), Some(after_ms), "{behaviour:?}");
        assert!(harness.engine.legs().is_empty());
    }
}

#[test]
fn a_phone_that_is_not_there_is_unreachable() {
    let mut harness = EngineHarness::new();
    harness.dial("l", "nobody", 5_000).expect("dial");
    assert_eq!(harness.when(&ended("l", EndCause::Unreachable, Side::Switch)), Some(0));
}

#[test]
fn an_answer_counts_until_the_ring_time_is_over_and_not_at_its_end() {
    for (delay_ms, answered) in [(4_999, true), (5_000, false), (5_001, false)] {
        let mut harness = EngineHarness::new();
        harness.phone("p", AnswerBehaviour::AnswersAfter { delay_ms });
        harness.dial("l", "p", 5_000).expect("dial");
        harness.run(20_000);
        let answer = harness.when(&LedgerAction::LegAnswered { leg_id: leg("l") });
        let end = harness.when(&ended("l", EndCause::NoAnswer, Side::Switch));
        let expected = if answered { (Some(delay_ms), None) } else { (None, Some(5_000)) };
        assert_eq!((answer, end), expected, "T4, answer after {delay_ms} ms");
    }
}

#[test]
fn a_leg_id_is_dialled_once() {
    let mut harness = EngineHarness::new();
    harness.phone("p", AnswerBehaviour::Manual);
    harness.dial("l", "p", 5_000).expect("dial");
    assert!(matches!(harness.dial("l", "p", 5_000), Err(SwitchError::IdUsed { .. })));
    harness.engine.hang_up(&leg("l"), None).expect("hang up");
    assert!(matches!(harness.dial("l", "p", 5_000), Err(SwitchError::IdUsed { .. })), "S2");
    let rung = harness.actions().filter(|action| matches!(action, LedgerAction::LegRinging { .. })).count();
    assert_eq!(rung, 1);
}

#[test]
fn a_leg_id_of_an_earlier_run_is_used_too() {
    let mut earlier = EngineHarness::new();
    earlier.phone("p", AnswerBehaviour::Manual);
    earlier.dial("l", "p", 5_000).expect("dial");
    let left = Leftovers { ledger: earlier.ledger, ..Leftovers::default() };
    let mut later = EngineHarness::with(SwitchLimits::default(), left);
    assert!(matches!(later.dial("l", "p", 5_000), Err(SwitchError::IdUsed { .. })), "S2");
}

#[test]
fn hanging_up_an_ended_leg_is_refused() {
    let mut harness = EngineHarness::new();
    harness.customer("c");
    harness.engine.hang_up(&leg("c"), None).expect("hang up");
    assert!(matches!(harness.engine.hang_up(&leg("c"), None), Err(SwitchError::NotFound { .. })));
}

#[test]
fn a_caller_who_gives_up_has_cancelled() {
    let mut harness = EngineHarness::new();
    harness.call("c");
    let selector = Selector::Address("+15550001".to_owned());
    harness.engine.hang_up_phone(TENANT, &selector).expect("hang up");
    harness.run(0);
    assert_eq!(harness.when(&ended("c", EndCause::Cancelled, Side::Phone)), Some(0));
}

#[test]
fn a_call_that_nobody_answers_ends_by_itself() {
    let mut harness = EngineHarness::new();
    harness.call("c");
    harness.run(200_000);
    assert_eq!(harness.when(&ended("c", EndCause::NoAnswer, Side::Switch)), Some(180_000));
}

#[test]
fn only_an_answered_leg_can_be_put_into_a_room() {
    let mut harness = EngineHarness::new();
    harness.call("c");
    harness.room("talk", RoomTreatment::Conversation, &[]);
    let moved = harness.engine.move_leg(&leg("c"), &room("talk"));
    assert!(matches!(moved, Err(SwitchError::WrongState { .. })));
}

#[test]
fn a_room_of_another_tenant_is_not_there() {
    let mut harness = EngineHarness::new();
    harness.customer("c");
    harness.engine.ensure_room(&room("theirs"), "other", RoomTreatment::Conversation).expect("room");
    assert!(matches!(harness.engine.move_leg(&leg("c"), &room("theirs")), Err(SwitchError::NotFound { .. })));
    let refused = harness.engine.ensure_room(&room("theirs"), TENANT, RoomTreatment::Conversation);
    assert!(matches!(refused, Err(SwitchError::IdUsed { .. })));
}

#[test]
fn a_room_with_members_is_not_destroyed() {
    let mut harness = EngineHarness::new();
    harness.customer("c");
    harness.room("talk", RoomTreatment::Conversation, &["c"]);
    assert!(matches!(harness.engine.destroy_room(&room("talk")), Err(SwitchError::WrongState { .. })));
    harness.engine.remove_leg(&leg("c")).expect("remove");
    harness.engine.destroy_room(&room("talk")).expect("destroy");
    assert!(matches!(harness.engine.destroy_room(&room("talk")), Err(SwitchError::NotFound { .. })));
}

#[test]
fn an_unknown_announcement_fails_and_its_id_is_used() {
    let mut harness = EngineHarness::new();
    harness.customer("c");
    let target = PlayTarget::Leg(leg("c"));
    assert_eq!(harness.play("p", target.clone(), "no_such"), Ok(0));
    assert!(harness.actions().any(|action| matches!(action, LedgerAction::PlaybackFailed { .. })));
    assert!(matches!(harness.play("p", target, "beep"), Err(SwitchError::IdUsed { .. })));
}

#[test]
fn only_the_latest_controller_is_obeyed() {
    let mut harness = EngineHarness::new();
    let act = |harness: &mut EngineHarness, epoch| harness.engine.controlled(epoch, "Test", |_| Ok(()));
    assert_eq!(harness.engine.take_control(0, "second"), Ok(2));
    assert!(matches!(act(&mut harness, 1), Err(SwitchError::NotInControl { given: 1, latest: 2 })), "S1");
    assert_eq!(act(&mut harness, 2), Ok(()));
    assert!(harness.engine.take_control(2, "third").is_err());
    assert_eq!(harness.engine.take_control(2, "second"), Ok(2));
}

#[test]
fn an_orderly_stop_ends_all_calls() {
    let mut harness = EngineHarness::new();
    harness.customer("c");
    assert_eq!(harness.engine.legs()[&leg("c")].state, SwitchLegState::Up);
    harness.engine.shut_down();
    harness.run(0);
    assert_eq!(harness.when(&ended("c", EndCause::SwitchShutdown, Side::Switch)), Some(0));
}

#[test]
fn nothing_is_left_when_all_have_gone() {
    let mut harness = EngineHarness::new();
    for n in 0..200 {
        let (a, c) = (format!("a{n}"), format!("c{n}"));
        harness.phone("p", AnswerBehaviour::AnswersAfter { delay_ms: 10 });
        harness.dial(&a, "p", 60_000).expect("dial");
        harness.customer(&c);
        harness.run(20);
        harness.engine.hang_up(&leg(&a), None).expect("hang up");
        harness.engine.hang_up(&leg(&c), None).expect("hang up");
    }
    assert_eq!(harness.engine.next_deadline_us(), None, "T11");
    assert!(!harness.engine.has_sound() && harness.engine.playbacks().is_empty());
}
