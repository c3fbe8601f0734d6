//! Claims: B601, B604, A1, A2, A4.

use std::time::Duration;

use baton_api::common::v1::Reason;
use baton_api::error::{ApiError, ErrorReason};
use baton_api::presence::v1::connect_response::Message;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{
    AgentState, ClaimStatus, GetPresenceRequest, ListCandidatesRequest, ListInboxRequest, SetStateRequest,
    SyncClaimsRequest, claim_status, engagement,
};
use baton_api::transfer::v1::{claim_fact, fact};
use baton_runtime::auth::Role;
use baton_store::{Affected as _, on};
use uuid::Uuid;

use crate::world::{NONSENSE, TENANT, World, engage, eventually, fresh, release, reserve, wants};

pub(crate) const GRANTED: (claim_status::State, Reason) = (claim_status::State::Granted, Reason::Unspecified);

impl World {
    pub(crate) async fn sync(&self, request: &SyncClaimsRequest) -> Vec<ClaimStatus> {
        self.claims().sync_claims(request.clone()).await.unwrap().into_inner().claims
    }

    pub(crate) async fn sync_one(&self, request: &SyncClaimsRequest) -> (claim_status::State, Reason) {
        let statuses = self.sync(request).await;
        assert_eq!(statuses.len(), 1);
        (statuses[0].state(), statuses[0].reason())
    }

    pub(crate) fn soon(&self) -> i64 {
        self.clock.after(Duration::from_secs(8))
    }

    pub(crate) async fn set_state(&self, agent: Uuid, state: AgentState) {
        let request = SetStateRequest { request_id: fresh(), state: state as i32, ..SetStateRequest::default() };
        self.presence(agent).set_state(request).await.unwrap();
    }
}

