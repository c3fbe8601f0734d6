//! Pickers: B201, B607.

use std::time::Duration;

use baton_api::common::v1::target;
use baton_api::picker::{self, WatchTargetsResponse};
use baton_api::presence::v1::{
    ListTargetsRequest, PickerTarget, Presence, SyncClaimsRequest, TargetFilter, WatchAvailabilityRequest,
    WatchTargetsRequest,
};
use baton_runtime::Clock;
use prost::bytes::Bytes;
use prost_types::FieldMask;
use tonic::{Code, Streaming};
use uuid::Uuid;

use crate::world::{World, engage, wants};

impl World {
    async fn picker(&self, caller: Uuid, filter: TargetFilter) -> Vec<String> {
        let request = ListTargetsRequest { filter: Some(filter), ..ListTargetsRequest::default() };
        let found = self.presence(caller).list_targets(request).await.unwrap().into_inner().targets;
        names(found)
    }
}

fn names(encoded: Vec<Bytes>) -> Vec<String> {
    picker::targets(encoded).unwrap().into_iter().map(|it| it.name).collect()
}

async fn next(stream: &mut Streaming<WatchTargetsResponse>) -> WatchTargetsResponse {
    let message = Clock::real().timeout(Duration::from_secs(10), stream.message()).await;
    message.expect("a message").unwrap().expect("no end")
}

#[tokio::test]
async fn busy_and_offline_agents_are_not_in_the_picker() {
    let world = World::new().await;
    let (ada, _a) = world.online("Ada").await;
    let (bob, _b) = world.online("Bob").await;
    let (cy, _c) = world.online("Cy").await;
    let off = world.agent("Off").await;
    world.team("Sales", &[bob]).await;
    world.team("Night", &[off]).await;
    world.claims().sync_claims(wants("i1", vec![engage("i1-claim-1", cy)])).await.unwrap();
    assert_eq!(world.picker(ada, TargetFilter::default()).await, ["Bob", "Sales"]);
    let all = TargetFilter { include_unavailable: true, ..TargetFilter::default() };
    assert_eq!(world.picker(ada, all.clone()).await, ["Bob", "Cy", "Off", "Night", "Sales"]);
    assert_eq!(world.picker(ada, TargetFilter { search: "SALES".to_owned(), ..all }).await, ["Bob", "Sales"]);
}

#[tokio::test]
async fn pages_of_the_picker_join_without_gap() {
    let world = World::new().await;
    let ada = world.agent("Ada").await;
    for name in ["Bob", "Cy", "Di", "Ed"] {
        world.agent(name).await;
    }
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let filter = Some(TargetFilter { include_unavailable: true, ..TargetFilter::default() });
        let request = ListTargetsRequest { filter, page_size: 3, page_token, read_mask: None };
        let page = world.presence(ada).list_targets(request).await.unwrap().into_inner();
        names.extend(self::names(page.targets));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["Bob", "Cy", "Di", "Ed"]);
}

#[tokio::test]
async fn a_live_picker_shows_targets_that_come_and_go() {
    let world = World::new().await;
    let (ada, _a) = world.online("Ada").await;
    let (bob, _b) = world.online("Bob").await;
    let sales = world.team("Sales", &[bob]).await;
    let request = WatchTargetsRequest::default();
    let mut picker = world.presence(ada).watch_targets(request).await.unwrap().into_inner();
    let first = next(&mut picker).await;
    assert!(first.complete);
    assert_eq!(names(first.changed), ["Bob", "Sales"]);

    world.claims().sync_claims(wants("i1", vec![engage("i1-claim-1", bob)])).await.unwrap();
    let gone = next(&mut picker).await;
    let removed: Vec<_> = gone.removed.into_iter().filter_map(|it| it.target).collect();
    let bob_and_sales = [target::Target::AgentId(bob.to_string()), target::Target::TeamId(sales.to_string())];
    assert_eq!(removed, bob_and_sales);

    world.claims().sync_claims(SyncClaimsRequest { version: 2, ..wants("i1", vec![]) }).await.unwrap();
    let back = next(&mut picker).await;
    assert_eq!(names(back.changed), ["Bob", "Sales"]);

    world.team("Support", &[bob]).await;
    let more = next(&mut picker).await;
    assert_eq!(names(more.changed), ["Support"]);
}

#[tokio::test]
async fn a_picker_is_given_the_fields_that_it_wants_and_is_not_told_of_others() {
    let world = World::new().await;
    let (ada, _a) = world.online("Ada").await;
    let (bob, _b) = world.online("Bob").await;
    world.team("Sales", &[bob]).await;
    let read_mask = |paths: &[&str]| Some(FieldMask { paths: paths.iter().map(|it| (*it).to_owned()).collect() });
    let filter = Some(TargetFilter { include_unavailable: true, ..TargetFilter::default() });

    let mask = read_mask(&["name", "presence.agent_id"]);
    let request = ListTargetsRequest { filter: filter.clone(), read_mask: mask, ..ListTargetsRequest::default() };
    let found = world.presence(ada).list_targets(request).await.unwrap().into_inner().targets;
    let only = |name: &str, presence| PickerTarget { name: name.to_owned(), presence, ..PickerTarget::default() };
    let id = Presence { agent_id: bob.to_string(), ..Presence::default() };
    assert_eq!(picker::targets(found), Ok(vec![only("Bob", Some(id)), only("Sales", None)]));

    let request = WatchTargetsRequest { filter: filter.clone(), read_mask: read_mask(&["name"]) };
    let mut watch = world.presence(ada).watch_targets(request).await.unwrap().into_inner();
    assert_eq!(picker::targets(next(&mut watch).await.changed), Ok(vec![only("Bob", None), only("Sales", None)]));
    // That Bob is in a call changes nothing that is shown; that there is a team does.
    world.claims().sync_claims(wants("i1", vec![engage("i1-claim-1", bob)])).await.unwrap();
    world.team("Support", &[]).await;
    assert_eq!(picker::targets(next(&mut watch).await.changed), Ok(vec![only("Support", None)]));

    let mask = read_mask(&["nme"]);
    let request = ListTargetsRequest { filter: filter.clone(), read_mask: mask.clone(), ..Default::default() };
    let refused = world.presence(ada).list_targets(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let why = refused.message();
    assert!(why.contains("read_mask") && why.contains("target, name, email"), "{why}");
    let request = WatchTargetsRequest { filter, read_mask: mask };
    assert_eq!(world.presence(ada).watch_targets(request).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn availability_is_announced_with_its_tenant() {
    let world = World::new().await;
    let bob = world.agent("Bob").await;
    let mut changes = world.claims().watch_availability(WatchAvailabilityRequest {}).await.unwrap().into_inner();
    assert_eq!(changes.message().await.unwrap().unwrap().tenant, "acme");
    let _client = world.connect(bob).await;
    assert_eq!(changes.message().await.unwrap().unwrap().tenant, "acme");
}
