//! Connections cut, services away, processes killed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use baton_api::simulator::v1::phone_behaviour::Behaviour;
use baton_api::simulator::v1::{AnswersAfter, LedgerAction, LedgerEntry, Manual};
use baton_api::transfer::v1::fact::Fact as FactContent;
use baton_runtime::Clock;
use baton_store::{Affected as _, Conn};
use baton_telephony::fact;
use baton_telephony::switch::LegEnding;

use crate::harness::{PlanBuilder, Stage};

const LONG: Duration = Duration::from_secs(30);

fn at_once() -> Behaviour {
    Behaviour::AnswersAfter(AnswersAfter { delay_ms: 20 })
}

async fn talking(stage: &Stage) -> (String, String, PlanBuilder) {
    stage.put_phone("anna", at_once()).await;
    let (leg, interaction) = stage.open_call().await;
    let plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "talk").dial("anna", "talk", LONG);
    stage.apply(&plan.at(1)).await.unwrap();
    stage.until_fact(&interaction, fact::up(&plan.leg_id("anna"), "talk")).await;
    stage.until_fact(&interaction, fact::up("customer", "talk")).await;
    (leg, interaction, plan)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_while_the_wire_was_cut_are_found_when_it_is_mended() {
    let stage = Stage::open().await;
    let (leg, interaction, plan) = talking(&stage).await;
    stage.wire.cut();
    stage.phone_hangs_up(&plan.leg_id("anna")).await;
    let plan = plan.place("customer", "hold");
    stage.apply(&plan.at(2)).await.unwrap();
    let late = stage.call("+15550111").await;
    stage.wire.mend(stage.switch_address());
    stage.until_fact(&interaction, fact::ended(&plan.leg_id("anna"), LegEnding::HungUp)).await;
    stage.until_fact(&interaction, fact::up("customer", "hold")).await;
    stage.until_received("the call of the gap is announced", |received| received.opened.get(&late).cloned()).await;
    assert_eq!(stage.count(LedgerAction::LegEnded, &leg).await, 0);
    assert_eq!(stage.count(LedgerAction::LegDialed, &plan.leg_id("anna")).await, 1);
}