pub(crate) fn next(request: &SyncClaimsRequest) -> SyncClaimsRequest {
    SyncClaimsRequest { version: request.version + 1, ..request.clone() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixty_four_interactions_one_gets_the_agent() {
    let world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let soon = world.soon();
    let asks = (0..64).map(|number| {
        let mut claims = world.claims();
        let id = format!("i{number}");
        let request = wants(&id, vec![reserve(&format!("{id}-claim-1"), bob, soon)]);
        baton_runtime::lifecycle::spawn(async move { claims.sync_claims(request).await.unwrap().into_inner() })
    });
    let (mut granted, mut busy) = (0, 0);
    for answer in asks.collect::<Vec<_>>() {
        let status = answer.await.unwrap().claims.remove(0);
        match (status.state(), status.reason()) {
            GRANTED => granted += 1,
            (claim_status::State::Refused, Reason::Busy) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((granted, busy), (1, 63));
}

#[tokio::test]
async fn the_same_version_is_answered_the_same_and_an_older_one_is_stale() {
    let world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let first = wants("i1", vec![reserve("i1-claim-1", bob, world.soon())]);
    assert_eq!(world.sync_one(&first).await, GRANTED);
    assert_eq!(world.sync_one(&first).await, GRANTED);
    let second = SyncClaimsRequest { claims: vec![engage("i1-claim-1", bob)], ..next(&first) };
    assert_eq!(world.sync_one(&second).await, GRANTED);
    assert!(world.snapshot(bob).await.has(engagement::State::Engaged));
    let status = world.claims().sync_claims(first).await.unwrap_err();
    assert_eq!(ApiError::of(&status).reason, ErrorReason::Stale);
    assert!(world.snapshot(bob).await.has(engagement::State::Engaged));
}

#[tokio::test]
async fn a_repeated_projection_that_changes_nothing_needs_no_writer() {
    let world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let (ann, _client) = world.online("Ann").await;
    let first = wants("i1", vec![engage("i1-claim-1", bob), reserve("i1-claim-2", ann, world.soon())]);
    world.sync(&first).await;
    let refused = wants("i2", vec![reserve("i2-claim-1", bob, world.soon())]);
    world.sync(&refused).await;
    let db = world.database().await;
    let _writing = db.begin().await.unwrap();
    let granted: Vec<_> = world.sync(&first).await.iter().map(|it| (it.state(), it.reason())).collect();
    assert_eq!(granted, [GRANTED, GRANTED]);
    assert_eq!(world.sync_one(&refused).await, (claim_status::State::Refused, Reason::Busy));
}

#[tokio::test]
async fn a_refusal_is_final_for_its_id() {
    let world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    world.sync_one(&wants("i1", vec![engage("i1-claim-1", bob)])).await;
    let refused = (claim_status::State::Refused, Reason::Busy);
    let second = wants("i2", vec![reserve("i2-claim-1", bob, world.soon())]);
    assert_eq!(world.sync_one(&second).await, refused);
    world.sync(&SyncClaimsRequest { version: 2, ..wants("i1", vec![]) }).await;
    assert_eq!(world.sync_one(&next(&second)).await, refused);
    let again = SyncClaimsRequest { version: 3, ..wants("i2", vec![reserve("i2-claim-2", bob, world.soon())]) };
    assert_eq!(world.sync_one(&again).await, GRANTED);
}

#[tokio::test]
async fn the_claim_says_in_which_states_an_agent_may_be_reserved() {
    let world = World::new().await;
    let offline = world.agent("Off").await;
    let (away, _client) = world.online("Away").await;
    world.set_state(away, AgentState::Away).await;
    let refused = claim_status::State::Refused;
    let mut number = 0;
    for (agent, also, expected) in [
        (offline, None, (refused, Reason::Offline)),
        (offline, Some(AgentState::Offline), GRANTED),
        (away, None, (refused, Reason::NotAvailable)),
        (away, Some(AgentState::Away), GRANTED),
        (Uuid::from_u128(7), None, (refused, Reason::NotAvailable)),
    ] {
        number += 1;
        let mut claim = reserve(&format!("i{number}-claim-1"), agent, world.soon());
        claim.choosable.extend(also.map(|it| it as i32));
        assert_eq!(world.sync_one(&wants(&format!("i{number}"), vec![claim])).await, expected);
    }
}

#[tokio::test]
async fn a_reservation_expires_on_time_and_is_reported_until_it_is_acknowledged() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    *world.intake.failures_left.lock().unwrap() = 3;
    let expires_at_us = world.soon();
    let first = wants("i1", vec![reserve("i1-claim-1", bob, expires_at_us)]);
    world.sync_one(&first).await;
    world.pass(Duration::from_secs(9)).await;
    eventually(async || !world.snapshot(bob).await.has(engagement::State::Reserved)).await;
    assert_eq!(world.sync_one(&first).await, (claim_status::State::Expired, Reason::Expired));
    world.pass(Duration::from_secs(4)).await;
    eventually(async || !world.intake.acknowledged.lock().unwrap().is_empty()).await;
    let (at_us, report) = world.intake.acknowledged.lock().unwrap()[0].clone();
    assert!(at_us < expires_at_us + 2_000_000, "three failures take less than two seconds");
    let Some(fact::Fact::Claim(claim)) = &report.facts[0].fact else { panic!("{report:?}") };
    assert_eq!((report.interaction_id.as_str(), claim.claim_id.as_str()), ("i1", "i1-claim-1"));
    assert_eq!(claim.state(), claim_fact::State::Expired);
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.intake.acknowledged.lock().unwrap().len(), 1, "reported again after it was acknowledged");
}

#[tokio::test]
async fn a_report_that_will_never_be_taken_is_given_up_and_holds_up_no_other() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let (ann, _client) = world.online("Ann").await;
    let soon = world.soon();
    world.sync(&wants("i1", vec![reserve(NONSENSE, bob, soon), reserve("i1-claim-2", ann, soon)])).await;
    world.pass(Duration::from_secs(12)).await;
    eventually(async || !world.intake.acknowledged.lock().unwrap().is_empty()).await;
    let (_, report) = world.intake.acknowledged.lock().unwrap()[0].clone();
    let Some(fact::Fact::Claim(claim)) = &report.facts[0].fact else { panic!("{report:?}") };
    assert_eq!((report.facts.len(), claim.claim_id.as_str()), (1, "i1-claim-2"));
    world.pass(Duration::from_mins(1)).await;
    assert_eq!(world.intake.acknowledged.lock().unwrap().len(), 1);
    assert_eq!(*world.intake.refused.lock().unwrap(), 2, "once with the other, once alone, and never again");
}

#[tokio::test]
async fn an_agent_who_answered_is_engaged_although_the_projection_came_too_late() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let (ann, _client) = world.online("Ann").await;
    let soon = world.soon();
    let claims = vec![reserve("i1-claim-1", bob, soon), reserve("i1-claim-2", ann, soon)];
    let first = wants("i1", claims);
    world.sync(&first).await;
    world.pass(Duration::from_secs(9)).await;
    eventually(async || world.snapshot(ann).await.is_free() && world.snapshot(bob).await.is_free()).await;
    world.sync_one(&wants("i2", vec![engage("i2-claim-1", ann)])).await;
    let late = SyncClaimsRequest { claims: vec![engage("i1-claim-1", bob), engage("i1-claim-2", ann)], ..next(&first) };
    let statuses: Vec<_> = world.sync(&late).await.iter().map(ClaimStatus::state).collect();
    assert_eq!(statuses, [claim_status::State::Granted, claim_status::State::Expired]);
    assert!(world.snapshot(bob).await.has(engagement::State::Engaged));
}

