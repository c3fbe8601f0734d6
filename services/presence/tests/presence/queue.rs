//! Claims that wait until their agent is free (B504), and wrap-ups that last until a turn is dispositioned (B507).

use std::time::Duration;

use baton_api::common::v1::Reason;
use baton_api::picker;
use baton_api::presence::v1::{
    AgentState, Claim, InboxItem, ListInboxRequest, ListTargetsRequest, Obstacle, ReleasedClaim, SyncClaimsRequest,
    TargetFilter, claim_status, engagement, released_claim,
};
use baton_api::transfer::v1::{claim_fact, fact};
use uuid::Uuid;

use crate::claims::{GRANTED, next};
use crate::world::{World, engage, eventually, release, reserve, wants};

const QUEUED: (claim_status::State, Reason) = (claim_status::State::Queued, Reason::Unspecified);

/// What interaction `id` wants: this agent, also if they are in another call; they may be chosen while they wrap up.
fn waits_for(world: &World, id: &str, agent: Uuid) -> SyncClaimsRequest {
    let claim = reserve(&format!("{id}-claim-1"), agent, world.soon());
    let choosable = vec![AgentState::Available.into(), AgentState::WrapUp.into()];
    wants(id, vec![Claim { waits_if_busy: true, choosable, ..claim }])
}

impl World {
    /// The transfers that wait for the agent.
    async fn waiting(&self, agent: Uuid) -> Vec<InboxItem> {
        let listed = self.presence(agent).list_inbox(ListInboxRequest {}).await.unwrap().into_inner();
        listed.inbox.unwrap().waiting
    }

    /// The claims that were reported as granted, in order.
    fn granted_late(&self) -> Vec<String> {
        let reports = self.intake.acknowledged.lock().unwrap();
        let facts = reports.iter().flat_map(|(_, report)| &report.facts);
        let granted = facts.filter_map(|it| match &it.fact {
            Some(fact::Fact::Claim(it)) if it.state() == claim_fact::State::Granted => Some(it.claim_id.clone()),
            _ => None,
        });
        granted.collect()
    }

    async fn until_reported(&mut self, granted: &[&str]) {
        self.pass(Duration::from_secs(1)).await;
        eventually(async || self.granted_late() == granted).await;
    }
}

#[tokio::test]
async fn b504_who_waits_first_is_granted_the_agent_as_soon_as_they_are_free_and_that_is_reported() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let call = wants("i1", vec![engage("i1-claim-1", bob)]);
    world.sync_one(&call).await;
    let (second, third) = (waits_for(&world, "i2", bob), waits_for(&world, "i3", bob));
    for request in [&second, &third, &second] {
        assert_eq!(world.sync_one(request).await, QUEUED);
        world.pass(Duration::from_millis(10)).await;
    }
    let waiting: Vec<_> = world.waiting(bob).await.into_iter().map(|it| (it.interaction_id, it.offered)).collect();
    assert_eq!(waiting, [("i2".to_owned(), true), ("i3".to_owned(), true)]);
    assert!(world.granted_late().is_empty());

    world.sync(&SyncClaimsRequest { claims: vec![], released: vec![release("i1-claim-1", bob)], ..next(&call) }).await;
    assert!(world.snapshot(bob).await.has(engagement::State::Reserved), "at once: nobody comes in between");
    let waiting: Vec<_> = world.waiting(bob).await.into_iter().map(|it| it.interaction_id).collect();
    assert_eq!(waiting, ["i3"]);
    assert_eq!(world.sync_one(&second).await, GRANTED);
    assert_eq!(world.sync_one(&wants("i4", vec![reserve("i4-claim-1", bob, world.soon())])).await.1, Reason::Busy);
    world.until_reported(&["i2-claim-1"]).await;
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(world.granted_late().len(), 1, "reported once");

    world.sync(&SyncClaimsRequest { claims: vec![], ..next(&second) }).await;
    world.until_reported(&["i2-claim-1", "i3-claim-1"]).await;
}

#[tokio::test]
async fn b504_a_granted_claim_that_waited_expires_as_others_do() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let call = wants("i1", vec![engage("i1-claim-1", bob)]);
    world.sync_one(&call).await;
    world.sync_one(&waits_for(&world, "i2", bob)).await;
    world.sync(&SyncClaimsRequest { claims: vec![], ..next(&call) }).await;
    world.until_reported(&["i2-claim-1"]).await;
    world.pass(Duration::from_secs(9)).await;
    eventually(async || world.snapshot(bob).await.is_free()).await;
    world.pass(Duration::from_secs(1)).await;
    eventually(async || world.intake.acknowledged.lock().unwrap().len() == 2).await;
}

