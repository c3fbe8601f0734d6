//! Any commands in any order: the switch does not panic, and a leg is in one room at most.

use baton_switch::engine::model::{PlayTarget, RoomTreatment};
use baton_switch::engine::{AnswerBehaviour, Engine, LedgerAction, Selector};
use proptest::prelude::*;

use super::harness::{EngineHarness, TENANT, exit, leg, playback, recording, room};

#[derive(Debug, Clone)]
enum Step {
    Dial(u8, u8),
    Call(u8),
    Answer(u8),
    HangUp(u8),
    PhoneHangUp(u8),
    PhoneAnswers(u8),
    Ensure(u8, u8),
    Destroy(u8),
    Move(u8, u8),
    Remove(u8),
    Mute(u8, bool),
    Play(u8, u8),
    Record(u8, u8),
    StopRecording(u8),
    Exit(u8, u8),
    Run(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let (leg, room, once) = (0..6_u8, 0..3_u8, 0..30_u8);
    prop_oneof![
        (once.clone(), leg.clone()).prop_map(|(id, phone)| Step::Dial(id, phone)),
        leg.clone().prop_map(Step::Call),
        leg.clone().prop_map(Step::Answer),
        leg.clone().prop_map(Step::HangUp),
        leg.clone().prop_map(Step::PhoneHangUp),
        leg.clone().prop_map(Step::PhoneAnswers),
        (room.clone(), 0..4_u8).prop_map(|(room, treatment)| Step::Ensure(room, treatment)),
        room.clone().prop_map(Step::Destroy),
        (leg.clone(), room.clone()).prop_map(|(leg, room)| Step::Move(leg, room)),
        leg.clone().prop_map(Step::Remove),
        (leg.clone(), any::<bool>()).prop_map(|(leg, muted)| Step::Mute(leg, muted)),
        (once.clone(), leg.clone()).prop_map(|(id, leg)| Step::Play(id, leg)),
        (once.clone(), room).prop_map(|(id, room)| Step::Record(id, room)),
        once.clone().prop_map(Step::StopRecording),
        (once, leg).prop_map(|(id, leg)| Step::Exit(id, leg)),
        (0..3_000_u16).prop_map(Step::Run),
    ]
}

const TREATMENTS: [RoomTreatment; 4] =
    [RoomTreatment::Conversation, RoomTreatment::HoldMusic, RoomTreatment::Ringback, RoomTreatment::Silence];

/// Refusals are as good as successes here.
fn take(harness: &mut EngineHarness, step: &Step, count: usize) {
    let l = |n: &u8| leg(&format!("l{n}"));
    let r = |n: &u8| room(&format!("r{n}"));
    let address = |n: &u8| Selector::Leg(l(n));
    let engine: &mut Engine = &mut harness.engine;
    match step {
        Step::Dial(id, phone) => drop(harness.dial(&format!("l{id}"), &format!("p{phone}"), 2_000)),
        Step::Call(n) => harness.call(&format!("l{}", 100 + count + usize::from(*n))),
        Step::Answer(n) => drop(engine.answer(&l(n))),
        Step::HangUp(n) => drop(engine.hang_up(&l(n), None)),
        Step::PhoneHangUp(n) => drop(engine.hang_up_phone(TENANT, &address(n))),
        Step::PhoneAnswers(n) => drop(engine.answer_phone(TENANT, &address(n))),
        Step::Ensure(n, treatment) => {
            drop(engine.ensure_room(&r(n), TENANT, TREATMENTS[usize::from(*treatment)]));
        }
        Step::Destroy(n) => drop(engine.destroy_room(&r(n))),
        Step::Move(n, to) => drop(engine.move_leg(&l(n), &r(to))),
        Step::Remove(n) => drop(engine.remove_leg(&l(n))),
        Step::Mute(n, muted) => drop(engine.set_mute(&l(n), *muted)),
        Step::Play(id, n) => {
            let play = baton_switch::engine::PlaybackRequest {
                playback_id: playback(&format!("p{id}")),
                target: PlayTarget::Leg(l(n)),
                announcement: "beep".to_owned(),
            };
            drop(engine.play(play));
        }
        Step::Record(id, n) => drop(engine.start_recording(&recording(&format!("x{id}")), &r(n), TENANT)),
        Step::StopRecording(id) => drop(engine.stop_recording(&recording(&format!("x{id}")))),
        Step::Exit(id, n) => drop(engine.exit_to_voicemail(&l(n), &exit(&format!("e{id}")), "", 1_000)),
        Step::Run(ms) => harness.run(i64::from(*ms)),
    }
}

fn check(harness: &EngineHarness) {
    for (id, leg) in harness.engine.legs() {
        let rooms: Vec<_> =
            harness.engine.rooms().iter().filter(|(_, room)| room.members.contains(id)).map(|(id, _)| id).collect();
        assert_eq!(rooms, leg.room.iter().collect::<Vec<_>>(), "a leg is where it says, and nowhere else");
    }
    for room in harness.engine.rooms().values() {
        assert!(room.members.iter().all(|member| harness.engine.legs().contains_key(member)), "no ghosts");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_commands_is_survived(steps in prop::collection::vec(step(), 1..80)) {
        let mut harness = EngineHarness::new();
        let behaviours = [
            AnswerBehaviour::Manual,
            AnswerBehaviour::AnswersAfter { delay_ms: 0 },
            AnswerBehaviour::AnswersAfter { delay_ms: 333 },
            AnswerBehaviour::Declines { delay_ms: 50 },
            AnswerBehaviour::Busy,
            AnswerBehaviour::NeverAnswers,
        ];
        for (n, behaviour) in behaviours.into_iter().enumerate() {
            harness.phone(&format!("p{n}"), behaviour);
        }
        for (count, step) in steps.iter().enumerate() {
            take(&mut harness, step, count * 10);
            check(&harness);
        }
        harness.engine.shut_down();
        harness.run(0);
        prop_assert!(harness.engine.legs().is_empty() && harness.engine.live_recordings().is_empty());
        prop_assert_eq!(harness.engine.next_deadline_us(), None);
        once_only(&harness);
    }
}

fn once_only(harness: &EngineHarness) {
    let mut ended = std::collections::BTreeSet::new();
    for action in harness.actions() {
        if let LedgerAction::LegEnded { leg_id, .. } = action {
            assert!(ended.insert(leg_id), "{leg_id} ended twice");
        }
    }
    let sequences: Vec<i64> = harness.ledger.iter().map(|entry| entry.sequence).collect();
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1), "no holes in the ledger");
}
