//! Calls as they should go.

use std::time::Duration;

use baton_api::recording::v1::SegmentHeader;
use baton_api::simulator::v1::phone_behaviour::Behaviour;
use baton_api::simulator::v1::{AnswersAfter, Busy, Declines, LedgerAction, Manual, NeverAnswers};
use baton_telephony::fact;
use baton_telephony::switch::{ExitEnd, LegEnding};
use tonic::Code;

use crate::harness::{PlanBuilder, Stage};

const LONG: Duration = Duration::from_secs(30);

fn at_once() -> Behaviour {
    Behaviour::AnswersAfter(AnswersAfter { delay_ms: 20 })
}

/// A customer and an agent in a conversation, at version 2.
async fn talking(stage: &Stage) -> (String, String, PlanBuilder) {
    let (leg, interaction) = stage.open_call().await;
    let plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "lobby");
    stage.apply(&plan.at(1)).await.unwrap();
    stage.until_fact(&interaction, fact::up("customer", "lobby")).await;
    let plan = plan.place("customer", "talk").dial("anna", "talk", LONG);
    stage.apply(&plan.at(2)).await.unwrap();
    stage.until_fact(&interaction, fact::up(&plan.leg_id("anna"), "talk")).await;
    stage.until_fact(&interaction, fact::up("customer", "talk")).await;
    (leg, interaction, plan)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warm_transfer_is_carried_out_and_leaves_nothing_behind() {
    let stage = Stage::open().await;
    for phone in ["anna", "ben"] {
        stage.put_phone(phone, at_once()).await;
    }
    let (leg, interaction, plan) = talking(&stage).await;
    let plan = plan.record("s1", "talk");
    stage.apply(&plan.at(3)).await.unwrap();
    stage
        .until_received("the segment is live", |received| {
            let id = plan.leg_id("s1");
            received.facts.get(&interaction)?.iter().find(|it| is_segment(it, &id)).map(drop)
        })
        .await;

    let plan = plan.no_record().place("customer", "hold").place("anna", "consult").dial("ben", "consult", LONG);
    stage.apply(&plan.at(4)).await.unwrap();
    stage.until_fact(&interaction, fact::up(&plan.leg_id("ben"), "consult")).await;
    stage.until_fact(&interaction, fact::up("customer", "hold")).await;

    let plan = plan.place("customer", "talk").place("ben", "talk").without("anna").record("s2", "talk");
    stage.apply(&plan.at(5)).await.unwrap();
    stage.until_fact(&interaction, fact::up(&plan.leg_id("ben"), "talk")).await;
    stage.until_fact(&interaction, fact::ended(&plan.leg_id("anna"), LegEnding::HungUp)).await;

    stage.phone_hangs_up(&leg).await;
    stage.until_fact(&interaction, fact::ended("customer", LegEnding::HungUp)).await;
    stage.apply(&plan.ended().at(6)).await.unwrap();
    stage.until_drained().await;

    let segments = stage.until_received("both segments are stored", |received| {
        (received.segments.len() == 2).then(|| received.segments.clone())
    });
    for (header, audio) in segments.await {
        assert_eq!(header.recording_id, "recording-1");
        assert_eq!(header.interaction_id, interaction);
        assert!(audio.starts_with(b"RIFF") && !header.torn && !header.lost);
        assert!(header.ended_at_us >= header.started_at_us && header.sha256.len() == 64, "{header:?}");
    }
    stage
        .until_ledger("both files are deleted", |ledger| {
            ledger.iter().filter(|it| it.action() == LedgerAction::RecordingDeleted).count() == 2
        })
        .await;
    let ledger = stage.ledger().await;
    let made = ledger.iter().filter(|it| it.action() == LedgerAction::RoomEnsured).count();
    let removed = ledger.iter().filter(|it| it.action() == LedgerAction::RoomDestroyed).count();
    assert_eq!(made, removed, "rooms are left");
}

