//! Sessions of clients whose streams go one way, as in a browser; and of clients that reconnect all the time.

use std::time::Duration;

use baton_api::error::{ApiError, ErrorReason};
use baton_api::presence::v1::watch_agent_response::{Message, Welcome};
use baton_api::presence::v1::{
    AgentState, CloseSessionRequest, OpenSessionRequest, OpenSessionResponse, RenewSessionRequest, WatchAgentRequest,
    WatchAgentResponse, engagement,
};
use baton_runtime::Clock;
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

use crate::world::{LEASE, World, eventually, fresh, reserve, wants};

const A_BIT: Duration = Duration::from_secs(1);

impl World {
    async fn open(&self, agent: Uuid, request_id: &str) -> Result<OpenSessionResponse, Status> {
        let request = OpenSessionRequest {
            request_id: request_id.to_owned(),
            client: "desk-web/1".to_owned(),
            state: AgentState::Unspecified.into(),
        };
        Ok(self.presence(agent).open_session(request).await?.into_inner())
    }

    /// When the lease is over, in seconds.
    async fn renew(&self, agent: Uuid, session_id: &str) -> Result<i64, Status> {
        let request = RenewSessionRequest { session_id: session_id.to_owned() };
        Ok(self.presence(agent).renew_session(request).await?.into_inner().lease_expire_time.unwrap().seconds)
    }

    async fn close(&self, agent: Uuid, session_id: &str) {
        let request = CloseSessionRequest { session_id: session_id.to_owned() };
        self.presence(agent).close_session(request).await.unwrap();
    }

    async fn watch(&self, agent: Uuid, session_id: &str) -> (Welcome, Streaming<WatchAgentResponse>) {
        let request = WatchAgentRequest { session_id: session_id.to_owned() };
        let mut stream = self.presence(agent).watch_agent(request).await.unwrap().into_inner();
        match next(&mut stream).await.unwrap() {
            Message::Welcome(welcome) => (welcome, stream),
            other => panic!("{other:?}"),
        }
    }
}

async fn next(stream: &mut Streaming<WatchAgentResponse>) -> Result<Message, Status> {
    let message = Clock::real().timeout(Duration::from_secs(10), stream.message()).await.expect("a message");
    Ok(message?.expect("no end with OK").message.unwrap())
}

#[tokio::test]
async fn an_agent_lives_by_unary_calls_alone() {
    let mut world = World::new().await;
    let bob = world.agent("Bob").await;
    let opened = world.open(bob, "1").await.unwrap();
    assert_eq!(opened.lease_ms, LEASE.as_millis() as i64);
    assert_eq!(opened.presence.unwrap().state(), AgentState::Available);
    let (welcome, mut stream) = world.watch(bob, &opened.session_id).await;
    assert_eq!(welcome.presence.unwrap().state(), AgentState::Available);
    assert!(welcome.inbox.unwrap().active.is_empty());

    let expires_us = world.clock.after(Duration::from_secs(20));
    world.claims().sync_claims(wants("i1", vec![reserve("i1-claim-1", bob, expires_us)])).await.unwrap();
    let Message::Inbox(inbox) = next(&mut stream).await.unwrap() else { panic!("no inbox") };
    assert_eq!((inbox.active[0].interaction_id.as_str(), inbox.active[0].offered), ("i1", true));
    let Message::Presence(presence) = next(&mut stream).await.unwrap() else { panic!("no presence") };
    assert!(presence.has(engagement::State::Reserved));

    for _ in 0..3 {
        world.pass(LEASE.saturating_sub(A_BIT)).await;
        let until_us = world.clock.after(LEASE);
        assert_eq!(world.renew(bob, &opened.session_id).await.unwrap(), until_us / 1_000_000);
    }
    assert_eq!(world.state(bob).await, AgentState::Available);
    world.close(bob, &opened.session_id).await;
    assert_eq!(world.state(bob).await, AgentState::Offline);
    assert_eq!(world.renew(bob, &opened.session_id).await.unwrap_err().code(), Code::NotFound);
    world.close(bob, &opened.session_id).await;
}

