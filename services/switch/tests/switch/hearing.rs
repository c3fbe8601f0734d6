//! Who hears whom.

use baton_switch::engine::model::{PlayTarget, Treatment};
use baton_switch::engine::{Leftovers, Limits, Place, Selector, TrackKey, What, model::PlaybackEnd};

use super::stage::{
    AGENT, CUSTOMER, DISCONNECTED, MUSIC, RINGBACK, SECOND, START_US, Stage, TENANT, fine_timeline, leg, playback,
    room, set, timeline,
};

fn call_with_two_agents() -> Stage {
    let mut stage = Stage::new();
    assert_eq!((stage.up("a1"), stage.up("a2")), (AGENT, SECOND));
    stage.customer("c");
    stage
}

#[test]
fn in_a_conversation_each_hears_all_others_and_not_themselves() {
    let mut stage = call_with_two_agents();
    stage.room("talk", Treatment::Conversation, &["c", "a1", "a2"]);
    let heard = stage.next_300_ms(&["c", "a1", "a2"]);
    assert_eq!(heard, [set(&[AGENT, SECOND]), set(&[CUSTOMER, SECOND]), set(&[CUSTOMER, AGENT])]);
}

#[test]
fn whoever_is_held_hears_music_only_and_is_heard_by_nobody() {
    let mut stage = call_with_two_agents();
    stage.room("talk", Treatment::Conversation, &["a1", "a2"]);
    stage.room("hold", Treatment::HoldMusic, &["c"]);
    let heard = stage.next_300_ms(&["c", "a1", "a2"]);
    assert_eq!(heard, [set(&[MUSIC]), set(&[SECOND]), set(&[AGENT])], "C6");
}

#[test]
fn two_who_are_held_in_one_room_do_not_hear_each_other() {
    let mut stage = call_with_two_agents();
    for (treatment, sound) in
        [(Treatment::HoldMusic, &[MUSIC][..]), (Treatment::Ringback, &[RINGBACK]), (Treatment::Silence, &[])]
    {
        stage.room("wait", treatment, &["c", "a1"]);
        assert_eq!(stage.next_300_ms(&["c", "a1"]), [set(sound), set(sound)], "{treatment:?}");
    }
}

#[test]
fn ringback_has_pauses() {
    let mut stage = Stage::new();
    stage.customer("c");
    stage.room("ring", Treatment::Ringback, &["c"]);
    stage.run(6_000);
    let ringing = fine_timeline(&stage.heard("c"), &[RINGBACK]).into_iter().filter(|(.., hz)| hz.contains(&RINGBACK));
    let lengths: Vec<usize> = ringing.map(|(from, to, _)| to - from).collect();
    assert!(lengths.len() >= 9 && lengths[1..lengths.len() - 1].iter().all(|ms| *ms == 400), "{lengths:?}");
}

#[test]
fn who_is_in_no_room_or_still_rings_hears_nothing_and_is_not_heard() {
    let mut stage = call_with_two_agents();
    stage.call("ringing");
    stage.room("talk", Treatment::Conversation, &["a1"]);
    assert_eq!(stage.next_300_ms(&["c", "a1", "ringing"]), [set(&[]), set(&[]), set(&[])]);
}

#[test]
fn the_muted_are_not_heard_but_hear() {
    let mut stage = call_with_two_agents();
    stage.room("talk", Treatment::Conversation, &["c", "a1", "a2"]);
    stage.engine.set_mute(&leg("a1"), true).expect("mute");
    let heard = stage.next_300_ms(&["c", "a1", "a2"]);
    assert_eq!(heard, [set(&[SECOND]), set(&[CUSTOMER, SECOND]), set(&[CUSTOMER])]);
    stage.engine.set_mute(&leg("a1"), false).expect("unmute");
    assert_eq!(stage.hears("c"), set(&[AGENT, SECOND]));
}

#[test]
fn a_phone_can_mute_itself() {
    let mut stage = call_with_two_agents();
    stage.room("talk", Treatment::Conversation, &["c", "a1"]);
    let selector = Selector::Address("a1".to_owned());
    stage.engine.mute_phone("demo", &selector, true).expect("mute");
    assert_eq!(stage.next_300_ms(&["c", "a1"]), [set(&[]), set(&[CUSTOMER])]);
}