fn is_segment(fact: &baton_api::transfer::v1::fact::Fact, id: &str) -> bool {
    matches!(fact, baton_api::transfer::v1::fact::Fact::Segment(it) if it.segment_id == id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recording_is_closed_before_the_customer_is_held() {
    let stage = Stage::open().await;
    stage.put_phone("anna", at_once()).await;
    let (leg, interaction, plan) = talking(&stage).await;
    let plan = plan.record("s1", "talk");
    stage.apply(&plan.at(3)).await.unwrap();
    let plan = plan.no_record().place("customer", "hold");
    stage.apply(&plan.at(4)).await.unwrap();
    stage.until_fact(&interaction, fact::up("customer", "hold")).await;
    let hold = format!("{interaction}-hold");
    stage
        .until_ledger("the segment is closed", |ledger| {
            ledger.iter().any(|it| it.action() == LedgerAction::RecordingFinished)
                || !ledger.iter().any(|it| it.action() == LedgerAction::RecordingStarted)
        })
        .await;
    let ledger = stage.ledger().await;
    let held_us = ledger.iter().find(|it| it.leg_id == leg && it.room_id == hold).unwrap().occurred_at_us;
    let received = stage.peers.received();
    for fact in &received.facts[&interaction] {
        if let baton_api::transfer::v1::fact::Fact::Segment(segment) = fact {
            assert!(segment.ended_at_us <= held_us + 20_000, "recorded {segment:?}, held at {held_us}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_not_to_answer_is_reported_as_such() {
    let stage = Stage::open().await;
    let short = Duration::from_millis(300);
    let phones = [
        ("busy", Behaviour::Busy(Busy {}), LONG, LegEnding::Busy),
        ("declines", Behaviour::Declines(Declines { delay_ms: 10 }), LONG, LegEnding::Declined),
        ("never", Behaviour::NeverAnswers(NeverAnswers {}), short, LegEnding::NoAnswer),
    ];
    let (leg, interaction) = stage.open_call().await;
    let mut plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "lobby");
    for (phone, behaviour, ring, _) in &phones {
        stage.put_phone(phone, *behaviour).await;
        plan = plan.dial(phone, "talk", *ring);
    }
    let plan = plan.dial("nowhere", "talk", LONG);
    stage.apply(&plan.at(1)).await.unwrap();
    for (phone, _, _, why) in phones {
        stage.until_fact(&interaction, fact::ended(&plan.leg_id(phone), why)).await;
    }
    stage.until_fact(&interaction, fact::ended(&plan.leg_id("nowhere"), LegEnding::Unreachable)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_plan_again_changes_nothing_and_an_older_one_is_refused() {
    let stage = Stage::open().await;
    stage.put_phone("anna", at_once()).await;
    let (_, interaction, plan) = talking(&stage).await;
    let before = stage.ledger().await.len();
    for _ in 0..3 {
        stage.apply(&plan.at(2)).await.unwrap();
    }
    let refusal = stage.apply(&plan.at(1)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Aborted);
    assert_eq!(baton_api::ApiError::of(&refusal).reason_name(), "STALE");
    assert_eq!(stage.count(LedgerAction::LegDialed, &plan.leg_id("anna")).await, 1);
    assert_eq!(stage.ledger().await.len(), before);

    stage.apply(&plan.clone().ended().at(3)).await.unwrap();
    stage.until_drained().await;
    assert_eq!(stage.apply(&plan.at(2)).await.unwrap_err().code(), Code::Aborted, "the tombstone fences, too");
    stage.apply(&plan.ended().at(3)).await.unwrap();
    assert_eq!(stage.live_interactions(), 0);
    assert!(stage.facts(&interaction).len() < 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_after_the_leg_was_withdrawn_is_hung_up() {
    let stage = Stage::open().await;
    stage.put_phone("anna", Behaviour::Manual(Manual {})).await;
    let (leg, interaction) = stage.open_call().await;
    let plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "hold");
    let with = plan.clone().dial("anna", "talk", LONG);
    stage.apply(&with.at(1)).await.unwrap();
    stage.until_rings(&with.leg_id("anna")).await;
    stage.apply(&plan.at(2)).await.unwrap();
    stage.until_fact(&interaction, fact::ended(&with.leg_id("anna"), LegEnding::HungUp)).await;
    assert_eq!(stage.count(LedgerAction::LegMoved, &with.leg_id("anna")).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announcement_is_played_once_and_an_exit_taken_once() {
    let stage = Stage::open().await;
    stage.put_phone("anna", at_once()).await;
    let (leg, interaction, plan) = talking(&stage).await;
    let plan = plan.announce("n1", "talk", "beep").announce("n2", "talk", "no-such-sound");
    stage.apply(&plan.at(3)).await.unwrap();
    for id in ["n1", "n2"] {
        stage.until_fact(&interaction, fact::announcement_over(&plan.leg_id(id))).await;
    }
    let exit = PlanBuilder::new(&stage.clock, &interaction, &leg).exit("x1");
    stage.apply(&exit.at(4)).await.unwrap();
    stage
        .until_ledger("the exit is taken", |ledger| ledger.iter().any(|it| it.action() == LedgerAction::ExitStarted))
        .await;
    stage.apply(&exit.at(4)).await.unwrap();
    stage.phone_hangs_up(&leg).await;
    stage.until_fact(&interaction, fact::exit_over(&plan.leg_id("x1"), ExitEnd::Left)).await;
    stage.until_fact(&interaction, fact::ended("customer", LegEnding::HungUp)).await;
}

/// How long the greeting and the beep are, and a little of what is said then.
const INTO_THE_MESSAGE: Duration = Duration::from_millis(1_600);

/// The customer is in voicemail for so long. What the archive gets then.
async fn left_in_voicemail(stage: &Stage, stays: Duration) -> (SegmentHeader, Vec<u8>) {
    stage.put_phone("anna", at_once()).await;
    let (leg, interaction, plan) = talking(stage).await;
    let exit = PlanBuilder::new(&stage.clock, &interaction, &leg).exit("x1");
    stage.apply(&exit.at(4)).await.unwrap();
    stage
        .until_ledger("the exit is taken", |ledger| ledger.iter().any(|it| it.action() == LedgerAction::ExitStarted))
        .await;
    stage.clock.sleep(stays).await;
    stage.phone_hangs_up(&leg).await;
    stage.until_fact(&interaction, fact::exit_over(&plan.leg_id("x1"), ExitEnd::Left)).await;
    stage.apply(&exit.ended().at(5)).await.unwrap();
    stage.until_drained().await;
    stage.until_uploaded().await;
    let mut stored = stage.peers.received().segments.clone();
    assert_eq!(stored.len(), 1);
    let (header, audio) = stored.remove(0);
    assert_eq!(header.segment_id, plan.leg_id("x1"));
    let left_in = header.voicemail.clone().unwrap();
    assert_eq!((left_in.mailbox.as_str(), left_in.number.as_str()), ("anna", "+3225550100"));
    assert_eq!(left_in.customer.unwrap().address, "+32470000000");
    (header, audio)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_a_message_goes_to_the_archive_and_leaves_the_switch() {
    let stage = Stage::open_simulated().await;
    let (header, audio) = left_in_voicemail(&stage, INTO_THE_MESSAGE).await;
    assert!(!header.lost && audio.starts_with(b"RIFF") && audio.len() > 1_000, "{header:?}");
    assert!(header.started_at_us > 0 && header.ended_at_us > header.started_at_us && !header.sha256.is_empty());
    let ledger = stage.ledger().await;
    assert!(ledger.iter().any(|it| it.action() == LedgerAction::RecordingDeleted), "it stays on the switch");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f8_who_hangs_up_before_the_beep_left_no_message() {
    let stage = Stage::open_simulated().await;
    let (header, audio) = left_in_voicemail(&stage, Duration::from_millis(50)).await;
    assert!(header.lost && audio.is_empty(), "{header:?}");
}

/// Whoever calls at that moment is no less a customer (C1).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_comes_when_too_much_is_asked_waits_and_is_taken() {
    let stage = Stage::open().await;
    stage.peers.change(|received| received.overloads = 2);
    let leg = stage.call("+15550001").await;
    stage.until_received("the call is announced", |received| received.opened.get(&leg).cloned()).await;
    assert_eq!(stage.count(LedgerAction::LegEnded, &leg).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_to_a_number_that_nobody_knows_or_that_leads_nowhere_is_hung_up_at_once() {
    let stage = Stage::open_simulated().await;
    stage.peers.change(|received| {
        received.unknown_numbers.push("+15550000".into());
        received.numbers_without_flow.push("+15550001".into());
    });
    for number in ["+15550000", "+15550001"] {
        let leg = stage.call(number).await;
        stage
            .until_ledger("it is hung up", |ledger| {
                ledger.iter().any(|it| it.action() == LedgerAction::LegEnded && it.leg_id == leg)
            })
            .await;
        // By the ledger: by the time that this is seen here, the simulated clock may have gone on to the next thing to do.
        let times_us: Vec<_> =
            stage.ledger().await.iter().filter(|it| it.leg_id == leg).map(|it| it.occurred_at_us).collect();
        let took_ms = (times_us[times_us.len() - 1] - times_us[0]) / 1_000;
        assert!(took_ms < 4_000, "{number}: {took_ms} ms, as if it had waited for a plan");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_rings_for_as_long_as_it_may_in_simulated_time_too() {
    let stage = Stage::open_simulated().await;
    stage.put_phone("anna", Behaviour::NeverAnswers(NeverAnswers {})).await;
    let (leg, interaction) = stage.open_call().await;
    let plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "lobby").dial("anna", "talk", LONG);
    stage.apply(&plan.at(1)).await.unwrap();
    let anna = plan.leg_id("anna");
    stage.until_fact(&interaction, fact::ended(&anna, LegEnding::NoAnswer)).await;
    let ledger = stage.ledger().await;
    let at_us = |action| ledger.iter().find(|it| it.leg_id == anna && it.action() == action).unwrap().occurred_at_us;
    let rang_us = at_us(LedgerAction::LegEnded) - at_us(LedgerAction::LegRinging);
    assert!((29_900_000..=30_100_000).contains(&rang_us), "{rang_us}");
}

/// What a person would notice: from the plan to the phone, and many calls at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_at_once_are_all_connected_and_all_removed() {
    let stage = Stage::open().await;
    let calls = (0..50).map(|n| one_call(&stage, n));
    futures::future::join_all(calls).await;
    stage.until_drained().await;
    let ledger = stage.ledger().await;
    let count = |action| ledger.iter().filter(|it| it.action() == action).count();
    assert_eq!(count(LedgerAction::LegDialed), 50);
    assert_eq!(count(LedgerAction::LegEnded), 100);
    assert_eq!(count(LedgerAction::RoomEnsured), count(LedgerAction::RoomDestroyed));
}

async fn one_call(stage: &Stage, n: usize) {
    let phone = format!("agent{n}");
    stage.put_phone(&phone, at_once()).await;
    let (leg, interaction) = stage.open_call().await;
    let plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "talk").dial(&phone, "talk", LONG);
    stage.apply(&plan.at(1)).await.unwrap();
    stage.until_fact(&interaction, fact::up(&plan.leg_id(&phone), "talk")).await;
    stage.apply(&plan.ended().at(2)).await.unwrap();
}
