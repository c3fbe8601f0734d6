//! Which sounds each leg hears.

use baton_switch::engine::model::{PlayTarget, RoomTreatment};
use baton_switch::engine::{
    LedgerAction, Leftovers, PlaybackLocation, Selector, SwitchLimits, TrackKey, model::PlaybackEnd,
};

use super::harness::{
    AGENT, CUSTOMER, DISCONNECTED, EngineHarness, MUSIC, RINGBACK, SECOND, START_US, TENANT, fine_timeline, leg,
    playback, room, set, timeline,
};

fn call_with_two_agents() -> EngineHarness {
    let mut harness = EngineHarness::new();
    assert_eq!((harness.up("a1"), harness.up("a2")), (AGENT, SECOND));
    harness.customer("c");
    harness
}

#[test]
fn in_a_conversation_each_hears_all_others_and_not_themselves() {
    let mut harness = call_with_two_agents();
    harness.room("talk", RoomTreatment::Conversation, &["c", "a1", "a2"]);
    let heard = harness.next_300_ms(&["c", "a1", "a2"]);
    assert_eq!(heard, [set(&[AGENT, SECOND]), set(&[CUSTOMER, SECOND]), set(&[CUSTOMER, AGENT])]);
}

#[test]
fn a_leg_on_hold_hears_music_only_and_is_not_heard() {
    let mut harness = call_with_two_agents();
    harness.room("talk", RoomTreatment::Conversation, &["a1", "a2"]);
    harness.room("hold", RoomTreatment::HoldMusic, &["c"]);
    let heard = harness.next_300_ms(&["c", "a1", "a2"]);
    assert_eq!(heard, [set(&[MUSIC]), set(&[SECOND]), set(&[AGENT])], "C6");
}

#[test]
fn two_legs_on_hold_in_one_room_do_not_hear_each_other() {
    let mut harness = call_with_two_agents();
    for (treatment, sound) in [
        (RoomTreatment::HoldMusic, &[MUSIC][..]),
        (RoomTreatment::Ringback, &[RINGBACK]),
        (RoomTreatment::Silence, &[]),
    ] {
        harness.room("wait", treatment, &["c", "a1"]);
        assert_eq!(harness.next_300_ms(&["c", "a1"]), [set(sound), set(sound)], "{treatment:?}");
    }
}

#[test]
fn ringback_has_pauses() {
    let mut harness = EngineHarness::new();
    harness.customer("c");
    harness.room("ring", RoomTreatment::Ringback, &["c"]);
    harness.run(6_000);
    let ringing = fine_timeline(&harness.heard("c"), &[RINGBACK]).into_iter().filter(|(.., hz)| hz.contains(&RINGBACK));
    let lengths: Vec<usize> = ringing.map(|(from, to, _)| to - from).collect();
    assert!(lengths.len() >= 9 && lengths[1..lengths.len() - 1].iter().all(|ms| *ms == 400), "{lengths:?}");
}

#[test]
fn a_leg_in_no_room_or_still_ringing_hears_nothing_and_is_not_heard() {
    let mut harness = call_with_two_agents();
    harness.call("ringing");
    harness.room("talk", RoomTreatment::Conversation, &["a1"]);
    assert_eq!(harness.next_300_ms(&["c", "a1", "ringing"]), [set(&[]), set(&[]), set(&[])]);
}

#[test]
fn a_muted_leg_is_not_heard_but_hears() {
    let mut harness = call_with_two_agents();
    harness.room("talk", RoomTreatment::Conversation, &["c", "a1", "a2"]);
    harness.engine.set_mute(&leg("a1"), true).expect("mute");
    let heard = harness.next_300_ms(&["c", "a1", "a2"]);
    assert_eq!(heard, [set(&[SECOND]), set(&[CUSTOMER, SECOND]), set(&[CUSTOMER])]);
    harness.engine.set_mute(&leg("a1"), false).expect("unmute");
    assert_eq!(harness.hears("c"), set(&[AGENT, SECOND]));
}

#[test]
fn a_phone_can_mute_itself() {
    let mut harness = call_with_two_agents();
    harness.room("talk", RoomTreatment::Conversation, &["c", "a1"]);
    let selector = Selector::Address("a1".to_owned());
    harness.engine.mute_phone("demo", &selector, true).expect("mute");
    assert_eq!(harness.next_300_ms(&["c", "a1"]), [set(&[]), set(&[CUSTOMER])]);
}

