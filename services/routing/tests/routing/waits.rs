//! Waiting: B606 (longest idle), A6, T10.

use std::collections::BTreeSet;
use std::time::Duration;

use baton_api::common::v1::ProjectionVersion;
use baton_api::error::{ApiError, ErrorReason};
use baton_api::routing::v1::{CompareWaitsRequest, SyncWaitRequest, SyncWaitResponse, Wait};
use baton_runtime::lifecycle;
use baton_store::{Affected as _, on};
use uuid::Uuid;

use crate::world::{TENANT, World, eventually};

const TEAM: Uuid = Uuid::from_u128(1);
const ANN: Uuid = Uuid::from_u128(11);
const BOB: Uuid = Uuid::from_u128(12);
/// Longer than an agent is held off if the interaction sends no claim; with the pass that follows less than the 2 s of A6.
const HOLD_OFF: Duration = Duration::from_millis(1_900);

fn wants(interaction: &str, version: u64, wait: impl Into<Option<Wait>>) -> SyncWaitRequest {
    let (tenant, interaction_id) = (TENANT.to_owned(), interaction.to_owned());
    SyncWaitRequest { tenant, interaction_id, version, wait: wait.into(), ..SyncWaitRequest::default() }
}

fn wait(wait_id: &str, since_us: i64, skip: &[Uuid]) -> Wait {
    let skip_agent_ids = skip.iter().map(Uuid::to_string).collect();
    Wait { wait_id: wait_id.to_owned(), team_id: TEAM.to_string(), skip_agent_ids, since_us, ..Wait::default() }
}

/// Nobody is proposed yet, and it has a position in the queue.
fn waits(response: &SyncWaitResponse) -> bool {
    response.proposed.is_empty() && !response.exhausted && response.position > 0
}

fn proposed(response: &SyncWaitResponse) -> Vec<Uuid> {
    response.proposed.iter().map(|it| it.agent_id.parse().unwrap()).collect()
}

fn of_tenant(tenant: &str, request: SyncWaitRequest) -> SyncWaitRequest {
    SyncWaitRequest { tenant: tenant.to_owned(), ..request }
}

impl World {
    async fn sync(&self, request: SyncWaitRequest) -> SyncWaitResponse {
        self.route().sync_wait(request).await.unwrap().into_inner()
    }