#[tokio::test]
async fn an_agent_who_misses_an_offer_is_not_responding_until_they_come_back() {
    let world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    for (number, requests_in_hello) in [(1, false), (2, true)] {
        let id = format!("i{number}");
        let claim = format!("{id}-claim-1");
        let first = wants(&id, vec![reserve(&claim, bob, world.soon())]);
        assert_eq!(world.sync_one(&first).await, GRANTED);
        let mut released = release(&claim, bob);
        released.reason = Reason::NoAnswer as i32;
        world.sync(&SyncClaimsRequest { claims: vec![], released: vec![released], ..next(&first) }).await;
        assert_eq!(world.state(bob).await, AgentState::NotResponding);
        // A client that connects by itself does not prove that the agent is there.
        drop(world.connect(bob).await);
        assert_eq!(world.state(bob).await, AgentState::NotResponding);
        if requests_in_hello {
            drop(world.connect_in(bob, AgentState::Available).await);
        } else {
            world.set_state(bob, AgentState::Available).await;
        }
        assert_eq!(world.state(bob).await, AgentState::Available);
    }
}

#[tokio::test]
async fn wrap_up_begins_once_per_engagement_and_ends_by_itself() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    world.sync_one(&wants("i1", vec![engage("i1-claim-1", bob)])).await;
    let mut released = release("i1-claim-1", bob);
    released.wrap_up_ms = 6_000;
    let over = SyncClaimsRequest { version: 2, released: vec![released], ..wants("i1", vec![]) };
    world.sync(&over).await;
    assert_eq!(world.state(bob).await, AgentState::WrapUp);
    world.pass(Duration::from_millis(6_500)).await;
    world.until_state(bob, AgentState::Available).await;
    world.sync(&over).await;
    world.sync(&next(&over)).await;
    assert_eq!(world.state(bob).await, AgentState::Available);
}

#[tokio::test]
async fn a_requested_state_ends_wrap_up() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    world.sync_one(&wants("i1", vec![engage("i1-claim-1", bob)])).await;
    let mut released = release("i1-claim-1", bob);
    released.wrap_up_ms = 6_000;
    world.sync(&SyncClaimsRequest { version: 2, released: vec![released], ..wants("i1", vec![]) }).await;
    world.set_state(bob, AgentState::Away).await;
    assert_eq!(world.state(bob).await, AgentState::Away);
    world.pass(Duration::from_millis(6_500)).await;
    assert_eq!(world.state(bob).await, AgentState::Away);
}

#[tokio::test]
async fn an_engagement_that_was_never_seen_still_leads_to_wrap_up_once() {
    let world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let mut released = release("i1-claim-1", bob);
    released.wrap_up_ms = 6_000;
    let late = SyncClaimsRequest { version: 9, released: vec![released], ..wants("i1", vec![]) };
    world.sync(&late).await;
    assert_eq!(world.state(bob).await, AgentState::WrapUp);
    world.set_state(bob, AgentState::Available).await;
    world.sync(&next(&late)).await;
    assert_eq!(world.state(bob).await, AgentState::Available);
}

#[tokio::test]
async fn the_end_of_an_interaction_that_was_pruned_leads_to_nothing() {
    let world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let mut released = release("i1-claim-1", bob);
    released.wrap_up_ms = 6_000;
    let late = SyncClaimsRequest { version: 9, released: vec![released], ended: true, ..wants("i1", vec![]) };
    world.sync(&late).await;
    assert_eq!(world.state(bob).await, AgentState::Available);
}