#[test]
fn a_move_leaves_no_gap_and_no_overlap() {
    let mut stage = call_with_two_agents();
    stage.room("one", Treatment::Conversation, &["c", "a1"]);
    stage.room("two", Treatment::Conversation, &["a2"]);
    // In the middle of a frame, so that the edge is the frame's.
    stage.run(207);
    stage.engine.move_leg(&leg("c"), &room("two")).expect("move");
    stage.run(213);
    let heard = fine_timeline(&stage.heard("c"), &[CUSTOMER, AGENT, SECOND]);
    assert_eq!(heard, [(0, 200, set(&[AGENT])), (200, 420, set(&[SECOND]))]);
    assert_eq!(
        fine_timeline(&stage.heard("a1"), &[CUSTOMER, AGENT, SECOND]),
        [(0, 200, set(&[CUSTOMER])), (200, 420, set(&[]))]
    );
    assert_eq!(
        fine_timeline(&stage.heard("a2"), &[CUSTOMER, AGENT, SECOND]),
        [(0, 200, set(&[])), (200, 420, set(&[CUSTOMER]))]
    );
}

#[test]
fn moving_into_the_same_room_again_changes_nothing() {
    let mut stage = call_with_two_agents();
    stage.room("talk", Treatment::Conversation, &["c", "a1"]);
    let before = stage.happened.len();
    stage.room("talk", Treatment::Conversation, &["c", "a1"]);
    assert_eq!(stage.happened.len(), before);
}

#[test]
fn an_announcement_in_a_room_is_mixed_with_the_conversation_and_ends_on_time() {
    let mut stage = call_with_two_agents();
    stage.room("talk", Treatment::Conversation, &["c", "a1"]);
    stage.run(200);
    let length = stage.play("p", PlayTarget::Room(room("talk")), "customer_disconnected");
    assert_eq!(length, Ok(1_500));
    stage.run(2_000);
    let expected =
        [(0, 200, set(&[CUSTOMER])), (200, 1_700, set(&[CUSTOMER, DISCONNECTED])), (1_700, 2_200, set(&[CUSTOMER]))];
    assert_eq!(timeline(&stage.heard("a1")), expected);
    let finished = What::PlaybackFinished {
        playback_id: playback("p"),
        at: Place { room_id: Some(room("talk")), leg_id: None },
        announcement: "customer_disconnected".to_owned(),
        end: PlaybackEnd::Completed,
    };
    assert_eq!(stage.when(&finished), Some(1_700));
}

#[test]
fn an_announcement_for_one_leg_is_heard_by_it_alone() {
    let mut stage = call_with_two_agents();
    stage.room("talk", Treatment::Conversation, &["c", "a1"]);
    stage.play("p", PlayTarget::Leg(leg("a1")), "customer_disconnected").expect("play");
    assert_eq!(stage.next_300_ms(&["c", "a1"]), [set(&[AGENT]), set(&[CUSTOMER, DISCONNECTED])]);
    stage.engine.stop_playback(&playback("p")).expect("stop");
    assert_eq!(stage.hears("a1"), set(&[CUSTOMER]));
}

#[test]
fn what_is_heard_does_not_depend_on_how_time_is_cut() {
    let run = |steps: &[i64]| {
        let mut stage = call_with_two_agents();
        stage.room("talk", Treatment::Conversation, &["c", "a1"]);
        stage.play("p", PlayTarget::Room(room("talk")), "beep").expect("play");
        for ms in steps {
            stage.run(*ms);
        }
        stage.heard("c")
    };
    assert_eq!(run(&[3_000]), run(&[1, 19, 20, 333, 627, 2_000]));
    assert_eq!(run(&[3_000]).len(), 24_000);
}

#[test]
fn a_sample_knows_its_time() {
    let mut stage = Stage::new();
    stage.run(10);
    stage.customer("c");
    stage.run(1_000);
    let record = stage.engine.heard_on("demo", &leg("c")).expect("heard");
    assert_eq!((record.started_at_us, record.sample_count), (START_US, 8_000));
    assert!(stage.engine.heard_on("other", &leg("c")).is_none(), "X1");
}

#[test]
fn a_long_call_keeps_nothing_of_the_others_for_longer_than_their_time() {
    let limits = Limits { heard_keep_us: 10_000_000, ..Limits::default() };
    let mut stage = Stage::with(limits, Leftovers::default());
    stage.up("long");
    for id in ["first", "second"] {
        stage.up(id);
        stage.run(1_000);
        stage.engine.hang_up(&leg(id), None).expect("hang up");
        stage.run(6_000);
    }
    stage.up("third");
    let heard: Vec<_> = stage.engine.heard(TENANT).map(|record| record.leg_id).collect();
    assert_eq!(heard, ["long", "second", "third"].map(leg));
    assert_eq!(stage.deleted, [TrackKey::Heard(leg("first"))]);
}
