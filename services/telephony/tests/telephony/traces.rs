//! What follows from a call is in its trace.

use std::time::Duration;

use baton_runtime::telemetry::{self, TraceParent};
use baton_telephony::fact;
use baton_telephony::switch::LegEnding;

use crate::harness::{PlanBuilder, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carrying_a_plan_out_is_in_the_trace_that_brought_it_and_later_events_are_not() {
    let stage = Stage::open().await;
    let (leg, interaction) = stage.open_call().await;
    let plan = PlanBuilder::new(&stage.clock, &interaction, &leg);
    let mut pushed = Vec::new();
    for (version, room) in [(1, "lobby"), (2, "hold")] {
        let (plan, trace) = (plan.clone().place("customer", room).at(version), TraceParent::new_root());
        telemetry::follow(Some(trace), tracing::info_span!("push"), stage.apply(&plan)).await.unwrap();
        stage.until_fact(&interaction, fact::up("customer", room)).await;
        pushed.push(trace.trace_id());
    }
    assert_eq!(*stage.flaky.traces.lock().unwrap(), pushed);
    assert_eq!(stage.peers.received().traces[&interaction], pushed);

    // Time passes once everybody is at rest: the plan is carried out, and what comes now has another cause.
    stage.clock.sleep(Duration::from_millis(1)).await;
    stage.phone_hangs_up(&leg).await;
    stage.until_fact(&interaction, fact::ended("customer", LegEnding::HungUp)).await;
    let traces = stage.peers.received().traces.remove(&interaction).unwrap();
    let last = traces.last().unwrap();
    assert!(!last.is_empty() && !pushed.contains(last), "{traces:?}");
}
