//! Recordings on their way from the switch to the archive.

use std::sync::atomic::Ordering;
use std::time::Duration;

use baton_api::recording::v1::SegmentHeader;
use baton_api::simulator::v1::{LedgerAction, LedgerEntry};
use baton_api::transfer::v1::fact::Fact as FactContent;
use baton_api::transfer::v1::{SegmentFact, segment_fact};
use baton_runtime::Clock;
use baton_telephony::fact;
use tonic::Code;

use crate::harness::{Files, PlanBuilder, Received, Stage};

/// Snapshots are taken every five seconds; after two of them, a second apart, an operation is given up.
const MANY_SNAPSHOTS: Duration = Duration::from_secs(20);

/// A segment of some length is closed, and the switch does this with its file.
async fn recorded(stage: &Stage, files: Files) -> PlanBuilder {
    let plan = recording(stage).await;
    *stage.flaky.files.lock().unwrap() = files;
    closed(stage, plan).await
}

async fn closed(stage: &Stage, plan: PlanBuilder) -> PlanBuilder {
    let plan = plan.no_record().place("customer", "hold");
    stage.apply(&plan.at(2)).await.unwrap();
    stage.until_fact(plan.interaction(), fact::up("customer", "hold")).await;
    plan
}

async fn recording(stage: &Stage) -> PlanBuilder {
    let (leg, interaction) = stage.open_call().await;
    let plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "talk").record("s1", "talk");
    stage.apply(&plan.at(1)).await.unwrap();
    let id = plan.leg_id("s1");
    let about = move |received: &FactContent| matches!(received, FactContent::Segment(it) if it.segment_id == id);
    stage
        .until_received("it is live", |received| received.facts.get(&interaction)?.iter().any(&about).then_some(()))
        .await;
    stage.clock.sleep(Duration::from_millis(200)).await;
    plan
}

async fn stored(stage: &Stage, count: usize) -> Vec<(SegmentHeader, Vec<u8>)> {
    stage
        .until_received("it is stored", |received| {
            (received.segments.len() >= count).then(|| received.segments.clone())
        })
        .await
}

