//! Opening, committing, and the errors of both.

use baton_store::{Affected as _, Db, MigrateError, Migrations, OpenError, StoreError, on};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::support::{database, file, mark, marks, open, spawn};

#[tokio::test]
async fn what_is_committed_is_there_after_opening_again() {
    let it = database().await;
    let mut tx = it.db.begin().await.unwrap();
    mark(&mut tx, "kept").await;
    tx.commit().await.unwrap();
    it.db.close().await;
    let again = open(&it.folder).await;
    assert_eq!(marks(&again).await, ["kept"]);
}

#[tokio::test]
async fn a_dropped_or_rolled_back_transaction_leaves_nothing() {
    let it = database().await;
    let mut tx = it.db.begin().await.unwrap();
    mark(&mut tx, "dropped").await;
    drop(tx);
    let mut tx = it.db.begin().await.unwrap();
    mark(&mut tx, "rolled back").await;
    tx.rollback().await.unwrap();
    assert!(marks(&it.db).await.is_empty());
}

#[tokio::test]
async fn a_reader_does_not_wait_for_the_writer_and_cannot_write() {
    let it = file().await;
    let mut tx = it.db.begin().await.unwrap();
    mark(&mut tx, "not yet").await;
    assert!(marks(&it.db).await.is_empty());
    let mut reader = it.db.read().await.unwrap();
    let written = on!(reader, conn => sqlx::query("DELETE FROM marks").affected(conn).await);
    assert!(written.is_err());
}

#[tokio::test]
async fn thirty_two_writers_queue_and_none_is_refused() {
    let it = database().await;
    let writers = (0..32).map(|number| {
        let db = it.db.clone();
        spawn(async move {
            let mut tx = db.begin().await.unwrap();
            mark(&mut tx, &number.to_string()).await;
            tx.commit().await.unwrap();
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }
    assert_eq!(marks(&it.db).await.len(), 32);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "in the way").unwrap();
    let error = Db::open(file.join("test.db")).await.unwrap_err();
    assert!(matches!(&error, OpenError::Folder { .. }), "{error:?}");
    assert!(error.to_string().contains("choose another"), "{error}");
}

#[tokio::test]
async fn a_file_of_something_else_is_refused_and_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    std::fs::write(&file, "Dear diary, today").unwrap();
    let error = Db::open(&file).await.unwrap_err();
    assert!(matches!(error, OpenError::NotOurs { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "Dear diary, today");
}

#[tokio::test]
async fn another_programs_sqlite_file_is_refused() {
    use sqlx::Connection;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut other = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("CREATE TABLE bookmarks (url TEXT)").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let error = Db::open(&file).await.unwrap_err();
    assert!(matches!(error, OpenError::NotOurs { .. }), "{error:?}");
}

#[tokio::test]
async fn tables_of_a_newer_program_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(folder.path().join("test.db")).await.unwrap();
    let newer = migrations(vec![migration(7, "CREATE TABLE a (b TEXT)")]);
    db.migrate(&newer).await.unwrap();
    db.migrate(&newer).await.unwrap();
    let error = db.migrate(&Migrations::NONE).await.unwrap_err();
    assert!(matches!(error, MigrateError::Newer { version: 7, .. }), "{error:?}");
}

#[tokio::test]
async fn a_failed_migration_changes_nothing() {
    let it = file().await;
    let bad = migrations(vec![migration(1, "DELETE FROM marks; CREATE TABLE marks (name TEXT)")]);
    let mut tx = it.db.begin().await.unwrap();
    mark(&mut tx, "kept").await;
    tx.commit().await.unwrap();
    let error = it.db.migrate(&bad).await.unwrap_err();
    assert!(matches!(error, MigrateError::Failed { .. }), "{error:?}");
    assert_eq!(marks(&it.db).await, ["kept"]);
}

#[tokio::test]
async fn a_refused_value_is_about_the_data_and_a_full_disk_or_a_closed_file_is_not() {
    let it = file().await;
    let mut tx = it.db.begin().await.unwrap();
    let null = on!(tx, conn => sqlx::query("INSERT INTO marks (name) VALUES (NULL)").affected(conn).await).unwrap_err();
    let none = on!(tx, conn => sqlx::query("SELECT name FROM marks").fetch_one(conn).await.map(drop)).unwrap_err();
    let text = on!(tx, conn => sqlx::query_scalar::<_, i64>("SELECT 'x'").fetch_one(conn).await).unwrap_err();
    for error in [null, none, text] {
        assert!(StoreError::from(error).is_about_data());
    }
    let full = on!(tx, conn => {
        sqlx::query("PRAGMA max_page_count = 1").affected(&mut *conn).await.unwrap();
        sqlx::query("INSERT INTO marks (name) VALUES (hex(zeroblob(100000)))").affected(conn).await
    });
    let full = StoreError::from(full.unwrap_err());
    assert!(!full.is_about_data() && full.is_disk_full(), "{full:?}");
    let refused = baton_api::ApiError::from(full);
    assert!(refused.kind == baton_api::ErrorKind::ResourceExhausted && refused.retry_after.is_some(), "{refused:?}");
    drop(tx);
    it.db.close().await;
    let closed = it.db.begin().await.unwrap_err();
    assert!(!closed.is_about_data(), "{closed:?}");
}

fn migrations(some: Vec<Migration>) -> Migrations {
    Migrations { sqlite: Migrator::with_migrations(some), ..Migrations::NONE }
}

fn migration(version: i64, sql: &str) -> Migration {
    let sql = AssertSqlSafe(sql.to_owned()).into_sql_str();
    Migration::new(version, "test".into(), MigrationType::Simple, sql, false)
}