#[tokio::test]
async fn a_session_that_is_not_renewed_is_over_with_its_lease_and_its_watch_with_it() {
    let mut world = World::new().await;
    let bob = world.agent("Bob").await;
    let opened = world.open(bob, "1").await.unwrap();
    let (_, mut stream) = world.watch(bob, &opened.session_id).await;
    world.pass(LEASE.saturating_sub(A_BIT)).await;
    assert_eq!(world.state(bob).await, AgentState::Available);
    world.pass(A_BIT).await;
    world.until_state(bob, AgentState::Offline).await;
    let end = loop {
        if let Err(status) = next(&mut stream).await {
            break status;
        }
    };
    assert_eq!((end.code(), ApiError::of(&end).reason), (Code::Aborted, ErrorReason::Stale));
}

#[tokio::test]
async fn a_repeated_opening_is_the_same_session_as_long_as_it_lives() {
    let world = World::new().await;
    let (ann, bob) = (world.agent("Ann").await, world.agent("Bob").await);
    let first = world.open(bob, "1").await.unwrap();
    assert_eq!(world.open(bob, "1").await.unwrap(), first);
    assert_ne!(world.open(ann, "1").await.unwrap().session_id, first.session_id);
    let other = OpenSessionRequest { request_id: "1".to_owned(), ..OpenSessionRequest::default() };
    let status = world.presence(bob).open_session(other).await.unwrap_err();
    assert_eq!(ApiError::of(&status).reason, ErrorReason::RequestIdReused);
    world.close(bob, &first.session_id).await;
    assert_eq!(world.state(bob).await, AgentState::Offline);
    assert_ne!(world.open(bob, "1").await.unwrap().session_id, first.session_id);
    assert_eq!(world.state(bob).await, AgentState::Available);
}

#[tokio::test]
async fn a_session_belongs_to_its_agent() {
    let world = World::new().await;
    let (ann, bob) = (world.agent("Ann").await, world.agent("Bob").await);
    let session_id = world.open(bob, "1").await.unwrap().session_id;
    assert_eq!(world.renew(ann, &session_id).await.unwrap_err().code(), Code::NotFound);
    world.close(ann, &session_id).await;
    assert_eq!(world.state(bob).await, AgentState::Available);
    let request = WatchAgentRequest { session_id };
    assert_eq!(world.presence(ann).watch_agent(request).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn two_tabs_that_reconnect_each_second_are_never_refused_and_a_third_keeps_its_session() {
    let mut world = World::new().await;
    let bob = world.agent("Bob").await;
    let quiet = world.open(bob, "quiet").await.unwrap().session_id;
    for second in 0..60 {
        let tab = world.connect(bob).await;
        drop(tab);
        world.open(bob, &fresh()).await.unwrap();
        if second % 5 == 0 {
            world.renew(bob, &quiet).await.unwrap();
        }
        world.pass(A_BIT).await;
    }
    world.renew(bob, &quiet).await.unwrap();
    world.pass(LEASE).await;
    world.until_state(bob, AgentState::Offline).await;
}

#[tokio::test]
async fn a_watch_is_never_silent_for_long() {
    let mut world = World::new().await;
    let bob = world.agent("Bob").await;
    let (welcome, mut stream) = world.watch(bob, "").await;
    assert_eq!(welcome.presence.unwrap().state(), AgentState::Offline);
    for _ in 0..3 {
        world.pass(Duration::from_secs(20)).await;
        assert!(matches!(next(&mut stream).await.unwrap(), Message::Checkpoint(_)));
    }
}

#[tokio::test]
async fn a_watch_says_that_the_server_goes_away_and_does_not_end_with_ok() {
    let world = World::new().await;
    let bob = world.agent("Bob").await;
    let (_, mut stream) = world.watch(bob, "").await;
    assert!(!world.stop().await.iter().any(|it| it == "presence watch"));
    assert_eq!(next(&mut stream).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_session_that_gave_way_is_over_for_its_client() {
    let world = World::new().await;
    let bob = world.agent("Bob").await;
    let first = world.open(bob, "first").await.unwrap().session_id;
    let (_, mut stream) = world.watch(bob, &first).await;
    for _ in 0..16 {
        world.open(bob, &fresh()).await.unwrap();
    }
    assert_eq!(next(&mut stream).await.unwrap_err().code(), Code::Aborted);
    eventually(async || world.renew(bob, &first).await.is_err()).await;
    assert_eq!(world.state(bob).await, AgentState::Available);
}
