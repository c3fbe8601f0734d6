//! Voicemail.

use baton_switch::engine::model::{EndCause, ExitOutcome, LegState, Side, Treatment};
use baton_switch::engine::{Leftovers, Limits, SwitchError, TrackKey, What};

use super::stage::{AGENT, BEEP, CUSTOMER, GREETING, Stage, exit, leg, recording, room, set, timeline};

fn in_voicemail() -> Stage {
    in_voicemail_of(Limits::default())
}

fn in_voicemail_of(limits: Limits) -> Stage {
    let mut stage = Stage::with(limits, Leftovers::default());
    stage.up("a1");
    stage.customer("c");
    stage.room("talk", Treatment::Conversation, &["c", "a1"]);
    stage.run(200);
    let kept = stage.engine.exit_to_voicemail(&leg("c"), &exit("e"), "a1", 5_000);
    assert_eq!(kept, Ok(recording("vm-e")));
    stage
}

fn left(recording_id: Option<&str>) -> What {
    What::ExitEnded {
        exit_id: exit("e"),
        leg_id: leg("c"),
        outcome: ExitOutcome::Left,
        recording_id: recording_id.map(recording),
    }
}

#[test]
fn a_mailbox_greets_and_beeps_and_then_keeps_what_is_said() {
    let mut stage = in_voicemail();
    stage.run(3_300);
    let expected = [
        (0, 200, set(&[AGENT])),
        (200, 1_200, set(&[GREETING])),
        (1_200, 1_500, set(&[BEEP])),
        (1_500, 3_500, set(&[])),
    ];
    assert_eq!(timeline(&stage.heard("c")), expected);
    stage.engine.hang_up(&leg("c"), None).expect("hang up");
    stage.run(0);
    assert_eq!(timeline(stage.recorded("vm-e")), [(0, 2_000, set(&[CUSTOMER]))]);
    assert_eq!(stage.when(&left(Some("vm-e"))), Some(3_500));
}

#[test]
fn a_message_that_is_too_long_is_cut_and_the_caller_hung_up() {
    let mut stage = in_voicemail();
    stage.run(20_000);
    assert_eq!(stage.when(&left(Some("vm-e"))), Some(6_500));
    let ended = What::LegEnded { leg_id: leg("c"), cause: EndCause::Normal, side: Side::Switch };
    assert_eq!(stage.when(&ended), Some(6_500));
    assert_eq!(stage.recorded("vm-e").len(), 40_000);
}

#[test]
fn who_hangs_up_during_the_greeting_leaves_no_message() {
    let mut stage = in_voicemail();
    stage.run(500);
    stage.engine.hang_up(&leg("c"), None).expect("hang up");
    stage.run(5_000);
    assert_eq!(stage.when(&left(None)), Some(700));
    assert_eq!(stage.engine.live_recordings(), []);
}

#[test]
fn a_leg_in_an_exit_is_out_of_control_but_can_be_hung_up() {
    let mut stage = in_voicemail();
    assert_eq!(stage.engine.legs()[&leg("c")].state, LegState::Exited);
    assert!(matches!(stage.engine.move_leg(&leg("c"), &room("talk")), Err(SwitchError::WrongState { .. })));
    let again = stage.engine.exit_to_voicemail(&leg("a1"), &exit("e"), "a1", 0);
    assert!(matches!(again, Err(SwitchError::IdUsed { .. })));
    assert_eq!(stage.hears("a1"), set(&[]));
    stage.engine.hang_up(&leg("c"), None).expect("hang up");
}

/// A second message, of whoever calls after the first.
fn leave_another(stage: &mut Stage) {
    stage.customer("d");
    stage.engine.exit_to_voicemail(&leg("d"), &exit("f"), "a1", 5_000).expect("an exit");
    stage.run(3_000);
    stage.engine.hang_up(&leg("d"), None).expect("hang up");
    stage.run(0);
}

fn messages(stage: &Stage) -> [bool; 2] {
    ["vm-e", "vm-f"].map(|id| stage.engine.finished_recording(&recording(id)).is_ok())
}

#[test]
fn a_message_is_kept_for_its_time_and_no_snapshot_lists_it() {
    let mut stage = in_voicemail_of(Limits { message_keep_us: 60_000_000, ..Limits::default() });
    stage.run(3_000);
    stage.engine.hang_up(&leg("c"), None).expect("hang up");
    stage.run(50_000);
    leave_another(&mut stage);
    assert_eq!(messages(&stage), [true, true]);
    assert_eq!(stage.engine.finished_recordings().count(), 0);
    stage.run(30_000);
    stage.call("next");
    assert_eq!(messages(&stage), [false, true]);
    assert_eq!(stage.deleted, [TrackKey::Recording(recording("vm-e"))]);
    let used = stage.engine.exit_to_voicemail(&leg("a1"), &exit("e"), "a1", 0);
    assert!(matches!(used, Err(SwitchError::IdUsed { .. })));
}

#[test]
fn of_too_many_messages_the_oldest_go() {
    let mut stage = in_voicemail_of(Limits { messages: 1, ..Limits::default() });
    stage.run(3_000);
    stage.engine.hang_up(&leg("c"), None).expect("hang up");
    stage.run(0);
    leave_another(&mut stage);
    stage.call("next");
    assert_eq!(messages(&stage), [false, true]);
}
