//! The sound in recordings.

use baton_switch::engine::model::{PlayTarget, RoomTreatment};
use baton_switch::engine::{LedgerAction, SwitchError};

use super::harness::{
    AGENT, CUSTOMER, DISCONNECTED, EngineHarness, SECOND, START_US, TENANT, leg, recording, room, set, timeline,
    tones_in,
};

fn call() -> EngineHarness {
    let mut harness = EngineHarness::new();
    assert_eq!(harness.up("a1"), AGENT);
    harness.customer("c");
    harness.room("talk", RoomTreatment::Conversation, &["c", "a1"]);
    harness
}

fn record(harness: &mut EngineHarness, id: &str) -> Result<i64, SwitchError> {
    let result = harness.engine.start_recording(&recording(id), &room("talk"), TENANT);
    harness.run(0);
    result
}

#[test]
fn a_recording_holds_both_voices_for_as_long_as_it_ran() {
    let mut harness = call();
    harness.run(1_000);
    assert_eq!(record(&mut harness, "r"), Ok(START_US + 1_000_000));
    harness.run(2_000);
    assert_eq!(harness.engine.stop_recording(&recording("r")), Ok(START_US + 3_000_000));
    harness.run(1_000);
    assert_eq!(timeline(harness.recorded("r")), [(0, 2_000, set(&[CUSTOMER, AGENT]))]);
    let finished = harness.engine.finished_recording(&recording("r")).expect("finished");
    assert_eq!((finished.sample_count, finished.ended_at_us), (16_000, START_US + 3_000_000));
}

#[test]
fn a_leg_that_joins_is_recorded_from_then_on_and_a_muted_one_is_not() {
    let mut harness = call();
    assert_eq!(harness.up("a2"), SECOND);
    record(&mut harness, "r").expect("start");
    harness.run(500);
    harness.engine.move_leg(&leg("a2"), &room("talk")).expect("move");
    harness.run(500);
    harness.engine.set_mute(&leg("a1"), true).expect("mute");
    harness.run(500);
    harness.engine.stop_recording(&recording("r")).expect("stop");
    harness.run(0);
    let expected = [
        (0, 500, set(&[CUSTOMER, AGENT])),
        (500, 1_000, set(&[CUSTOMER, AGENT, SECOND])),
        (1_000, 1_500, set(&[CUSTOMER, SECOND])),
    ];
    assert_eq!(timeline(harness.recorded("r")), expected);
}

#[test]
fn other_rooms_are_not_recorded() {
    let mut harness = call();
    harness.up("a2");
    harness.room("consult", RoomTreatment::Conversation, &["a2"]);
    record(&mut harness, "r").expect("start");
    harness.engine.move_leg(&leg("a1"), &room("consult")).expect("move");
    harness.run(500);
    harness.engine.stop_recording(&recording("r")).expect("stop");
    harness.run(0);
    assert_eq!(tones_in(harness.recorded("r")), set(&[CUSTOMER]), "R1");
}

#[test]
fn an_announcement_in_the_room_is_recorded_and_one_for_a_leg_is_not() {
    let mut harness = call();
    record(&mut harness, "r").expect("start");
    harness.play("p1", PlayTarget::Leg(leg("c")), "customer_disconnected").expect("play");
    harness.run(300);
    harness.engine.stop_recording(&recording("r")).expect("stop");
    harness.run(0);
    assert_eq!(tones_in(harness.recorded("r")), set(&[CUSTOMER, AGENT]));
    record(&mut harness, "r2").expect("start");
    harness.play("p2", PlayTarget::Room(room("talk")), "customer_disconnected").expect("play");
    harness.run(300);
    harness.engine.stop_recording(&recording("r2")).expect("stop");
    harness.run(0);
    assert_eq!(tones_in(harness.recorded("r2")), set(&[CUSTOMER, AGENT, DISCONNECTED]));
}

#[test]
fn a_recording_ends_with_its_room() {
    let mut harness = call();
    record(&mut harness, "r").expect("start");
    harness.run(200);
    for id in ["c", "a1"] {
        harness.engine.hang_up(&leg(id), None).expect("hang up");
    }
    harness.engine.destroy_room(&room("talk")).expect("destroy");
    harness.run(0);
    let finished = harness.actions().any(
        |action| matches!(action, LedgerAction::RecordingFinished { recording } if recording.sample_count == 1_600),
    );
    assert!(finished);
    assert!(!harness.engine.has_sound());
}

#[test]
fn a_recording_id_is_good_for_one_recording() {
    let mut harness = call();
    record(&mut harness, "r").expect("start");
    assert!(matches!(record(&mut harness, "r"), Err(SwitchError::IdUsed { .. })));
    harness.engine.stop_recording(&recording("r")).expect("stop");
    harness.run(0);
    assert!(matches!(record(&mut harness, "r"), Err(SwitchError::IdUsed { .. })));
    harness.engine.delete_recording(&recording("r")).expect("delete");
    assert!(matches!(record(&mut harness, "r"), Err(SwitchError::IdUsed { .. })));
    assert!(matches!(harness.engine.delete_recording(&recording("r")), Err(SwitchError::NotFound { .. })));
}

#[test]
fn a_recording_that_cannot_be_written_fails_once() {
    let mut harness = call();
    record(&mut harness, "r").expect("start");
    harness.engine.recording_written(&recording("r"), Err("disk full".to_owned()));
    harness.run(100);
    let failed = harness.actions().filter(|action| matches!(action, LedgerAction::RecordingFailed { .. })).count();
    assert_eq!(failed, 1);
    assert!(matches!(harness.engine.stop_recording(&recording("r")), Err(SwitchError::NotFound { .. })));
    assert!(record(&mut harness, "r2").is_ok(), "the room can be recorded again");
}
