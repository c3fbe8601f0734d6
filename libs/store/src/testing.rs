//! Databases for tests: files in the test's folder, or schemas of its own on a server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::disk::Disk;
use crate::{Conn, Databases, Db, Migrations, PostgresOptions};

/// The environment variable that has the URL of a `PostgreSQL` database; without it tests use files.
const SERVER: &str = "TEST_POSTGRES_URL";

/// Tests ask more of a server on a busy machine at once than it can do in a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the databases of a test are whose folder this is. The same folder has the same databases.
pub fn databases(folder: &Path) -> Databases {
    #[expect(clippy::disallowed_methods, reason = "of tests alone: which of the two databases they run on")]
    match std::env::var(SERVER) {
        Ok(url) if !url.is_empty() => {
            let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
            let prefix = digest.iter().take(6).fold("t".to_owned(), |text, byte| format!("{text}{byte:02x}"));
            Databases::Postgres(PostgresOptions {
                url,
                prefix,
                max_connections: 24,
                patience: PATIENCE.into(),
                migrates: true,
            })
        }
        _ => Databases::CommonFolder(folder.to_owned()),
    }
}

/// Deletes one of them, which nobody has open.
pub async fn forget(folder: &Path, name: &str) {
    match databases(folder) {
        Databases::Folder(_) | Databases::CommonFolder(_) => {
            for ending in ["", "-wal", "-shm"] {
                // What is not there is gone.
                let _ = std::fs::remove_file(folder.join(format!("{name}.db{ending}")));
            }
        }
        Databases::Postgres(options) => {
            let drop = format!("DROP SCHEMA IF EXISTS \"{}_{name}\" CASCADE", options.prefix);
            let Db::Postgres(db) = databases(folder).open(name).await.expect("opened") else { return };
            sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&db.pool).await.expect("dropped");
        }
    }
}

/// One of them, without tables.
pub async fn open(folder: &Path, name: &str) -> Db {
    databases(folder).open(name).await.expect("opened")
}

/// A file of the test's, without tables, whose syncs the test lets pass.
pub async fn open_synced_by(file: &Path, sync: impl Fn() -> std::io::Result<()> + Send + Sync + 'static) -> Db {
    Db::open_on(file, Disk::new(sync)).await.expect("opened")
}

/// How many connections to a server rest.
pub fn resting(db: &Db) -> usize {
    match db {
        Db::Sqlite(_) => 0,
        Db::Postgres(db) => db.pool.num_idle(),
    }
}

/// Asserts that these migrations lead to the same tables, columns and indexes in a file and where tests run.
pub async fn assert_same_schema(migrations: &Migrations) {
    let folder = tempfile_folder();
    let file = Db::open(folder.join("schema.db")).await.expect("opened");
    let other = open(&folder, "schema").await;
    let mut schemas = Vec::new();
    for db in [&file, &other] {
        db.migrate(migrations).await.expect("migrated");
        schemas.push(names(db).await);
    }
    file.close().await;
    std::fs::remove_dir_all(&folder).expect("removed");
    assert_eq!(schemas[0], schemas[1]);
}

fn tempfile_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("baton-schema-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// `table.column` and the indexes, but for what each database needs for itself.
async fn names(db: &Db) -> BTreeSet<String> {
    let mut reader = db.read().await.expect("a reader");
    let names: Vec<String> = match reader.ready().await.expect("a reader") {
        Conn::Sqlite(conn) => sqlx::query_scalar(
            "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'
             UNION SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        )
        .fetch_all(conn)
        .await
        .expect("the schema"),
        Conn::Postgres(conn) => sqlx::query_scalar(
            "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema()
             UNION SELECT indexname FROM pg_indexes
                 WHERE schemaname = current_schema() AND indexname !~ '_(pkey|key)$'",
        )
        .fetch_all(conn)
        .await
        .expect("the schema"),
    };
    let is_own = |name: &String| {
        let others = ["sqlite_sequence.", "_sqlx_migrations.", "store_migrations."];
        others.iter().any(|it| name.starts_with(it)) || name == "store_outbox.xact" || name == "store_outbox_xact"
    };
    names.into_iter().filter(|it| !is_own(it)).collect()
}
