//! The databases of one data folder belong together: each knows the set, its members, and how often the set was started.
//!
//! Each start gives all of them its number. A database from another folder has another set, an older copy of one has a smaller
//! number, and one that is gone is still named by the others. The check is made before anything is started, and changes nothing of what they hold.

use std::path::{Path, PathBuf};
use std::time::Duration;

use baton_sqlite::{SqliteConnection, SqliteOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use crate::StoreError;
use crate::open::BUSY_TIMEOUT;

/// A larger database is not read through at the start: that takes about a second for each 500 MB.
const LONGEST_CHECKED_BYTES: u64 = 512 << 20;
/// Between two attempts to write a log back.
const PAUSE: Duration = Duration::from_millis(50);

/// What a database knows of the set it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Membership {
    /// The same in all databases of a data folder.
    pub set_id: Uuid,
    /// How often the set was started.
    pub starts: i64,
    /// The names of all members, separated by spaces.
    pub members: String,
}

/// Why a database can't be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Pages, indexes or the file itself are not as they were written.
    #[error("{} is damaged: {what}", file.display())]
    Damaged { file: PathBuf, what: String },
    #[error("reading {} failed", file.display())]
    Read { file: PathBuf, source: sqlx::Error },
}

/// Looks through a database without changing what is in it; `None` if it has not been started with others yet.
pub async fn inspect(file: &Path) -> Result<Option<Membership>, InspectError> {
    let fault = |source: sqlx::Error| match source.as_database_error().and_then(crate::error::sqlite_code) {
        // CORRUPT and NOTADB.
        Some(11 | 26) => InspectError::Damaged { file: file.to_owned(), what: source.to_string() },
        _ => InspectError::Read { file: file.to_owned(), source },
    };
    // With a write-ahead log, `SQLite` would not even look at it.
    if crate::open::check_header(file).await.is_err() {
        return Err(InspectError::Damaged {
            file: file.to_owned(),
            what: "it does not begin as a database does".into(),
        });
    }
    let mut connection = connect(file).await.map_err(fault)?;
    let inspected = look(&mut connection, file).await;
    let closed = connection.close().await;
    let (faults, membership) = inspected.map_err(fault)?;
    closed.map_err(fault)?;
    if faults.is_empty() || faults == ["ok"] {
        Ok(membership)
    } else {
        Err(InspectError::Damaged { file: file.to_owned(), what: faults.join("; ") })
    }
}

async fn look(
    connection: &mut SqliteConnection,
    file: &Path,
) -> Result<(Vec<String>, Option<Membership>), sqlx::Error> {
    let is_short = tokio::fs::metadata(file).await?.len() <= LONGEST_CHECKED_BYTES;
    let faults = if is_short {
        sqlx::query_scalar("PRAGMA quick_check(3)").fetch_all(&mut *connection).await?
    } else {
        Vec::new()
    };
    let is_member: bool = sqlx::query_scalar("SELECT count(*) > 0 FROM sqlite_master WHERE name = 'store_set'")
        .fetch_one(&mut *connection)
        .await?;
    let membership = if is_member {
        sqlx::query_as("SELECT set_id, starts, members FROM store_set").fetch_optional(connection).await?
    } else {
        None
    };
    Ok((faults, membership))
}

/// Writes down what the database belongs to.
pub async fn enrol(file: &Path, membership: &Membership) -> Result<(), StoreError> {
    let mut connection = connect(file).await?;
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS store_set
             (id INTEGER PRIMARY KEY CHECK (id = 1), set_id UUID NOT NULL, starts BIGINT NOT NULL, members TEXT NOT NULL)",
    )
    .execute(&mut connection)
    .await?;
    sqlx::query(
        "INSERT INTO store_set (id, set_id, starts, members) VALUES (1, $1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET set_id = excluded.set_id, starts = excluded.starts, members = excluded.members",
    )
    .bind(membership.set_id)
    .bind(membership.starts)
    .bind(&membership.members)
    .execute(&mut connection)
    .await?;
    Ok(connection.close().await?)
}

/// Moves everything from the write-ahead log into the database file, so that the file alone is the whole database.
pub async fn checkpoint(file: &Path) -> Result<(), StoreError> {
    let mut connection = connect(file).await?;
    let mut pauses = BUSY_TIMEOUT.as_millis() / PAUSE.as_millis();
    // Whoever is in the way is told in a row, not as an error.
    while sqlx::query_scalar::<_, i64>("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await? != 0 {
        if pauses == 0 {
            return Err(StoreError::Busy(sqlx::Error::PoolTimedOut));
        }
        pauses -= 1;
        #[expect(clippy::disallowed_methods, reason = "another process reads or writes in real time")]
        tokio::time::sleep(PAUSE).await;
    }
    Ok(connection.close().await?)
}

/// Nobody writes to these databases as long as it is held: for copying all of them as they are at one moment.
#[derive(Debug)]
pub struct WriteStop(Vec<SqliteConnection>);

impl WriteStop {
    /// Waits for the transactions in progress. Keep it for less than the five seconds that a writer waits.
    pub async fn begin(files: &[PathBuf]) -> Result<Self, StoreError> {
        let mut held = Vec::new();
        for file in files {
            let mut connection = connect(file).await?;
            sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await?;
            held.push(connection);
        }
        Ok(Self(held))
    }

    /// Lets the writers go on.
    pub async fn end(self) -> Result<(), StoreError> {
        for mut connection in self.0 {
            sqlx::query("ROLLBACK").execute(&mut connection).await?;
            connection.close().await?;
        }
        Ok(())
    }
}

async fn connect(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteOptions::new(file).busy_timeout(BUSY_TIMEOUT).pragma("synchronous", "FULL").connect().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Db;

    async fn database(folder: &Path) -> PathBuf {
        let file = folder.join("a.db");
        let db = Db::open(&file).await.unwrap();
        db.migrate(&crate::Migrations::NONE).await.unwrap();
        db.close().await;
        file
    }

    #[tokio::test]
    async fn n2_a_database_tells_the_set_that_it_belongs_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = database(folder.path()).await;
        assert_eq!(inspect(&file).await.unwrap(), None);
        for starts in [1, 2] {
            let membership = Membership { set_id: Uuid::from_u128(7), starts, members: "a b".into() };
            enrol(&file, &membership).await.unwrap();
            assert_eq!(inspect(&file).await.unwrap(), Some(membership));
        }
    }

    #[tokio::test]
    async fn n2_after_a_checkpoint_the_file_alone_is_the_database_also_while_it_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let file = database(folder.path()).await;
        let db = Db::open(&file).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        crate::on!(tx, conn => sqlx::query("CREATE TABLE late (x TEXT)").execute(conn).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
        checkpoint(&file).await.unwrap();
        let copy = folder.path().join("copy.db");
        std::fs::copy(&file, &copy).unwrap();
        let mut copy = connect(&copy).await.unwrap();
        let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE name = 'late'")
            .fetch_one(&mut copy)
            .await
            .unwrap();
        assert_eq!(tables, 1);
    }

    #[tokio::test]
    async fn r8_noise_in_a_page_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = database(folder.path()).await;
        let mut bytes = std::fs::read(&file).unwrap();
        assert!(bytes.len() > 3 * 4096, "{}", bytes.len());
        bytes[4096..3 * 4096].fill(0xa5);
        std::fs::write(&file, bytes).unwrap();
        let found = inspect(&file).await;
        assert!(matches!(found, Err(InspectError::Damaged { .. })), "{found:?}");
    }
}