    /// Adds `count` waits for a team, longer than all others, in one commit.
    async fn have_waits(&self, team: Uuid, count: usize) {
        let db = self.database().await;
        let mut tx = db.begin().await.unwrap();
        for n in 0..count {
            on!(&mut tx, conn => sqlx::query(
                "INSERT INTO waits (tenant, interaction_id, version, state, wait_id, team_id, skip, since_us, proposal,
                     reported, updated_us)
                 VALUES ($1, $2, 1, 'waiting', 'w', $3, $5, $4, $5, TRUE, 0)")
                .bind(TENANT)
                .bind(format!("before-{n}"))
                .bind(team)
                .bind(n as i64 - 1_000_000)
                .bind(Vec::<u8>::new())
                .affected(conn)
                .await)
            .unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Waits until a proposal is reported, whatever else is: when an agent was just announced, the queue worker may find a wait, too,
    /// that its own request is about to answer.
    async fn until_proposed(&self, interaction: &str, agent: Uuid) {
        let expected = (interaction.to_owned(), vec![agent.to_string()]);
        eventually(async || self.peers.proposals().contains(&expected)).await;
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
async fn a_wait_that_routing_does_not_have_is_lacking() {
    let world = World::new().await;
    world.sync(wants("i1", 2, wait("w1", 0, &[]))).await;
    let asked = [("i1", 1), ("i1", 2), ("i1", 3), ("i2", 1)];
    for ((id, version), lacks) in asked.into_iter().zip([false, false, true, true]) {
        let versions = vec![ProjectionVersion { tenant: TENANT.to_owned(), interaction_id: id.to_owned(), version }];
        let answer = world.route().compare_waits(CompareWaitsRequest { versions }).await.unwrap().into_inner();
        let expected = if lacks { vec![id.to_owned()] } else { vec![] };
        assert_eq!(answer.lacking_interaction_ids, expected, "{id} at {version}");
    }
}

#[tokio::test]
async fn a_free_agent_is_proposed_at_once_and_again_for_the_same_wait() {
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
async fn an_agent_who_becomes_free_is_proposed_until_it_is_acknowledged() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, false);
    let first = world.sync(wants("i1", 1, wait("w1", 5, &[]))).await;
    assert!(waits(&first));
    world.peers.known().report_failures = 2;
    world.peers.set_free(TEAM, ANN, true);
    world.pass(Duration::from_secs(2)).await;
    world.until_reported(&[("i1", &[ANN])]).await;
    assert_eq!(proposed(&world.sync(wants("i1", 1, wait("w1", 5, &[]))).await), [ANN]);
}

#[tokio::test]
async fn the_longest_wait_comes_first_and_two_are_not_proposed_the_same_agent() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, false);
    world.peers.set_free(TEAM, BOB, false);
    world.sync(wants("late", 1, wait("w2", 200, &[]))).await;
    world.sync(wants("early", 1, wait("w1", 100, &[]))).await;
    world.peers.set_free(TEAM, ANN, true);
    world.until_reported(&[("early", &[ANN])]).await;
    world.peers.set_free(TEAM, BOB, true);
    world.until_reported(&[("early", &[ANN]), ("late", &[BOB])]).await;
    // There are no other proposals.
    world.pass(Duration::from_secs(5)).await;
    world.until_reported(&[("early", &[ANN]), ("late", &[BOB])]).await;
}

#[tokio::test]
async fn a_new_wait_does_not_overtake() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, false);
    world.sync(wants("early", 1, wait("w1", 100, &[]))).await;
    world.peers.known().teams.insert(TEAM, vec![(ANN, true)]);
    let late = world.sync(wants("late", 1, wait("w2", 200, &[]))).await;
    assert!(waits(&late));
    world.until_reported(&[("early", &[ANN])]).await;
    // She is not claimed, so that the hold-off ends and she is proposed to the next in the queue.
    world.pass(HOLD_OFF).await;
    world.until_reported(&[("early", &[ANN]), ("late", &[ANN])]).await;
}

#[tokio::test]
async fn an_agent_who_declined_is_proposed_to_the_next_at_once() {
    let world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    world.peers.set_free(TEAM, BOB, false);
    assert_eq!(proposed(&world.sync(wants("i1", 1, wait("w1", 5, &[]))).await), [ANN]);
    assert!(waits(&world.sync(wants("i2", 1, wait("w1", 6, &[]))).await));
    assert!(waits(&world.sync(wants("i1", 2, wait("w2", 5, &[ANN]))).await));
    world.until_proposed("i2", ANN).await;
}

#[tokio::test]
async fn an_agent_whose_claim_was_refused_is_proposed_again_only_after_a_moment() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    assert_eq!(proposed(&world.sync(wants("i1", 1, wait("w1", 5, &[]))).await), [ANN]);
    world.sync(wants("i1", 2, None)).await;
    assert!(waits(&world.sync(wants("i1", 3, wait("w2", 5, &[]))).await));
    world.pass(Duration::from_millis(300)).await;
    let again = world.sync(wants("i1", 3, wait("w2", 5, &[]))).await;
    assert_eq!(proposed(&again), [ANN]);
}

#[tokio::test]
async fn more_agents_than_one_answer_names_are_all_proposed_at_once() {
    let world = World::new().await;
    world.peers.set_free(TEAM, ANN, false);
    world.have_waits(TEAM, 249).await;
    world.sync(wants("last", 1, wait("w1", 5, &[]))).await;
    world.peers.known().teams.insert(TEAM, (1_000..1_250).map(|it| (Uuid::from_u128(it), true)).collect());
    world.peers.announce();
    eventually(async || world.peers.proposals().len() == 250).await;
    let agents: BTreeSet<_> = world.peers.proposals().into_iter().flat_map(|it| it.1).collect();
    assert_eq!(agents.len(), 250, "everybody to one");
}

