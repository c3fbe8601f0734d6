//! Waiting: B606 (longest idle), A6.

use std::time::Duration;

use baton_api::error::{ApiError, ErrorReason};
use baton_api::routing::v1::{SyncWaitRequest, SyncWaitResponse, Wait};
use uuid::Uuid;

use crate::world::{TENANT, World, eventually};

const TEAM: Uuid = Uuid::from_u128(1);
const ANN: Uuid = Uuid::from_u128(11);
const BOB: Uuid = Uuid::from_u128(12);

fn wants(interaction: &str, version: u64, wait: impl Into<Option<Wait>>) -> SyncWaitRequest {
    let (tenant, interaction_id) = (TENANT.to_owned(), interaction.to_owned());
    SyncWaitRequest { tenant, interaction_id, version, wait: wait.into() }
}

fn wait(wait_id: &str, since_us: i64, skip: &[Uuid]) -> Wait {
    let skip_agent_ids = skip.iter().map(Uuid::to_string).collect();
    Wait { wait_id: wait_id.to_owned(), team_id: TEAM.to_string(), skip_agent_ids, since_us }
}

fn proposed(response: &SyncWaitResponse) -> Vec<Uuid> {
    response.proposed.iter().map(|it| it.agent_id.parse().unwrap()).collect()
}

impl World {
    async fn sync(&self, request: SyncWaitRequest) -> SyncWaitResponse {
        self.route().sync_wait(request).await.unwrap().into_inner()
    }

    async fn until_reported(&self, expected: &[(&str, &[Uuid])]) {
        let expected: Vec<(String, Vec<String>)> = expected
            .iter()
            .map(|(interaction, agents)| ((*interaction).to_owned(), agents.iter().map(Uuid::to_string).collect()))
            .collect();
        eventually(async || self.peers.proposals() == expected).await;
    }
}

#[tokio::test]
async fn who_is_free_is_proposed_at_once_and_again_for_the_same_wait() {
    let world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    let first = world.sync(wants("i1", 1, wait("w1", 5, &[]))).await;
    assert_eq!((proposed(&first), first.exhausted), (vec![ANN], false));
    world.peers.set_free(TEAM, ANN, false);
    assert_eq!(world.sync(wants("i1", 1, wait("w1", 5, &[]))).await, first);
    assert_eq!(world.sync(wants("i1", 2, wait("w1", 5, &[]))).await, first);
    let status = world.route().sync_wait(wants("i1", 1, None)).await.unwrap_err();
    assert_eq!(ApiError::of(&status).reason, ErrorReason::Stale);
}

#[tokio::test]
async fn who_becomes_free_is_proposed_until_it_is_heard() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, false);
    let first = world.sync(wants("i1", 1, wait("w1", 5, &[]))).await;
    assert_eq!(first, SyncWaitResponse::default());
    world.peers.known().report_failures = 2;
    world.peers.set_free(TEAM, ANN, true);
    world.pass(Duration::from_secs(2)).await;
    world.until_reported(&[("i1", &[ANN])]).await;
    assert_eq!(proposed(&world.sync(wants("i1", 1, wait("w1", 5, &[]))).await), [ANN]);
}

#[tokio::test]
async fn who_waits_longest_comes_first_and_two_are_not_proposed_the_same_agent() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, false);
    world.peers.set_free(TEAM, BOB, false);
    world.sync(wants("late", 1, wait("w2", 200, &[]))).await;
    world.sync(wants("early", 1, wait("w1", 100, &[]))).await;
    world.peers.set_free(TEAM, ANN, true);
    world.until_reported(&[("early", &[ANN])]).await;
    world.peers.set_free(TEAM, BOB, true);
    world.until_reported(&[("early", &[ANN]), ("late", &[BOB])]).await;
    world.pass(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_newcomer_does_not_overtake() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, false);
    world.sync(wants("early", 1, wait("w1", 100, &[]))).await;
    world.peers.known().teams.insert(TEAM, vec![(ANN, true)]);
    let late = world.sync(wants("late", 1, wait("w2", 200, &[]))).await;
    assert_eq!(late, SyncWaitResponse::default());
    world.until_reported(&[("early", &[ANN])]).await;
    // Nobody claims her, so that she is no longer held, and the next in the queue is proposed her.
    world.pass(Duration::from_secs(4)).await;
    world.until_reported(&[("early", &[ANN]), ("late", &[ANN])]).await;
}

#[tokio::test]
async fn nobody_left_is_said_at_once_and_a_team_that_is_gone_has_nobody() {
    let world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    let nobody = SyncWaitResponse { exhausted: true, ..SyncWaitResponse::default() };
    assert_eq!(world.sync(wants("i1", 1, wait("w1", 5, &[ANN]))).await, nobody);
    world.peers.known().teams.clear();
    assert_eq!(world.sync(wants("i2", 1, wait("w1", 5, &[]))).await, nobody);
}

#[tokio::test]
async fn another_round_skips_who_refused_and_the_end_of_waiting_is_the_end() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    world.peers.set_free(TEAM, BOB, false);
    assert_eq!(proposed(&world.sync(wants("i1", 1, wait("w1", 5, &[]))).await), [ANN]);
    assert_eq!(world.sync(wants("i1", 2, wait("w2", 5, &[ANN]))).await, SyncWaitResponse::default());
    world.sync(wants("i1", 3, None)).await;
    world.peers.set_free(TEAM, BOB, true);
    world.pass(Duration::from_secs(3)).await;
    // Ann may be reported beside the answer, by a pass that saw her become free; Bob never was wanted.
    let bob = BOB.to_string();
    assert!(!world.peers.proposals().iter().any(|(_, agents)| agents.contains(&bob)));
}

#[tokio::test]
async fn while_presence_is_down_the_wait_is_kept_and_found_by_the_scan() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    world.peers.known().presence_is_down = true;
    assert_eq!(world.sync(wants("i1", 1, wait("w1", 5, &[]))).await, SyncWaitResponse::default());
    world.peers.known().presence_is_down = false;
    world.pass(Duration::from_secs(2)).await;
    world.until_reported(&[("i1", &[ANN])]).await;
}
