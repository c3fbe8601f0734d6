//! What the store promises on a `PostgreSQL` server, where changes run side by side: needs the environment variable `TEST_POSTGRES_URL` with the
//! URL of an empty database.

mod passage;
mod restart;

use std::time::Duration;

use baton_api::{ApiError, ErrorKind};
use baton_store::outbox::{self, OutboxCursor, OutboxRow};
use baton_store::{Affected as _, Databases, Db, Migrations, PostgresOptions, StoreError, Tx, change, on};
use tempfile::TempDir;
use uuid::Uuid;

async fn database() -> (Db, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let db = baton_store::testing::open(folder.path(), "test").await;
    assert!(matches!(db, Db::Postgres(_)), "set TEST_POSTGRES_URL to the URL of an empty database");
    db.migrate(&Migrations::NONE).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    on!(tx, conn => sqlx::query("CREATE TABLE counts (name TEXT PRIMARY KEY, count BIGINT NOT NULL)").affected(conn).await)
        .unwrap();
    on!(tx, conn => sqlx::query("INSERT INTO counts VALUES ('a', 0), ('b', 0)").affected(conn).await).unwrap();
    tx.commit().await.unwrap();
    (db, folder)
}

async fn count(tx: &mut Tx, name: &str) -> Result<i64, StoreError> {
    let count = "SELECT count FROM counts WHERE name = $1";
    Ok(on!(tx, conn => sqlx::query_scalar(count).bind(name).fetch_one(conn).await)?)
}

async fn set(tx: &mut Tx, name: &str, count: i64) -> Result<(), StoreError> {
    let set = "UPDATE counts SET count = $2 WHERE name = $1";
    on!(tx, conn => sqlx::query(set).bind(name).bind(count).affected(conn).await)?;
    Ok(())
}

async fn add(tx: &mut Tx, name: &str) -> Result<(), StoreError> {
    let add = "UPDATE counts SET count = count + 1 WHERE name = $1";
    on!(tx, conn => sqlx::query(add).bind(name).affected(conn).await)?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the store comes before the runtime, which has the one place for this")]
fn spawn<F: Future<Output: Send> + Send + 'static>(future: F) -> tokio::task::JoinHandle<F::Output> {
    tokio::spawn(future)
}

#[expect(clippy::disallowed_methods, reason = "a server's time is real")]
async fn within<F: Future>(millis: u64, future: F) -> F::Output {
    tokio::time::timeout(Duration::from_millis(millis), future).await.expect("in time")
}

