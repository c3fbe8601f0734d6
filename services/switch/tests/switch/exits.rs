//! Voicemail.

use baton_switch::engine::model::{EndCause, ExitReport, RoomTreatment, Side, SwitchLegState};
use baton_switch::engine::{LedgerAction, Leftovers, SwitchError, SwitchLimits, TrackKey};

use super::harness::{AGENT, BEEP, CUSTOMER, EngineHarness, GREETING, exit, leg, recording, room, set, timeline};

fn in_voicemail() -> EngineHarness {
    in_voicemail_of(SwitchLimits::default())
}

fn in_voicemail_of(limits: SwitchLimits) -> EngineHarness {
    let mut harness = EngineHarness::with(limits, Leftovers::default());
    harness.up("a1");
    harness.customer("c");
    harness.room("talk", RoomTreatment::Conversation, &["c", "a1"]);
    harness.run(200);
    let kept = harness.engine.exit_to_voicemail(&leg("c"), &exit("e"), "a1", 5_000);
    assert_eq!(kept, Ok(recording("vm-e")));
    harness
}

fn left(recording_id: Option<&str>) -> LedgerAction {
    LedgerAction::ExitEnded {
        exit_id: exit("e"),
        leg_id: leg("c"),
        outcome: ExitReport::Left,
        recording_id: recording_id.map(recording),
    }
}

#[test]
fn a_mailbox_greets_and_beeps_and_then_keeps_what_is_said() {
    let mut harness = in_voicemail();
    harness.run(3_300);
    let expected = [
        (0, 200, set(&[AGENT])),
        (200, 1_200, set(&[GREETING])),
        (1_200, 1_500, set(&[BEEP])),
        (1_500, 3_500, set(&[])),
    ];
    assert_eq!(timeline(&harness.heard("c")), expected);
    harness.engine.hang_up(&leg("c"), None).expect("hang up");
    harness.run(0);
    assert_eq!(timeline(harness.recorded("vm-e")), [(0, 2_000, set(&[CUSTOMER]))]);
    assert_eq!(harness.when(&left(Some("vm-e"))), Some(3_500));
}

#[test]
fn a_message_that_is_too_long_is_cut_and_the_caller_hung_up() {
    let mut harness = in_voicemail();
    harness.run(20_000);
    assert_eq!(harness.when(&left(Some("vm-e"))), Some(6_500));
    let ended = LedgerAction::LegEnded { leg_id: leg("c"), cause: EndCause::Normal, side: Side::Switch };
    assert_eq!(harness.when(&ended), Some(6_500));
    assert_eq!(harness.recorded("vm-e").len(), 40_000);
}

#[test]
fn a_caller_who_hangs_up_during_the_greeting_leaves_no_message() {
    let mut harness = in_voicemail();
    harness.run(500);
    harness.engine.hang_up(&leg("c"), None).expect("hang up");
    harness.run(5_000);
    assert_eq!(harness.when(&left(None)), Some(700));
    assert_eq!(harness.engine.live_recordings(), []);
}

#[test]
fn a_leg_in_an_exit_is_out_of_control_but_can_be_hung_up() {
    let mut harness = in_voicemail();
    assert_eq!(harness.engine.legs()[&leg("c")].state, SwitchLegState::Exited);
    assert!(matches!(harness.engine.move_leg(&leg("c"), &room("talk")), Err(SwitchError::WrongState { .. })));
    let again = harness.engine.exit_to_voicemail(&leg("a1"), &exit("e"), "a1", 0);
    assert!(matches!(again, Err(SwitchError::IdUsed { .. })));
    assert_eq!(harness.hears("a1"), set(&[]));
    harness.engine.hang_up(&leg("c"), None).expect("hang up");
}

/// A second caller leaves a message after the first.
fn leave_another(harness: &mut EngineHarness) {
    harness.customer("d");
    harness.engine.exit_to_voicemail(&leg("d"), &exit("f"), "a1", 5_000).expect("an exit");
    harness.run(3_000);
    harness.engine.hang_up(&leg("d"), None).expect("hang up");
    harness.run(0);
}

fn messages(harness: &EngineHarness) -> [bool; 2] {
    ["vm-e", "vm-f"].map(|id| harness.engine.finished_recording(&recording(id)).is_ok())
}

#[test]
fn a_message_is_kept_for_its_time_and_no_snapshot_lists_it() {
    let mut harness = in_voicemail_of(SwitchLimits { message_keep_us: 60_000_000, ..SwitchLimits::default() });
    harness.run(3_000);
    harness.engine.hang_up(&leg("c"), None).expect("hang up");
    harness.run(50_000);
    leave_another(&mut harness);
    assert_eq!(messages(&harness), [true, true]);
    assert_eq!(harness.engine.finished_recordings().count(), 0);
    harness.run(30_000);
    harness.call("next");
    assert_eq!(messages(&harness), [false, true]);
    assert_eq!(harness.deleted, [TrackKey::Recording(recording("vm-e"))]);
    let used = harness.engine.exit_to_voicemail(&leg("a1"), &exit("e"), "a1", 0);
    assert!(matches!(used, Err(SwitchError::IdUsed { .. })));
}

#[test]
fn of_too_many_messages_the_oldest_go() {
    let mut harness = in_voicemail_of(SwitchLimits { messages: 1, ..SwitchLimits::default() });
    harness.run(3_000);
    harness.engine.hang_up(&leg("c"), None).expect("hang up");
    harness.run(0);
    leave_another(&mut harness);
    harness.call("next");
    assert_eq!(messages(&harness), [false, true]);
}
