//! What is kept of a call that is over, and for how long.

use crate::world::{TENANT, World};
use baton_api::{
    ApiError,
    error::ErrorReason,
    transfer::v1::{
        AddNoteRequest, GetInteractionRequest, ListInteractionsRequest, ListTransfersRequest, SegmentFact, fact::Fact,
        segment_fact,
    },
};
use baton_store::{Affected as _, Db, on};
use uuid::Uuid;

const DAY_US: i64 = 86_400_000_000;

/// A call with a note and a transfer that is over, and everybody knows it.
pub(crate) async fn ended(world: &World) -> String {
    let id = world.talking().await;
    let segment_id = world.notes().plan.clone().unwrap().segment.unwrap().segment_id;
    let note = AddNoteRequest {
        request_id: format!("note-{id}"),
        interaction_id: id.clone(),
        text: "lives at the harbour".into(),
        ..Default::default()
    };
    world.interactions(1).add_note(note).await.unwrap();
    world.start_transfer(&id, 2, &format!("start-{id}")).await.unwrap();
    Box::pin(world.service.end_all()).await.unwrap();
    let ended = segment_fact::State::Ended.into();
    let segment = SegmentFact { segment_id, state: ended, started_at_us: 1, ended_at_us: 2 };
    world.report(&id, vec![Fact::Segment(segment)]).await;
    world
        .until("nothing is left to tell", async || {
            (Box::pin(world.service.end_all()).await.unwrap() == 0).then_some(())
        })
        .await;
    id
}

pub(crate) async fn store(world: &World) -> Db {
    baton_store::testing::open(world.folder.path(), "transfer").await
}

/// As if everything of it had been so many days earlier.
async fn age(store: &Db, id: &str, days: i64) {
    let aged = "UPDATE interactions SET opened_at_us = opened_at_us - $1,
         ended_at_us = CASE WHEN ended_at_us > $1 THEN ended_at_us - $1 ELSE 0 END WHERE id = $2";
    let mut tx = store.begin().await.unwrap();
    on!(tx, conn => sqlx::query(aged).bind(days * DAY_US).bind(id.parse::<Uuid>().unwrap()).affected(conn).await)
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn r13_a_call_is_deleted_so_long_after_its_end_with_everything_of_it() {
    let world = World::start().await;
    let (old, young) = (ended(&world).await, ended(&world).await);
    let live = world.talking().await;
    let store = store(&world).await;
    for (id, days) in [(&old, 401), (&young, 399), (&live, 500)] {
        age(&store, id, days).await;
    }
    let world = world.crash_and_restart().await;
    let gone = async || {
        let get = GetInteractionRequest { interaction_id: old.clone() };
        world.supervisor_of(TENANT).get_interaction(get).await.err()
    };
    let refused = world.until("the old one is gone", gone).await;
    assert_eq!(ApiError::of(&refused).reason, ErrorReason::NotFound);

    let listed = world.supervisor_of(TENANT).list_interactions(ListInteractionsRequest::default()).await.unwrap();
    let listed: Vec<_> = listed.into_inner().interactions.into_iter().map(|it| it.interaction_id).collect();
    assert_eq!(listed, [live.as_str(), young.as_str()]);
    let transfers = world.transfers(1).list_transfers(ListTransfersRequest::default()).await.unwrap().into_inner();
    let transfers: Vec<_> = transfers.transfers.into_iter().map(|it| it.interaction_id).collect();
    assert_eq!(transfers, [young.as_str()]);
    for table in ["transfers", "interaction_notes", "interaction_agents", "interaction_teams"] {
        let mut reader = store.read().await.unwrap();
        let rows: i64 = on!(reader, conn => {
            let mut rows = sqlx::QueryBuilder::new("SELECT COUNT(*) FROM ");
            rows.push(table).push(" WHERE interaction_id = ").push_bind(old.parse::<Uuid>().unwrap());
            rows.build_query_scalar().fetch_one(conn).await
        })
        .unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    world.start_transfer(&live, 2, "start-live").await.expect("the live call goes on, however old it is");
}