fn event(sequence: i64) -> OutboxRow {
    OutboxRow {
        id: Uuid::from_u128(sequence.unsigned_abs().into()),
        tenant: "acme".into(),
        aggregate: format!("interaction/{sequence}"),
        sequence: 1,
        event_type: "transfer.completed".into(),
        area: "transfer".into(),
        payload: Vec::new(),
        actor: "system".into(),
        traceparent: String::new(),
        time_us: sequence,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_changes_that_lock_what_they_decide_about_none_is_lost() {
    let (db, _folder) = database().await;
    let changes = (0..32).map(|_| {
        let db = db.clone();
        spawn(async move {
            let change = db.change(change!(|tx| {
                tx.lock(["a".to_owned()]).await?;
                let known = count(tx, "a").await?;
                set(tx, "a", known + 1).await
            }));
            change.await
        })
    });
    for change in futures::future::join_all(changes.collect::<Vec<_>>()).await {
        // Whoever finds too many before them is told so, and is none of those who were answered with success.
        if let Err(error) = change.unwrap() {
            panic!("{error:?}");
        }
    }
    let mut tx = db.begin().await.unwrap();
    assert_eq!(count(&mut tx, "a").await.unwrap(), 32);
}

/// 40P01: one of the two is undone by the server, and runs again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_changes_that_wait_for_each_other_both_succeed() {
    let (db, _folder) = database().await;
    let both = std::sync::Arc::new(tokio::sync::Barrier::new(2));
    let changes = [("a", "b"), ("b", "a")].map(|(first, second)| {
        let (db, both) = (db.clone(), std::sync::Arc::clone(&both));
        spawn(async move {
            let is_first_run = &std::sync::atomic::AtomicBool::new(true);
            let both = &both;
            let change = db.change(change!(|tx| {
                add(tx, first).await?;
                if is_first_run.swap(false, std::sync::atomic::Ordering::SeqCst) {
                    both.wait().await;
                }
                add(tx, second).await
            }));
            change.await
        })
    });
    for change in changes {
        change.await.unwrap().unwrap();
    }
    let mut tx = db.begin().await.unwrap();
    assert_eq!((count(&mut tx, "a").await.unwrap(), count(&mut tx, "b").await.unwrap()), (2, 2));
}

/// E1: a position that was handed out early and commits late is not skipped.
#[tokio::test]
async fn an_event_that_commits_after_a_later_one_is_read_once() {
    let (db, _folder) = database().await;
    let mut late = db.begin().await.unwrap();
    outbox::append(&mut late, &[event(1)]).await.unwrap();
    let mut early = db.begin().await.unwrap();
    outbox::append(&mut early, &[event(2), event(3), event(4)]).await.unwrap();
    early.commit().await.unwrap();
    let mut read = Vec::new();
    let mut cursor = OutboxCursor::default();
    let read_all = async |cursor: &mut OutboxCursor, read: &mut Vec<i64>| {
        for _ in 0..4 {
            // As a relay that is started again each time.
            let again: OutboxCursor = cursor.to_string().parse().unwrap();
            let (rows, next) = outbox::after(&db, &again, 2).await.unwrap();
            read.extend(rows.iter().map(|it| it.time_us));
            *cursor = next;
        }
    };
    read_all(&mut cursor, &mut read).await;
    assert_eq!(read, [2, 3, 4]);
    // What was read and is old goes; what is still being written stays.
    assert_eq!(outbox::prune(&db, i64::MAX, &cursor).await.unwrap(), 3);
    late.commit().await.unwrap();
    read_all(&mut cursor, &mut read).await;
    assert_eq!(read, [2, 3, 4, 1]);
}

#[tokio::test]
async fn a_server_that_is_away_is_said_at_once_and_no_password_is_repeated() {
    let url = "postgres://baton:secret@127.0.0.1:9/baton".to_owned();
    let options = PostgresOptions {
        url,
        prefix: "t".into(),
        max_connections: 2,
        patience: PostgresOptions::PATIENCE.into(),
        migrates: true,
    };
    let db = Databases::Postgres(options).open("test").await.unwrap();
    assert!(!format!("{db:?}").contains("secret"), "{db:?}");
    for _ in 0..3 {
        let error = within(400, db.begin()).await.unwrap_err();
        assert!(matches!(error, StoreError::Away(_)), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("secret"));
        assert_eq!(ApiError::from(error).kind, ErrorKind::Unavailable);
    }
}

#[tokio::test]
async fn whoever_finds_all_connections_in_use_is_told_at_once() {
    let (_db, folder) = database().await;
    let Databases::Postgres(options) = baton_store::testing::databases(folder.path()) else { unreachable!() };
    let options = PostgresOptions { max_connections: 4, patience: PostgresOptions::PATIENCE.into(), ..options };
    let db = Databases::Postgres(options).open("test").await.unwrap();
    let mut taken = Vec::new();
    while taken.len() < 4 {
        // On a busy machine it takes longer to make one: it is there a moment later.
        taken.extend(db.begin().await);
    }
    let error = within(400, db.begin()).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
    assert_eq!(ApiError::from(error).kind, ErrorKind::ResourceExhausted);
    drop(taken);
    drop(within(2_000, db.begin()).await.unwrap());
}

#[tokio::test]
async fn a_service_that_starts_waits_longer_for_a_connection() {
    let (_db, folder) = database().await;
    let Databases::Postgres(options) = baton_store::testing::databases(folder.path()) else { unreachable!() };
    let options = PostgresOptions { max_connections: 1, patience: PostgresOptions::PATIENCE.into(), ..options };
    let databases = Databases::Postgres(options).of_a_start();
    let db = databases.open("test").await.unwrap();
    let taken = db.begin().await.unwrap();
    let (waiting, ()) = futures::join!(db.begin(), async {
        tokio::time::sleep(4 * PostgresOptions::PATIENCE).await;
        taken.rollback().await.unwrap();
    });
    let _taken = waiting.unwrap();
    databases.end_start();
    within(400, db.begin()).await.unwrap_err();
}

/// A role that services connect by: it owns nothing.
#[tokio::test]
async fn a_role_that_owns_nothing_is_granted_the_use_of_the_tables_and_no_change_of_them() {
    let (db, folder) = database().await;
    let Databases::Postgres(options) = baton_store::testing::databases(folder.path()) else { panic!("no server") };
    // As the schemas, so that no other test has it.
    let role = format!("baton_{}", options.prefix);
    let made = format!("CREATE ROLE {role} LOGIN");
    let mut tx = db.begin().await.unwrap();
    on!(tx, conn => sqlx::query(sqlx::AssertSqlSafe(made)).affected(conn).await).unwrap();
    tx.commit().await.unwrap();
    let url = options.url.replace("//baton@", &format!("//{role}@"));
    let services = Databases::Postgres(PostgresOptions { url, migrates: false, ..options });
    let as_service = services.open("test").await.unwrap();
    let read = async || {
        let mut reader = as_service.read().await.unwrap();
        let statement = "SELECT count FROM counts WHERE name = 'a'";
        on!(reader, conn => sqlx::query_scalar::<_, i64>(statement).fetch_one(conn).await)
    };
    assert!(read().await.is_err(), "before the grant");
    db.grant(&role).await.unwrap();
    assert_eq!(read().await.unwrap(), 0);
    services.prepare(&as_service, &Migrations::NONE).await.unwrap();
    as_service.change(change!(|tx| { add(tx, "a").await })).await.unwrap();
    assert_eq!(read().await.unwrap(), 1);
    let dropped = as_service.change(change!(|tx| {
        on!(tx, conn => sqlx::query("DROP TABLE counts").affected(conn).await)?;
        Ok::<_, StoreError>(())
    }));
    assert!(dropped.await.is_err(), "it may change tables");
    let missing = db.grant("no_such_role").await.unwrap_err();
    assert!(format!("{missing:?}").contains("does not exist"), "{missing:?}");
    assert!(db.server_facts().await.unwrap().unwrap().version >= 140_000);
}

#[tokio::test]
async fn of_two_processes_one_is_alone_and_the_other_one_when_its_session_has_ended() {
    let (db, folder) = database().await;
    let first = db.try_alone().await.unwrap().expect("nobody else");
    let other = baton_store::testing::open(folder.path(), "test").await;
    assert!(other.try_alone().await.unwrap().is_none());
    let losing = spawn(first.lost());
    // As when the process stood still for too long.
    let mut tx = db.begin().await.unwrap();
    let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND pid IN
                 (SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid())";
    let schema = match baton_store::testing::databases(folder.path()) {
        Databases::Postgres(options) => format!("{}_test", options.prefix),
        Databases::Folder(_) | Databases::CommonFolder(_) => panic!("no server"),
    };
    let count: i64 = on!(tx, conn => sqlx::query_scalar(ended).bind(schema).fetch_one(conn).await).unwrap();
    assert_eq!(count, 1);
    drop(tx);
    let second = within(5_000, async {
        loop {
            match other.try_alone().await.unwrap() {
                Some(lock) => return lock,
                None => tokio::task::yield_now().await,
            }
        }
    });
    let second = second.await;
    assert_eq!(within(5_000, losing).await.unwrap(), baton_store::NotAlone);
    drop(second);
    within(5_000, async { while db.try_alone().await.unwrap().is_none() {} }).await;
}
