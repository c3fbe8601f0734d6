//! Calls that agents place: the agent first, then the customer.

use std::time::Duration;

use baton_api::simulator::v1::phone_behaviour::Behaviour;
use baton_api::simulator::v1::{AnswersAfter, LedgerAction, LedgerEntry, Manual, NeverAnswers};
use baton_api::telephony::v1::leg::Origin;
use baton_api::transfer::v1::fact::Fact as FactContent;
use baton_telephony::fact;
use baton_telephony::switch::LegEnding;

use crate::harness::{PlanBuilder, Stage};

const LONG: Duration = Duration::from_secs(30);
const CUSTOMER: &str = "32470000001";

fn at_once() -> Behaviour {
    Behaviour::AnswersAfter(AnswersAfter { delay_ms: 20 })
}

/// The agent is up and hears ringing (version 2), while the customer's phone does what it does.
async fn calling(stage: &Stage, behaviour: Behaviour, ring: Duration) -> PlanBuilder {
    stage.put_phone("anna", at_once()).await;
    stage.put_phone(CUSTOMER, behaviour).await;
    let plan = PlanBuilder::outgoing(&stage.clock).dial("anna", "talk", LONG);
    stage.apply(&plan.at(1)).await.unwrap();
    stage.until_fact(plan.interaction(), fact::up(&plan.leg_id("anna"), "talk")).await;
    let plan = plan.dial_customer(CUSTOMER, "talk", ring);
    stage.apply(&plan.at(2)).await.unwrap();
    plan
}

fn place_of(ledger: &[LedgerEntry], action: LedgerAction, leg: &str) -> usize {
    let found = ledger.iter().position(|it| it.action() == action && (leg.is_empty() || it.leg_id == leg));
    found.unwrap_or_else(|| panic!("no {action:?} of {leg:?} in {ledger:#?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recording_begins_when_the_customer_who_was_called_is_with_the_agent() {
    let stage = Stage::open().await;
    let plan = calling(&stage, Behaviour::AnswersAfter(AnswersAfter { delay_ms: 150 }), LONG).await;
    let (customer, anna) = (plan.leg_id("customer"), plan.leg_id("anna"));
    // Wanted too early, as no plan of the transfer service has it: telephony waits for the customer by itself.
    let plan = plan.record("s1", "talk");
    stage.apply(&plan.at(3)).await.unwrap();
    stage.until_rings(&customer).await;
    stage.until_fact(plan.interaction(), fact::up(&customer, "talk")).await;
    let plan = plan.answered();
    stage.apply(&plan.at(4)).await.unwrap();
    let is_live = |received: &FactContent| matches!(received, FactContent::Segment(it) if it.started_at_us > 0);
    stage
        .until_received("the segment is live", |received| {
            received.facts.get(plan.interaction())?.iter().find(|it| is_live(it)).cloned()
        })
        .await;

    let ledger = stage.ledger().await;
    let order = [
        place_of(&ledger, LedgerAction::LegMoved, &anna),
        place_of(&ledger, LedgerAction::LegDialed, &customer),
        place_of(&ledger, LedgerAction::LegAnswered, &customer),
        place_of(&ledger, LedgerAction::LegMoved, &customer),
        place_of(&ledger, LedgerAction::RecordingStarted, ""),
    ];
    assert!(order.is_sorted(), "{order:?} {ledger:#?}");
    assert_eq!(stage.count(LedgerAction::LegDialed, &customer).await, 1);

    stage.phone_hangs_up(&customer).await;
    stage.until_fact(plan.interaction(), fact::ended(&customer, LegEnding::HungUp)).await;
    stage.apply(&plan.ended().at(5)).await.unwrap();
    stage.until_drained().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_who_does_not_answer_in_time_is_reported_so() {
    let stage = Stage::open_simulated().await;
    let plan = calling(&stage, Behaviour::NeverAnswers(NeverAnswers {}), Duration::from_secs(20)).await;
    let customer = plan.leg_id("customer");
    stage.until_fact(plan.interaction(), fact::ended(&customer, LegEnding::NoAnswer)).await;
    let ledger = stage.ledger().await;
    let at_us = |action| ledger[place_of(&ledger, action, &customer)].occurred_at_us;
    let rang_us = at_us(LedgerAction::LegEnded) - at_us(LedgerAction::LegRinging);
    assert!((19_900_000..=20_100_000).contains(&rang_us), "{rang_us}");
    assert_eq!(
        stage.count(LedgerAction::LegEnded, &plan.leg_id("anna")).await,
        0,
        "the agent stays until the plan says otherwise"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_who_answers_while_telephony_is_dead_is_connected_and_not_dialled_again() {
    let mut stage = Stage::open().await;
    let plan = calling(&stage, Behaviour::Manual(Manual {}), LONG).await;
    let customer = plan.leg_id("customer");
    stage.until_rings(&customer).await;
    stage.kill_telephony().await;
    stage.phone_answers(&customer).await;
    stage.start_telephony().await;
    stage.until_fact(plan.interaction(), fact::up(&customer, "talk")).await;
    stage.apply(&plan.answered().at(3)).await.unwrap();
    assert_eq!(stage.count(LedgerAction::LegDialed, &customer).await, 1);
    assert_eq!(stage.count(LedgerAction::LegEnded, &customer).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_outside_is_not_dialled_without_a_rule() {
    let stage = Stage::open().await;
    for phone in [CUSTOMER, "anna"] {
        stage.put_phone(phone, at_once()).await;
    }
    let plan = PlanBuilder::outgoing(&stage.clock).dial("anna", "talk", LONG).dial_customer(CUSTOMER, "talk", LONG);
    let (mut wire, customer) = (plan.at(1), plan.leg_id("customer"));
    if let Some(Origin::Dial(dial)) = &mut wire.legs[0].origin {
        dial.allowed_by.clear();
    }
    stage.apply(&wire).await.unwrap();
    stage.until_fact(plan.interaction(), fact::ended(&customer, LegEnding::Unreachable)).await;
    stage.until_fact(plan.interaction(), fact::up(&plan.leg_id("anna"), "talk")).await;
    assert_eq!(stage.count(LedgerAction::LegDialed, &customer).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_is_given_as_an_agents_phone_is_not_dialled() {
    let stage = Stage::open().await;
    let (leg, interaction) = stage.open_call().await;
    for phone in [CUSTOMER, "anna"] {
        stage.put_phone(phone, at_once()).await;
    }
    let plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "talk");
    let plan = plan.dial(CUSTOMER, "talk", LONG).dial("anna", "talk", LONG);
    stage.apply(&plan.at(1)).await.unwrap();
    stage.until_fact(&interaction, fact::ended(&plan.leg_id(CUSTOMER), LegEnding::Unreachable)).await;
    stage.until_fact(&interaction, fact::up(&plan.leg_id("anna"), "talk")).await;
    stage.until_fact(&interaction, fact::up("customer", "talk")).await;
    assert_eq!(stage.count(LedgerAction::LegDialed, &plan.leg_id(CUSTOMER)).await, 0);
}
