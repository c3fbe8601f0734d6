//! A database in a temporary folder, with one table of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use baton_store::{Affected as _, Conn, Db, Migrations, Tx, on};
use tempfile::TempDir;
use uuid::Uuid;

/// A database that goes away with the test.
pub(crate) struct Temporary {
    pub(crate) db: Db,
    pub(crate) folder: TempDir,
}

/// One in a file, whatever tests run on: for what only files have.
pub(crate) async fn file() -> Temporary {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = Db::open(folder.path().join("test.db")).await.expect("opened");
    db.migrate(&Migrations::NONE).await.expect("migrated");
    with_marks(db, folder).await
}

pub(crate) async fn database() -> Temporary {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = open(&folder).await;
    with_marks(db, folder).await
}

async fn with_marks(db: Db, folder: TempDir) -> Temporary {
    let mut tx = db.begin().await.expect("the writer");
    let created = match tx.ready().await.expect("a transaction") {
        Conn::Sqlite(conn) => sqlx::query("CREATE TABLE marks (name TEXT NOT NULL)").affected(conn).await,
        Conn::Postgres(conn) => {
            // Named as SQLite calls its own.
            let table = "CREATE TABLE marks (name TEXT NOT NULL, rowid BIGINT GENERATED ALWAYS AS IDENTITY)";
            sqlx::query(table).affected(conn).await
        }
    };
    created.expect("a table");
    tx.commit().await.expect("committed");
    Temporary { db, folder }
}

pub(crate) async fn open(folder: &TempDir) -> Db {
    let db = baton_store::testing::open(folder.path(), "test").await;
    db.migrate(&Migrations::NONE).await.expect("migrated");
    db
}

pub(crate) async fn mark(tx: &mut Tx, name: &str) {
    on!(tx, conn => sqlx::query("INSERT INTO marks (name) VALUES ($1)").bind(name).affected(conn).await)
        .expect("a mark");
}

pub(crate) async fn count(tx: &mut Tx) -> i64 {
    on!(tx, conn => sqlx::query_scalar("SELECT COUNT(*) FROM marks").fetch_one(conn).await).expect("a count")
}

pub(crate) async fn marks(db: &Db) -> Vec<String> {
    let mut reader = db.read().await.expect("a reader");
    on!(reader, conn => sqlx::query_scalar("SELECT name FROM marks ORDER BY rowid").fetch_all(conn).await)
        .expect("the marks")
}

/// A new id with each call.
pub(crate) fn fresh_id() -> Uuid {
    static LAST: AtomicU64 = AtomicU64::new(0);
    Uuid::from_u64_pair(7, LAST.fetch_add(1, Ordering::Relaxed))
}

#[expect(clippy::disallowed_methods, reason = "the store comes before the runtime, which has the one place for this")]
pub(crate) fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(future)
}