/// After a crash the plan before it would be carried out for a moment, and the customer would hear that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s2_nothing_of_a_plan_is_asked_of_the_switch_before_it_is_written() {
    let stage = Stage::open().await;
    let (_, interaction, plan) = talking(&stage).await;
    let hold = format!("{interaction}-hold");
    let is_held = |ledger: &[LedgerEntry]| ledger.iter().any(|it| it.room_id == hold);
    // Nobody else can write meanwhile.
    let mut writer = stage.telephony().db().begin().await.unwrap();
    if let Conn::Postgres(conn) = writer.ready().await.unwrap() {
        sqlx::query("LOCK TABLE plans IN EXCLUSIVE MODE").affected(conn).await.unwrap();
    }
    let plan = plan.place("customer", "hold").at(2);
    let applying = async { stage.apply(&plan).await };
    let looking = async {
        Clock::real().sleep(Duration::from_millis(300)).await;
        assert!(stage.lacks(&plan).await && !is_held(&stage.ledger().await));
        drop(writer);
    };
    let (applied, ()) = futures::future::join(applying, looking).await;
    applied.unwrap();
    stage.until_ledger("the customer is held", is_held).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_are_repeated_until_they_are_acknowledged() {
    let stage = Stage::open().await;
    let (_, interaction, plan) = talking(&stage).await;
    stage.peers.set_away(true);
    stage.phone_hangs_up(&plan.leg_id("anna")).await;
    stage
        .until_ledger("the leg is gone", |ledger| {
            ledger.iter().any(|it| it.action() == LedgerAction::LegEnded && it.leg_id == plan.leg_id("anna"))
        })
        .await;
    stage.peers.set_away(false);
    stage.until_fact(&interaction, fact::ended(&plan.leg_id("anna"), LegEnding::HungUp)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fact_that_is_refused_takes_no_other_with_it() {
    let stage = Stage::open().await;
    let (_, interaction, plan) = talking(&stage).await;
    let anna = plan.leg_id("anna");
    stage.peers.set_away(true);
    stage.peers.change(|received| received.bad_facts.push(fact::ended(&anna, LegEnding::HungUp)));
    stage.phone_hangs_up(&anna).await;
    // All of it is reported at once, when the transfer service is back: the bad fact before some good ones.
    let plan = plan.without("anna").place("customer", "hold");
    stage.apply(&plan.at(2)).await.unwrap();
    let hold = format!("{interaction}-hold");
    stage.until_ledger("the customer is held", |ledger| ledger.iter().any(|it| it.room_id == hold)).await;
    stage.peers.set_away(false);
    stage.until_fact(&interaction, fact::up("customer", "hold")).await;
    assert!(!stage.facts(&interaction).contains(&fact::ended(&anna, LegEnding::HungUp)));
    stage.apply(&plan.ended().at(3)).await.unwrap();
    stage.until_drained().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_left_before_they_were_known_is_reported_gone() {
    let stage = Stage::open().await;
    stage.peers.set_away(true);
    let leg = stage.call("+15550199").await;
    stage.phone_hangs_up(&leg).await;
    stage.peers.set_away(false);
    let interaction =
        stage.until_received("the call is announced", |received| received.opened.get(&leg).cloned()).await;
    let plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "lobby");
    stage.apply(&plan.at(1)).await.unwrap();
    stage.until_fact(&interaction, fact::ended("customer", LegEnding::HungUp)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h3_telephony_killed_in_the_middle_hears_of_the_decline_and_dials_nobody_twice() {
    let mut stage = Stage::open().await;
    let (leg, interaction, plan) = talking(&stage).await;
    stage.put_phone("ben", Behaviour::Manual(Manual {})).await;
    let plan =
        plan.place("customer", "hold").place("anna", "consult").dial("ben", "consult", LONG).record("s0", "hold");
    let plan = plan.no_record();
    stage.apply(&plan.at(2)).await.unwrap();
    stage.until_rings(&plan.leg_id("ben")).await;
    stage.kill_telephony().await;
    stage.phone_declines(&plan.leg_id("ben")).await;
    stage.start_telephony().await;
    stage.until_fact(&interaction, fact::ended(&plan.leg_id("ben"), LegEnding::Declined)).await;
    let plan = plan.without("ben").place("customer", "talk").place("anna", "talk");
    stage.apply(&plan.at(3)).await.unwrap();
    let talk = format!("{interaction}-talk");
    stage
        .until_ledger("the customer is back", |ledger| {
            ledger.iter().rfind(|it| it.leg_id == leg).is_some_and(|it| it.room_id == talk)
        })
        .await;
    for name in ["anna", "ben"] {
        assert_eq!(stage.count(LedgerAction::LegDialed, &plan.leg_id(name)).await, 1, "{name}");
    }
    assert_eq!(stage.apply(&plan.at(2)).await.unwrap_err().code(), tonic::Code::Aborted);
}

/// Each phone ends its leg in another way while nobody listens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h3_how_legs_ended_while_telephony_was_dead_is_asked_of_the_switch() {
    let mut stage = Stage::open().await;
    let (_, interaction, mut plan) = talking(&stage).await;
    let names = ["declines", "answers", "rings-out"];
    for name in names {
        stage.put_phone(name, Behaviour::Manual(Manual {})).await;
        let ring = if name == "rings-out" { Duration::from_millis(700) } else { LONG };
        plan = plan.dial(name, "talk", ring);
    }
    stage.apply(&plan.at(2)).await.unwrap();
    let [declines, answers, rings_out] = names.map(|it| plan.leg_id(it));
    for leg in [&declines, &answers, &rings_out] {
        stage.until_rings(leg).await;
    }
    stage.kill_telephony().await;
    stage.phone_declines(&declines).await;
    stage.phone_answers(&answers).await;
    stage.phone_hangs_up(&answers).await;
    let ended = |it: &LedgerEntry| it.action() == LedgerAction::LegEnded && it.leg_id == rings_out;
    stage.until_ledger("it has rung out", |ledger| ledger.iter().any(ended)).await;
    stage.start_telephony().await;
    for (leg, why) in
        [(&declines, LegEnding::Declined), (&answers, LegEnding::HungUp), (&rings_out, LegEnding::NoAnswer)]
    {
        stage.until_fact(&interaction, fact::ended(leg, why)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_closed_while_telephony_was_dead_is_uploaded_to_the_archive() {
    let mut stage = Stage::open().await;
    let (leg, interaction, plan) = talking(&stage).await;
    let plan = plan.record("s1", "talk");
    stage.apply(&plan.at(2)).await.unwrap();
    stage
        .until_ledger("it is recorded", |ledger| ledger.iter().any(|it| it.action() == LedgerAction::RecordingStarted))
        .await;
    stage.kill_telephony().await;
    stage.phone_hangs_up(&leg).await;
    stage.phone_hangs_up(&plan.leg_id("anna")).await;
    stage.start_telephony().await;
    stage.until_fact(&interaction, fact::ended("customer", LegEnding::HungUp)).await;
    stage.apply(&plan.clone().ended().at(3)).await.unwrap();
    let header =
        stage.until_received("it is stored", |received| received.segments.first().map(|it| it.0.clone())).await;
    assert_eq!(header.segment_id, plan.leg_id("s1"));
    assert!(!header.lost);
    stage.until_drained().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_restarted_is_one_fact() {
    let mut stage = Stage::open().await;
    let (_, interaction, plan) = talking(&stage).await;
    stage.kill_switch().await;
    stage.start_switch();
    stage.until_fact(&interaction, fact::switch_lost()).await;
    let facts = stage.facts(&interaction);
    assert_eq!(facts.iter().filter(|it| matches!(it, FactContent::SwitchLost(_))).count(), 1);
    assert!(!facts.iter().any(
        |it| matches!(it, FactContent::Leg(leg) if leg.state() == baton_api::transfer::v1::leg_fact::State::Ended)
    ));
    assert_eq!(stage.count(LedgerAction::LegDialed, &plan.leg_id("anna")).await, 1);
    stage.apply(&plan.ended().at(2)).await.unwrap();
    stage.until_drained().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orphaned_leg_is_hung_up_only_when_the_transfer_service_says_so() {
    let mut stage = Stage::open().await;
    let (_, interaction, plan) = talking(&stage).await;
    let anna = plan.leg_id("anna");
    stage.peers.change(|received| drop(received.wanted.insert(interaction.clone(), vec![anna.clone()])));
    stage.peers.set_away(true);
    stage.kill_telephony().await;
    stage.forget_telephony().await;
    stage.start_telephony().await;
    // Away: silence is no answer. Then it is wanted. Then it is not.
    stage.until_connected().await;
    assert_eq!(stage.count(LedgerAction::LegEnded, &anna).await, 0);
    stage.peers.set_away(false);
    stage.wire.cut();
    stage.wire.mend(stage.switch_address());
    stage.until_connected().await;
    assert_eq!(stage.count(LedgerAction::LegEnded, &anna).await, 0);
    stage.peers.change(|received| received.wanted.clear());
    stage
        .until_ledger("it is hung up", |ledger| {
            ledger.iter().any(|it| it.action() == LedgerAction::LegEnded && it.leg_id == anna)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_that_two_calls_miss_at_once_is_taken_again_once() {
    let stage = Stage::open().await;
    let mut calls = Vec::new();
    for _ in 0..2 {
        let (leg, interaction) = stage.open_call().await;
        let plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "talk");
        stage.apply(&plan.at(1)).await.unwrap();
        stage.until_fact(&interaction, fact::up("customer", "talk")).await;
        calls.push((interaction, plan.place("customer", "hold")));
    }
    let session = stage.flaky.sessions.load(Ordering::SeqCst);
    stage.flaky.fenced_in.store(session, Ordering::SeqCst);
    for (_, plan) in &calls {
        stage.apply(&plan.at(2)).await.unwrap();
    }
    for (interaction, _) in &calls {
        stage.until_fact(interaction, fact::up("customer", "hold")).await;
    }
    assert_eq!(stage.flaky.sessions.load(Ordering::SeqCst), session + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_hung_up_after_a_step_that_failed() {
    let stage = Stage::open().await;
    let (leg, interaction, plan) = talking(&stage).await;
    stage.flaky.stuck.store(true, Ordering::SeqCst);
    let anna = plan.leg_id("anna");
    let plan = plan.place("customer", "hold").without("anna");
    stage.apply(&plan.at(2)).await.unwrap();
    while stage.flaky.moves_tried.load(Ordering::SeqCst) < 3 {
        Clock::real().sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(stage.count(LedgerAction::LegEnded, &anna).await, 0);
    stage.flaky.stuck.store(false, Ordering::SeqCst);
    stage.until_fact(&interaction, fact::up("customer", "hold")).await;
    stage.until_fact(&interaction, fact::ended(&anna, LegEnding::HungUp)).await;
    assert_eq!(stage.count(LedgerAction::LegEnded, &leg).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dial_that_was_lost_is_unreachable_and_what_shows_up_later_is_hung_up() {
    let stage = Stage::open().await;
    let (_, interaction, plan) = talking(&stage).await;
    stage.put_phone("ben", at_once()).await;
    stage.flaky.slow_dial.store(true, Ordering::SeqCst);
    let plan = plan.dial("ben", "talk", LONG);
    let ben = plan.leg_id("ben");
    stage.apply(&plan.at(2)).await.unwrap();
    stage.until_fact(&interaction, fact::ended(&ben, LegEnding::Unreachable)).await;
    assert_eq!(stage.count(LedgerAction::LegDialed, &ben).await, 0);
    stage.flaky.let_go().await;
    stage
        .until_ledger("it is hung up", |ledger| {
            ledger.iter().any(|it| it.action() == LedgerAction::LegEnded && it.leg_id == ben)
        })
        .await;
    assert_eq!(stage.count(LedgerAction::LegDialed, &ben).await, 1);
    assert_eq!(stage.count(LedgerAction::LegMoved, &ben).await, 0, "it is never connected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_is_silent_for_a_minute_is_lost_and_its_calls_are_ended_when_it_comes_back() {
    let stage = Stage::open_simulated().await;
    let (leg, interaction, plan) = talking(&stage).await;
    let cut_us = stage.clock.now_us();
    stage.wire.cut();
    stage.until_fact(&interaction, fact::switch_lost()).await;
    assert!(stage.clock.now_us() - cut_us >= 60_000_000);
    stage.apply(&plan.clone().ended().at(2)).await.unwrap();
    stage.wire.mend(stage.switch_address());
    stage.until_drained().await;
    for name in [leg, plan.leg_id("anna")] {
        assert_eq!(stage.count(LedgerAction::LegEnded, &name).await, 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_interaction_is_over_is_hung_up() {
    let mut stage = Stage::open_simulated().await;
    let (leg, interaction, _) = talking(&stage).await;
    stage.kill_telephony().await;
    stage.forget_telephony().await;
    stage.peers.change(|received| drop(received.wanted.insert(interaction, Vec::new())));
    stage.start_telephony().await;
    stage
        .until_ledger("both legs are hung up", |ledger| {
            ledger.iter().filter(|it| it.action() == LedgerAction::LegEnded).count() == 2
        })
        .await;
    assert_eq!(stage.count(LedgerAction::LegEnded, &leg).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_of_a_skipped_version_is_reported_as_never_begun() {
    let stage = Stage::open().await;
    let (_, interaction, plan) = talking(&stage).await;
    let mut newest = plan.at(5);
    newest.awaited_segment_ids = vec![plan.leg_id("s1")];
    stage.apply(&newest).await.unwrap();
    stage.until_fact(&interaction, fact::segment_never_begun(&plan.leg_id("s1"))).await;
}
