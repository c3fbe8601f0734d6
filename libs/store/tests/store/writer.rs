//! One writer and many callers, on a file: one after the other, each change whole or not at all, and a cancelled caller harms no other.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use baton_store::{Affected as _, Db, on};
use futures::FutureExt;

use crate::support::{file, mark, marks, spawn};

/// Commits two marks in one transaction.
async fn pair(db: &Db, name: &str) {
    let mut tx = db.begin().await.unwrap();
    mark(&mut tx, name).await;
    mark(&mut tx, name).await;
    tx.commit().await.unwrap();
}

/// Each name that is there is there twice, side by side.
fn assert_only_pairs(marks: &[String]) {
    assert!(marks.len().is_multiple_of(2));
    assert!(marks.chunks(2).all(|pair| pair[0] == pair[1]), "{marks:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_crowd_each_change_is_whole_and_what_was_given_up_is_gone() {
    let it = file().await;
    let tasks = (0..96).map(|number| {
        let db = it.db.clone();
        spawn(async move {
            let mut tx = db.begin().await.unwrap();
            mark(&mut tx, &number.to_string()).await;
            match number % 3 {
                0 => drop(tx),
                1 => tx.rollback().await.unwrap(),
                _ => {
                    mark(&mut tx, &number.to_string()).await;
                    tx.commit().await.unwrap();
                }
            }
        })
    });
    for task in futures::future::join_all(tasks).await {
        task.unwrap();
    }
    let marks = marks(&it.db).await;
    assert_eq!(marks.len(), 64);
    assert_only_pairs(&marks);
    assert!(marks.iter().all(|name| name.parse::<u32>().unwrap() % 3 == 2));
}

#[tokio::test]
async fn a_refused_statement_undoes_its_own_change_and_no_other() {
    let it = file().await;
    pair(&it.db, "before").await;
    let mut tx = it.db.begin().await.unwrap();
    mark(&mut tx, "refused").await;
    on!(tx, conn => sqlx::query("INSERT INTO marks (name) VALUES (NULL)").affected(conn).await).unwrap_err();
    drop(tx);
    pair(&it.db, "after").await;
    assert_eq!(marks(&it.db).await, ["before", "before", "after", "after"]);
}

#[tokio::test]
async fn after_a_panic_in_the_middle_the_next_one_begins() {
    let it = file().await;
    let panics = async {
        let mut tx = it.db.begin().await.unwrap();
        mark(&mut tx, "lost").await;
        panic!("in the middle");
    };
    AssertUnwindSafe(panics).catch_unwind().await.unwrap_err();
    pair(&it.db, "next").await;
    assert_eq!(marks(&it.db).await, ["next", "next"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_who_go_away_at_any_moment_leave_whole_changes_and_a_free_writer() {
    let it = file().await;
    for round in 0..200_u64 {
        let db = it.db.clone();
        let caller = spawn(async move { pair(&db, &round.to_string()).await });
        let neighbour = spawn({
            let db = it.db.clone();
            async move { pair(&db, "neighbour").await }
        });
        // Cancelled from before its first step to after its last: a microsecond later each time.
        let start = std::hint::black_box(round * 40);
        for _ in 0..start {
            std::hint::spin_loop();
        }
        tokio::task::yield_now().await;
        caller.abort();
        let _ = caller.await;
        neighbour.await.unwrap();
    }
    pair(&it.db, "last").await;
    let marks = marks(&it.db).await;
    assert_only_pairs(&marks);
    assert_eq!(marks.iter().filter(|name| *name == "neighbour").count(), 400);
}

#[test]
fn a_process_that_ends_in_the_middle_leaves_whole_changes_and_all_that_were_confirmed() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let first = runtime();
    let (confirmed, confirmations) = std::sync::mpsc::channel();
    let it = first.block_on(file());
    for number in 0..1_000 {
        let (db, confirmed) = (it.db.clone(), confirmed.clone());
        first.spawn(async move {
            pair(&db, &number.to_string()).await;
            confirmed.send(number.to_string()).unwrap();
        });
    }
    drop(confirmed);
    let mut known: Vec<_> = confirmations.iter().take(20).collect();
    first.shutdown_timeout(Duration::from_secs(5));
    known.extend(confirmations.iter());
    assert!(known.len() < 1_000, "it ended in the middle");

    let marks = runtime().block_on(async {
        let db = Db::open(it.folder.path().join("test.db")).await.unwrap();
        marks(&db).await
    });
    assert_only_pairs(&marks);
    assert!(known.iter().all(|name| marks.contains(name)));
}

#[tokio::test]
async fn who_wants_the_writer_of_a_closed_database_is_refused_at_once() {
    let it = file().await;
    it.db.close().await;
    it.db.begin().await.unwrap_err();
}
