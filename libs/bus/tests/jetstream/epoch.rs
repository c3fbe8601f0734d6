//! When stream and database do not fit together: what mends itself, and what an operator decides.

use async_nats::jetstream;
use baton_bus::{Bus, BusError, CursorMove, EventMatcher, JetStreamBus, Relay, copy_cursor};
use baton_store::outbox::OutboxRow;
use baton_store::{Conn, Db, Migrations, testing};

use crate::support::{World, commit, database, nats_options, row, world};

fn rows(from: i64, to: i64) -> Vec<OutboxRow> {
    (from..=to)
        .map(|sequence| OutboxRow { time_us: baton_runtime::Clock::real().now_us(), ..row("interaction/1", sequence) })
        .collect()
}

fn relay(it: &World, db: &Db) -> Relay {
    Relay::new("service", db.clone(), it.bus.clone(), it.clock.clone())
}

fn stream(it: &World) -> &JetStreamBus {
    let Bus::JetStream(stream) = &it.bus else { panic!("TEST_NATS_URL") };
    stream
}

async fn published(it: &World) -> Vec<i64> {
    let page = it.bus.read(0, &EventMatcher::all(), 1_000).await.unwrap();
    page.events.iter().map(|it| it.envelope.sequence).collect()
}

async fn context_of(it: &World) -> jetstream::stream::Stream {
    let options = nats_options(&it.folder).unwrap();
    let context = jetstream::new(async_nats::connect(&options.urls).await.unwrap());
    context.get_stream(format!("BATON_EVT_{}", options.namespace)).await.unwrap()
}

