//! What upkeep relies on: a time that can be trusted, and space that is given back.

use baton_store::{Affected as _, Db, on};

use crate::support::{database, file, open};

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
const START_US: i64 = 20_000 * DAY_US;

#[tokio::test]
async fn r13_what_is_old_is_counted_from_now_while_the_clock_goes_on_evenly() {
    let made = database().await;
    for now_us in [START_US, START_US + HOUR_US, START_US + 30 * DAY_US] {
        assert_eq!(made.db.trusted_us(now_us).await.unwrap(), now_us, "the clock of one process does not jump");
    }
    let again = open(&made.folder).await;
    let next_day_us = START_US + 31 * DAY_US;
    assert_eq!(again.trusted_us(next_day_us).await.unwrap(), next_day_us, "nor does a start within a day");
}

#[tokio::test]
async fn r13_a_time_that_was_set_ahead_between_two_starts_makes_nothing_old_for_three_days() {
    let made = database().await;
    made.db.trusted_us(START_US).await.unwrap();
    let ahead_us = START_US + 700 * DAY_US;
    let db = open(&made.folder).await;
    for hours in [0, 1, 40] {
        assert_eq!(db.trusted_us(ahead_us + hours * HOUR_US).await.unwrap(), START_US);
    }
    let set_right = open(&made.folder).await;
    let day_us = START_US + DAY_US;
    assert_eq!(set_right.trusted_us(day_us).await.unwrap(), day_us, "nothing was lost");

    let db = open(&made.folder).await;
    db.trusted_us(ahead_us).await.unwrap();
    assert_eq!(db.trusted_us(ahead_us + 71 * HOUR_US).await.unwrap(), day_us);
    let (db, later_us) = (open(&made.folder).await, ahead_us + 72 * HOUR_US);
    assert_eq!(db.trusted_us(later_us).await.unwrap(), day_us, "a restart neither counts nor begins the wait anew");
    let trusted_us = later_us + HOUR_US;
    assert_eq!(db.trusted_us(trusted_us).await.unwrap(), trusted_us, "nobody set it right: it is right");
}

#[tokio::test]
async fn r13_a_time_that_was_set_back_is_taken_over_at_once() {
    let made = database().await;
    made.db.trusted_us(START_US).await.unwrap();
    let db = open(&made.folder).await;
    assert_eq!(db.trusted_us(START_US - 700 * DAY_US).await.unwrap(), START_US - 700 * DAY_US);
}

#[tokio::test]
async fn r13_the_space_of_what_was_deleted_is_given_back_but_for_a_quarter() {
    let made = file().await;
    let statements = [
        "CREATE TABLE calls (n INTEGER PRIMARY KEY, state BLOB NOT NULL)",
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000)
         INSERT INTO calls SELECT n, zeroblob(10000) FROM numbers",
        "DELETE FROM calls WHERE n > 100",
    ];
    for statement in statements {
        let mut tx = made.db.begin().await.unwrap();
        on!(tx, conn => sqlx::query(statement).affected(conn).await).unwrap();
        tx.commit().await.unwrap();
    }
    let before = pages(&made.db).await;
    made.db.give_back().await.unwrap();
    let after = pages(&made.db).await;
    assert!(before.0 > 2_500, "{before:?}");
    assert!(after.0 < 700 && after.1 * 4 <= after.0 + 4 * 256, "{after:?}");
    made.db.close().await;
    let bytes = std::fs::metadata(made.folder.path().join("test.db")).unwrap().len();
    assert!(bytes < 700 * 4_096, "{bytes} bytes");
}

/// All, and those that are free.
async fn pages(db: &Db) -> (i64, i64) {
    let mut reader = db.read().await.unwrap();
    on!(reader, conn => sqlx::query_as(
        "SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count").fetch_one(conn).await)
    .unwrap()
}

/// Commits that never pause leave something in the log at each moment; it begins anew all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r13_the_log_stays_short_while_commits_never_pause() {
    let made = file().await;
    let mut tx = made.db.begin().await.unwrap();
    on!(tx, conn => sqlx::query("CREATE TABLE sounds (n INTEGER PRIMARY KEY, sound BLOB NOT NULL)").affected(conn).await)
        .unwrap();
    tx.commit().await.unwrap();
    let writers = (0..8).map(|_| async {
        for _ in 0..150 {
            let mut tx = made.db.begin().await.unwrap();
            tx.statement("INSERT INTO sounds (sound) VALUES (zeroblob(100000))").run().await.unwrap();
            tx.commit().await.unwrap();
        }
    });
    futures::future::join_all(writers).await;
    let log = std::fs::metadata(made.folder.path().join("test.db-wal")).unwrap().len();
    let written = 8 * 150 * 100_000;
    assert!(log < written / 4, "{log} bytes of {written}");
}
