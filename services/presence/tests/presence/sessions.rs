//! Sessions: B605.

use std::time::Duration;

use baton_api::error::{ApiError, ErrorReason};
use baton_api::event::v1::EventData;
use baton_api::event::v1::agent_state_changed::Cause;
use baton_api::event::v1::event_data::Data;
use baton_api::presence::v1::connect_request::{Goodbye, Heartbeat, Message};
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{AgentState, GetPresenceRequest, SetStateRequest, engagement};
use baton_bus::EventMatcher;
use baton_runtime::auth::Role;
use prost::Message as _;
use tonic::Code;

use crate::world::{Client, LEASE, TENANT, World, engage, eventually, fresh, hello, wants};

const A_BIT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_silent_client_is_offline_within_the_lease_and_its_call_is_untouched() {
    let mut world = World::new().await;
    let (bob, mut client) = world.online("Bob").await;
    let request = wants("i1", vec![engage("i1-claim-1", bob)]);
    world.claims().sync_claims(request).await.unwrap();
    world.pass(LEASE.saturating_sub(A_BIT)).await;
    assert_eq!(world.state(bob).await, AgentState::Available);
    world.pass(A_BIT).await;
    world.until_state(bob, AgentState::Offline).await;
    assert!(world.snapshot(bob).await.has(engagement::State::Engaged));
    let end = loop {
        if let Err(status) = client.down.message().await {
            break status;
        }
    };
    assert_eq!(end.code(), Code::Aborted);
}

#[tokio::test]
async fn a_connection_that_breaks_is_not_the_end_and_a_new_one_keeps_the_agent_online() {
    let mut world = World::new().await;
    let (bob, client) = world.online("Bob").await;
    drop(client);
    world.pass(LEASE / 2).await;
    assert_eq!(world.state(bob).await, AgentState::Available);
    let _again = world.connect(bob).await;
    world.pass(LEASE.saturating_sub(A_BIT)).await;
    assert_eq!(world.state(bob).await, AgentState::Available);
}

#[tokio::test]
async fn a_heartbeat_renews_the_lease() {
    let mut world = World::new().await;
    let (bob, mut client) = world.online("Bob").await;
    world.pass(LEASE.saturating_sub(A_BIT)).await;
    client.say(Message::Heartbeat(Heartbeat {})).await;
    // A second hello is refused, so its refusal proves that the heartbeat before it was received.
    client.up.send(hello(AgentState::Unspecified)).await.unwrap();
    assert_eq!(client.down.message().await.unwrap_err().code(), Code::InvalidArgument);
    world.pass(LEASE.saturating_sub(A_BIT)).await;
    assert_eq!(world.state(bob).await, AgentState::Available);
    world.pass(A_BIT).await;
    world.until_state(bob, AgentState::Offline).await;
}

#[tokio::test]
async fn a_goodbye_is_the_end_at_once() {
    let world = World::new().await;
    let (bob, mut client) = world.online("Bob").await;
    client.say(Message::Goodbye(Goodbye {})).await;
    while client.down.message().await.unwrap().is_some() {}
    assert_eq!(world.state(bob).await, AgentState::Offline);
}

#[tokio::test]
async fn a_goodbye_that_cannot_be_written_down_does_not_keep_the_service_from_stopping() {
    let world = World::new().await;
    let bob = world.agent("Bob").await;
    let mut presence = world.presence(bob);
    let client = Client::connect(presence.clone(), AgentState::Unspecified).await;
    let db = world.database().await;
    let _writing = db.begin().await.unwrap();
    client.say(Message::Goodbye(Goodbye {})).await;
    // On the same connection: when they are answered, the goodbye was received.
    for _ in 0..3 {
        presence.get_presence(GetPresenceRequest::default()).await.unwrap();
    }
    assert!(!world.stop().await.iter().any(|it| it == "presence connection"));
}

#[tokio::test]
async fn an_agent_is_online_until_the_last_session_has_ended() {
    let world = World::new().await;
    let (bob, mut first) = world.online("Bob").await;
    let mut second = world.connect(bob).await;
    first.say(Message::Goodbye(Goodbye {})).await;
    while first.down.message().await.unwrap().is_some() {}
    assert_eq!(world.state(bob).await, AgentState::Available);
    second.say(Message::Goodbye(Goodbye {})).await;
    while second.down.message().await.unwrap().is_some() {}
    assert_eq!(world.state(bob).await, AgentState::Offline);
}

