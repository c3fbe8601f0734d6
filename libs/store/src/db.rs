//! A database: one writer, a few readers, and the signal that new events wait in the outbox.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::Either;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::disk::Disk;
use crate::postgres::{PostgresDb, PostgresOptions};
use crate::readers::SqliteReaders;
use crate::writer::SqliteWriter;
use crate::{OpenError, Reader, StoreError, Tx, on, open};

/// A service's own database. Cheap to clone; all clones share the same writer.
#[derive(Debug, Clone)]
pub enum Db {
    /// A `SQLite` file in the data folder.
    Sqlite(SqliteDb),
    /// A schema of a `PostgreSQL` database.
    Postgres(PostgresDb),
}

#[derive(Debug, Clone)]
pub struct SqliteDb {
    pub(crate) file: Arc<PathBuf>,
    pub(crate) writer: SqliteWriter,
    pub(crate) disk: Arc<Disk>,
    readers: SqliteReaders,
    /// Nobody else writes to it.
    is_exclusive: bool,
    outbox: watch::Sender<u64>,
    /// When this process last asked which time can be trusted.
    pub(crate) looked_us: Arc<Mutex<Option<i64>>>,
}

impl Db {
    /// Opens the file, or makes it together with the folders above it. Its tables come with [`Db::migrate`].
    pub async fn open(file: impl AsRef<Path>) -> Result<Self, OpenError> {
        let file = file.as_ref();
        Self::open_on(file, Disk::of(file)).await
    }

    pub(crate) async fn open_on(file: &Path, disk: Arc<Disk>) -> Result<Self, OpenError> {
        let writer = open::writer(file, Arc::clone(&disk)).await?;
        Ok(Self::Sqlite(SqliteDb {
            file: Arc::new(file.to_path_buf()),
            writer,
            disk,
            readers: SqliteReaders::new(open::reading(file)),
            is_exclusive: false,
            outbox: watch::Sender::new(0),
            looked_us: Arc::default(),
        }))
    }

    /// A schema of a `PostgreSQL` database; it is connected to when first used.
    pub(crate) fn on_postgres(options: &PostgresOptions, schema: &str) -> Result<Self, OpenError> {
        PostgresDb::open(options, schema).map(Self::Postgres)
    }

    /// The same database, of which it is certain that no other process writes to it.
    pub(crate) fn exclusive(self) -> Self {
        match self {
            Self::Sqlite(db) => Self::Sqlite(SqliteDb { is_exclusive: true, ..db }),
            Self::Postgres(_) => self,
        }
    }

    /// Whether no other process writes to it: then what this one has committed last is what there is.
    pub fn is_exclusive(&self) -> bool {
        matches!(self, Self::Sqlite(db) if db.is_exclusive)
    }

    /// Whether a change can be seen before it is durable, so that the last ones may be lost if the machine stops.
    pub fn shows_what_may_be_lost(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Starts a transaction that its caller ends: for whoever commits the changes of many together. Everybody else makes a
    /// [change](Db::change). Keep it short: on `SQLite` there is one writer.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        match self {
            Self::Sqlite(db) => {
                db.disk.check()?;
                let guard = db.writer.begin().await?;
                Ok(Tx::sqlite(guard, Arc::clone(&db.disk), db.outbox.clone()))
            }
            Self::Postgres(db) => Ok(Tx::postgres(db.begin().await?, db.outbox.clone())),
        }
    }

    /// A connection for reading. Each statement sees what was committed before it, perhaps a moment before that is durable:
    /// see [`settled`](Db::settled).
    pub async fn read(&self) -> Result<Reader, StoreError> {
        match self {
            Self::Sqlite(db) => Ok(Reader::sqlite(db.readers.acquire().await?)),
            Self::Postgres(db) => Ok(Reader::postgres(db.acquire().await?)),
        }
    }

    /// Whether the database answers now.
    ///
    /// # Errors
    /// What a statement would get.
    pub async fn answers(&self) -> Result<(), StoreError> {
        let mut reader = self.read().await?;
        on!(reader, conn => sqlx::query("SELECT 1").fetch_one(conn).await.map(drop))?;
        Ok(())
    }

    /// Changes whenever a transaction with events in it has committed: the relay sleeps on this.
    pub fn outbox_commits(&self) -> watch::Receiver<u64> {
        match self {
            Self::Sqlite(db) => db.outbox.subscribe(),
            Self::Postgres(db) => db.outbox.subscribe(),
        }
    }

    /// Waits until everything that was read until now is durable; at once, when no commit is under way. Call it before the
    /// world acts on what a [`Reader`] found in a way that can't be taken back.
    pub async fn settled(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.disk.wait(db.disk.last()).await,
            // Nobody sees a commit there before it is durable.
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Resolves, with the cause, when the disk has failed: from then on nothing is written, and the process has to be
    /// restarted. Never resolves otherwise.
    pub fn failed(&self) -> impl Future<Output = StoreError> + Send + use<> {
        match self {
            Self::Sqlite(db) => Either::Left(db.disk.failed()),
            Self::Postgres(_) => Either::Right(std::future::pending()),
        }
    }

    /// Waits for the transaction in progress, then closes the file. Without this call nothing is lost either.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(db) => {
                db.readers.close().await;
                db.writer.close().await;
            }
            Self::Postgres(db) => db.pool.close().await,
        }
    }
}
