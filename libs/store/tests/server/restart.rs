//! A server that is away, and is started again while connections to it rest.

use std::time::Duration;

use baton_store::testing::resting;
use baton_store::{Databases, Db, PostgresOptions, Reader, StoreError, change, on};
use futures::future::join_all;
use tempfile::TempDir;

use crate::passage::Passage;
use crate::{add, database, within};

const CONNECTIONS: u32 = 4;
/// No server is there again sooner.
const START: Duration = Duration::from_millis(25);

/// With these options beside the usual ones.
fn options(folder: &TempDir) -> PostgresOptions {
    let Databases::Postgres(options) = baton_store::testing::databases(folder.path()) else { unreachable!() };
    PostgresOptions { max_connections: CONNECTIONS, ..options }
}

/// The server's process that serves this connection.
async fn served_by(reader: &mut Reader) -> Result<i32, StoreError> {
    Ok(on!(reader, conn => sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(conn).await)?)
}

async fn read(db: &Db) -> Result<i32, StoreError> {
    served_by(&mut db.read().await?).await
}

async fn change(db: &Db) -> Result<(), StoreError> {
    db.change(change!(|tx| { add(tx, "a").await })).await
}

/// All connections are made and rest; who serves them.
async fn rested(options: PostgresOptions) -> (Db, Vec<i32>) {
    let db = Databases::Postgres(options).open("test").await.unwrap();
    let mut readers = join_all((0..CONNECTIONS).map(|_| db.read())).await;
    let pids = join_all(readers.iter_mut().map(|it| served_by(it.as_mut().unwrap()))).await;
    drop(readers);
    all_rest(&db).await;
    (db, pids.into_iter().map(Result::unwrap).collect())
}

/// They are given back by tasks, which get an answer on each first.
async fn all_rest(db: &Db) {
    let resting = async {
        while resting(db) < CONNECTIONS as usize {
            tokio::task::yield_now().await;
        }
    };
    within(5_000, resting).await;
}

/// The server ends these connections, and for so long that it might have been started again nobody uses one.
async fn end(db: &Db, pids: &[i32]) {
    let mut tx = db.begin().await.unwrap();
    for pid in pids {
        tx.statement("SELECT pg_terminate_backend($1)").bind(*pid).affected().await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut reader = db.read().await.unwrap();
    let left = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(string_to_array($1, ',')::int[])";
    let pids = pids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    let ended = async {
        while on!(reader, conn => sqlx::query_scalar::<_, i64>(left).bind(&pids).fetch_one(conn).await).unwrap() > 0 {}
    };
    within(5_000, ended).await;
    tokio::time::sleep(START).await;
}

#[tokio::test]
async fn readers_get_no_connection_that_the_server_has_ended_while_it_rested() {
    let (db, folder) = database().await;
    let (other, pids) = rested(options(&folder)).await;
    end(&db, &pids).await;
    for _ in 0..2 * CONNECTIONS {
        assert!(!pids.contains(&read(&other).await.unwrap()));
    }
}

#[tokio::test]
async fn readers_at_the_same_time_get_no_connection_that_the_server_has_ended_while_it_rested() {
    let (db, folder) = database().await;
    let (other, pids) = rested(options(&folder)).await;
    end(&db, &pids).await;
    for pid in join_all((0..2 * CONNECTIONS).map(|_| read(&other))).await {
        assert!(!pids.contains(&pid.unwrap()));
    }
}

#[tokio::test]
async fn changes_get_no_connection_that_the_server_has_ended_while_it_rested() {
    let (db, folder) = database().await;
    let (other, pids) = rested(options(&folder)).await;
    end(&db, &pids).await;
    for _ in 0..2 * CONNECTIONS {
        change(&other).await.unwrap();
    }
}

#[tokio::test]
async fn readers_and_changes_go_on_when_a_server_is_there_again_that_nobody_has_missed() {
    let (_db, folder) = database().await;
    let (mut passage, options) = Passage::to(&options(&folder)).await;
    let (db, _) = rested(options).await;
    for _ in 0..3 {
        all_rest(&db).await;
        passage.close().await;
        tokio::time::sleep(START).await;
        passage.open().await;
        for _ in 0..CONNECTIONS {
            read(&db).await.unwrap();
            change(&db).await.unwrap();
        }
        for result in join_all((0..CONNECTIONS).map(|_| read(&db))).await {
            result.unwrap();
        }
    }
}

#[tokio::test]
async fn while_a_server_is_away_to_which_connections_rest_nobody_is_told_that_it_is_busy() {
    let (_db, folder) = database().await;
    let (mut passage, options) = Passage::to(&options(&folder)).await;
    let (db, _) = rested(PostgresOptions { patience: PostgresOptions::PATIENCE.into(), ..options }).await;
    passage.close().await;
    tokio::time::sleep(START).await;
    let read_away = async || {
        let error = within(400, read(&db)).await.unwrap_err();
        assert!(matches!(error, StoreError::Away(_)), "{error:?}");
    };
    let change_away = async || {
        let error = within(400, change(&db)).await.unwrap_err();
        assert!(matches!(error, StoreError::Away(_)), "{error:?}");
    };
    for _ in 0..CONNECTIONS {
        read_away().await;
        change_away().await;
    }
    join_all((0..CONNECTIONS).map(|_| read_away())).await;
    passage.open().await;
    let served = async {
        while read(&db).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    within(5_000, served).await;
    for _ in 0..CONNECTIONS {
        read(&db).await.unwrap();
        change(&db).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_slow_is_not_away() {
    let (_db, folder) = database().await;
    let (passage, options) = Passage::to(&options(&folder)).await;
    let (db, _) = rested(options).await;
    tokio::time::sleep(START).await;
    passage.answer(false);
    let mut reader = db.read().await.unwrap();
    passage.answer(true);
    served_by(&mut reader).await.unwrap();
}