fn is_whole((header, audio): &(SegmentHeader, Vec<u8>)) -> bool {
    !header.lost && audio.starts_with(b"RIFF") && audio.len() > 1_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_takes_the_switch_long_to_complete_is_not_lost() {
    let stage = Stage::open_simulated().await;
    recorded(&stage, Files::InWork).await;
    stage.clock.sleep(MANY_SNAPSHOTS).await;
    assert_eq!(stage.peers.received().segments, []);
    *stage.flaky.files.lock().unwrap() = Files::Complete;
    let segments = stored(&stage, 1).await;
    assert!(is_whole(&segments[0]) && !segments[0].0.sha256.is_empty(), "{:?}", segments[0].0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_appears_after_it_was_given_up_is_stored_and_only_then_deleted() {
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

/// A segment is closed that the archive answers in this way.
async fn refused(stage: &Stage, how: Code) -> (PlanBuilder, String) {
    let plan = recording(stage).await;
    let id = plan.leg_id("s1");
    stage.peers.change(|received| received.bad_segments.extend([(id.clone(), how)]));
    (closed(stage, plan).await, id)
}

fn fetches(stage: &Stage, id: &str) -> usize {
    stage.flaky.fetched.lock().unwrap().iter().filter(|it| *it == id).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_the_archive_refuses_for_good_is_reported_lost_and_kept_on_the_switch() {
    let stage = Stage::open_simulated().await;
    for how in [Code::DataLoss, Code::InvalidArgument, Code::FailedPrecondition] {
        let (plan, id) = refused(&stage, how).await;
        stage
            .until_received("it is lost", |received| {
                received.segments.iter().any(|(header, _)| header.segment_id == id && header.lost).then_some(())
            })
            .await;
        stage.apply(&plan.ended().at(3)).await.unwrap();
        stage.until_drained().await;
        stage.until_uploaded().await;
        let tries = fetches(&stage, &id);
        assert!((2..50).contains(&tries), "{how:?}: {tries}");
        stage.clock.sleep(MANY_SNAPSHOTS).await;
        assert_eq!(fetches(&stage, &id), tries, "{how:?}: it is set aside");
    }
    let ledger = stage.ledger().await;
    assert!(!ledger.iter().any(|it| it.action() == LedgerAction::RecordingDeleted), "{ledger:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_waits_for_its_next_try_is_not_fetched_with_every_new_one() {
    let stage = Stage::open_simulated().await;
    let (_, id) = refused(&stage, Code::Unavailable).await;
    stage.clock.sleep(MANY_SNAPSHOTS * 3).await;
    let before = fetches(&stage, &id);
    assert!((5..30).contains(&before), "{before}");
    for count in 1..=4 {
        recorded(&stage, Files::Complete).await;
        stored(&stage, count).await;
    }
    assert!(fetches(&stage, &id) <= before + 1, "{} after {before}", fetches(&stage, &id));
    stage.peers.change(|received| received.bad_segments.clear());
    assert!(stored(&stage, 5).await.iter().all(is_whole));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_does_not_answer_holds_nobody_up_who_stops() {
    let mut stage = Stage::open().await;
    let (_, id) = refused(&stage, Code::Ok).await;
    while fetches(&stage, &id) == 0 {
        Clock::real().sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(stage.stop_telephony().await, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r5_a_file_that_the_switch_kept_after_it_was_to_delete_it_is_deleted_once_nobody_knows_it() {
    let mut stage = Stage::open().await;
    for restart in [false, true] {
        stage.flaky.keeps_files.store(true, Ordering::SeqCst);
        let plan = recorded(&stage, Files::Complete).await;
        let id = plan.leg_id("s1");
        stage.apply(&plan.ended().at(3)).await.unwrap();
        stage.until_drained().await;
        stage.until_uploaded().await;

        stage.flaky.keeps_files.store(false, Ordering::SeqCst);
        if restart {
            stage.kill_telephony().await;
            stage.start_telephony().await;
        } else {
            stage.wire.cut();
            stage.wire.mend(stage.switch_address());
        }
        let is_deleted = |it: &LedgerEntry| it.action() == LedgerAction::RecordingDeleted && it.subject_id == id;
        stage.until_ledger("the file is deleted", |ledger| ledger.iter().any(is_deleted)).await;
        stage.until_uploaded().await;
        let received = stage.peers.received().segments;
        assert!(received.iter().filter(|(header, _)| header.segment_id == id).all(is_whole), "restart: {restart}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r6_a_closed_segment_whose_file_is_gone_after_a_restart_is_reported_lost() {
    let mut stage = Stage::open().await;
    let plan = recording(&stage).await;
    // After a power cut the switch has no file, although it said that the segment is closed.
    *stage.flaky.files.lock().unwrap() = Files::Hidden;
    let plan = closed(&stage, plan).await;
    let id = plan.leg_id("s1");
    let is_closed = |it: &FactContent| matches!(it, FactContent::Segment(it) if it.segment_id == id && it.state() == segment_fact::State::Ended);
    stage
        .until_received("it is closed", |received| {
            received.facts.get(plan.interaction())?.iter().any(is_closed).then_some(())
        })
        .await;
    // What is on the disk after this was written down before it.
    stage.apply(&plan.at(3)).await.unwrap();
    stage.kill_telephony().await;
    stage.start_telephony().await;
    let (header, _) = stored(&stage, 1).await.remove(0);
    assert!(header.lost && header.segment_id == id && header.recording_id == "recording-1", "{header:?}");
    stage.apply(&plan.ended().at(4)).await.unwrap();
    stage.until_drained().await;
}

/// Telephony dies after it wrote down that it is about to record, and before the switch hears of it.
async fn died_before_it_recorded(stage: &mut Stage) -> PlanBuilder {
    let (leg, interaction) = stage.open_call().await;
    let plan = PlanBuilder::new(&stage.clock, &interaction, &leg).place("customer", "talk").record("s1", "talk");
    stage.flaky.begins_nothing.store(true, Ordering::SeqCst);
    stage.apply(&plan.at(1)).await.unwrap();
    while stage.flaky.begins_tried.load(Ordering::SeqCst) == 0 {
        Clock::real().sleep(Duration::from_millis(1)).await;
    }
    stage.kill_telephony().await;
    stage.flaky.begins_nothing.store(false, Ordering::SeqCst);
    plan
}

/// The segment's facts, in their order.
async fn facts_of_segment(stage: &Stage, plan: &PlanBuilder) -> Vec<SegmentFact> {
    let id = plan.leg_id("s1");
    let of_it = move |it: &FactContent| match it {
        FactContent::Segment(it) if it.segment_id == id => Some(it.clone()),
        _ => None,
    };
    let find = |received: &Received| {
        let facts: Vec<_> = received.facts.get(plan.interaction())?.iter().filter_map(&of_it).collect();
        (!facts.is_empty()).then_some(facts)
    };
    stage.until_received("something of the segment", find).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_a_start_asks_at_once_for_a_segment_that_the_switch_was_never_asked_for() {
    let mut stage = Stage::open().await;
    let plan = died_before_it_recorded(&mut stage).await;
    stage.start_telephony().await;
    let facts = facts_of_segment(&stage, &plan).await;
    assert_eq!(facts[0].state(), segment_fact::State::Live, "{facts:#?}");
    closed(&stage, plan).await;
    assert!(!stored(&stage, 1).await[0].0.lost);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_a_segment_that_was_never_asked_for_and_is_not_wanted_any_more_never_began() {
    let mut stage = Stage::open().await;
    let plan = died_before_it_recorded(&mut stage).await;
    stage.wire.cut();
    stage.start_telephony().await;
    let plan = plan.await_end_of("s1");
    stage.apply(&plan.at(2)).await.unwrap();
    stage.wire.mend(stage.switch_address());
    stage.until_fact(plan.interaction(), fact::segment_never_begun(&plan.leg_id("s1"))).await;
    stage.apply(&plan.clone().ended().at(3)).await.unwrap();
    stage.until_drained().await;
    let begun = stage.ledger().await.iter().filter(|it| it.action() == LedgerAction::RecordingStarted).count();
    assert_eq!((begun, facts_of_segment(&stage, &plan).await.len()), (0, 1));
}
