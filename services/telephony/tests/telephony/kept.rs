//! Restarts, with what is stored.

use std::time::Duration;

use baton_api::simulator::v1::phone_behaviour::Behaviour;
use baton_api::simulator::v1::{AnswersAfter, Manual};
use baton_api::simulator::v1::{LedgerAction, LedgerEntry};
use baton_api::telephony::v1::leg::Origin;
use baton_store::Affected as _;
use baton_store::on;
use baton_telephony::fact;
use prost::Message as _;
use tonic::Code;

use crate::harness::{PlanBuilder, Stage};

const LONG: Duration = Duration::from_secs(30);

/// A customer hears Anna, and Ben's phone rings (version 2).
async fn ringing(stage: &Stage) -> PlanBuilder {
    ringing_at(stage, ["anna", "ben"]).await
}

/// The same with the phones of others.
async fn ringing_at(stage: &Stage, [anna, ben]: [&str; 2]) -> PlanBuilder {
    stage.put_phone(anna, Behaviour::AnswersAfter(AnswersAfter { delay_ms: 20 })).await;
    stage.put_phone(ben, Behaviour::Manual(Manual {})).await;
    let (leg, interaction) = stage.open_call().await;
    let plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "talk");
    let plan = plan.dial(anna, "talk", LONG).dial(ben, "talk", LONG);
    stage.apply(&plan.at(2)).await.unwrap();
    stage.until_fact(&interaction, fact::up(&plan.leg_id(anna), "talk")).await;
    stage.until_rings(&plan.leg_id(ben)).await;
    plan
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tombstone_is_not_loaded_and_fences_all_the_same() {
    let mut stage = Stage::open().await;
    let plan = ringing(&stage).await;
    stage.apply(&plan.clone().ended().at(3)).await.unwrap();
    stage.until_drained().await;
    stage.kill_telephony().await;
    stage.start_telephony().await;
    assert_eq!(stage.live_interactions(), 0);
    assert_eq!(stage.apply(&plan.at(2)).await.unwrap_err().code(), Code::Aborted);
    stage.apply(&plan.ended().at(3)).await.unwrap();
    assert_eq!(stage.live_interactions(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_lacking_until_it_is_kept_and_a_tombstone_is_kept() {
    let mut stage = Stage::open().await;
    let plan = ringing(&stage).await;
    assert!(!stage.lacks(&plan.at(1)).await && !stage.lacks(&plan.at(2)).await);
    assert!(stage.lacks(&plan.at(3)).await);
    stage.kill_telephony().await;
    stage.start_telephony().await;
    assert!(!stage.lacks(&plan.at(2)).await && stage.lacks(&plan.at(3)).await);
    stage.apply(&plan.clone().ended().at(3)).await.unwrap();
    stage.until_drained().await;
    assert!(!stage.lacks(&plan.at(3)).await && stage.lacks(&plan.at(4)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_was_not_carried_out_is_carried_out_after_the_start() {
    let mut stage = Stage::open().await;
    let plan = ringing(&stage).await;
    stage.wire.cut();
    stage.apply(&plan.clone().ended().at(3)).await.unwrap();
    stage.kill_telephony().await;
    stage.start_telephony().await;
    assert_eq!(stage.live_interactions(), 1);
    stage.wire.mend(stage.switch_address());
    stage.until_drained().await;
    for name in ["anna", "ben"] {
        assert_eq!(stage.count(LedgerAction::LegEnded, &plan.leg_id(name)).await, 1, "{name}");
    }
}

/// What a power cut may leave: the machine has started anew, and the newest plan is not there.
async fn lose_the_newest_plan(stage: &Stage, older: &[u8], version: i64) {
    let mut tx = stage.telephony().db().begin().await.unwrap();
    on!(tx, conn => sqlx::query("UPDATE plans SET plan = $1, version = $2").bind(older).bind(version).affected(conn).await)
        .unwrap();
    on!(tx, conn => sqlx::query("UPDATE meta SET number = 1 WHERE name = 'machine-start'").affected(conn).await)
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s2_after_another_start_of_the_machine_an_older_plan_is_not_carried_out_once_more() {
    let mut stage = Stage::open().await;
    if !stage.telephony().db().shows_what_may_be_lost() {
        // On PostgreSQL a plan that is carried out is on the disk.
        return;
    }
    let plan = ringing(&stage).await;
    let older = plan.at(2);
    let Some(Origin::Inbound(customer)) = &older.legs[0].origin else { panic!("{older:?}") };
    let is_moved = |it: &LedgerEntry| it.action() == LedgerAction::LegMoved && it.leg_id == *customer;
    let held = plan.clone().place("customer", "hold");
    stage.apply(&held.at(3)).await.unwrap();
    stage.until_fact(plan.interaction(), fact::up("customer", "hold")).await;
    let before = stage.count(LedgerAction::LegMoved, customer).await;

    lose_the_newest_plan(&stage, &older.encode_to_vec(), 2).await;
    stage.kill_telephony().await;
    stage.start_telephony().await;
    stage.until_connected().await;
    assert!(
        !stage.lacks(&older).await,
        "which has no answer to a newer one yet, and asks for the last that it had one to"
    );
    stage.apply(&held.at(3)).await.unwrap();
    stage.apply(&plan.clone().place("customer", "apart").at(4)).await.unwrap();
    stage.until_fact(plan.interaction(), fact::up("customer", "apart")).await;
    let now = stage.count(LedgerAction::LegMoved, customer).await;
    assert_eq!(now, before + 1, "from hold to the room apart, and to no other");

    lose_the_newest_plan(&stage, &held.at(3).encode_to_vec(), 3).await;
    stage.kill_telephony().await;
    stage.start_telephony().await;
    stage.until_connected().await;
    stage.apply(&held.at(3)).await.unwrap();
    let is_back = |ledger: &[LedgerEntry]| ledger.iter().filter(|it| is_moved(it)).count() == before + 2;
    stage.until_ledger("the customer is back on hold", is_back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_can_not_be_read_stops_nobody_and_its_next_version_dials_nobody_twice() {
    let mut stage = Stage::open().await;
    let names = [["anna", "ben"], ["cora", "dan"]];
    let (plan, other) = (ringing_at(&stage, names[0]).await, ringing_at(&stage, names[1]).await);
    for (plan, names) in [&plan, &other].into_iter().zip(names) {
        let legs = names.map(|name| plan.leg_id(name)).to_vec();
        stage.peers.change(|received| drop(received.wanted.insert(plan.interaction().to_owned(), legs)));
    }
    let mut tx = stage.telephony().db().begin().await.unwrap();
    on!(tx, conn => sqlx::query("UPDATE plans SET plan = $2 WHERE interaction = $1")
        .bind(plan.interaction())
        .bind(vec![0xff_u8])
        .affected(conn).await)
    .unwrap();
    tx.commit().await.unwrap();
    stage.kill_telephony().await;
    stage.start_telephony().await;
    assert_eq!(stage.live_interactions(), 1);
    assert_eq!(stage.apply(&plan.at(1)).await.unwrap_err().code(), Code::Aborted, "older than the one that is kept");
    stage.until_connected().await;
    for (plan, names) in [plan, other].into_iter().zip(names) {
        let plan = plan.place("customer", "hold");
        stage.apply(&plan.at(3)).await.unwrap();
        stage.until_fact(plan.interaction(), fact::up("customer", "hold")).await;
        for name in names {
            assert_eq!(stage.count(LedgerAction::LegDialed, &plan.leg_id(name)).await, 1, "{name}");
            assert_eq!(stage.count(LedgerAction::LegEnded, &plan.leg_id(name)).await, 0, "{name}");
        }
    }
}
