//! What is recorded.

use baton_switch::engine::model::{PlayTarget, Treatment};
use baton_switch::engine::{SwitchError, What};

use super::stage::{
    AGENT, CUSTOMER, DISCONNECTED, SECOND, START_US, Stage, TENANT, leg, recording, room, set, timeline, tones_in,
};

fn call() -> Stage {
    let mut stage = Stage::new();
    assert_eq!(stage.up("a1"), AGENT);
    stage.customer("c");
    stage.room("talk", Treatment::Conversation, &["c", "a1"]);
    stage
}

fn record(stage: &mut Stage, id: &str) -> Result<i64, SwitchError> {
    let result = stage.engine.start_recording(&recording(id), &room("talk"), TENANT);
    stage.run(0);
    result
}

#[test]
fn a_recording_holds_both_voices_for_as_long_as_it_ran() {
    let mut stage = call();
    stage.run(1_000);
    assert_eq!(record(&mut stage, "r"), Ok(START_US + 1_000_000));
    stage.run(2_000);
    assert_eq!(stage.engine.stop_recording(&recording("r")), Ok(START_US + 3_000_000));
    stage.run(1_000);
    assert_eq!(timeline(stage.recorded("r")), [(0, 2_000, set(&[CUSTOMER, AGENT]))]);
    let finished = stage.engine.finished_recording(&recording("r")).expect("finished");
    assert_eq!((finished.sample_count, finished.ended_at_us), (16_000, START_US + 3_000_000));
}

#[test]
fn who_comes_in_is_recorded_from_then_on_and_the_muted_are_not() {
    let mut stage = call();
    assert_eq!(stage.up("a2"), SECOND);
    record(&mut stage, "r").expect("start");
    stage.run(500);
    stage.engine.move_leg(&leg("a2"), &room("talk")).expect("move");
    stage.run(500);
    stage.engine.set_mute(&leg("a1"), true).expect("mute");
    stage.run(500);
    stage.engine.stop_recording(&recording("r")).expect("stop");
    stage.run(0);
    let expected = [
        (0, 500, set(&[CUSTOMER, AGENT])),
        (500, 1_000, set(&[CUSTOMER, AGENT, SECOND])),
        (1_000, 1_500, set(&[CUSTOMER, SECOND])),
    ];
    assert_eq!(timeline(stage.recorded("r")), expected);
}

#[test]
fn other_rooms_are_not_recorded() {
    let mut stage = call();
    stage.up("a2");
    stage.room("consult", Treatment::Conversation, &["a2"]);
    record(&mut stage, "r").expect("start");
    stage.engine.move_leg(&leg("a1"), &room("consult")).expect("move");
    stage.run(500);
    stage.engine.stop_recording(&recording("r")).expect("stop");
    stage.run(0);
    assert_eq!(tones_in(stage.recorded("r")), set(&[CUSTOMER]), "R1");
}

#[test]
fn an_announcement_in_the_room_is_recorded_and_one_for_a_leg_is_not() {
    let mut stage = call();
    record(&mut stage, "r").expect("start");
    stage.play("p1", PlayTarget::Leg(leg("c")), "customer_disconnected").expect("play");
    stage.run(300);
    stage.engine.stop_recording(&recording("r")).expect("stop");
    stage.run(0);
    assert_eq!(tones_in(stage.recorded("r")), set(&[CUSTOMER, AGENT]));
    record(&mut stage, "r2").expect("start");
    stage.play("p2", PlayTarget::Room(room("talk")), "customer_disconnected").expect("play");
    stage.run(300);
    stage.engine.stop_recording(&recording("r2")).expect("stop");
    stage.run(0);
    assert_eq!(tones_in(stage.recorded("r2")), set(&[CUSTOMER, AGENT, DISCONNECTED]));
}

#[test]
fn a_recording_ends_with_its_room() {
    let mut stage = call();
    record(&mut stage, "r").expect("start");
    stage.run(200);
    for id in ["c", "a1"] {
        stage.engine.hang_up(&leg(id), None).expect("hang up");
    }
    stage.engine.destroy_room(&room("talk")).expect("destroy");
    stage.run(0);
    let finished = stage
        .whats()
        .any(|what| matches!(what, What::RecordingFinished { recording } if recording.sample_count == 1_600));
    assert!(finished);
    assert!(!stage.engine.has_sound());
}

#[test]
fn a_recording_id_is_good_for_one_recording() {
    let mut stage = call();
    record(&mut stage, "r").expect("start");
    assert!(matches!(record(&mut stage, "r"), Err(SwitchError::IdUsed { .. })));
    stage.engine.stop_recording(&recording("r")).expect("stop");
    stage.run(0);
    assert!(matches!(record(&mut stage, "r"), Err(SwitchError::IdUsed { .. })));
    stage.engine.delete_recording(&recording("r")).expect("delete");
    assert!(matches!(record(&mut stage, "r"), Err(SwitchError::IdUsed { .. })));
    assert!(matches!(stage.engine.delete_recording(&recording("r")), Err(SwitchError::NotFound { .. })));
}

#[test]
fn a_recording_that_cannot_be_written_fails_once() {
    let mut stage = call();
    record(&mut stage, "r").expect("start");
    stage.engine.recording_written(&recording("r"), Err("disk full".to_owned()));
    stage.run(100);
    let failed = stage.whats().filter(|what| matches!(what, What::RecordingFailed { .. })).count();
    assert_eq!(failed, 1);
    assert!(matches!(stage.engine.stop_recording(&recording("r")), Err(SwitchError::NotFound { .. })));
    assert!(record(&mut stage, "r2").is_ok(), "the room can be recorded again");
}