#[tokio::test]
async fn an_agent_whose_caller_hung_up_before_the_claim_is_proposed_to_the_next_soon() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    assert_eq!(proposed(&world.sync(wants("i1", 1, wait("w1", 5, &[]))).await), [ANN]);
    world.sync(wants("i2", 1, wait("w1", 6, &[]))).await;
    world.sync(wants("i1", 2, None)).await;
    // Not at once: it could also be that she is being claimed just now.
    assert!(waits(&world.sync(wants("i2", 2, wait("w2", 6, &[]))).await));
    world.pass(Duration::from_millis(300)).await;
    world.until_proposed("i2", ANN).await;
}

#[tokio::test]
async fn a_wait_that_is_repeated_or_new_asks_for_itself_alone() {
    let world = World::new().await;
    world.peers.set_free(TEAM, ANN, false);
    let others: Vec<Uuid> = (100..150).map(Uuid::from_u128).collect();
    for (n, other) in others.iter().enumerate() {
        world.sync(wants(&format!("i{n}"), 1, wait("w1", n as i64, &[*other]))).await;
    }
    let asked = world.peers.known().questions;
    assert!(asked <= 2 * others.len() + 5, "{asked} questions for {} waits", others.len());
    for (n, other) in others.iter().enumerate() {
        world.sync(wants(&format!("i{n}"), 1, wait("w1", n as i64, &[*other]))).await;
    }
    assert_eq!(world.peers.known().questions, asked, "what is repeated asks nobody");
}

#[tokio::test]
async fn a_tenant_for_whom_presence_hangs_delays_no_other() {
    let world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    world.peers.known().hangs.insert("acme");
    let (mut route, stuck) = (world.route(), of_tenant("acme", wants("i1", 1, wait("w1", 5, &[]))));
    let stuck = lifecycle::spawn(async move { route.sync_wait(stuck).await });
    eventually(async || world.peers.known().questions > 0).await;
    let other = world.sync(of_tenant("other", wants("i2", 1, wait("w1", 5, &[])))).await;
    assert_eq!(proposed(&other), [ANN]);
    assert!(!stuck.is_finished(), "the other one was answered meanwhile");
}

#[tokio::test]
async fn a_tenant_for_whom_presence_fails_keeps_no_other_waiting() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, false);
    for tenant in ["acme", "other"] {
        world.sync(of_tenant(tenant, wants(tenant, 1, wait("w1", 5, &[])))).await;
    }
    world.peers.known().refuses.insert("acme");
    // Not announced: the scan finds her.
    world.peers.known().teams.insert(TEAM, vec![(ANN, true)]);
    world.pass(HOLD_OFF).await;
    world.until_reported(&[("other", &[ANN])]).await;
}

#[tokio::test]
async fn however_many_wait_for_another_team_no_wait_starves() {
    let world = World::new().await;
    world.have_waits(Uuid::from_u128(2), 1_001).await;
    world.peers.set_free(Uuid::from_u128(2), BOB, false);
    world.peers.set_free(TEAM, ANN, false);
    assert!(waits(&world.sync(wants("i1", 1, wait("w1", 5, &[]))).await));
    world.peers.set_free(TEAM, ANN, true);
    world.until_reported(&[("i1", &[ANN])]).await;
}

#[tokio::test]
async fn however_many_skip_the_free_agent_the_next_wait_is_found() {
    let world = World::new().await;
    world.peers.set_free(TEAM, BOB, true);
    world.peers.set_free(TEAM, ANN, false);
    for n in 0..60 {
        let first = world.sync(wants(&format!("i{n}"), 1, wait("w1", n, &[BOB]))).await;
        assert!(waits(&first));
        assert_eq!(i64::from(first.position), n + 1);
    }
    assert_eq!(proposed(&world.sync(wants("last", 1, wait("w1", 99, &[]))).await), [BOB]);
}

#[tokio::test]
async fn across_teams_the_longest_wait_comes_first() {
    let mut world = World::new().await;
    let other = Uuid::from_u128(2);
    for team in [TEAM, other] {
        world.peers.set_free(team, ANN, false);
    }
    world.sync(wants("late", 1, wait("w1", 6, &[]))).await;
    let early = Wait { team_id: other.to_string(), ..wait("w1", 5, &[]) };
    world.sync(wants("early", 1, early)).await;
    // Past one scan and before the next, so that the announcement is the cause of all passes.
    world.pass(Duration::from_millis(1_500)).await;
    world.peers.known().teams = [TEAM, other].map(|team| (team, vec![(ANN, true)])).into();
    world.peers.announce();
    world.until_reported(&[("early", &[ANN])]).await;
}

