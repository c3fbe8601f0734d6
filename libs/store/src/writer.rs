//! The one connection that writes, and the queue for it.
//!
//! It is not in a pool: a pool asks a connection after each use whether it is well, in a task of its own, and the next in
//! the queue waits for the answer. Here the next one gets it at once. Statements reach the connection's thread in order, so
//! what was left half done (a dropped transaction, a cancelled statement) is undone before the next `BEGIN`. A connection
//! whose `COMMIT` failed, or that does not know where it is, is replaced.

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
type Held = OwnedMappedMutexGuard<Option<SqliteConnection>, SqliteConnection>;

/// The queue. All clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    /// `None` when closed.
    connection: Arc<Mutex<Option<SqliteConnection>>>,
    is_broken: Arc<AtomicBool>,
    options: Arc<SqliteConnectOptions>,
}

impl Writer {
    pub(crate) fn new(connection: SqliteConnection, options: SqliteConnectOptions) -> Self {
        Self {
            connection: Arc::new(Mutex::new(Some(connection))),
            is_broken: Arc::default(),
            options: Arc::new(options),
        }
    }

    /// Waits for the connection, without a transaction.
    pub(crate) async fn lock(&self) -> Result<Held, sqlx::Error> {
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

    /// Waits for the connection and starts a transaction.
    pub(crate) async fn begin(&self) -> Result<Turn, sqlx::Error> {
        match self.try_begin().await {
            // Not the database's answer: the connection is not well. A fresh one is.
            Err(error) if self.is_broken.load(Ordering::Acquire) => {
                tracing::warn!(%error, "the writing connection is replaced");
                self.try_begin().await
            }
            result => result,
        }
    }

    async fn try_begin(&self) -> Result<Turn, sqlx::Error> {
        let connection = self.lock().await?;
        // Before it has begun: a caller who goes away meanwhile leaves it as one who drops a transaction.
        let mut turn = Turn { connection, is_broken: Arc::clone(&self.is_broken), is_open: true };
        let begun = Manager::begin(&mut turn.connection, Some("BEGIN IMMEDIATE".into_sql_str())).await;
        if let Err(error) = begun {
            turn.is_open = false;
            turn.is_broken.store(error.as_database_error().is_none(), Ordering::Release);
            return Err(error);
        }
        Ok(turn)
    }

    /// Waits for what is in progress and lets go of the file.
    pub(crate) async fn close(&self) {
        let connection = self.connection.lock().await.take();
        if let Some(connection) = connection
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "a database was not closed in good order; nothing is lost");
        }
    }
}

/// The connection with a transaction on it. Dropped, it is rolled back before anybody else's begins.
#[derive(Debug)]
pub(crate) struct Turn {
    connection: Held,
    is_broken: Arc<AtomicBool>,
    is_open: bool,
}

impl Turn {
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

impl Drop for Turn {
    fn drop(&mut self) {
        if self.is_open {
            Manager::start_rollback(&mut self.connection);
        }
    }
}
