//! Legs: how they ring, are answered and end; and that no attempt is made twice.

use baton_switch::engine::model::{EndCause, LegState, PlayTarget, Side, Treatment};
use baton_switch::engine::{Behaviour, Leftovers, Limits, Selector, SwitchError, What};

use super::stage::{Stage, TENANT, leg, room};

fn ended(id: &str, cause: EndCause, side: Side) -> What {
    What::LegEnded { leg_id: leg(id), cause, side }
}

#[test]
fn a_phone_does_what_it_is_set_to() {
    let cases = [
        (Behaviour::Busy, EndCause::Busy, Side::Phone, 0),
        (Behaviour::Unreachable, EndCause::Unreachable, Side::Switch, 0),
        (Behaviour::Declines { delay_ms: 700 }, EndCause::Declined, Side::Phone, 700),
        (Behaviour::NeverAnswers, EndCause::NoAnswer, Side::Switch, 5_000),
        (Behaviour::Manual, EndCause::NoAnswer, Side::Switch, 5_000),
    ];
    for (behaviour, cause, side, after_ms) in cases {
        let mut stage = Stage::new();
        stage.phone("p", behaviour);
        stage.dial("l", "p", 5_000).expect("dial");
        stage.run(10_000);
        assert_eq!(stage.when(&ended("l", cause, side)), Some(after_ms), "{behaviour:?}");
        assert!(stage.engine.legs().is_empty());
    }
}

#[test]
fn a_phone_that_is_not_there_is_unreachable() {
    let mut stage = Stage::new();
    stage.dial("l", "nobody", 5_000).expect("dial");
    assert_eq!(stage.when(&ended("l", EndCause::Unreachable, Side::Switch)), Some(0));
}

#[test]
fn an_answer_counts_until_the_ring_time_is_over_and_not_at_its_end() {
    for (delay_ms, answered) in [(4_999, true), (5_000, false), (5_001, false)] {
        let mut stage = Stage::new();
        stage.phone("p", Behaviour::AnswersAfter { delay_ms });
        stage.dial("l", "p", 5_000).expect("dial");
        stage.run(20_000);
        let answer = stage.when(&What::LegAnswered { leg_id: leg("l") });
        let end = stage.when(&ended("l", EndCause::NoAnswer, Side::Switch));
        let expected = if answered { (Some(delay_ms), None) } else { (None, Some(5_000)) };
        assert_eq!((answer, end), expected, "T4, answer after {delay_ms} ms");
    }
}

#[test]
fn a_leg_id_is_dialled_once() {
    let mut stage = Stage::new();
    stage.phone("p", Behaviour::Manual);
    stage.dial("l", "p", 5_000).expect("dial");
    assert!(matches!(stage.dial("l", "p", 5_000), Err(SwitchError::IdUsed { .. })));
    stage.engine.hang_up(&leg("l"), None).expect("hang up");
    assert!(matches!(stage.dial("l", "p", 5_000), Err(SwitchError::IdUsed { .. })), "S2");
    let rung = stage.whats().filter(|what| matches!(what, What::LegRinging { .. })).count();
    assert_eq!(rung, 1);
}

#[test]
fn a_leg_id_of_an_earlier_run_is_used_too() {
    let mut earlier = Stage::new();
    earlier.phone("p", Behaviour::Manual);
    earlier.dial("l", "p", 5_000).expect("dial");
    let left = Leftovers { ledger: earlier.happened, ..Leftovers::default() };
    let mut later = Stage::with(Limits::default(), left);
    assert!(matches!(later.dial("l", "p", 5_000), Err(SwitchError::IdUsed { .. })), "S2");
}

#[test]
fn hanging_up_what_is_gone_says_so() {
    let mut stage = Stage::new();
    stage.customer("c");
    stage.engine.hang_up(&leg("c"), None).expect("hang up");
    assert!(matches!(stage.engine.hang_up(&leg("c"), None), Err(SwitchError::NotFound { .. })));
}

#[test]
fn a_caller_who_gives_up_has_cancelled() {
    let mut stage = Stage::new();
    stage.call("c");
    let selector = Selector::Address("+15550001".to_owned());
    stage.engine.hang_up_phone(TENANT, &selector).expect("hang up");
    stage.run(0);
    assert_eq!(stage.when(&ended("c", EndCause::Cancelled, Side::Phone)), Some(0));
}