#[tokio::test]
async fn after_a_restart_agents_have_one_lease_to_come_back() {
    let mut world = World::new().await;
    let (bob, _b) = world.online("Bob").await;
    let (ann, _a) = world.online("Ann").await;
    world.pass(Duration::from_secs(5)).await;
    world.restart().await;
    assert_eq!(world.state(bob).await, AgentState::Available);
    world.pass(LEASE.saturating_sub(A_BIT)).await;
    assert_eq!(world.state(bob).await, AgentState::Available);
    let mut client = world.connect(bob).await;
    world.pass(A_BIT * 2).await;
    world.until_state(ann, AgentState::Offline).await;
    assert_eq!(world.state(bob).await, AgentState::Available);
    client.say(Message::Goodbye(Goodbye {})).await;
    while client.down.message().await.unwrap().is_some() {}
    assert_eq!(world.state(bob).await, AgentState::Offline);
}

#[tokio::test]
async fn the_first_message_must_be_hello() {
    let world = World::new().await;
    let bob = world.agent("Bob").await;
    let heartbeat = baton_api::presence::v1::ConnectRequest { message: Some(Message::Heartbeat(Heartbeat {})) };
    let mut down = world.presence(bob).connect(tokio_stream::iter([heartbeat])).await.unwrap().into_inner();
    assert_eq!(down.message().await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(world.state(bob).await, AgentState::Offline);
}

#[tokio::test]
async fn each_change_of_state_is_one_event_with_its_cause() {
    use AgentState::{Available, Away, Offline};
    let mut world = World::new().await;
    let (bob, mut client) = world.online("Bob").await;
    for reason in ["lunch", "meeting"] {
        world.pass(A_BIT * 2).await;
        let request = SetStateRequest {
            request_id: reason.to_owned(),
            state: AgentState::Away.into(),
            away_reason: reason.to_owned(),
            ..SetStateRequest::default()
        };
        world.presence(bob).set_state(request).await.unwrap();
    }
    client.say(Message::Goodbye(Goodbye {})).await;
    while client.down.message().await.unwrap().is_some() {}
    let filter = EventMatcher::types(["agent.state_changed"]).unwrap();
    let events = async || world.bus.read(0, &filter, 100).await.unwrap().events;
    eventually(async || events().await.len() == 4).await;
    let mut seen = Vec::new();
    for logged in events().await {
        assert_eq!(logged.envelope.aggregate, format!("agent/{bob}"));
        let data = EventData::decode(logged.envelope.payload.as_slice()).unwrap().data;
        let Some(Data::AgentStateChanged(it)) = data else { panic!("{data:?}") };
        seen.push((logged.envelope.sequence, it.from(), it.to(), it.cause(), it.away_reason, it.previous_state_ms));
    }
    // 1 is the agent's creation.
    let expected = [
        (2, Offline, Available, Cause::Connected, String::new(), 0),
        (3, Available, Away, Cause::Requested, "lunch".to_owned(), 2_000),
        (4, Away, Away, Cause::Requested, "meeting".to_owned(), 2_000),
        (5, Away, Offline, Cause::Goodbye, String::new(), 0),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn supervisors_and_admins_set_the_state_of_the_agent_that_they_name_and_agents_their_own() {
    let world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let ann = world.agent("Ann").await;
    let away = |agent_id: String, away_reason: &str| SetStateRequest {
        request_id: fresh(),
        state: AgentState::Away.into(),
        away_reason: away_reason.to_owned(),
        agent_id,
    };
    let lead = |role| PresenceServiceClient::new(world.channel(TENANT, "eve", role));
    for (role, reason) in [(Role::Supervisor, "training"), (Role::Admin, "moved")] {
        lead(role).set_state(away(bob.to_string(), reason)).await.unwrap();
        assert_eq!(world.snapshot(bob).await.away_reason, reason);
        let nobody = lead(role).set_state(away(String::new(), "")).await.unwrap_err();
        assert_eq!(ApiError::of(&nobody).fields[0].0, "agent_id");
        let unknown = lead(role).set_state(away(fresh(), "")).await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
    }
    world.presence(bob).set_state(away(bob.to_string(), "lunch")).await.unwrap();
    let other = world.presence(ann).set_state(away(bob.to_string(), "ha")).await.unwrap_err();
    assert_eq!(ApiError::of(&other).reason, ErrorReason::RoleNotAllowed);
    let filter = EventMatcher::types(["agent.state_changed"]).unwrap();
    let events = async || world.bus.read(0, &filter, 100).await.unwrap().events;
    eventually(async || events().await.len() == 4).await;
    let actors: Vec<_> = events().await.into_iter().map(|it| it.envelope.actor).collect();
    let own = format!("agent/{bob}");
    assert_eq!(actors, [&own, "supervisor/eve", "admin/eve", &own]);
}
