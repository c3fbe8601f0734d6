//! Downloads of whole recordings and single segments, each with an entry in the access log.

use baton_api::common::v1::Actor;
use baton_api::common::v1::actor::Kind;
use baton_api::recording::v1::recording::State;
use baton_api::recording::v1::{
    DeleteRecordingRequest, DownloadRecordingRequest, ListAccessesRequest, RecordingAccess,
};
use baton_runtime::auth::Role;
use tonic::Code;

use crate::support::{TENANT, World, eventually, header, reason, samples, wav};

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
    let accesses = accesses(&world, TENANT, &id, 9).await;
    let seen: Vec<_> = accesses.iter().map(|it| (it.recording_id.as_str(), it.segment_id.as_str())).collect();
    assert_eq!(seen, [(id.as_str(), FIRST), (id.as_str(), "")]);
}

/// All pages of who was given audio of the recording, or of any where it is empty, as an admin.
async fn accesses(world: &World, tenant: &str, recording_id: &str, page_size: i32) -> Vec<RecordingAccess> {
    let mut admin = world.client(tenant, "ann", Role::Admin);
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListAccessesRequest { recording_id: recording_id.into(), page_size, page_token };
        let page = admin.list_accesses(request).await.unwrap().into_inner();
        assert!(page.accesses.len() <= page_size as usize);
        all.extend(page.accesses);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

#[tokio::test]
async fn s10_an_admin_sees_who_has_listened_the_last_first_also_after_the_deletion() {
    let world = World::start().await;
    let ids = [world.stored(CALL, &[1; 80], NOW_US).await, world.stored("0193-b", &[1; 80], NOW_US).await];
    for id in [&ids[0], &ids[1], &ids[0]] {
        world.in_state(id, State::Stored).await;
        world.download(id, "").await.unwrap();
    }
    let delete = DeleteRecordingRequest { request_id: "r1".into(), recording_id: ids[0].clone() };
    world.supervisor().delete_recording(delete).await.unwrap();

    for page_size in [1, 2, 9] {
        let all = accesses(&world, TENANT, "", page_size).await;
        let seen: Vec<_> = all.iter().map(|it| it.recording_id.as_str()).collect();
        assert_eq!(seen, [ids[0].as_str(), ids[1].as_str(), ids[0].as_str()]);
        let sue = Actor { kind: Kind::Supervisor.into(), id: "sue".into(), for_agent_id: String::new() };
        assert!(all.iter().all(|it| it.actor.as_ref() == Some(&sue) && it.time.is_some()), "{all:?}");
        assert_eq!(accesses(&world, TENANT, &ids[1], page_size).await, all[1..2]);
    }
    assert_eq!(accesses(&world, "other", &ids[0], 9).await, []);
    for role in [Role::Supervisor, Role::Agent, Role::Analyst] {
        let refused = world.client(TENANT, "sue", role).list_accesses(ListAccessesRequest::default()).await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied, "{role}");
    }
    let bad = ListAccessesRequest { page_token: "x".into(), ..ListAccessesRequest::default() };
    let refused = world.client(TENANT, "ann", Role::Admin).list_accesses(bad).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
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
