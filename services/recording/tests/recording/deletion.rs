//! Deletion by hand and by age, and audio that comes after it.

use std::time::Duration;

use baton_api::common::v1::Customer;
use baton_api::event::v1::RecordingDeleted;
use baton_api::event::v1::event_data::Data;
use baton_api::recording::v1::recording::State;
use baton_api::recording::v1::store_segment_request::Message;
use baton_api::recording::v1::{
    DeleteRecordingRequest, ForgetCustomerRequest, GetRecordingRequest, SegmentHeader, StoreSegmentRequest,
};
use baton_bus::parse_actor;
use baton_runtime::lifecycle;
use baton_store::{Affected as _, on};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::support::{TENANT, World, eventually, header, reason, wav};

const CALL: &str = "0192-a";
const FIRST: &str = "0192-a-segment-1";
const SECOND: &str = "0192-a-segment-2";
const DAY_US: i64 = 86_400_000_000;

fn delete(request_id: &str, recording_id: &str) -> DeleteRecordingRequest {
    DeleteRecordingRequest { request_id: request_id.into(), recording_id: recording_id.into() }
}

#[tokio::test]
async fn a_recording_deleted_by_hand_has_no_audio_left() {
    let world = World::start().await;
    let id = world.stored(CALL, &[1; 80], world.clock.now_us()).await;
    world.in_state(&id, State::Stored).await;
    assert!(world.file(CALL, FIRST).exists());
    world.supervisor().delete_recording(delete("r1", &id)).await.unwrap();

    assert!(!world.file(CALL, FIRST).exists());
    let recording = world.in_state(&id, State::Deleted).await;
    assert_eq!(recording.segments.len(), 1, "what is known of it stays");
    let customer = Customer { address: String::new(), key: "k".to_owned() };
    assert_eq!(recording.customer, Some(customer), "but for who called");
    assert_eq!(reason(&world.download(&id, "").await.unwrap_err()), "RECORDING_STATE");
    world.supervisor().delete_recording(delete("r1", &id)).await.unwrap();
    world.supervisor().delete_recording(delete("r2", &id)).await.unwrap();

    let events = world.published(2).await;
    let deleted = RecordingDeleted { recording_id: id, expired: false };
    assert_eq!(events.len(), 2);
    assert_eq!((events[1].0.sequence, events[1].0.actor.as_str()), (2, "supervisor/sue"));
    assert_eq!(events[1].1, Data::RecordingDeleted(deleted));
}

#[tokio::test]
async fn a_recording_that_is_not_complete_cannot_be_deleted() {
    let world = World::start().await;
    let id = world.tenure(CALL, &[FIRST], world.clock.now_us()).await;
    world.in_state(&id, State::Recording).await;
    let status = world.supervisor().delete_recording(delete("r1", &id)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "RECORDING_STATE"));
}

#[tokio::test]
async fn old_audio_is_deleted_by_itself_and_younger_audio_stays() {
    let world = World::start().await;
    let now_us = world.clock.now_us();
    let young = world.stored("0193-b", &[1; 80], now_us - 89 * DAY_US).await;
    let old = world.stored(CALL, &[1; 80], now_us - 91 * DAY_US).await;
    world.in_state(&old, State::Deleted).await;
    eventually("the file is gone", async || (!world.file(CALL, FIRST).exists()).then_some(())).await;
    let recording = world.in_state(&young, State::Stored).await;
    assert_eq!(recording.expire_time.unwrap().seconds, (now_us + DAY_US) / 1_000_000);

    let deleted = Data::RecordingDeleted(RecordingDeleted { recording_id: old, expired: true });
    eventually("recording.deleted is published", async || {
        world.published(2).await.into_iter().find(|it| it.1 == deleted && it.0.actor == "system")
    })
    .await;
    assert!(world.file("0193-b", "0193-b-segment-1").exists());
}

#[tokio::test]
async fn audio_that_comes_after_the_deletion_is_acknowledged_and_not_kept() {
    let world = World::start().await;
    let id = half_lost(&world).await;
    world.supervisor().delete_recording(delete("r1", &id)).await.unwrap();

    world.send(header(CALL, SECOND), &wav(&[2; 80])).await.unwrap();
    world.send(header(CALL, FIRST), &wav(&[1; 80])).await.unwrap();
    assert!(!world.file(CALL, FIRST).exists() && !world.file(CALL, SECOND).exists());
    world.in_state(&id, State::Deleted).await;
}

