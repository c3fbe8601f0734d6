//! What is recorded on a number (B206, B207).

use baton_api::ApiError;
use baton_api::common::v1::RecordingMode;
use baton_api::event::v1::RecordingSettingsChanged;
use baton_api::event::v1::event_data::Data;
use baton_api::recording::v1::{
    GetNumberSettingsRequest, ListNumberSettingsRequest, NumberRecordingSettings, ResolveModeRequest,
    UpdateNumberSettingsRequest,
};
use baton_runtime::auth::Role;
use baton_runtime::ids;
use prost_types::FieldMask;
use tonic::{Code, Status};

use crate::support::{TENANT, World, reason};

const NUMBER: &str = "+4930123456";

/// A change without an etag, which has no mask: of the fields that are set.
fn set(request_id: &str, number: &str, mode: RecordingMode) -> UpdateNumberSettingsRequest {
    let settings = NumberRecordingSettings { number: number.into(), mode: mode.into(), etag: String::new() };
    UpdateNumberSettingsRequest { request_id: request_id.into(), settings: Some(settings), update_mask: None }
}

async fn resolved(world: &World, tenant: &str, number: &str) -> RecordingMode {
    let request = ResolveModeRequest { tenant: tenant.into(), number: number.into() };
    world.archive().resolve_mode(request).await.unwrap().into_inner().mode()
}

async fn read(world: &World, tenant: &str) -> NumberRecordingSettings {
    let request = GetNumberSettingsRequest { number: NUMBER.into() };
    let mut reader = world.client(tenant, "ann", Role::Agent);
    reader.get_number_settings(request).await.unwrap().into_inner().settings.unwrap()
}

/// A change of these fields; with an empty mask for none.
async fn update(
    world: &World,
    settings: NumberRecordingSettings,
    fields: &[&str],
) -> Result<NumberRecordingSettings, Status> {
    let mask = FieldMask { paths: fields.iter().map(|it| (*it).to_owned()).collect() };
    let request = UpdateNumberSettingsRequest {
        request_id: ids::new_uuid().to_string(),
        settings: Some(settings),
        update_mask: Some(mask),
    };
    let mut admin = world.client(TENANT, "ann", Role::Admin);
    Ok(admin.update_number_settings(request).await?.into_inner().settings.unwrap())
}

fn fields(status: &Status) -> Vec<String> {
    ApiError::of(status).fields.into_iter().map(|it| it.0).collect()
}

#[tokio::test]
async fn a_number_is_recorded_by_hand_until_somebody_says_otherwise() {
    let world = World::start().await;
    assert_eq!(resolved(&world, TENANT, NUMBER).await, RecordingMode::Manual);
    assert_eq!(resolved(&world, TENANT, "not a number").await, RecordingMode::Manual);
    let unset = read(&world, TENANT).await;
    assert_eq!((unset.mode(), unset.number.as_str(), unset.etag.as_str()), (RecordingMode::Manual, NUMBER, ""));

    let mut admin = world.client(TENANT, "ann", Role::Admin);
    let answer = admin.update_number_settings(set("r1", NUMBER, RecordingMode::All)).await.unwrap().into_inner();
    let stored = answer.settings.unwrap();
    assert_eq!((stored.mode(), stored.number.as_str()), (RecordingMode::All, NUMBER));
    assert_eq!(resolved(&world, TENANT, NUMBER).await, RecordingMode::All);
    assert_eq!(read(&world, TENANT).await, stored);
}

#[tokio::test]
async fn another_tenants_setting_is_no_setting() {
    let world = World::start().await;
    let mut admin = world.client(TENANT, "ann", Role::Admin);
    admin.update_number_settings(set("r1", NUMBER, RecordingMode::All)).await.unwrap();
    assert_eq!(resolved(&world, "other", NUMBER).await, RecordingMode::Manual);
    let foreign = read(&world, "other").await;
    assert_eq!((foreign.mode(), foreign.etag.as_str()), (RecordingMode::Manual, ""));
    let mut stranger = world.client("other", "ann", Role::Admin);
    let listed = stranger.list_number_settings(ListNumberSettingsRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.settings, []);
}

#[tokio::test]
async fn of_two_who_edit_the_settings_the_second_is_refused_unless_they_give_no_etag() {
    let world = World::start().await;
    let mut admin = world.client(TENANT, "ann", Role::Admin);
    admin.update_number_settings(set("r1", NUMBER, RecordingMode::All)).await.unwrap();
    let seen = read(&world, TENANT).await;
    let with = |mode: RecordingMode| NumberRecordingSettings { mode: mode.into(), ..seen.clone() };
    let (one, two) = tokio::join!(
        update(&world, with(RecordingMode::Incoming), &["mode"]),
        update(&world, with(RecordingMode::Outgoing), &[]),
    );
    let refusal = one.as_ref().err().or(two.as_ref().err()).expect("one is refused");
    assert_eq!((refusal.code(), reason(refusal)), (Code::Aborted, "VERSION_CONFLICT"));
    assert!(refusal.message().contains("Read it again"), "{}", refusal.message());
    let stored = one.as_ref().or(two.as_ref()).expect("one is not");
    assert_eq!(read(&world, TENANT).await, *stored);
    assert_ne!(stored.etag, seen.etag);

    let last = NumberRecordingSettings { etag: String::new(), ..with(RecordingMode::Manual) };
    assert_eq!(update(&world, last, &["*"]).await.unwrap().mode(), RecordingMode::Manual);
}