#[tokio::test]
async fn b504_who_waits_in_vain_expires_and_who_is_not_wanted_waits_no_longer() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let call = wants("i1", vec![engage("i1-claim-1", bob)]);
    world.sync_one(&call).await;
    let given_up = waits_for(&world, "i2", bob);
    world.sync_one(&given_up).await;
    world
        .sync(&SyncClaimsRequest { claims: vec![], released: vec![release("i2-claim-1", bob)], ..next(&given_up) })
        .await;
    assert!(world.waiting(bob).await.is_empty());
    let in_vain = waits_for(&world, "i3", bob);
    world.sync_one(&in_vain).await;
    world.pass(Duration::from_secs(9)).await;
    eventually(async || world.waiting(bob).await.is_empty()).await;
    assert_eq!(world.sync_one(&in_vain).await, (claim_status::State::Expired, Reason::Expired));
    world.sync(&SyncClaimsRequest { claims: vec![], ..next(&call) }).await;
    assert!(world.snapshot(bob).await.is_free());
}

#[tokio::test]
async fn b504_an_agent_who_may_not_be_chosen_when_they_are_free_is_waited_for_until_they_may() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let call = wants("i1", vec![engage("i1-claim-1", bob)]);
    world.sync_one(&call).await;
    world.sync_one(&waits_for(&world, "i2", bob)).await;
    world.set_state(bob, AgentState::Away).await;
    world.sync(&SyncClaimsRequest { claims: vec![], ..next(&call) }).await;
    assert!(world.snapshot(bob).await.is_free(), "they are away");
    world.set_state(bob, AgentState::Available).await;
    assert!(world.snapshot(bob).await.has(engagement::State::Reserved));
    world.until_reported(&["i2-claim-1"]).await;
}

#[tokio::test]
async fn b504_whoever_waits_is_remembered_over_a_restart() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let call = wants("i1", vec![engage("i1-claim-1", bob)]);
    world.sync_one(&call).await;
    world.sync_one(&waits_for(&world, "i2", bob)).await;
    world.restart().await;
    assert_eq!(world.waiting(bob).await.len(), 1);
    world.sync(&SyncClaimsRequest { claims: vec![], ..next(&call) }).await;
    let _client = world.connect_in(bob, AgentState::Available).await;
    world.until_reported(&["i2-claim-1"]).await;
}

#[tokio::test]
async fn b507_wrap_up_lasts_until_the_turn_is_dispositioned_whatever_the_agent_requests() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let call = wants("i1", vec![engage("i1-claim-1", bob)]);
    world.sync_one(&call).await;
    let closed = |closing: released_claim::Closing| {
        let released = ReleasedClaim { wrap_up_ms: 60_000, closing: closing.into(), ..release("i1-claim-1", bob) };
        SyncClaimsRequest { claims: vec![], released: vec![released], ended: true, ..next(&call) }
    };
    let over = closed(released_claim::Closing::Due);
    world.sync(&over).await;
    let due = world.snapshot(bob).await;
    assert_eq!((due.state(), due.disposition_due_interaction_ids.join(" ")), (AgentState::WrapUp, "i1".to_owned()));
    world.set_state(bob, AgentState::Away).await;
    assert_eq!(world.state(bob).await, AgentState::WrapUp);
    world.restart().await;
    assert_eq!(world.snapshot(bob).await.disposition_due_interaction_ids, ["i1"]);
    let _client = world.connect(bob).await;
    let done = SyncClaimsRequest { version: over.version + 1, ..closed(released_claim::Closing::Done) };
    world.sync(&done).await;
    let free = world.snapshot(bob).await;
    assert_eq!((free.state(), free.disposition_due_interaction_ids.len()), (AgentState::Away, 0));
}

#[tokio::test]
async fn b507_without_a_disposition_wrap_up_is_over_when_its_time_is() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let call = wants("i1", vec![engage("i1-claim-1", bob)]);
    world.sync_one(&call).await;
    let closing = released_claim::Closing::Due.into();
    let released = ReleasedClaim { wrap_up_ms: 6_000, closing, ..release("i1-claim-1", bob) };
    world.sync(&SyncClaimsRequest { claims: vec![], released: vec![released], ..next(&call) }).await;
    world.pass(Duration::from_millis(6_500)).await;
    world.until_state(bob, AgentState::Available).await;
    assert!(world.snapshot(bob).await.disposition_due_interaction_ids.is_empty());
}

#[tokio::test]
async fn b301_the_picker_says_how_many_wait_for_an_agent_and_since_when() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let (ada, _other) = world.online("Ada").await;
    world.sync_one(&wants("i1", vec![engage("i1-claim-1", bob)])).await;
    let before_us = world.clock.now_us();
    for id in ["i2", "i3"] {
        assert_eq!(world.sync_one(&waits_for(&world, id, bob)).await, QUEUED);
        world.pass(Duration::from_millis(10)).await;
    }
    let filter = Some(TargetFilter { include_unavailable: true, ..TargetFilter::default() });
    let request = ListTargetsRequest { filter, ..ListTargetsRequest::default() };
    let shown = world.presence(ada).list_targets(request).await.unwrap().into_inner().targets;
    let shown = picker::targets(shown).unwrap();
    let since = shown[0].waiting_start_time.unwrap();
    assert_eq!((shown[0].name.as_str(), shown[0].waiting, shown[0].obstacle()), ("Bob", 2, Obstacle::InCall));
    assert_eq!(since.seconds * 1_000_000 + i64::from(since.nanos) / 1_000, before_us);
}