/// A recording of which the second segment was given up.
async fn half_lost(world: &World) -> String {
    let id = world.tenure(CALL, &[FIRST, SECOND], world.clock.now_us()).await;
    world.send(header(CALL, FIRST), &wav(&[1; 80])).await.unwrap();
    let lost = SegmentHeader { lost: true, ..header(CALL, SECOND) };
    world.send(lost, &[]).await.unwrap();
    world.in_state(&id, State::Incomplete).await;
    id
}

#[tokio::test]
async fn what_a_crash_left_in_the_storage_goes_with_the_recording() {
    let world = World::start().await;
    let id = half_lost(&world).await;
    // The service was killed between a file and its row, and within another upload.
    let leftovers = [world.file(CALL, SECOND), world.file(CALL, FIRST).with_extension("wav#1")];
    for file in &leftovers {
        std::fs::write(file, "audio").unwrap();
    }
    world.supervisor().delete_recording(delete("r1", &id)).await.unwrap();
    assert!(!leftovers.iter().any(|it| it.exists()));
}

#[tokio::test]
async fn late_audio_of_a_deleted_recording_is_acknowledged_only_when_no_file_is_left() {
    let world = World::start().await;
    let id = half_lost(&world).await;
    world.supervisor().delete_recording(delete("r1", &id)).await.unwrap();
    for segment in [FIRST, SECOND] {
        let file = world.file(CALL, segment);
        // A folder in its place can't be removed as a file.
        std::fs::create_dir_all(file.join("x")).unwrap();
        let status = world.send(header(CALL, segment), &wav(&[2; 80])).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        std::fs::remove_dir_all(&file).unwrap();
        // As a crash within the former try leaves it.
        std::fs::write(&file, "audio").unwrap();
        world.send(header(CALL, segment), &wav(&[2; 80])).await.unwrap();
        assert!(!file.exists());
    }
}

#[tokio::test]
async fn a_deletion_during_an_upload_wins() {
    let world = World::start().await;
    let id = half_lost(&world).await;
    let (messages, stream) = tokio::sync::mpsc::channel(4);
    let message = |message| StoreSegmentRequest { message: Some(message) };
    // So much that a part of it is written while the rest has not come.
    let file = wav(&vec![2; 3_000_000]);
    let mut archive = world.archive();
    let upload = lifecycle::spawn(async move { archive.store_segment(ReceiverStream::new(stream)).await });
    messages.send(message(Message::Header(header(CALL, SECOND)))).await.unwrap();
    for chunk in file[..5_500_000].chunks(500_000) {
        messages.send(message(Message::Chunk(chunk.to_vec().into()))).await.unwrap();
    }
    let beside = world.file(CALL, SECOND).with_extension("wav#1");
    eventually("the upload has begun", async || beside.exists().then_some(())).await;
    world.supervisor().delete_recording(delete("r1", &id)).await.unwrap();
    messages.send(message(Message::Chunk(file[5_500_000..].to_vec().into()))).await.unwrap();
    drop(messages);
    // Whether it has to try again depends on how far the upload was; the result is the same.
    let _ = upload.await.unwrap();
    world.send(header(CALL, SECOND), &file).await.unwrap();
    assert!(!world.file(CALL, SECOND).exists() && !beside.exists());
}

#[tokio::test]
async fn audio_that_never_came_is_given_up_after_a_day() {
    let world = World::start().await;
    let now_us = world.clock.now_us();
    let waiting = world.tenure("0193-b", &["0193-b-segment-1"], now_us - DAY_US + 60_000_000).await;
    let id = world.tenure(CALL, &[FIRST], now_us - DAY_US - 1_000_000).await;
    let recording = world.in_state(&id, State::Incomplete).await;
    assert!(recording.segments[0].lost);
    world.clock.sleep(Duration::from_millis(60)).await;
    world.in_state(&waiting, State::Recording).await;
}

