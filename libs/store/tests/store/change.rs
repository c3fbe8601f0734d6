//! A change that was overtaken runs again; any other error ends it.

use std::sync::atomic::{AtomicU32, Ordering};

use baton_api::{ApiError, Outcome};
use baton_store::{ChangeError, StoreError, change};
use tonic::{Code, Status};

use crate::support::{database, mark, marks, open};

#[tokio::test]
async fn a_change_that_is_overtaken_runs_again_and_leaves_one_trace() {
    let it = database().await;
    let runs = &AtomicU32::new(0);
    let run = it.db.change(change!(|tx| {
        mark(tx, "once").await;
        match runs.fetch_add(1, Ordering::Relaxed) {
            0..3 => Err(StoreError::Overtaken(None)),
            run => Ok(run),
        }
    }));
    assert_eq!(run.await.unwrap(), 3);
    assert_eq!(marks(&it.db).await, ["once"]);
}

#[tokio::test]
async fn one_that_is_overtaken_each_time_is_given_up_and_its_caller_may_try_again() {
    let it = database().await;
    let runs = &AtomicU32::new(0);
    let run = it.db.change(change!(|tx| {
        mark(tx, "never").await;
        runs.fetch_add(1, Ordering::Relaxed);
        // As a service's own error has it: the store's is behind it.
        Err::<(), _>(Status::from(StoreError::Overtaken(None)))
    }));
    let status = run.await.unwrap_err();
    assert_eq!(runs.load(Ordering::Relaxed), 8);
    assert_eq!(status.code(), Code::Aborted);
    assert!(ApiError::of(&status).retry_after.is_some());
    assert!(marks(&it.db).await.is_empty());
}

#[tokio::test]
async fn another_error_ends_it_at_once() {
    let it = database().await;
    let runs = &AtomicU32::new(0);
    let stale = Status::aborted("the version that the caller has seen is old");
    assert!(!stale.is_overtaken(), "it will be as old the next time");
    let stale = &stale;
    let run = it.db.change(change!(|tx| {
        mark(tx, "refused").await;
        runs.fetch_add(1, Ordering::Relaxed);
        Err::<(), _>(stale.clone())
    }));
    run.await.unwrap_err();
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert!(marks(&it.db).await.is_empty());
    assert_eq!(StoreError::Overtaken(None).outcome(), Outcome::Definite);
}

#[tokio::test]
async fn what_is_undone_returns_its_value_and_leaves_nothing() {
    let it = database().await;
    let run = it.db.change(|mut tx| async move {
        mark(&mut tx, "undone").await;
        Ok::<_, StoreError>(tx.undone(7))
    });
    assert_eq!(run.await.unwrap(), 7);
    assert!(marks(&it.db).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_writers_over_one_file_no_change_is_lost() {
    let it = database().await;
    let other = open(&it.folder).await;
    let writers = (0..64).map(|number| {
        let db = if number % 2 == 0 { it.db.clone() } else { other.clone() };
        crate::support::spawn(async move {
            let run = db.change(change!(|tx| {
                tx.lock(["marks".to_owned()]).await?;
                // Reads what is there, and writes what follows from it.
                let count = crate::support::count(tx).await;
                mark(tx, &format!("{count:03}")).await;
                Ok::<_, StoreError>(())
            }));
            run.await
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap().unwrap();
    }
    let all: Vec<_> = (0..64).map(|number| format!("{number:03}")).collect();
    assert_eq!(marks(&it.db).await, all);
}
