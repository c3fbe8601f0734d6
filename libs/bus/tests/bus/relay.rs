//! From the outbox to the log: nothing is lost, doubled, or out of order (E1, E2).

use std::collections::HashMap;

use baton_bus::{Bus, BusError, CursorMove, EventMatcher, Logged, Relay, copy_cursor};
use baton_runtime::lifecycle::spawn;
use baton_store::outbox::{self, OutboxCursor, OutboxRow, PublishedCopy};
use baton_store::{Affected as _, Db, StoreError, change, on};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::support::{
    World, commit, database, embedded_world, event, row, simulated_world, soon, with_another_log, world,
};

fn relay(it: &World) -> Relay {
    Relay::new("service", it.db.clone(), it.bus.clone(), it.clock.clone())
}

/// How far the log has the outbox.
async fn published(it: &World) -> OutboxCursor {
    copy_cursor("service", &it.db, &it.bus).await.unwrap()
}

/// How many events the bus has, which are less than a page.
async fn count(it: &World) -> usize {
    it.bus.read(0, &EventMatcher::all(), 1_000).await.unwrap().events.len()
}

async fn take(it: &World, count: usize) -> Vec<Logged> {
    let events = it.bus.subscribe(0, EventMatcher::all()).take(count);
    soon("the events", events.map(Result::unwrap).collect()).await
}

#[tokio::test]
async fn a_commit_is_on_the_bus_at_once_with_the_cursor() {
    let it = world().await;
    let shutdown = CancellationToken::new();
    let running = spawn(relay(&it).run(shutdown.clone()));
    let started_us = it.clock.now_us();
    for sequence in 1..=20 {
        commit(&it.db, &[row("interaction/1", sequence)]).await;
        take(&it, sequence as usize).await;
    }
    // Twenty slow scans would take a hundred seconds.
    assert!(it.clock.now_us() - started_us < 10_000_000);
    shutdown.cancel();
    soon("the relay's end", running).await.unwrap();
    let (left, _) = outbox::after(&it.db, &published(&it).await, 10).await.unwrap();
    assert!(left.is_empty());
}