#[tokio::test]
async fn a_stream_that_has_lost_its_end_is_completed_by_itself() {
    let it = world().await;
    commit(&it.db, &rows(1, 3)).await;
    relay(&it, &it.db).publish_all().await.unwrap();
    commit(&it.db, &rows(4, 9)).await;
    let running = relay(&it, &it.db);
    running.publish_all().await.unwrap();
    copy_cursor("service", &it.db, &it.bus).await.unwrap();
    let stream = context_of(&it).await;
    for sequence in 4..=9 {
        stream.delete_message(sequence).await.unwrap();
    }
    assert_eq!(published(&it).await, [1, 2, 3]);
    // Both the relay that had published them and one that begins: the servers still know the ids of what they have lost.
    commit(&it.db, &rows(10, 10)).await;
    let mut tries = 0;
    while let Err(error) = running.publish_all().await {
        tries += 1;
        assert!(matches!(error, BusError::CursorMoved) && tries < 4, "{tries}: {error:?}");
    }
    assert_eq!(published(&it).await, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn a_service_whose_events_have_all_aged_out_goes_on_where_it_was() {
    let it = world().await;
    commit(&it.db, &rows(1, 3)).await;
    relay(&it, &it.db).publish_all().await.unwrap();
    copy_cursor("service", &it.db, &it.bus).await.unwrap();
    context_of(&it).await.purge().await.unwrap();
    commit(&it.db, &rows(4, 5)).await;
    relay(&it, &it.db).publish_all().await.unwrap();
    assert_eq!(published(&it).await, [4, 5]);
}

/// A database as it was after the first `count` rows, before the stream got the others.
async fn restored(it: &World, rows: &[OutboxRow]) -> Db {
    let older = database(&it.folder, "restored.db").await;
    commit(&older, rows).await;
    older
}

#[tokio::test]
async fn a_database_that_is_older_than_the_stream_publishes_nothing_until_somebody_decides() {
    let it = world().await;
    let all = rows(1, 5);
    commit(&it.db, &all).await;
    relay(&it, &it.db).publish_all().await.unwrap();
    let older = restored(&it, &all[..3]).await;
    let anew = [OutboxRow { aggregate: "interaction/2".into(), ..rows(1, 1).remove(0) }];
    commit(&older, &anew).await;
    let waiting = relay(&it, &older);
    for _ in 0..2 {
        let error = waiting.publish_all().await.unwrap_err();
        assert!(matches!(error, BusError::OldDatabase { event_id, .. } if event_id == all[4].id), "{error:?}");
        assert!(error.to_string().contains("baton events new-epoch"), "{error}");
    }
    assert_eq!(published(&it).await, [1, 2, 3, 4, 5]);
    stream(&it).new_epoch("service", &older).await.unwrap();
    waiting.publish_all().await.unwrap();
    // What the database has lost stays, what is known is not repeated, and what came after the restore follows.
    assert_eq!(published(&it).await, [1, 2, 3, 4, 5, 1]);
    commit(&older, &[OutboxRow { aggregate: "interaction/2".into(), ..rows(2, 2).remove(0) }]).await;
    waiting.publish_all().await.unwrap();
    assert_eq!(published(&it).await, [1, 2, 3, 4, 5, 1, 2]);
}

#[tokio::test]
async fn an_empty_database_beside_a_stream_with_events_publishes_nothing() {
    let it = world().await;
    commit(&it.db, &rows(1, 2)).await;
    relay(&it, &it.db).publish_all().await.unwrap();
    let empty = restored(&it, &[]).await;
    commit(&empty, &[OutboxRow { aggregate: "interaction/2".into(), ..rows(1, 1).remove(0) }]).await;
    let error = relay(&it, &empty).publish_all().await.unwrap_err();
    assert!(matches!(error, BusError::OldDatabase { .. }), "{error:?}");
    stream(&it).new_epoch("service", &empty).await.unwrap();
    relay(&it, &empty).publish_all().await.unwrap();
    assert_eq!(published(&it).await, [1, 2, 1]);
}

#[tokio::test]
async fn all_that_a_database_keeps_is_published_again_when_somebody_wants_it() {
    let it = world().await;
    commit(&it.db, &rows(1, 3)).await;
    let running = relay(&it, &it.db);
    running.publish_all().await.unwrap();
    stream(&it).republish("service").await.unwrap();
    commit(&it.db, &rows(4, 4)).await;
    let mut tries = 0;
    while let Err(error) = running.publish_all().await {
        tries += 1;
        assert!(matches!(error, BusError::CursorMoved) && tries < 4, "{tries}: {error:?}");
    }
    assert_eq!(published(&it).await, [1, 2, 3, 1, 2, 3, 4]);
}

/// On `PostgreSQL` alone: another server counts transactions from the beginning, and so does an older copy of this one.
#[tokio::test]
async fn a_database_that_moved_to_another_server_goes_on_when_somebody_says_so() {
    let it = world().await;
    let db = testing::open(it.folder.path(), "service").await;
    if !matches!(db, Db::Postgres(_)) {
        return;
    }
    db.migrate(&Migrations::NONE).await.unwrap();
    commit(&db, &rows(1, 3)).await;
    relay(&it, &db).publish_all().await.unwrap();
    // What the old server has written and the stream's cursor are far ahead of what this server counts.
    let moved = it.bus.cursor("service").await.unwrap().unwrap().cursor;
    let to = "900000000001:900000000001://0";
    let fourth = rows(4, 4).remove(0);
    let published_there = CursorMove { source: "service", from: Some(&moved), to };
    it.bus.publish(&published_there, &[fourth.clone().into()]).await.unwrap();
    // The fifth waited there to be published, and the sixth is the first one that is written here.
    commit(&db, &[fourth, rows(5, 5).remove(0)]).await;
    let mut tx = db.begin().await.unwrap();
    let Conn::Postgres(conn) = tx.ready().await.unwrap() else { unreachable!() };
    sqlx::query("UPDATE store_outbox SET xact = '900000000000'::XID8").execute(conn).await.unwrap();
    tx.commit().await.unwrap();
    commit(&db, &rows(6, 6)).await;
    let waiting = relay(&it, &db);
    let error = waiting.publish_all().await.unwrap_err();
    assert!(matches!(error, BusError::ForeignDatabase { .. }), "{error:?}");
    stream(&it).new_epoch("service", &db).await.unwrap();
    waiting.publish_all().await.unwrap();
    assert_eq!(published(&it).await, [1, 2, 3, 4, 5, 6]);
}