#[tokio::test]
async fn a_tenant_whose_claim_cannot_be_ended_does_not_hold_up_the_others() {
    let mut world = World::new().await;
    let mut agents = Vec::new();
    for tenant in [TENANT, "other"] {
        let agent = world.agent_of(tenant, "Bob").await;
        let mut claim = reserve("i1-claim-1", agent, world.soon());
        claim.choosable.push(AgentState::Offline as i32);
        let request = SyncClaimsRequest { tenant: tenant.to_owned(), ..wants("i1", vec![claim]) };
        assert_eq!(world.sync_one(&request).await, GRANTED);
        agents.push(agent);
    }
    let db = world.database().await;
    let mut tx = db.begin().await.unwrap();
    on!(&mut tx, conn => sqlx::query("UPDATE claims SET inbox = $2 WHERE tenant = $1").bind(TENANT).bind(vec![0xff_u8]).affected(conn).await)
        .unwrap();
    tx.commit().await.unwrap();
    world.pass(Duration::from_secs(9)).await;
    let mut presence = PresenceServiceClient::new(world.channel("other", &agents[1].to_string(), Role::Agent));
    let other = presence.get_presence(GetPresenceRequest::default()).await.unwrap().into_inner();
    assert!(other.presence.unwrap().is_free());
    assert!(world.snapshot(agents[0]).await.has(engagement::State::Reserved), "it could not be ended");
}

#[tokio::test]
async fn the_inbox_is_pushed_when_a_claim_comes_and_goes() {
    let world = World::new().await;
    let (bob, mut client) = world.online("Bob").await;
    let first = wants("i1", vec![reserve("i1-claim-1", bob, world.soon())]);
    world.sync_one(&first).await;
    let offered = |it: &Message| matches!(it, Message::Inbox(it) if it.active.iter().any(|it| it.offered));
    let Message::Inbox(inbox) = client.until(offered).await else { unreachable!() };
    assert_eq!((inbox.active[0].interaction_id.as_str(), inbox.active[0].from_name.as_str()), ("i1", "Ada"));
    let listed = world.presence(bob).list_inbox(ListInboxRequest {}).await.unwrap().into_inner();
    assert_eq!(listed.inbox.as_ref(), Some(&inbox));
    world.sync_one(&SyncClaimsRequest { claims: vec![engage("i1-claim-1", bob)], ..next(&first) }).await;
    client.until(|it| matches!(it, Message::Inbox(it) if it.active.iter().any(|it| !it.offered))).await;
    world.sync(&SyncClaimsRequest { version: 3, ended: true, ..wants("i1", vec![]) }).await;
    client.until(|it| matches!(it, Message::Inbox(it) if it.active.is_empty())).await;
}

#[tokio::test]
async fn candidates_come_longest_idle_first() {
    let mut world = World::new().await;
    let (ada, _a) = world.online("Ada").await;
    world.pass(Duration::from_secs(1)).await;
    let (bob, _b) = world.online("Bob").await;
    let off = world.agent("Off").await;
    let team = world.team("Sales", &[ada, bob, off]).await;
    let ask = |skip: &[Uuid]| ListCandidatesRequest {
        tenant: TENANT.to_owned(),
        team_id: team.to_string(),
        skip_agent_ids: skip.iter().map(Uuid::to_string).collect(),
        ..ListCandidatesRequest::default()
    };
    let names = async |skip: &[Uuid]| {
        let response = world.claims().list_candidates(ask(skip)).await.unwrap().into_inner();
        let names: Vec<_> = response.agents.into_iter().map(|it| it.name).collect();
        (names, response.anybody_left)
    };
    assert_eq!(names(&[]).await.0, ["Ada", "Bob"]);
    world.sync_one(&wants("i1", vec![engage("i1-claim-1", ada)])).await;
    assert_eq!(names(&[]).await.0, ["Bob"]);
    world.pass(Duration::from_secs(1)).await;
    world.sync(&SyncClaimsRequest { version: 2, ..wants("i1", vec![]) }).await;
    let names = async |skip: &[Uuid]| {
        let response = world.claims().list_candidates(ask(skip)).await.unwrap().into_inner();
        let names: Vec<_> = response.agents.into_iter().map(|it| it.name).collect();
        (names, response.anybody_left)
    };
    assert_eq!(names(&[]).await.0, ["Bob", "Ada"]);
    assert_eq!(names(&[ada, bob]).await, (vec![], true));
    assert_eq!(names(&[ada, bob, off]).await, (vec![], false));
}