#[tokio::test]
async fn a_commit_after_the_relays_read_is_not_missed() {
    let it = simulated_world().await;
    // No time passes, so there is no slow scan: only its commit can bring the second event.
    let _busy = it.clock.busy();
    commit(&it.db, &[row("interaction/1", 1)]).await;
    let mut tx = it.db.begin().await.unwrap();
    let shutdown = CancellationToken::new();
    let running = spawn(relay(&it).run(shutdown.clone()));
    take(&it, 1).await;
    outbox::append(&mut tx, &[row("interaction/1", 2)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(take(&it, 2).await[1].envelope.sequence, 2);
    shutdown.cancel();
    soon("the relay's end", running).await.unwrap();
}

#[tokio::test]
async fn what_a_former_process_left_is_published_at_the_start() {
    let it = world().await;
    commit(&it.db, &[row("interaction/1", 1)]).await;
    let shutdown = CancellationToken::new();
    let running = spawn(relay(&it).run(shutdown.clone()));
    assert_eq!(take(&it, 1).await[0].envelope.sequence, 1);
    shutdown.cancel();
    soon("the relay's end", running).await.unwrap();
}

#[tokio::test]
async fn what_commits_before_the_shutdown_is_published() {
    let it = world().await;
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    commit(&it.db, &[row("interaction/1", 1)]).await;
    relay(&it).run(shutdown).await;
    assert_eq!(count(&it).await, 1);
}

#[tokio::test]
async fn a_relay_that_does_not_hear_that_it_published_doubles_nothing() {
    let it = world().await;
    let rows: Vec<_> = (1..=4).map(|sequence| row("interaction/1", sequence)).collect();
    commit(&it.db, &rows[..2]).await;
    let waiting = relay(&it);
    waiting.publish_all().await.unwrap();
    // Another one publishes the next: the first knows nothing of it, as after an answer that was lost.
    commit(&it.db, &rows[2..3]).await;
    relay(&it).publish_all().await.unwrap();
    commit(&it.db, &rows[3..]).await;
    let error = waiting.publish_all().await.unwrap_err();
    assert!(matches!(error, BusError::CursorMoved), "{error:?}");
    waiting.publish_all().await.unwrap();
    let sequences: Vec<_> = take(&it, 4).await.iter().map(|event| event.envelope.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4]);
    assert_eq!(count(&it).await, 4);
}

#[tokio::test]
async fn a_row_that_commits_late_is_not_skipped() {
    let it = world().await;
    // An id and a time from before what is published already, as a slow transaction has them.
    let late = row("interaction/late", 1);
    commit(&it.db, &[row("interaction/1", 1)]).await;
    relay(&it).publish_all().await.unwrap();
    commit(&it.db, std::slice::from_ref(&late)).await;
    relay(&it).publish_all().await.unwrap();
    assert_eq!(take(&it, 2).await[1].envelope.id, late.id);
}

#[tokio::test]
async fn more_than_a_batch_arrives_whole() {
    let it = world().await;
    let rows: Vec<_> = (1..=1_234).map(|sequence| row("interaction/1", sequence)).collect();
    commit(&it.db, &rows).await;
    relay(&it).publish_all().await.unwrap();
    let sequences: Vec<_> = take(&it, 1_234).await.iter().map(|event| event.envelope.sequence).collect();
    assert_eq!(sequences, (1..=1_234).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_writers_and_two_services_leave_no_hole_in_any_aggregate_e2() {
    const WRITERS: i64 = 32;
    const EVENTS: i64 = 20;
    let it = world().await;
    let other = database(&it.folder, "other.db").await;
    let shutdown = CancellationToken::new();
    let mut relays = vec![spawn(relay(&it).run(shutdown.clone()))];
    let second = Relay::new("other", other.clone(), it.bus.clone(), it.clock.clone());
    relays.push(spawn(second.run(shutdown.clone())));
    let writers = (0..WRITERS).map(|writer| {
        let (db, area) = if writer % 2 == 0 { (it.db.clone(), "service") } else { (other.clone(), "other") };
        let row = move |aggregate: &str, sequence| OutboxRow { area: area.to_owned(), ..row(aggregate, sequence) };
        // Four writers share an aggregate.
        spawn(async move {
            for _ in 0..EVENTS {
                let aggregate = format!("agent/{}", writer % 8);
                let mut tx = db.begin().await.unwrap();
                let sequence = outbox::next_sequence(&mut tx, "acme", &aggregate).await.unwrap();
                outbox::append(&mut tx, &[row(&aggregate, sequence)]).await.unwrap();
                // Some do not commit, and their numbers go to others.
                if sequence % 7 == 0 && writer < 16 {
                    tx.rollback().await.unwrap();
                    let mut tx = db.begin().await.unwrap();
                    let sequence = outbox::next_sequence(&mut tx, "acme", &aggregate).await.unwrap();
                    outbox::append(&mut tx, &[row(&aggregate, sequence)]).await.unwrap();
                    tx.commit().await.unwrap();
                } else {
                    tx.commit().await.unwrap();
                }
            }
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }
    let mut last: HashMap<String, i64> = HashMap::new();
    for event in take(&it, (WRITERS * EVENTS) as usize).await {
        let last = last.entry(event.envelope.aggregate).or_default();
        assert_eq!(event.envelope.sequence, *last + 1);
        *last += 1;
    }
    assert_eq!(count(&it).await, (WRITERS * EVENTS) as usize);
    shutdown.cancel();
    for relay in relays {
        soon("the relay's end", relay).await.unwrap();
    }
}

#[tokio::test]
async fn a_log_that_was_lost_is_rebuilt_from_the_outbox_e3() {
    let it = world().await;
    let rows: Vec<_> = (1..=3).map(|sequence| row("interaction/1", sequence)).collect();
    commit(&it.db, &rows).await;
    relay(&it).publish_all().await.unwrap();
    let rebuilt = with_another_log(it).await;
    relay(&rebuilt).publish_all().await.unwrap();
    let ids: Vec<_> = take(&rebuilt, 3).await.iter().map(|event| event.envelope.id).collect();
    assert_eq!(ids, rows.iter().map(|row| row.id).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_moves_the_cursor_from_somewhere_else_publishes_nothing() {
    let it = world().await;
    let bus = &it.bus;
    let publish = async |from, to, sequence| {
        let moved = CursorMove { source: "service", from, to };
        bus.publish(&moved, &[row("interaction/1", sequence).into()]).await
    };
    publish(None, "//1", 1).await.unwrap();
    for stale in [None, Some("//0"), Some("//2")] {
        assert!(matches!(publish(stale, "//2", 2).await, Err(BusError::CursorMoved)), "{stale:?}");
    }
    assert_eq!(count(&it).await, 1);
    publish(Some("//1"), "//2", 2).await.unwrap();
    assert_eq!(bus.cursor("service").await.unwrap().unwrap().cursor, "//2");
}

#[tokio::test]
async fn a_log_from_before_there_were_cursors_gets_only_what_it_lacks() {
    let it = world().await;
    if !matches!(it.bus, Bus::Embedded(_)) {
        return; // There was no other bus then.
    }
    let rows: Vec<_> = (1..=3).map(|sequence| row("interaction/1", sequence)).collect();
    commit(&it.db, &rows).await;
    // As the migration leaves it: the log has two events, and the database says so.
    let copy = PublishedCopy { generation: String::new(), cursor: "//2".parse().unwrap() };
    outbox::keep_published(&it.db, &copy).await.unwrap();
    it.log().append(&[event("interaction/0", 1), event("interaction/0", 2)]).await.unwrap();
    relay(&it).publish_all().await.unwrap();
    assert_eq!(count(&it).await, 3);
    assert_eq!(take(&it, 3).await[2].envelope.id, rows[2].id);
    // A log that was lost at the same time has nothing, and gets everything.
    let rebuilt = with_another_log(it).await;
    relay(&rebuilt).publish_all().await.unwrap();
    assert_eq!(count(&rebuilt).await, 3);
}

/// As after a repair by hand: the log lacks what the service's database has.
#[tokio::test]
async fn what_is_published_again_is_in_the_log_once_and_what_it_lacked_is_there() {
    let it = embedded_world().await;
    for sequence in 1..=3 {
        commit(&it.db, &[row("interaction/1", sequence)]).await;
    }
    relay(&it).publish_all().await.unwrap();
    let log = Db::open(it.folder.path().join("events.db")).await.unwrap();
    log.change(change!(|tx| {
        on!(tx, conn => sqlx::query("DELETE FROM log_events WHERE sequence = 2").affected(conn).await)?;
        Ok::<_, StoreError>(())
    }))
    .await
    .unwrap();
    assert_eq!(count(&it).await, 2);
    relay(&it).publish_all().await.unwrap();
    assert_eq!(count(&it).await, 2, "the log has it, as far as is known");
    it.log().republish("service").await.unwrap();
    relay(&it).publish_all().await.unwrap();
    let events = it.bus.read(0, &EventMatcher::all(), 10).await.unwrap().events;
    let mut sequences: Vec<_> = events.iter().map(|it| it.envelope.sequence).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, [1, 2, 3]);
}
