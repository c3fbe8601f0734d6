//! The one connection that writes, and the queue for it.
//!
//! It is not in a pool: a pool tests a connection after each use, in a task of its own, and the next caller waits for the
//! result. Here the next caller gets it at once. Statements go to the connection's thread [together](StatementScript) where they can. What was left half done
//! (a dropped transaction, a cancelled statement) is undone before the next caller gets the connection. A connection is replaced when its
//! `COMMIT` failed, or when it can't begin for a reason that is not the database's answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::statement_script::{ScriptError, StatementScript};

/// How long a caller queues for the writer or a reader. Commits take milliseconds: after this something is stuck.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// The writing connection, and the queue for it. All clones share them.
#[derive(Debug, Clone)]
pub(crate) struct SqliteWriter {
    /// `None`: it is made for the next caller.
    connection: Arc<Mutex<Option<SqliteConnection>>>,
    is_closed: Arc<AtomicBool>,
    options: Arc<SqliteConnectOptions>,
}

impl SqliteWriter {
    pub(crate) fn new(connection: SqliteConnection, options: SqliteConnectOptions) -> Self {
        Self {
            connection: Arc::new(Mutex::new(Some(connection))),
            is_closed: Arc::default(),
            options: Arc::new(options),
        }
    }

    /// Waits for the connection, without a transaction.
    pub(crate) async fn lock(&self) -> Result<LockedConnection, sqlx::Error> {
        let queue = Arc::clone(&self.connection).lock_owned();
        #[expect(clippy::disallowed_methods, reason = "a limit against hanging, in real time as a pool's would be")]
        let timeout = tokio::time::timeout(ACQUIRE_TIMEOUT, queue);
        let mut connection = timeout.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        if self.is_closed.load(Ordering::Acquire) {
            return Err(sqlx::Error::PoolClosed);
        }
        if connection.is_none() {
            *connection = Some(self.options.connect().await?);
        }
        Ok(LockedConnection(connection))
    }

    /// The exclusive right to write. The transaction begins with the first statement.
    pub(crate) async fn begin(&self) -> Result<WriteGuard, sqlx::Error> {
        let connection = Some(self.lock().await?);
        let mut script = StatementScript::default();
        script.push("BEGIN IMMEDIATE", 0);
        Ok(WriteGuard { connection, script, is_open: false })
    }

    /// Waits for the transaction in progress, then closes the file.
    pub(crate) async fn close(&self) {
        let connection = self.connection.lock().await.take();
        self.is_closed.store(true, Ordering::Release);
        if let Some(connection) = connection
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "a database was not closed in good order; nothing is lost");
        }
    }
}

/// The connection, for one caller.
#[derive(Debug)]
pub(crate) struct LockedConnection(OwnedMutexGuard<Option<SqliteConnection>>);

impl LockedConnection {
    pub(crate) fn get(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.0.as_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Ends it, and whatever transaction is open on it; the next caller gets another one.
    fn discard(&mut self) {
        *self.0 = None;
    }
}

/// The exclusive right to write: the connection, with a transaction on it. Dropped, the transaction is rolled back before
/// the next one begins.
#[derive(Debug)]
pub(crate) struct WriteGuard {
    /// `None` when it is dropped.
    connection: Option<LockedConnection>,
    /// What waits to be carried out; at first the `BEGIN`.
    pub(crate) script: StatementScript,
    /// The `BEGIN` was sent, and no end yet.
    is_open: bool,
}

/// Why a transaction did not end.
#[derive(Debug)]
pub(crate) enum EndError {
    /// Something before its end failed: nothing is committed.
    Statement(sqlx::Error),
    /// Its `COMMIT` failed.
    Commit(sqlx::Error),
}

impl WriteGuard {
    /// The connection, with an open transaction and nothing that waits.
    pub(crate) async fn ready(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.send().await?;
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?.get()
    }

    /// Carries out what waits; how many rows the last statement has changed.
    pub(crate) async fn send(&mut self) -> Result<u64, sqlx::Error> {
        self.run().await.map_err(|failed| failed.error)
    }

    async fn run(&mut self) -> Result<u64, ScriptError> {
        let script = std::mem::take(&mut self.script);
        let Some(connection) = self.connection.as_mut().filter(|_| !script.is_empty()) else { return Ok(0) };
        // Before it is sent: if the caller goes away meanwhile, it is rolled back.
        let begins = !std::mem::replace(&mut self.is_open, true);
        let result = match connection.get() {
            Ok(connection) => script.run(connection).await,
            Err(error) => Err(ScriptError { statement: 0, error }),
        };
        if let Err(failed) = &result
            && begins
            && failed.statement == 0
        {
            self.is_open = false;
            // The error is the connection's, not the database's answer: a fresh connection helps.
            if failed.error.as_database_error().is_none() {
                connection.discard();
            }
        }
        result
    }

    pub(crate) async fn commit(mut self) -> Result<(), EndError> {
        if !self.is_open && self.script.len() == 1 {
            // Nothing has happened after `BEGIN`.
            return Ok(());
        }
        self.script.push("COMMIT", 0);
        let statements = self.script.len();
        let result = self.run().await;
        match result {
            Err(failed) if failed.statement + 1 < statements => Err(EndError::Statement(failed.error)),
            Err(failed) => {
                self.is_open = false;
                self.connection.iter_mut().for_each(LockedConnection::discard);
                Err(EndError::Commit(failed.error))
            }
            Ok(_) => {
                self.is_open = false;
                Ok(())
            }
        }
    }

    pub(crate) async fn rollback(mut self) -> Result<(), sqlx::Error> {
        match self.connection.take().filter(|_| self.is_open) {
            Some(connection) => OpenTransaction { connection, has_ended: false }.roll_back().await,
            None => Ok(()),
        }
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take().filter(|_| self.is_open) else { return };
        let open = OpenTransaction { connection, has_ended: false };
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(open.roll_back()));
        }
    }
}

/// One that nobody goes on with. Nobody else gets its connection before it has ended.
struct OpenTransaction {
    connection: LockedConnection,
    has_ended: bool,
}

impl OpenTransaction {
    async fn roll_back(mut self) -> Result<(), sqlx::Error> {
        match sqlx::query("ROLLBACK").execute(self.connection.get()?).await {
            // Some failures have ended it already.
            Err(error) if error.as_database_error().is_none() => Err(error),
            Ok(_) | Err(_) => {
                self.has_ended = true;
                Ok(())
            }
        }
    }
}

impl Drop for OpenTransaction {
    /// Without a runtime, or when it ends, the connection ends, too.
    fn drop(&mut self) {
        if !self.has_ended {
            self.connection.discard();
        }
    }
}
