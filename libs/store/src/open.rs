//! Opening a `SQLite` file. A file that is not Baton's is refused with an explanation, and not touched.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use baton_sqlite::{SqliteConnection, SqliteOptions};
use sqlx::ConnectOptions as _;
use tokio::io::AsyncReadExt;

use crate::OpenError;
use crate::disk::Disk;
use crate::error::sqlite_code;
use crate::writer::SqliteWriter;

/// `BTN1`: written into the file's header, so that another program's database is never taken for ours.
const APPLICATION_ID: i64 = 0x4254_4e31;
/// How long `SQLite` itself waits for another process's lock (a backup, a person with a shell).
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Texts whose prepared statements a connection remembers.
const STATEMENTS: usize = 200;
/// The write-ahead log is cut back to this after a checkpoint, so that a burst does not keep the disk for ever.
const WAL_LIMIT_BYTES: &str = "67108864";

pub(crate) async fn writer(file: &Path, disk: Arc<Disk>) -> Result<SqliteWriter, OpenError> {
    let folder = file.parent().unwrap_or(Path::new("."));
    tokio::fs::create_dir_all(folder).await.map_err(|source| OpenError::Folder { folder: folder.into(), source })?;
    check_header(file).await?;
    let options = writing(file);
    let mut connection =
        options.clone().create_if_missing(true).connect().await.map_err(|error| explain(file, error))?;
    claim_file(&mut connection, file).await?;
    Ok(SqliteWriter::new(connection, options, disk))
}

/// For connections that can't write.
pub(crate) fn reading(file: &Path) -> SqliteOptions {
    for_all(SqliteOptions::new(file)).pragma("query_only", "ON")
}

/// For the connection that writes. A new file learns first that its free pages can be given back.
fn writing(file: &Path) -> SqliteOptions {
    for_all(SqliteOptions::new(file).pragma("auto_vacuum", "INCREMENTAL"))
}

fn for_all(options: SqliteOptions) -> SqliteOptions {
    options
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS)
        .pragma("journal_mode", "WAL")
        // The database syncs before a checkpoint, so that the file stays whole; each commit is synced by `Disk`.
        .pragma("synchronous", "NORMAL")
        .pragma("foreign_keys", "ON")
        .pragma("journal_size_limit", WAL_LIMIT_BYTES)
        // What a statement needs for itself is small: no file for it.
        .pragma("temp_store", "MEMORY")
}

/// `SQLite` would only complain at the first statement, and some files it would even overwrite.
pub(crate) async fn check_header(file: &Path) -> Result<(), OpenError> {
    let mut start = Vec::new();
    match tokio::fs::File::open(file).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(OpenError::NotWritable { file: file.into(), source: source.into() });
        }
        Ok(opened) => opened
            .take(16)
            .read_to_end(&mut start)
            .await
            .map_err(|source| OpenError::NotWritable { file: file.into(), source: source.into() })?,
    };
    if start.is_empty() || start == b"SQLite format 3\0" {
        Ok(())
    } else {
        Err(OpenError::NotOurs { file: file.into() })
    }
}

/// Marks an empty file as Baton's, and refuses one with another program's tables.
async fn claim_file(writer: &mut SqliteConnection, file: &Path) -> Result<(), OpenError> {
    let explain = |error| explain(file, error);
    let (application, tables): (i64, i64) =
        sqlx::query_as("SELECT application_id, (SELECT count(*) FROM sqlite_master) FROM pragma_application_id")
            .fetch_one(&mut *writer)
            .await
            .map_err(explain)?;
    match (application, tables) {
        (APPLICATION_ID, _) => Ok(()),
        (0, 0) => {
            sqlx::query("PRAGMA application_id = 1112821297").execute(writer).await.map_err(explain)?;
            Ok(())
        }
        _ => Err(OpenError::NotOurs { file: file.into() }),
    }
}

fn explain(file: &Path, error: sqlx::Error) -> OpenError {
    let file = PathBuf::from(file);
    let code = error.as_database_error().and_then(sqlite_code);
    match code {
        Some(8 | 10 | 13 | 14) => OpenError::NotWritable { file, source: error.into() },
        Some(26) => OpenError::NotOurs { file },
        _ => OpenError::Database { file, source: error },
    }
}
