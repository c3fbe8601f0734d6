//! The tables: one file each, one function a statement. Migrations are in the crate's `migrations` folder.

pub(crate) mod audio;
pub(crate) mod downloads;
pub(crate) mod listing;
pub(crate) mod manifest;
pub(crate) mod messages;
pub(crate) mod old;
pub(crate) mod recordings;
pub(crate) mod segments;
pub(crate) mod settings;
pub(crate) mod stored;

use baton_store::{Migrations, StoreError};

/// The tables of its database, and how they came about.
pub static MIGRATIONS: Migrations = baton_store::migrations!();

/// The error for data that no version of Baton writes. `row` is logged: give ids, never a phone number or a name.
fn corrupt(table: &'static str, column: &'static str, row: &str) -> StoreError {
    StoreError::Corrupt { table, column, row: row.to_owned(), source: None }
}

#[cfg(test)]
mod tests {
    use baton_store::{Db, Migrations, on};
    use sqlx::migrate::Migrator;
    use tempfile::TempDir;

    use super::MIGRATIONS;
    use super::listing::{self, RecordingsQuery};

    /// This service's tables, empty, for as long as the folder lives.
    pub(crate) async fn database() -> (Db, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let db = baton_store::testing::open(folder.path(), "recording").await;
        db.migrate(&MIGRATIONS).await.unwrap();
        (db, folder)
    }

    /// The same in a file, whatever tests run on: for the plans of statements.
    pub(crate) async fn file() -> (Db, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path().join("recording.db")).await.unwrap();
        db.migrate(&MIGRATIONS).await.unwrap();
        (db, folder)
    }

    #[tokio::test]
    async fn both_databases_have_the_same_schema() {
        baton_store::testing::assert_same_schema(&MIGRATIONS).await;
    }

    #[tokio::test]
    async fn what_an_older_baton_wrote_is_listed_by_agent_and_forgets_who_called() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path().join("recording.db")).await.unwrap();
        let first = Migrator::with_migrations(MIGRATIONS.sqlite.iter().take(1).cloned().collect());
        db.migrate(&Migrations { sqlite: first, ..Migrations::NONE }).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        on!(tx, conn => sqlx::raw_sql(
            "INSERT INTO recordings VALUES
                 ('acme', 'r1', 'i1', 1, 'STORED', 'a1', '+491', '+492', 1, 0, 1, 2, NULL, '', NULL),
                 ('acme', 'r2', 'i2', 1, 'DELETED', 'a1', '+491', '+492', 1, 0, 1, 2, 3, 'system', 4);
             INSERT INTO recording_agents VALUES ('acme', 'r1', 'a1'), ('acme', 'r2', 'a1')")
            .execute(conn)
            .await
            .map(drop))
        .unwrap();
        tx.commit().await.unwrap();
        db.migrate(&MIGRATIONS).await.unwrap();
        let query = RecordingsQuery { tenant: "acme", agent_id: "a1", after: ("i9", 1), ..RecordingsQuery::default() };
        let rows = listing::page(&db, &query, 9).await.unwrap();
        let shown: Vec<_> = rows.iter().map(|it| (it.recording_id.as_str(), it.customer.as_str())).collect();
        assert_eq!(shown, [("r2", ""), ("r1", "+492")]);
    }
}
