//! How streams end that have no end of their own.

use std::time::Duration;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::presence::v1::connect_request::{Heartbeat, Message};
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{AgentState, WatchTargetsRequest};
use baton_runtime::auth::{Caller, Role};
use tonic::{Status, Streaming};

use crate::world::{Client, TENANT, World};

/// How the stream ends.
async fn end_of<T>(mut stream: Streaming<T>) -> ApiError {
    let status: Status = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it says OK"),
            Err(status) => break status,
        }
    };
    ApiError::from_status(&status).unwrap_or_else(|| panic!("not typed: {status:?}"))
}

#[tokio::test]
async fn a_service_that_stops_ends_connections_and_pickers_with_a_time_to_wait() {
    let world = World::new().await;
    let (bob, client) = world.online("Bob").await;
    let picker = world.presence(bob).watch_targets(WatchTargetsRequest::default()).await.unwrap().into_inner();
    assert_eq!(world.stop().await, [""; 0]);
    for error in [end_of(client.down).await, end_of(picker).await] {
        assert_eq!(error.reason, ErrorReason::Unavailable, "{error:?}");
        assert!(error.retry_after.is_some(), "{error:?}");
    }
}

#[tokio::test]
async fn a_token_that_has_expired_ends_connections_and_pickers_after_the_grace() {
    let mut world = World::new().await;
    let bob = world.agent("Bob").await;
    let caller = Caller::of_tenant(TENANT.parse().unwrap(), bob.to_string(), Role::Agent);
    let mut presence = PresenceServiceClient::new(world.channel_for(&caller, Duration::from_secs(10)));
    let picker = presence.watch_targets(WatchTargetsRequest::default()).await.unwrap().into_inner();
    let client = Client::connect(presence, AgentState::Unspecified).await;
    // Ten seconds, five for clocks that differ, and a minute of grace.
    for _ in 0..7 {
        world.pass(Duration::from_secs(10)).await;
        client.say(Message::Heartbeat(Heartbeat {})).await;
    }
    world.pass(Duration::from_secs(10)).await;
    for error in [end_of(client.down).await, end_of(picker).await] {
        assert_eq!(error.reason, ErrorReason::TokenExpired, "{error:?}");
    }
}
