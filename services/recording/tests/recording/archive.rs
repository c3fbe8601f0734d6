//! Audio and events, in any order (R4).

use baton_api::common::v1::ExclusionReason as Reason;
use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::{InteractionEnded, RecordingDeleted, RecordingExcluded, RecordingStored};
use baton_api::recording::v1::recording::State;
use baton_api::recording::v1::{DeleteRecordingRequest, GetRecordingRequest, SegmentHeader, StoreSegmentRequest};
use baton_runtime::ids;
use prost_types::Timestamp;
use tonic::Code;

use crate::support::{AGENT, World, ended, header, reason, samples, segment_ended, segment_started, started, wav};

const NOW_US: i64 = 1_900_000_000_000_000;
const CALL: &str = "0192-a";
const FIRST: &str = "0192-a-segment-1";
const SECOND: &str = "0192-a-segment-2";

fn stored(incomplete: bool, duration_ms: i64) -> Data {
    Data::RecordingStored(RecordingStored { recording_id: "0192-a-recording-1".into(), incomplete, duration_ms })
}

#[tokio::test]
async fn audio_after_the_events_completes_the_recording() {
    let world = World::start().await;
    let id = world.tenure(CALL, &[FIRST, SECOND], NOW_US).await;
    world.in_state(&id, State::Recording).await;
    world.send(header(CALL, FIRST), &wav(&[1; 8_000])).await.unwrap();
    world.send(header(CALL, SECOND), &wav(&[2; 4_000])).await.unwrap();

    let recording = world.in_state(&id, State::Stored).await;
    assert_eq!(recording.ordinal, 1);
    assert_eq!(recording.agent_id, AGENT);
    assert!(recording.end_time.is_some() && recording.expire_time.is_some());
    let lengths: Vec<_> = recording.segments.iter().map(|it| (it.duration_ms, it.size_bytes)).collect();
    assert_eq!(lengths, [(1_000, 16_044), (500, 8_044)]);
    let events = world.published(1).await;
    assert_eq!((events.len(), &events[0].1), (1, &stored(false, 1_500)));
    assert_eq!((events[0].0.aggregate.as_str(), events[0].0.sequence), ("interaction/0192-a", 1));
}

#[tokio::test]
async fn audio_before_the_events_completes_the_recording_too() {
    let world = World::start().await;
    world.send(header(CALL, FIRST), &wav(&[1; 8_000])).await.unwrap();
    let id = world.tenure(CALL, &[FIRST], NOW_US).await;
    let recording = world.in_state(&id, State::Stored).await;
    assert_eq!(recording.segments[0].duration_ms, 1_000);
    assert_eq!(recording.segments[0].start_time.unwrap().seconds, 1, "the audio knows when it began");
    assert_eq!(world.published(1).await[0].1, stored(false, 1_000));
}

#[tokio::test]
async fn the_same_segment_again_is_success_and_no_second_event() {
    let world = World::start().await;
    let id = world.tenure(CALL, &[FIRST], NOW_US).await;
    let file = wav(&[1; 8_000]);
    let first = world.send(header(CALL, FIRST), &file).await.unwrap();
    let again = world.send(SegmentHeader { sha256: first.sha256.clone(), ..header(CALL, FIRST) }, &file).await.unwrap();
    assert_eq!(first, again);
    world.in_state(&id, State::Stored).await;
    assert_eq!(world.published(1).await.len(), 1);

    let other = SegmentHeader { sha256: "00".into(), ..header(CALL, FIRST) };
    let status = world.send(other, &wav(&[9; 10])).await.unwrap_err();
    assert_eq!(reason(&status), "RECORDING_STATE");
    assert_eq!(samples(world.download(&id, "").await.unwrap()), [1; 8_000]);
}

