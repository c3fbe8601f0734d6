//! Who sees what (X1).

use baton_api::recording::v1::recording::State;
use baton_api::recording::v1::recording_service_client::RecordingServiceClient;
use baton_api::recording::v1::{
    DeleteRecordingRequest, DownloadRecordingRequest, GetRecordingRequest, ListRecordingsRequest,
};
use baton_runtime::auth::Role;
use baton_runtime::client::GrpcChannel;
use tonic::{Code, Status};

use crate::support::{AGENT, STRANGER, TENANT, World, reason, segment_started, started};

const NOW_US: i64 = 1_900_000_000_000_000;

fn get(recording_id: &str) -> GetRecordingRequest {
    GetRecordingRequest { recording_id: recording_id.into() }
}

fn same(left: &Status, right: &Status) -> bool {
    (left.code(), left.message(), left.details()) == (right.code(), right.message(), right.details())
}

#[tokio::test]
async fn another_tenants_recording_is_refused_exactly_as_a_missing_one() {
    let world = World::start().await;
    let id = world.stored("0192-a", &[1; 80], NOW_US).await;
    world.in_state(&id, State::Stored).await;
    for role in [Role::Supervisor, Role::Admin] {
        let mut stranger = world.client("other", "sue", role);
        let foreign = stranger.get_recording(get(&id)).await.unwrap_err();
        let missing = stranger.get_recording(get("0192-b-recording-1")).await.unwrap_err();
        assert_eq!((foreign.code(), reason(&foreign)), (Code::NotFound, "NOT_FOUND"));
        assert!(same(&foreign, &missing));

        let download = |recording_id: &str| DownloadRecordingRequest {
            recording_id: recording_id.into(),
            segment_id: "0192-a-segment-1".into(),
        };
        let foreign = stranger.download_recording(download(&id)).await.unwrap_err();
        let missing = stranger.download_recording(download("0192-b-recording-1")).await.unwrap_err();
        assert!(same(&foreign, &missing) && foreign.code() == Code::NotFound);

        let delete = |request_id: &str, recording_id: &str| DeleteRecordingRequest {
            request_id: format!("{request_id}-{role}"),
            recording_id: recording_id.into(),
        };
        let foreign = stranger.delete_recording(delete("r1", &id)).await.unwrap_err();
        let missing = stranger.delete_recording(delete("r2", "0192-b-recording-1")).await.unwrap_err();
        assert!(same(&foreign, &missing) && foreign.code() == Code::NotFound);

        let all = stranger.list_recordings(ListRecordingsRequest::default()).await.unwrap().into_inner();
        assert!(all.recordings.is_empty());
    }
    world.in_state(&id, State::Stored).await;
}

#[tokio::test]
async fn agents_see_what_they_are_heard_in_and_nothing_else() {
    let world = World::start().await;
    let id = "0192-a-recording-1";
    world.event("0192-a", NOW_US, started(id, AGENT)).await;
    world.in_state(id, State::Recording).await;
    let mut other = world.client(TENANT, STRANGER, Role::Agent);
    assert_eq!(other.get_recording(get(id)).await.unwrap_err().code(), Code::NotFound);

    world.event("0192-a", NOW_US, segment_started(id, "0192-a-segment-1", &[AGENT, STRANGER])).await;
    crate::support::eventually("the other agent sees it", async || other.get_recording(get(id)).await.ok()).await;
    let mut own = world.client(TENANT, AGENT, Role::Agent);
    let recording = own.get_recording(get(id)).await.unwrap().into_inner().recording.unwrap();
    assert_eq!(recording.other_agent_ids, [STRANGER]);
    assert_eq!(own.list_recordings(ListRecordingsRequest::default()).await.unwrap().into_inner().recordings.len(), 1);
    let mut third = world.client(TENANT, "0192cccc", Role::Agent);
    assert!(third.list_recordings(ListRecordingsRequest::default()).await.unwrap().into_inner().recordings.is_empty());
}

#[tokio::test]
async fn analysts_see_no_customer_and_hear_nothing() {
    let world = World::start().await;
    let id = world.stored("0192-a", &[1; 80], NOW_US).await;
    assert_eq!(world.in_state(&id, State::Stored).await.customer.unwrap().address, "+49170000000");
    let mut analyst = world.client(TENANT, "ada", Role::Analyst);
    let recording = analyst.get_recording(get(&id)).await.unwrap().into_inner().recording.unwrap();
    let customer = recording.customer.unwrap();
    assert_eq!((customer.address.as_str(), customer.key.as_str()), ("", "k"));
    assert_eq!(recording.number, "+4930123456");
    for role in [Role::Analyst, Role::Agent] {
        let request = DownloadRecordingRequest { recording_id: id.clone(), segment_id: String::new() };
        let status = world.client(TENANT, AGENT, role).download_recording(request).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
    }
}

/// What all pages together have.
async fn pages(mut client: RecordingServiceClient<GrpcChannel>, interaction_id: &str, page_size: i32) -> Vec<String> {
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListRecordingsRequest { interaction_id: interaction_id.into(), page_size, page_token };
        let page = client.list_recordings(request).await.unwrap().into_inner();
        assert!(page.recordings.len() <= page_size as usize);
        seen.extend(page.recordings.into_iter().map(|it| it.recording_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return seen;
        }
    }
}

#[tokio::test]
async fn pages_go_from_the_newest_interaction_to_the_oldest_and_by_number_within() {
    let world = World::start().await;
    for interaction in ["0192-a", "0193-b"] {
        for number in [1, 2] {
            world.event(interaction, NOW_US, started(&format!("{interaction}-recording-{number}"), AGENT)).await;
        }
    }
    world.in_state("0193-b-recording-2", State::Recording).await;
    let newest = ["0193-b-recording-1", "0193-b-recording-2", "0192-a-recording-1", "0192-a-recording-2"];
    for client in [world.supervisor(), world.client(TENANT, AGENT, Role::Agent)] {
        for page_size in [1, 3] {
            assert_eq!(pages(client.clone(), "", page_size).await, newest);
            assert_eq!(pages(client.clone(), "0192-a", page_size).await, newest[2..]);
        }
    }
    assert!(pages(world.client(TENANT, STRANGER, Role::Agent), "0192-a", 1).await.is_empty());
    let bad = ListRecordingsRequest { page_token: "x".into(), ..ListRecordingsRequest::default() };
    assert_eq!(world.supervisor().list_recordings(bad).await.unwrap_err().code(), Code::InvalidArgument);
}
