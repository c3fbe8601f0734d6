//! The recording mode of a number (B206, B207).

use baton_api::common::v1::RecordingMode;
use baton_api::recording::v1::{GetSettingsRequest, ResolveModeRequest, SetSettingsRequest};
use baton_runtime::auth::Role;
use tonic::Code;

use crate::support::{TENANT, World, reason};

const NUMBER: &str = "+4930123456";

fn set(request_id: &str, phone_number: &str, mode: RecordingMode) -> SetSettingsRequest {
    SetSettingsRequest { request_id: request_id.into(), phone_number: phone_number.into(), mode: mode.into() }
}

async fn resolved(world: &World, tenant: &str, phone_number: &str) -> RecordingMode {
    let request = ResolveModeRequest { tenant: tenant.into(), phone_number: phone_number.into() };
    world.archive().resolve_mode(request).await.unwrap().into_inner().mode()
}

#[tokio::test]
async fn a_number_is_recorded_by_hand_until_somebody_says_otherwise() {
    let world = World::start().await;
    assert_eq!(resolved(&world, TENANT, NUMBER).await, RecordingMode::Manual);
    assert_eq!(resolved(&world, TENANT, "not a number").await, RecordingMode::Manual);

    let mut admin = world.client(TENANT, "ann", Role::Admin);
    let answer = admin.set_settings(set("r1", NUMBER, RecordingMode::All)).await.unwrap();
    assert_eq!(answer.into_inner().mode(), RecordingMode::All);
    assert_eq!(resolved(&world, TENANT, NUMBER).await, RecordingMode::All);
    let read = admin.get_settings(GetSettingsRequest { phone_number: NUMBER.into() }).await.unwrap();
    assert_eq!(read.into_inner().mode(), RecordingMode::All);
}

#[tokio::test]
async fn another_tenants_setting_is_no_setting() {
    let world = World::start().await;
    let mut admin = world.client(TENANT, "ann", Role::Admin);
    admin.set_settings(set("r1", NUMBER, RecordingMode::All)).await.unwrap();
    assert_eq!(resolved(&world, "other", NUMBER).await, RecordingMode::Manual);
    let mut stranger = world.client("other", "ann", Role::Admin);
    let read = stranger.get_settings(GetSettingsRequest { phone_number: NUMBER.into() }).await.unwrap();
    assert_eq!(read.into_inner().mode(), RecordingMode::Manual);
}

#[tokio::test]
async fn a_request_that_comes_again_changes_nothing() {
    let world = World::start().await;
    let mut admin = world.client(TENANT, "ann", Role::Admin);
    admin.set_settings(set("r1", NUMBER, RecordingMode::All)).await.unwrap();
    admin.set_settings(set("r2", NUMBER, RecordingMode::Incoming)).await.unwrap();
    let again = admin.set_settings(set("r1", NUMBER, RecordingMode::All)).await.unwrap();
    assert_eq!(again.into_inner().mode(), RecordingMode::All, "the first answer");
    assert_eq!(resolved(&world, TENANT, NUMBER).await, RecordingMode::Incoming);

    let reused = admin.set_settings(set("r1", NUMBER, RecordingMode::Manual)).await.unwrap_err();
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_with_the_field() {
    let world = World::start().await;
    let mut admin = world.client(TENANT, "ann", Role::Admin);
    for bad in [set("r1", "4711", RecordingMode::All), set("r1", NUMBER, RecordingMode::Unspecified)] {
        let status = admin.set_settings(bad).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::InvalidArgument, "INVALID_FIELD"));
    }
    let status = admin.set_settings(set("", NUMBER, RecordingMode::All)).await.unwrap_err();
    assert_eq!(reason(&status), "REQUEST_ID_INVALID");
    let status = world.supervisor().set_settings(set("r1", NUMBER, RecordingMode::All)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}