#[tokio::test]
async fn audio_that_is_not_what_the_switch_wrote_is_refused_and_nothing_is_kept() {
    let world = World::start().await;
    let id = world.tenure(CALL, &[FIRST], NOW_US).await;
    let file = wav(&[1; 8_000]);
    let mismatch = SegmentHeader { sha256: "ab".repeat(32), ..header(CALL, FIRST) };
    let status = world.send(mismatch, &file).await.unwrap_err();
    assert_eq!(status.code(), Code::DataLoss);
    let status = world.send(header(CALL, FIRST), &file[..9_000]).await.unwrap_err();
    assert_eq!(status.code(), Code::DataLoss);
    let status = world.send(header(CALL, FIRST), b"<html>").await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(!world.file(CALL, FIRST).exists());

    world.send(header(CALL, FIRST), &file).await.unwrap();
    world.in_state(&id, State::Stored).await;
}

#[tokio::test]
async fn lost_audio_makes_the_recording_incomplete_and_says_which() {
    let world = World::start().await;
    let id = world.tenure(CALL, &[FIRST, SECOND], NOW_US).await;
    world.send(header(CALL, FIRST), &wav(&[1; 8_000])).await.unwrap();
    world.send(SegmentHeader { lost: true, ..header(CALL, SECOND) }, &[]).await.unwrap();
    let recording = world.in_state(&id, State::Incomplete).await;
    let lost: Vec<_> = recording.segments.iter().filter(|it| it.lost).map(|it| it.segment_id.as_str()).collect();
    assert_eq!(lost, [SECOND]);
    let Data::RecordingStored(event) = &world.published(1).await[0].1 else { panic!("no recording.stored") };
    assert!(event.incomplete);
    assert_eq!(samples(world.download(&id, "").await.unwrap()), [1; 8_000], "what there is can be had");
}

#[tokio::test]
async fn a_segment_that_the_switch_could_not_write_is_lost_until_its_audio_comes_after_all() {
    let world = World::start().await;
    let id = format!("{CALL}-recording-1");
    world.event(CALL, NOW_US, started(&id, AGENT)).await;
    world.event(CALL, NOW_US, segment_started(&id, FIRST, &[AGENT])).await;
    world.event(CALL, NOW_US, segment_ended(&id, FIRST, true)).await;
    world.event(CALL, NOW_US, ended(&id)).await;
    let recording = world.in_state(&id, State::Incomplete).await;
    assert!(recording.segments[0].lost);

    world.send(header(CALL, FIRST), &wav(&[1; 8_000])).await.unwrap();
    let recording = world.in_state(&id, State::Stored).await;
    assert!(!recording.segments[0].lost);
}

/// What was published of the recording, up to its deletion.
async fn published_until_deleted(world: &World, recording_id: &str, count: usize) -> Vec<Data> {
    let request =
        DeleteRecordingRequest { request_id: ids::new_uuid().to_string(), recording_id: recording_id.to_owned() };
    world.supervisor().delete_recording(request).await.unwrap();
    world.published(count).await.into_iter().map(|it| it.1).collect()
}

fn deleted(recording_id: &str) -> Data {
    Data::RecordingDeleted(RecordingDeleted { recording_id: recording_id.to_owned(), expired: false })
}

#[tokio::test]
async fn r4_a_recording_whose_interaction_has_ended_waits_for_its_own_end_and_is_announced_once() {
    let world = World::start().await;
    let id = format!("{CALL}-recording-1");
    world.event(CALL, NOW_US, started(&id, AGENT)).await;
    world.event(CALL, NOW_US, segment_started(&id, FIRST, &[AGENT])).await;
    world.event(CALL, NOW_US, segment_ended(&id, FIRST, false)).await;
    world.send(header(CALL, FIRST), &wav(&[1; 8_000])).await.unwrap();
    world.event(CALL, NOW_US, Data::InteractionEnded(InteractionEnded::default())).await;
    world.heard_of(&id).await;
    let request = GetRecordingRequest { recording_id: id.clone() };
    let recording = world.supervisor().get_recording(request).await.unwrap().into_inner().recording.unwrap();
    assert_eq!(recording.state(), State::Recording, "a segment may still be closing");

    world.event(CALL, NOW_US, segment_ended(&id, SECOND, true)).await;
    world.event(CALL, NOW_US, ended(&id)).await;
    world.in_state(&id, State::Incomplete).await;
    assert_eq!(published_until_deleted(&world, &id, 2).await, [stored(true, 1_000), deleted(&id)]);
}

