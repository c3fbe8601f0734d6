//! What a consumer remembers.

use baton_store::inbox::{self, DeadLetter};

use crate::support::{database, fresh_id};

#[tokio::test]
async fn an_event_is_new_to_each_consumer_once() {
    let it = database().await;
    let event = fresh_id();
    let mut tx = it.db.begin().await.unwrap();
    assert!(inbox::first_time(&mut tx, "recording", event, 1).await.unwrap());
    assert!(!inbox::first_time(&mut tx, "recording", event, 2).await.unwrap());
    assert!(inbox::first_time(&mut tx, "routing", event, 3).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(inbox::prune(&it.db, 3).await.unwrap(), 1);
    let mut tx = it.db.begin().await.unwrap();
    assert!(!inbox::first_time(&mut tx, "routing", event, 4).await.unwrap());
}

#[tokio::test]
async fn a_cursor_is_where_the_last_commit_left_it() {
    let it = database().await;
    assert_eq!(inbox::cursor(&it.db, "recording").await.unwrap(), None);
    for (position, commits) in [(5, true), (9, false)] {
        let mut tx = it.db.begin().await.unwrap();
        inbox::advance(&mut tx, "recording", position).await.unwrap();
        if commits {
            tx.commit().await.unwrap();
        }
    }
    assert_eq!(inbox::cursor(&it.db, "recording").await.unwrap(), Some(5));
}

#[tokio::test]
async fn cursors_are_forgotten_by_how_their_names_begin() {
    let it = database().await;
    let names = ["recording@1", "recording@2", "recording_2@1", "recordin%@1"];
    for name in names {
        let mut tx = it.db.begin().await.unwrap();
        inbox::advance(&mut tx, name, 1).await.unwrap();
        tx.commit().await.unwrap();
    }
    inbox::forget_cursors(&it.db, "recording@").await.unwrap();
    let mut known = Vec::new();
    for name in names {
        known.push(inbox::cursor(&it.db, name).await.unwrap());
    }
    assert_eq!(known, [None, None, Some(1), Some(1)]);
}

#[tokio::test]
async fn a_dead_letter_keeps_the_event_and_its_cause_until_its_time_is_over() {
    let it = database().await;
    let letter = DeadLetter {
        consumer: "recording".into(),
        event_id: fresh_id(),
        position: 7,
        tenant: "acme".into(),
        aggregate: "interaction/1".into(),
        sequence: 3,
        event_type: "recording.ended".into(),
        payload: vec![0xff],
        tries: 5,
        cause: "no such recording".into(),
        at_us: 1,
    };
    for _ in 0..2 {
        let mut tx = it.db.begin().await.unwrap();
        inbox::add_dead_letter(&mut tx, &letter).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(inbox::prune(&it.db, letter.at_us).await.unwrap(), 0);
    assert_eq!(inbox::dead_letters(&it.db, "recording", 10).await.unwrap(), std::slice::from_ref(&letter));
    // Its time is over, and it has a customer's number in it.
    assert_eq!(inbox::prune(&it.db, letter.at_us + 1).await.unwrap(), 1);
    assert!(inbox::dead_letters(&it.db, "recording", 10).await.unwrap().is_empty());
}
