//! The one connection that writes, and the queue for it.
//!
//! It is not in a pool: a pool tests a connection after each use, in a task of its own, and the next caller waits for the
//! result. Here the next caller gets it at once. Statements reach the connection's thread in order, so what was left half
//! done (a dropped transaction, a cancelled statement) is undone before the next `BEGIN`. A connection is replaced when its
//! `COMMIT` failed, or when it can't begin for a reason that is not the database's answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Database, SqlSafeStr, Sqlite, SqliteConnection};
use sqlx_core::transaction::TransactionManager;
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

/// How long a caller queues for the writer or a reader. Commits take milliseconds: after this something is stuck.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

type Manager = <Sqlite as Database>::TransactionManager;
type LockedConnection = OwnedMappedMutexGuard<Option<SqliteConnection>, SqliteConnection>;

/// The writing connection, and the queue for it. All clones share them.
#[derive(Debug, Clone)]
pub(crate) struct SqliteWriter {
    /// `None` when closed.
    connection: Arc<Mutex<Option<SqliteConnection>>>,
    is_broken: Arc<AtomicBool>,
    options: Arc<SqliteConnectOptions>,
}

impl SqliteWriter {
    pub(crate) fn new(connection: SqliteConnection, options: SqliteConnectOptions) -> Self {
        Self {
            connection: Arc::new(Mutex::new(Some(connection))),
            is_broken: Arc::default(),
            options: Arc::new(options),
        }
    }

    /// Waits for the connection, without a transaction.
    pub(crate) async fn lock(&self) -> Result<LockedConnection, sqlx::Error> {
        let queue = Arc::clone(&self.connection).lock_owned();
        #[expect(clippy::disallowed_methods, reason = "a limit against hanging, in real time as a pool's would be")]
        let timeout = tokio::time::timeout(ACQUIRE_TIMEOUT, queue);
        let mut connection = timeout.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        if connection.is_some() && self.is_broken.load(Ordering::Acquire) {
            *connection = Some(self.options.connect().await?);
            self.is_broken.store(false, Ordering::Release);
        }
        OwnedMutexGuard::try_map(connection, Option::as_mut).map_err(|_| sqlx::Error::PoolClosed)
    }

    pub(crate) async fn begin(&self) -> Result<WriteGuard, sqlx::Error> {
        match self.try_begin().await {
            // The error is the connection's, not the database's answer: a fresh connection helps.
            Err(error) if self.is_broken.load(Ordering::Acquire) => {
                tracing::warn!(%error, "the writing connection is replaced");
                self.try_begin().await
            }
            result => result,
        }
    }

    async fn try_begin(&self) -> Result<WriteGuard, sqlx::Error> {
        let connection = self.lock().await?;
        // Made before `BEGIN`: a caller that is cancelled meanwhile rolls back, like one that drops a transaction.
        let mut guard = WriteGuard { connection, is_broken: Arc::clone(&self.is_broken), is_open: true };
        let begun = Manager::begin(&mut guard.connection, Some("BEGIN IMMEDIATE".into_sql_str())).await;
        if let Err(error) = begun {
            guard.is_open = false;
            guard.is_broken.store(error.as_database_error().is_none(), Ordering::Release);
            return Err(error);
        }
        Ok(guard)
    }

    /// Waits for the transaction in progress, then closes the file.
    pub(crate) async fn close(&self) {
        let connection = self.connection.lock().await.take();
        if let Some(connection) = connection
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "a database was not closed in good order; nothing is lost");
        }
    }
}

/// The exclusive right to write: the connection, with a transaction on it. Dropped, the transaction is rolled back before
/// the next one begins.
#[derive(Debug)]
pub(crate) struct WriteGuard {
    connection: LockedConnection,
    is_broken: Arc<AtomicBool>,
    is_open: bool,
}

impl WriteGuard {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        let result = Manager::commit(&mut self.connection).await;
        self.end(result)
    }

    pub(crate) async fn rollback(mut self) -> Result<(), sqlx::Error> {
        let result = Manager::rollback(&mut self.connection).await;
        self.end(result)
    }

    fn end(&mut self, result: Result<(), sqlx::Error>) -> Result<(), sqlx::Error> {
        self.is_open = false;
        if result.is_err() {
            self.is_broken.store(true, Ordering::Release);
        }
        result
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        if self.is_open {
            Manager::start_rollback(&mut self.connection);
        }
    }
}