#[tokio::test]
async fn r4_audio_that_turns_up_after_it_was_lost_completes_the_recording_and_is_not_announced_again() {
    let world = World::start().await;
    let id = world.tenure(CALL, &[FIRST], NOW_US).await;
    world.send(SegmentHeader { lost: true, ..header(CALL, FIRST) }, &[]).await.unwrap();
    world.in_state(&id, State::Incomplete).await;
    world.send(header(CALL, FIRST), &wav(&[1; 8_000])).await.unwrap();
    world.in_state(&id, State::Stored).await;
    assert_eq!(published_until_deleted(&world, &id, 2).await, [stored(true, 0), deleted(&id)]);
}

#[tokio::test]
async fn torn_audio_is_kept_and_said_to_be_torn() {
    let world = World::start().await;
    let id = world.tenure(CALL, &[FIRST], NOW_US).await;
    world.send(SegmentHeader { torn: true, ..header(CALL, FIRST) }, &wav(&[1; 80])).await.unwrap();
    let recording = world.in_state(&id, State::Incomplete).await;
    assert!(recording.segments[0].torn && !recording.segments[0].lost);
}

#[tokio::test]
async fn a_segment_that_failed_in_the_middle_is_waited_for() {
    let world = World::start().await;
    let id = format!("{CALL}-recording-1");
    world.event(CALL, NOW_US, started(&id, AGENT)).await;
    world.event(CALL, NOW_US, segment_started(&id, FIRST, &[AGENT])).await;
    let Data::RecordingSegmentEnded(mut failed) = segment_ended(&id, FIRST, true) else { unreachable!() };
    failed.start_time = Some(Timestamp { seconds: 1, nanos: 0 });
    world.event(CALL, NOW_US, Data::RecordingSegmentEnded(failed)).await;
    world.event(CALL, NOW_US, ended(&id)).await;
    let later = world.tenure("0192f0c1-0000-7000-8000-00000000beef", &[], NOW_US).await;
    world.in_state(&later, State::Stored).await;
    world.in_state(&id, State::Recording).await;
    world.send(SegmentHeader { torn: true, ..header(CALL, FIRST) }, &wav(&[1; 80])).await.unwrap();
    let recording = world.in_state(&id, State::Incomplete).await;
    assert!(recording.segments[0].torn && !recording.segments[0].lost);
}

#[tokio::test]
async fn the_manifest_says_what_was_left_out_and_why() {
    let world = World::start().await;
    let id = format!("{CALL}-recording-1");
    world.event(CALL, NOW_US, started(&id, AGENT)).await;
    for (at, reason) in [(30, Reason::Paused), (10, Reason::OnHold), (50, Reason::NotStarted)] {
        let stamp = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let excluded = RecordingExcluded {
            recording_id: id.clone(),
            start_time: stamp(at),
            end_time: stamp(at + 5),
            reason: reason.into(),
        };
        world.event(CALL, NOW_US, Data::RecordingExcluded(excluded)).await;
    }
    world.event(CALL, NOW_US, ended(&id)).await;
    let recording = world.in_state(&id, State::Stored).await;
    let excluded: Vec<_> = recording
        .excluded
        .iter()
        .map(|it| (it.start_time.unwrap().seconds, it.end_time.unwrap().seconds, it.reason()))
        .collect();
    assert_eq!(excluded, [(10, 15, Reason::OnHold), (30, 35, Reason::Paused), (50, 55, Reason::NotStarted)]);
}

#[tokio::test]
async fn an_upload_without_a_good_header_is_refused() {
    let world = World::start().await;
    let nothing = tokio_stream::iter([StoreSegmentRequest { message: None }]);
    let status = world.archive().store_segment(nothing).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    for bad in [
        SegmentHeader { tenant: "../etc".into(), ..header(CALL, FIRST) },
        SegmentHeader { segment_id: "../../x".into(), ..header(CALL, FIRST) },
        SegmentHeader { interaction_id: String::new(), ..header(CALL, FIRST) },
    ] {
        let status = world.send(bad, &wav(&[1])).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}