#[test]
fn a_call_that_nobody_answers_ends_by_itself() {
    let mut stage = Stage::new();
    stage.call("c");
    stage.run(200_000);
    assert_eq!(stage.when(&ended("c", EndCause::NoAnswer, Side::Switch)), Some(180_000));
}

#[test]
fn only_an_answered_leg_can_be_put_into_a_room() {
    let mut stage = Stage::new();
    stage.call("c");
    stage.room("talk", Treatment::Conversation, &[]);
    let moved = stage.engine.move_leg(&leg("c"), &room("talk"));
    assert!(matches!(moved, Err(SwitchError::WrongState { .. })));
}

#[test]
fn a_room_of_another_tenant_is_not_there() {
    let mut stage = Stage::new();
    stage.customer("c");
    stage.engine.ensure_room(&room("theirs"), "other", Treatment::Conversation).expect("room");
    assert!(matches!(stage.engine.move_leg(&leg("c"), &room("theirs")), Err(SwitchError::NotFound { .. })));
    let taken = stage.engine.ensure_room(&room("theirs"), TENANT, Treatment::Conversation);
    assert!(matches!(taken, Err(SwitchError::IdUsed { .. })));
}

#[test]
fn a_room_with_members_is_not_destroyed() {
    let mut stage = Stage::new();
    stage.customer("c");
    stage.room("talk", Treatment::Conversation, &["c"]);
    assert!(matches!(stage.engine.destroy_room(&room("talk")), Err(SwitchError::WrongState { .. })));
    stage.engine.remove_leg(&leg("c")).expect("remove");
    stage.engine.destroy_room(&room("talk")).expect("destroy");
    assert!(matches!(stage.engine.destroy_room(&room("talk")), Err(SwitchError::NotFound { .. })));
}

#[test]
fn an_unknown_announcement_fails_and_its_id_is_used() {
    let mut stage = Stage::new();
    stage.customer("c");
    let target = PlayTarget::Leg(leg("c"));
    assert_eq!(stage.play("p", target.clone(), "no_such"), Ok(0));
    assert!(stage.whats().any(|what| matches!(what, What::PlaybackFailed { .. })));
    assert!(matches!(stage.play("p", target, "beep"), Err(SwitchError::IdUsed { .. })));
}

#[test]
fn only_the_latest_controller_is_obeyed() {
    let mut stage = Stage::new();
    let act = |stage: &mut Stage, epoch| stage.engine.controlled(epoch, "Test", |_| Ok(()));
    assert_eq!(stage.engine.take_control(0, "second"), Ok(2));
    assert!(matches!(act(&mut stage, 1), Err(SwitchError::NotInControl { given: 1, latest: 2 })), "S1");
    assert_eq!(act(&mut stage, 2), Ok(()));
    assert!(stage.engine.take_control(2, "third").is_err());
    assert_eq!(stage.engine.take_control(2, "second"), Ok(2));
}

#[test]
fn an_orderly_stop_ends_all_calls() {
    let mut stage = Stage::new();
    stage.customer("c");
    assert_eq!(stage.engine.legs()[&leg("c")].state, LegState::Up);
    stage.engine.shut_down();
    stage.run(0);
    assert_eq!(stage.when(&ended("c", EndCause::SwitchShutdown, Side::Switch)), Some(0));
}

#[test]
fn nothing_is_left_when_all_have_gone() {
    let mut stage = Stage::new();
    for n in 0..200 {
        let (a, c) = (format!("a{n}"), format!("c{n}"));
        stage.phone("p", Behaviour::AnswersAfter { delay_ms: 10 });
        stage.dial(&a, "p", 60_000).expect("dial");
        stage.customer(&c);
        stage.run(20);
        stage.engine.hang_up(&leg(&a), None).expect("hang up");
        stage.engine.hang_up(&leg(&c), None).expect("hang up");
    }
    assert_eq!(stage.engine.next_deadline_us(), None, "T11");
    assert!(!stage.engine.has_sound() && stage.engine.playbacks().is_empty());
}
