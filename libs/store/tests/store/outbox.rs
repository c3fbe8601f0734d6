//! Events commit with the change, are found until they are published, and are numbered without holes.

use baton_store::outbox::{self, EventsOf, InvalidCursor, OutboxCursor, OutboxRow, PublishedCopy};
use baton_store::{Db, StoreError};

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

/// All of them, as if none were published.
async fn unpublished(db: &Db) -> Vec<OutboxRow> {
    outbox::after(db, &OutboxCursor::default(), 1_000).await.unwrap().0
}

#[tokio::test]
async fn an_event_is_there_if_and_only_if_its_change_is_e1() {
    let it = database().await;
    let mut tx = it.db.begin().await.unwrap();
    mark(&mut tx, "undone").await;
    outbox::append(&mut tx, &[row("interaction/1", 1)]).await.unwrap();
    drop(tx);
    assert!(unpublished(&it.db).await.is_empty());

    let mut tx = it.db.begin().await.unwrap();
    mark(&mut tx, "done").await;
    let event = row("interaction/1", 1);
    outbox::append(&mut tx, std::slice::from_ref(&event)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(marks(&it.db).await, ["done"]);
    assert_eq!(unpublished(&it.db).await, [event]);
}

#[tokio::test]
async fn a_second_event_under_the_same_number_is_refused_e2() {
    let it = database().await;
    append(&it.db, &[row("interaction/1", 1)]).await;
    let mut tx = it.db.begin().await.unwrap();
    let appended = outbox::append(&mut tx, &[row("interaction/1", 1)]).await;
    assert!(appended.as_ref().is_err_and(StoreError::is_unique_violation), "{appended:?}");
    drop(tx);
    let mut tx = it.db.begin().await.unwrap();
    // The same number of something else, or for somebody else, is another event.
    let elsewhere = OutboxRow { tenant: "globex".into(), ..row("interaction/1", 1) };
    outbox::append(&mut tx, &[row("interaction/2", 1), elsewhere]).await.unwrap();
}

#[tokio::test]
async fn the_events_of_a_large_change_are_all_there_in_their_order_e2() {
    let it = database().await;
    let rows: Vec<_> = (1..=100).map(|sequence| row("interaction/1", sequence)).collect();
    append(&it.db, &rows).await;
    assert_eq!(unpublished(&it.db).await, rows);
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
async fn a_cursor_goes_on_where_the_last_batch_ended() {
    let it = database().await;
    let rows: Vec<_> = (1..=3).map(|sequence| row("interaction/1", sequence)).collect();
    append(&it.db, &rows).await;
    let (first, after_two) = outbox::after(&it.db, &OutboxCursor::default(), 2).await.unwrap();
    assert_eq!(first, rows[..2]);
    let read_again: OutboxCursor = after_two.to_string().parse().unwrap();
    let (second, after_all) = outbox::after(&it.db, &read_again, 2).await.unwrap();
    assert_eq!(second, rows[2..]);
    let (none, later) = outbox::after(&it.db, &after_all, 2).await.unwrap();
    assert!(none.is_empty());
    append(&it.db, &[row("interaction/1", 4)]).await;
    for cursor in [after_all, later] {
        assert_eq!(outbox::after(&it.db, &cursor, 2).await.unwrap().0.len(), 1, "{cursor}");
    }
    for text in ["", "3", "//", "//x", "a/b/3"] {
        assert_eq!(text.parse::<OutboxCursor>(), Err(InvalidCursor), "{text}");
    }
}

#[tokio::test]
async fn the_copy_of_the_cursor_is_the_last_one_that_was_kept() {
    let it = database().await;
    assert_eq!(outbox::published(&it.db).await.unwrap().unwrap().generation, "", "a new database is like an old one");
    let copy = PublishedCopy { generation: "g1".into(), cursor: "//7".parse().unwrap() };
    outbox::keep_published(&it.db, &copy).await.unwrap();
    assert_eq!(outbox::published(&it.db).await.unwrap(), Some(copy));
}

#[tokio::test]
async fn pruning_takes_old_published_events_and_never_an_unpublished_one() {
    let it = database().await;
    let rows: Vec<_> = (1..=3).map(|sequence| row("interaction/1", sequence)).collect();
    append(&it.db, &rows[..2]).await;
    let start = OutboxCursor::default();
    let (_, published) = outbox::after(&it.db, &start, 10).await.unwrap();
    append(&it.db, &rows[2..]).await;
    assert_eq!(outbox::prune(&it.db, 2_000, &published).await.unwrap(), 1, "the second is too young");
    assert_eq!(outbox::prune(&it.db, i64::MAX, &published).await.unwrap(), 1, "the third is not published");
    assert_eq!(outbox::after(&it.db, &start, 10).await.unwrap().0, rows[2..]);
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
    let sequences: Vec<_> = unpublished(&it.db).await.iter().map(|row| row.sequence).collect();
    assert_eq!(sequences, (1..=48).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_aggregates_events_are_read_in_their_order_whatever_else_there_is() {
    let it = database().await;
    let of_type =
        |sequence, event_type: &str| OutboxRow { event_type: event_type.into(), ..row("interaction/1", sequence) };
    append(&it.db, &[row("interaction/2", 1), of_type(1, "interaction.opened"), of_type(2, "transfer.started")]).await;
    let foreign = OutboxRow { tenant: "bell".into(), ..row("interaction/1", 1) };
    append(&it.db, &[foreign, of_type(3, "transfer.failed"), of_type(4, "interaction.ended")]).await;
    for (types, after, limit, expected) in
        [("%", 0, 10, &[1, 2, 3, 4][..]), ("%", 1, 2, &[2, 3]), ("transfer.%", 0, 10, &[2, 3]), ("%", 4, 10, &[])]
    {
        let wanted = EventsOf { tenant: "acme", aggregate: "interaction/1", types, after, limit };
        let found = outbox::of_aggregate(&it.db, wanted).await.unwrap();
        assert_eq!(found.iter().map(|row| row.sequence).collect::<Vec<_>>(), expected, "{wanted:?}");
    }
}