#[tokio::test]
async fn a_team_that_loses_all_agents_but_skipped_ones_is_exhausted() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, false);
    world.peers.set_free(TEAM, BOB, false);
    world.sync(wants("i1", 1, wait("w1", 5, &[ANN]))).await;
    world.peers.known().teams.insert(TEAM, vec![(ANN, false)]);
    world.pass(Duration::from_secs(2)).await;
    world.until_reported(&[("i1", &[])]).await;
}

#[tokio::test]
async fn an_exhausted_wait_is_answered_at_once_and_a_team_that_is_gone_is_exhausted() {
    let world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    let reason = baton_api::common::v1::Reason::NobodyAvailable.into();
    let nobody = SyncWaitResponse { exhausted: true, reason, ..SyncWaitResponse::default() };
    assert_eq!(world.sync(wants("i1", 1, wait("w1", 5, &[ANN]))).await, nobody);
    // Also while an agent is held off.
    assert_eq!(proposed(&world.sync(wants("i0", 1, wait("w1", 5, &[]))).await), [ANN]);
    assert!(waits(&world.sync(wants("i3", 1, wait("w1", 5, &[]))).await));
    world.peers.known().teams.clear();
    assert_eq!(world.sync(wants("i2", 1, wait("w1", 5, &[]))).await, nobody);
}

#[tokio::test]
async fn another_round_skips_an_agent_who_declined_and_a_wait_that_ended_gets_no_proposal() {
    let world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    world.peers.set_free(TEAM, BOB, false);
    assert_eq!(proposed(&world.sync(wants("i1", 1, wait("w1", 5, &[]))).await), [ANN]);
    assert!(waits(&world.sync(wants("i1", 2, wait("w2", 5, &[ANN]))).await));
    world.sync(wants("i1", 3, None)).await;
    // The proposal to the next interaction proves that there was a pass, and that Bob was not proposed to the first one.
    world.sync(wants("i2", 1, wait("w1", 6, &[ANN]))).await;
    world.peers.set_free(TEAM, BOB, true);
    world.until_proposed("i2", BOB).await;
    assert!(!world.peers.proposals().contains(&("i1".to_owned(), vec![BOB.to_string()])));
}

#[tokio::test]
async fn while_presence_is_down_the_wait_is_kept_and_found_by_the_scan() {
    let mut world = World::new().await;
    world.peers.set_free(TEAM, ANN, true);
    world.peers.known().refuses.insert(TENANT);
    assert!(waits(&world.sync(wants("i1", 1, wait("w1", 5, &[]))).await));
    world.peers.known().refuses.clear();
    world.pass(Duration::from_secs(2)).await;
    world.until_reported(&[("i1", &[ANN])]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_versions_that_come_at_once_the_newest_stays() {
    let world = World::new().await;
    for interaction in (0..8).map(|n| format!("i{n}")) {
        let sent = (1..=16_u64).map(|version| {
            let mut route = world.route();
            // The last one waits for nothing any more.
            let wait = (version < 16).then(|| wait(&format!("w{version}"), 1, &[]));
            let request = wants(&interaction, version, wait);
            baton_runtime::lifecycle::spawn(async move { route.sync_wait(request).await })
        });
        for sent in sent.collect::<Vec<_>>() {
            if let Err(status) = sent.await.unwrap() {
                assert_eq!(ApiError::of(&status).reason_name(), "STALE", "{status:?}");
            }
        }
        let db = world.database().await;
        let mut reader = db.read().await.unwrap();
        let stored: (i64, String) = on!(reader, conn => sqlx::query_as(
            "SELECT version, state FROM waits WHERE interaction_id = $1").bind(&interaction).fetch_one(conn).await)
        .unwrap();
        assert_eq!(stored, (16, "none".to_owned()), "{interaction}");
    }
}
