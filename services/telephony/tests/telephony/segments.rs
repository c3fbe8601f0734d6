//! Recordings on their way from the switch to the archive.

use std::time::Duration;

use baton_api::recording::v1::SegmentHeader;
use baton_api::simulator::v1::LedgerAction;
use baton_api::transfer::v1::fact::Fact as What;
use baton_telephony::fact;

use crate::harness::{Files, PlanBuilder, Stage};

/// Looks are taken every five seconds, and two of them a second apart give a thing up.
const MANY_LOOKS: Duration = Duration::from_secs(20);

/// A segment of some length is closed, and the switch does this with its file.
async fn recorded(stage: &Stage, files: Files) -> PlanBuilder {
    let (leg, interaction) = stage.open_call().await;
    let plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "talk").record("s1", "talk");
    stage.apply(&plan.at(1)).await.unwrap();
    let id = plan.leg_id("s1");
    let about = move |told: &What| matches!(told, What::Segment(it) if it.segment_id == id);
    stage.until_told("it is live", |told| told.facts.get(&interaction)?.iter().any(&about).then_some(())).await;
    stage.clock.sleep(Duration::from_millis(200)).await;
    *stage.flaky.files.lock().unwrap() = files;
    let plan = plan.no_record().place("customer", "hold");
    stage.apply(&plan.at(2)).await.unwrap();
    stage.until_fact(&interaction, fact::up("customer", "hold")).await;
    plan
}

async fn stored(stage: &Stage, count: usize) -> Vec<(SegmentHeader, Vec<u8>)> {
    stage.until_told("it is stored", |told| (told.segments.len() >= count).then(|| told.segments.clone())).await
}

fn is_whole((header, audio): &(SegmentHeader, Vec<u8>)) -> bool {
    !header.lost && audio.starts_with(b"RIFF") && audio.len() > 1_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_takes_the_switch_long_to_complete_is_not_lost() {
    let stage = Stage::open_simulated().await;
    recorded(&stage, Files::InWork).await;
    stage.clock.sleep(MANY_LOOKS).await;
    assert_eq!(stage.peers.told().segments, []);
    *stage.flaky.files.lock().unwrap() = Files::Complete;
    let segments = stored(&stage, 1).await;
    assert!(is_whole(&segments[0]) && !segments[0].0.sha256.is_empty(), "{:?}", segments[0].0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_turns_up_after_it_was_given_up_is_stored_and_only_then_deleted() {
    let stage = Stage::open_simulated().await;
    let plan = recorded(&stage, Files::Hidden).await;
    assert!(stored(&stage, 1).await[0].0.lost);
    *stage.flaky.files.lock().unwrap() = Files::Complete;
    let segments = stored(&stage, 2).await;
    assert!(is_whole(&segments[1]), "{:?}", segments[1].0);
    stage
        .until_ledger("the file is deleted", |ledger| {
            ledger.iter().any(|it| it.action() == LedgerAction::RecordingDeleted)
        })
        .await;
    stage.apply(&plan.ended().at(3)).await.unwrap();
    stage.until_drained().await;
}