#[tokio::test]
async fn r13_what_is_known_of_a_recording_goes_when_its_call_goes() {
    let world = World::start().await;
    let now_us = world.clock.now_us();
    let store = baton_store::testing::open(world.folder.path(), "recording").await;
    let [old, young, heard] = ["0192-a", "0193-b", "0194-c"].map(|call| world.stored(call, &[1; 80], now_us));
    let [old, young, heard] = [old.await, young.await, heard.await];
    for id in [&old, &young, &heard] {
        world.in_state(id, State::Stored).await;
        world.download(id, "").await.unwrap();
    }
    let left_out = "INSERT INTO exclusions SELECT tenant, recording_id, start_us, start_us + 1, 1 FROM recordings";
    let mut tx = store.begin().await.unwrap();
    on!(tx, conn => sqlx::query(left_out).affected(conn).await).unwrap();
    let aged = "UPDATE recordings SET end_us = end_us - $1, expire_us = $2 WHERE recording_id = $3";
    let never_us = i64::MAX;
    for (id, days, expire_us) in [(&old, 401, 0), (&young, 399, 0), (&heard, 401, never_us)] {
        let listened = "UPDATE downloads SET at_us = at_us - $1 WHERE recording_id = $2";
        on!(tx, conn => sqlx::query(listened).bind(days * DAY_US).bind(id).affected(conn).await).unwrap();
        on!(tx, conn => sqlx::query(aged).bind(days * DAY_US).bind(expire_us).bind(id).affected(conn).await).unwrap();
    }
    tx.commit().await.unwrap();
    let refused = eventually("the old one is gone", async || {
        let get = GetRecordingRequest { recording_id: old.clone() };
        world.supervisor().get_recording(get).await.err()
    })
    .await;
    assert_eq!(reason(&refused), "NOT_FOUND");
    world.in_state(&young, State::Deleted).await;
    world.in_state(&heard, State::Stored).await;
    let left = async |table: &str, column: &str| -> Vec<String> {
        let mut reader = store.read().await.unwrap();
        on!(reader, conn => {
            let mut query = sqlx::QueryBuilder::new("SELECT DISTINCT ");
            query.push(column).push(" FROM ").push(table).push(" ORDER BY 1").build_query_scalar().fetch_all(conn).await
        })
        .unwrap()
    };
    for table in ["recordings", "recording_agents", "segments", "exclusions"] {
        assert_eq!(left(table, "recording_id").await, [young.as_str(), heard.as_str()], "{table}");
    }
    assert_eq!(left("store_sequences", "aggregate").await, ["interaction/0193-b", "interaction/0194-c"]);
    eventually("only who listened within 400 days is listed", async || {
        (left("downloads", "recording_id").await == [young.as_str()]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn s11_all_recordings_of_a_forgotten_customer_are_deleted_and_no_others() {
    let world = World::start().await;
    let now_us = world.clock.now_us();
    let other = world.stored("0193-b", &[1; 80], now_us).await;
    world.in_state(&other, State::Stored).await;
    let store = baton_store::testing::open(world.folder.path(), "recording").await;
    let mut tx = store.begin().await.unwrap();
    on!(tx, conn => sqlx::query("UPDATE recordings SET customer_key = 'other'").affected(conn).await).unwrap();
    tx.commit().await.unwrap();
    let stored = world.stored(CALL, &[1; 80], now_us).await;
    world.in_state(&stored, State::Stored).await;
    let awaited = world.tenure("0194-c", &["0194-c-segment-1"], now_us).await;
    world.heard_of(&awaited).await;

    let forget = ForgetCustomerRequest {
        tenant: TENANT.into(),
        customer_key: "k".into(),
        actor: Some(parse_actor("admin/root")),
        request_id: "f".into(),
    };
    let forgotten = world.archive().forget_customer(forget.clone()).await.unwrap().into_inner();
    assert_eq!(forgotten.recordings, 2);
    assert!(!world.file(CALL, FIRST).exists());
    for id in [&stored, &awaited] {
        let recording = world.in_state(id, State::Deleted).await;
        assert_eq!(recording.customer.unwrap().address, "");
    }
    world.send(header("0194-c", "0194-c-segment-1"), &wav(&[2; 80])).await.unwrap();
    assert!(!world.file("0194-c", "0194-c-segment-1").exists(), "what comes late is not kept");
    let again = world.archive().forget_customer(forget).await.unwrap().into_inner();
    assert_eq!(again.recordings, 0);
    world.in_state(&other, State::Stored).await;
    let deleted = world.published(4).await.into_iter().filter(|it| matches!(it.1, Data::RecordingDeleted(_)));
    let actors: Vec<_> = deleted.map(|it| it.0.actor).collect();
    assert_eq!(actors, ["admin/root", "admin/root"]);
}