#[test]
fn a_move_leaves_no_gap_and_no_overlap() {
    let mut harness = call_with_two_agents();
    harness.room("one", RoomTreatment::Conversation, &["c", "a1"]);
    harness.room("two", RoomTreatment::Conversation, &["a2"]);
    // In the middle of a frame, so that the edge is the frame's.
    harness.run(207);
    harness.engine.move_leg(&leg("c"), &room("two")).expect("move");
    harness.run(213);
    let heard = fine_timeline(&harness.heard("c"), &[CUSTOMER, AGENT, SECOND]);
    assert_eq!(heard, [(0, 200, set(&[AGENT])), (200, 420, set(&[SECOND]))]);
    assert_eq!(
        fine_timeline(&harness.heard("a1"), &[CUSTOMER, AGENT, SECOND]),
        [(0, 200, set(&[CUSTOMER])), (200, 420, set(&[]))]
    );
    assert_eq!(
        fine_timeline(&harness.heard("a2"), &[CUSTOMER, AGENT, SECOND]),
        [(0, 200, set(&[])), (200, 420, set(&[CUSTOMER]))]
    );
}

#[test]
fn moving_into_the_same_room_again_changes_nothing() {
    let mut harness = call_with_two_agents();
    harness.room("talk", RoomTreatment::Conversation, &["c", "a1"]);
    let before = harness.ledger.len();
    harness.room("talk", RoomTreatment::Conversation, &["c", "a1"]);
    assert_eq!(harness.ledger.len(), before);
}

#[test]
fn an_announcement_in_a_room_is_mixed_with_the_conversation_and_ends_on_time() {
    let mut harness = call_with_two_agents();
    harness.room("talk", RoomTreatment::Conversation, &["c", "a1"]);
    harness.run(200);
    let length = harness.play("p", PlayTarget::Room(room("talk")), "customer_disconnected");
    assert_eq!(length, Ok(1_500));
    harness.run(2_000);
    let expected =
        [(0, 200, set(&[CUSTOMER])), (200, 1_700, set(&[CUSTOMER, DISCONNECTED])), (1_700, 2_200, set(&[CUSTOMER]))];
    assert_eq!(timeline(&harness.heard("a1")), expected);
    let finished = LedgerAction::PlaybackFinished {
        playback_id: playback("p"),
        at: PlaybackLocation { room_id: Some(room("talk")), leg_id: None },
        announcement: "customer_disconnected".to_owned(),
        end: PlaybackEnd::Completed,
    };
    assert_eq!(harness.when(&finished), Some(1_700));
}

#[test]
fn an_announcement_for_one_leg_is_heard_by_it_alone() {
    let mut harness = call_with_two_agents();
    harness.room("talk", RoomTreatment::Conversation, &["c", "a1"]);
    harness.play("p", PlayTarget::Leg(leg("a1")), "customer_disconnected").expect("play");
    assert_eq!(harness.next_300_ms(&["c", "a1"]), [set(&[AGENT]), set(&[CUSTOMER, DISCONNECTED])]);
    harness.engine.stop_playback(&playback("p")).expect("stop");
    assert_eq!(harness.hears("a1"), set(&[CUSTOMER]));
}

#[test]
fn what_is_heard_does_not_depend_on_how_time_is_cut() {
    let run = |steps: &[i64]| {
        let mut harness = call_with_two_agents();
        harness.room("talk", RoomTreatment::Conversation, &["c", "a1"]);
        harness.play("p", PlayTarget::Room(room("talk")), "beep").expect("play");
        for ms in steps {
            harness.run(*ms);
        }
        harness.heard("c")
    };
    assert_eq!(run(&[3_000]), run(&[1, 19, 20, 333, 627, 2_000]));
    assert_eq!(run(&[3_000]).len(), 24_000);
}

#[test]
fn a_sample_knows_its_time() {
    let mut harness = EngineHarness::new();
    harness.run(10);
    harness.customer("c");
    harness.run(1_000);
    let record = harness.engine.heard_on("demo", &leg("c")).expect("heard");
    assert_eq!((record.started_at_us, record.sample_count), (START_US, 8_000));
    assert!(harness.engine.heard_on("other", &leg("c")).is_none(), "X1");
}

#[test]
fn a_long_call_keeps_nothing_of_the_others_for_longer_than_their_time() {
    let limits = SwitchLimits { heard_keep_us: 10_000_000, ..SwitchLimits::default() };
    let mut harness = EngineHarness::with(limits, Leftovers::default());
    harness.up("long");
    for id in ["first", "second"] {
        harness.up(id);
        harness.run(1_000);
        harness.engine.hang_up(&leg(id), None).expect("hang up");
        harness.run(6_000);
    }
    harness.up("third");
    let heard: Vec<_> = harness.engine.heard(TENANT).map(|record| record.leg_id).collect();
    assert_eq!(heard, ["long", "second", "third"].map(leg));
    assert_eq!(harness.deleted, [TrackKey::Heard(leg("first"))]);
}