#[tokio::test]
async fn the_default_can_be_set_and_then_counts_as_set() {
    let world = World::start().await;
    let stored = update(&world, read(&world, TENANT).await, &["mode"]).await.unwrap();
    assert_eq!(stored.mode(), RecordingMode::Manual);
    assert!(!stored.etag.is_empty());
    assert_eq!(update(&world, stored.clone(), &["mode"]).await.unwrap(), stored, "nothing changed");
}

#[tokio::test]
async fn an_etag_of_settings_that_were_never_made_is_stale() {
    let world = World::start().await;
    let invented = NumberRecordingSettings { etag: "x".to_owned(), ..read(&world, TENANT).await };
    assert_eq!(update(&world, invented, &["mode"]).await.unwrap_err().code(), Code::Aborted);
}

#[tokio::test]
async fn only_the_mode_can_be_named() {
    let world = World::start().await;
    let mut settings = read(&world, TENANT).await;
    for path in ["number", "etag", "settings.mode"] {
        let status = update(&world, settings.clone(), &["mode", path]).await.unwrap_err();
        assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["update_mask".to_owned()]), "{path}");
        assert!(status.message().contains(path), "{}", status.message());
    }
    settings.mode = 0;
    assert_eq!(fields(&update(&world, settings.clone(), &[]).await.unwrap_err()), ["update_mask"]);
    assert_eq!(fields(&update(&world, settings, &["*"]).await.unwrap_err()), ["settings.mode"]);
}

#[tokio::test]
async fn settings_come_in_pages() {
    let world = World::start().await;
    let mut admin = world.client(TENANT, "ann", Role::Admin);
    for number in ["+4930000003", "+4930000001", "+4930000002"] {
        admin.update_number_settings(set(number, number, RecordingMode::All)).await.unwrap();
    }
    let mut supervisor = world.supervisor();
    let (mut numbers, mut pages, mut page_token) = (Vec::new(), 0, String::new());
    loop {
        let request = ListNumberSettingsRequest { page_size: 2, page_token };
        let page = supervisor.list_number_settings(request).await.unwrap().into_inner();
        assert!(page.settings.iter().all(|it| it.mode() == RecordingMode::All && !it.etag.is_empty()));
        numbers.extend(page.settings.into_iter().map(|it| it.number));
        (pages, page_token) = (pages + 1, page.next_page_token);
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!((numbers, pages), (["+4930000001", "+4930000002", "+4930000003"].map(String::from).into(), 2));
    let wrong = ListNumberSettingsRequest { page_size: -1, page_token: "x".to_owned() };
    let status = supervisor.list_number_settings(wrong).await.unwrap_err();
    assert_eq!(fields(&status), ["page_size", "page_token"]);
}

#[tokio::test]
async fn a_request_that_comes_again_changes_nothing() {
    let world = World::start().await;
    let mut admin = world.client(TENANT, "ann", Role::Admin);
    let first = admin.update_number_settings(set("r1", NUMBER, RecordingMode::All)).await.unwrap().into_inner();
    admin.update_number_settings(set("r2", NUMBER, RecordingMode::Incoming)).await.unwrap();
    let again = admin.update_number_settings(set("r1", NUMBER, RecordingMode::All)).await.unwrap().into_inner();
    assert_eq!(again, first, "the first answer");
    assert_eq!(resolved(&world, TENANT, NUMBER).await, RecordingMode::Incoming);

    let reused = admin.update_number_settings(set("r1", NUMBER, RecordingMode::Manual)).await.unwrap_err();
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_with_the_fields() {
    let world = World::start().await;
    let mut admin = world.client(TENANT, "ann", Role::Admin);
    let mut bad = set("r1", "4711", RecordingMode::Unspecified);
    bad.settings.as_mut().unwrap().mode = 9;
    let status = admin.update_number_settings(bad).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::InvalidArgument, "INVALID_FIELD"));
    assert_eq!(fields(&status), ["settings.number", "settings.mode"]);
    let nothing = UpdateNumberSettingsRequest { request_id: "r1".into(), ..UpdateNumberSettingsRequest::default() };
    assert_eq!(fields(&admin.update_number_settings(nothing).await.unwrap_err()), ["settings"]);
    let status = admin.update_number_settings(set("", NUMBER, RecordingMode::All)).await.unwrap_err();
    assert_eq!(reason(&status), "REQUEST_ID_INVALID");
    let mut supervisor = world.supervisor();
    let status = supervisor.update_number_settings(set("r1", NUMBER, RecordingMode::All)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn s10_what_is_set_is_published_with_who_set_it_and_what_stays_the_same_is_not() {
    let world = World::start().await;
    let mut admin = world.client(TENANT, "ann", Role::Admin);
    let mut expected = Vec::new();
    for (request_id, mode) in [("r1", RecordingMode::All), ("r2", RecordingMode::All), ("r3", RecordingMode::Incoming)]
    {
        let answer = admin.update_number_settings(set(request_id, NUMBER, mode)).await.unwrap().into_inner();
        expected.push(Data::RecordingSettingsChanged(RecordingSettingsChanged { settings: answer.settings }));
    }
    expected.remove(1);
    let published = world.published(2).await;
    let subjects: Vec<_> = published.iter().map(|(it, _)| (it.aggregate.as_str(), it.actor.as_str())).collect();
    assert_eq!(subjects, [("number/+4930123456", "admin/ann"); 2]);
    assert_eq!(published.into_iter().map(|it| it.1).collect::<Vec<_>>(), expected);
}
