//! Events commit with the change, are found until they are published, and are numbered without holes.

use baton_store::{Db, outbox, outbox::OutboxRow};

use crate::support::{database, fresh_id, mark, marks};

fn row(aggregate: &str, sequence: i64) -> OutboxRow {
    OutboxRow {
        id: fresh_id(),
        tenant: "acme".into(),
        aggregate: aggregate.into(),
        sequence,
        event_type: "transfer.completed".into(),
        area: "transfer".into(),
        payload: vec![1, 2, 3],
        actor: "system".into(),
        traceparent: String::new(),
        time_us: sequence * 1_000,
    }
}

async fn append(db: &Db, rows: &[OutboxRow]) {
    let mut tx = db.begin().await.unwrap();
    outbox::append(&mut tx, rows).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_event_is_there_if_and_only_if_its_change_is_e1() {
    let it = database().await;
    let mut tx = it.db.begin().await.unwrap();
    mark(&mut tx, "undone").await;
    outbox::append(&mut tx, &[row("interaction/1", 1)]).await.unwrap();
    drop(tx);
    assert!(outbox::unpublished(&it.db, 10).await.unwrap().is_empty());

    let mut tx = it.db.begin().await.unwrap();
    mark(&mut tx, "done").await;
    let event = row("interaction/1", 1);
    outbox::append(&mut tx, std::slice::from_ref(&event)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(marks(&it.db).await, ["done"]);
    assert_eq!(outbox::unpublished(&it.db, 10).await.unwrap(), [event]);
}

#[tokio::test]
async fn a_second_event_under_the_same_number_is_refused_e2() {
    let it = database().await;
    append(&it.db, &[row("interaction/1", 1)]).await;
    let mut tx = it.db.begin().await.unwrap();
    let error = outbox::append(&mut tx, &[row("interaction/1", 1)]).await.unwrap_err();
    assert!(error.is_unique_violation(), "{error:?}");
    // The same number of something else, or for somebody else, is another event.
    let elsewhere = OutboxRow { tenant: "globex".into(), ..row("interaction/1", 1) };
    outbox::append(&mut tx, &[row("interaction/2", 1), elsewhere]).await.unwrap();
}

#[tokio::test]
async fn the_events_of_a_large_change_are_all_there_in_their_order_e2() {
    let it = database().await;
    let rows: Vec<_> = (1..=100).map(|sequence| row("interaction/1", sequence)).collect();
    append(&it.db, &rows).await;
    assert_eq!(outbox::unpublished(&it.db, 1_000).await.unwrap(), rows);
}

#[tokio::test]
async fn only_a_commit_with_events_wakes_the_relay() {
    let it = database().await;
    let mut commits = it.db.outbox_commits();
    let mut tx = it.db.begin().await.unwrap();
    mark(&mut tx, "no event").await;
    tx.commit().await.unwrap();
    assert!(!commits.has_changed().unwrap());
    append(&it.db, &[row("interaction/1", 1)]).await;
    assert!(commits.has_changed().unwrap());
    commits.mark_unchanged();
    let mut tx = it.db.begin().await.unwrap();
    outbox::append(&mut tx, &[row("interaction/1", 2)]).await.unwrap();
    drop(tx);
    assert!(!commits.has_changed().unwrap());
}

#[tokio::test]
async fn published_events_are_no_longer_found_and_can_be_published_again() {
    let it = database().await;
    let rows: Vec<_> = (1..=3).map(|sequence| row("interaction/1", sequence)).collect();
    append(&it.db, &rows).await;
    outbox::mark_published(&it.db, &[rows[0].id, rows[1].id], 10_000).await.unwrap();
    assert_eq!(outbox::unpublished(&it.db, 10).await.unwrap(), rows[2..]);

    assert_eq!(outbox::republish(&it.db, 2_000).await.unwrap(), 1);
    assert_eq!(outbox::unpublished(&it.db, 10).await.unwrap(), rows[1..]);
}

#[tokio::test]
async fn pruning_takes_old_published_events_and_never_an_unpublished_one() {
    let it = database().await;
    let rows: Vec<_> = (1..=3).map(|sequence| row("interaction/1", sequence)).collect();
    append(&it.db, &rows).await;
    outbox::mark_published(&it.db, &[rows[0].id], 1_000).await.unwrap();
    outbox::mark_published(&it.db, &[rows[1].id], 9_000).await.unwrap();
    assert_eq!(outbox::prune(&it.db, 5_000).await.unwrap(), 1);
    assert_eq!(outbox::republish(&it.db, 0).await.unwrap(), 1);
    assert_eq!(outbox::unpublished(&it.db, 10).await.unwrap(), rows[1..]);
}

#[tokio::test]
async fn sequences_have_no_holes_after_a_rollback() {
    let it = database().await;
    let mut tx = it.db.begin().await.unwrap();
    assert_eq!(outbox::next_sequence(&mut tx, "acme", "agent/1").await.unwrap(), 1);
    tx.commit().await.unwrap();
    let mut tx = it.db.begin().await.unwrap();
    assert_eq!(outbox::next_sequence(&mut tx, "acme", "agent/1").await.unwrap(), 2);
    drop(tx);
    let mut tx = it.db.begin().await.unwrap();
    assert_eq!(outbox::next_sequence(&mut tx, "acme", "agent/1").await.unwrap(), 2);
    assert_eq!(outbox::next_sequence(&mut tx, "globex", "agent/1").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_of_a_crowd_are_found_in_the_order_of_their_numbers_e2() {
    let it = database().await;
    let writers = (0..64).map(|number| {
        let db = it.db.clone();
        crate::support::spawn(async move {
            let mut tx = db.begin().await.unwrap();
            let sequence = outbox::next_sequence(&mut tx, "acme", "agent/1").await.unwrap();
            outbox::append(&mut tx, &[row("agent/1", sequence)]).await.unwrap();
            if number % 4 > 0 {
                tx.commit().await.unwrap();
            }
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }
    let sequences: Vec<_> = outbox::unpublished(&it.db, 100).await.unwrap().iter().map(|row| row.sequence).collect();
    assert_eq!(sequences, (1..=48).collect::<Vec<_>>());
}
