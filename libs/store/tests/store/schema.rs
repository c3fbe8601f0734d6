//! Whether a program may use the tables as they are, during an upgrade and after a rollback.

use std::borrow::Cow;

use baton_store::{Affected as _, Db, MigrateError, Migrations, change, on};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use tempfile::TempDir;

/// A service's migrations up to a version, as a program of that time knows them.
fn known(up_to: i64) -> Migrations {
    let migration = |version: i64| {
        let sql = match version {
            // It takes away what programs before version 2 use.
            3 => "UPDATE store_schema SET min_reader = 2".to_owned(),
            version => format!("CREATE TABLE t{version} (id BIGINT NOT NULL PRIMARY KEY)"),
        };
        Migration::new(
            version,
            Cow::Borrowed("test"),
            MigrationType::Simple,
            sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(sql)),
            false,
        )
    };
    let migrator = || Migrator::with_migrations((1..=up_to).map(migration).collect());
    Migrations { sqlite: migrator(), postgres: migrator() }
}

async fn database() -> (Db, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (baton_store::testing::open(folder.path(), "schema").await, folder)
}

#[tokio::test]
async fn tables_that_are_not_there_or_not_up_to_date_are_refused_with_what_to_do() {
    let (db, _folder) = database().await;
    let refused = db.check_schema(&known(1)).await.unwrap_err();
    assert!(matches!(refused, MigrateError::Older { version: 1, .. }), "{refused:?}");
    assert!(refused.to_string().contains("`baton migrate`"), "{refused}");
    db.migrate(&known(1)).await.unwrap();
    db.check_schema(&known(1)).await.unwrap();
    let refused = db.check_schema(&known(2)).await.unwrap_err();
    assert!(matches!(refused, MigrateError::Older { version: 2, .. }), "{refused:?}");
}

#[tokio::test]
async fn an_older_program_may_use_newer_tables_until_something_of_its_own_is_taken_away() {
    let (db, _folder) = database().await;
    db.migrate(&known(2)).await.unwrap();
    db.check_schema(&known(1)).await.unwrap();
    db.migrate(&known(3)).await.unwrap();
    let refused = db.check_schema(&known(1)).await.unwrap_err();
    assert!(matches!(refused, MigrateError::Newer { version: 2, .. }), "{refused:?}");
    db.check_schema(&known(2)).await.unwrap();
}

#[tokio::test]
async fn a_migration_that_was_edited_is_found() {
    let (db, _folder) = database().await;
    db.migrate(&known(1)).await.unwrap();
    db.change(change!(|tx| {
        let edited = "UPDATE _sqlx_migrations SET checksum = $1";
        on!(tx, conn => sqlx::query(edited).bind(vec![1_u8]).affected(conn).await)?;
        Ok::<_, baton_store::StoreError>(())
    }))
    .await
    .unwrap();
    let refused = db.check_schema(&known(1)).await.unwrap_err();
    assert!(matches!(refused, MigrateError::Changed { version: 1, .. }), "{refused:?}");
}
