//! Downloads of whole recordings and single segments, each with an entry in the access log.

use baton_api::recording::v1::recording::State;
use baton_api::recording::v1::{DeleteRecordingRequest, DownloadRecordingRequest};
use baton_store::on;
use tonic::Code;

use crate::support::{World, eventually, header, reason, samples, wav};

const NOW_US: i64 = 1_900_000_000_000_000;
const CALL: &str = "0192-a";
const FIRST: &str = "0192-a-segment-1";
const SECOND: &str = "0192-a-segment-2";

#[tokio::test]
async fn a_recording_is_its_segments_in_order_as_one_wav() {
    let world = World::start().await;
    let id = world.tenure(CALL, &[FIRST, SECOND], NOW_US).await;
    let long: Vec<i16> = (0..100_000).map(|it| (it % 30_000) as i16).collect();
    // The later one comes first.
    world.send(header(CALL, SECOND), &wav(&[-5; 100])).await.unwrap();
    world.send(header(CALL, FIRST), &wav(&long)).await.unwrap();
    world.in_state(&id, State::Stored).await;
    assert_eq!(samples(world.download(&id, "").await.unwrap()), [long, vec![-5; 100]].concat());
    assert_eq!(world.download(&id, SECOND).await.unwrap(), wav(&[-5; 100]));
}

#[tokio::test]
async fn a_recording_that_is_not_complete_comes_in_single_segments_only() {
    let world = World::start().await;
    let id = world.tenure(CALL, &[FIRST, SECOND], NOW_US).await;
    world.heard_of(&id).await;
    world.send(header(CALL, FIRST), &wav(&[3; 80])).await.unwrap();
    let status = world.download(&id, "").await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "RECORDING_STATE"));
    assert_eq!(samples(world.download(&id, FIRST).await.unwrap()), [3; 80]);
    assert_eq!(reason(&world.download(&id, SECOND).await.unwrap_err()), "RECORDING_STATE");
    assert_eq!(reason(&world.download(&id, "0192-a-segment-3").await.unwrap_err()), "NOT_FOUND");
}

#[tokio::test]
async fn every_download_is_logged_and_no_refusal_is() {
    let world = World::start().await;
    let id = world.stored(CALL, &[1; 80], NOW_US).await;
    world.in_state(&id, State::Stored).await;
    world.download(&id, "").await.unwrap();
    world.download(&id, FIRST).await.unwrap();
    world.download(&id, "0192-a-segment-9").await.unwrap_err();
    let mut reader = world.service.db().read().await.unwrap();
    let log: Vec<(String, String, String)> = on!(reader, conn => sqlx::query_as(
        "SELECT recording_id, segment_id, subject FROM downloads WHERE tenant = 'acme' AND role = 'supervisor' ORDER BY at_us")
        .fetch_all(conn)
        .await)
    .unwrap();
    let entry = |segment: &str| (id.clone(), segment.to_owned(), "sue".to_owned());
    assert_eq!(log, [entry(""), entry(FIRST)]);
}

/// A recording of two segments; the first is longer than what is buffered for a client that does not read.
async fn long(world: &World) -> String {
    let id = world.tenure(CALL, &[FIRST, SECOND], NOW_US).await;
    world.send(header(CALL, FIRST), &wav(&vec![7; 3_000_000])).await.unwrap();
    world.send(header(CALL, SECOND), &wav(&[-5; 100])).await.unwrap();
    world.in_state(&id, State::Stored).await;
    id
}

fn whole(id: &str) -> DownloadRecordingRequest {
    DownloadRecordingRequest { recording_id: id.into(), segment_id: String::new() }
}

#[tokio::test]
async fn a_deletion_during_a_download_ends_it_with_the_reason() {
    let world = World::start().await;
    let id = long(&world).await;
    let mut stream = world.supervisor().download_recording(whole(&id)).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    let delete = DeleteRecordingRequest { request_id: "r1".into(), recording_id: id.clone() };
    world.supervisor().delete_recording(delete).await.unwrap();
    let status = loop {
        match stream.message().await {
            Ok(message) => assert!(message.is_some(), "it must not pass for whole"),
            Err(status) => break status,
        }
    };
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "RECORDING_STATE"));
}

#[tokio::test]
async fn one_tenant_cannot_take_all_the_downloads() {
    let world = World::start().await;
    let id = long(&world).await;
    let mut streams = Vec::new();
    let status = loop {
        match world.supervisor().download_recording(whole(&id)).await {
            Ok(stream) => streams.push(stream),
            Err(status) => break status,
        }
    };
    assert_eq!((status.code(), streams.len()), (Code::ResourceExhausted, 16));
    streams.pop();
    eventually("a permit is free again", async || world.download(&id, SECOND).await.ok()).await;
}

#[tokio::test]
async fn audio_that_changed_in_the_storage_is_data_loss() {
    let world = World::start().await;
    let id = world.stored(CALL, &[1; 80], NOW_US).await;
    world.in_state(&id, State::Stored).await;
    let file = world.file(CALL, FIRST);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(world.download(&id, "").await.unwrap_err().code(), Code::DataLoss);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(world.download(&id, FIRST).await.unwrap_err().code(), Code::DataLoss);
}
