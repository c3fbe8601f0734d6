//! The one connection that writes, and the queue for it.
//!
//! Whoever has it runs a transaction on it, on its own thread. What was left half done (a dropped transaction) is undone before the next caller
//! gets the connection. A connection is replaced when its `COMMIT` failed, or when it can't begin for a reason that is not the database's answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use baton_sqlite::{SqliteConnection, SqliteOptions};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::checkpoint::Checkpoints;
use crate::disk::Disk;

/// How long a caller queues for the writer or a reader. Commits take milliseconds: after this something is stuck.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a statement gets after an error that has ended its transaction.
const UNDONE: &str = "the database has ended the transaction after an error";

/// The writing connection, and the queue for it. All clones share them.
#[derive(Debug, Clone)]
pub(crate) struct SqliteWriter {
    /// `None`: it is made for the next caller.
    connection: Arc<Mutex<Option<SqliteConnection>>>,
    is_closed: Arc<AtomicBool>,
    options: Arc<SqliteOptions>,
    checkpoints: Arc<Checkpoints>,
}

impl SqliteWriter {
    pub(crate) fn new(connection: SqliteConnection, options: SqliteOptions, disk: Arc<Disk>) -> Self {
        let (connection, options) = (Arc::new(Mutex::new(Some(connection))), Arc::new(options));
        let checkpoints = Arc::new(Checkpoints::new(Arc::clone(&options), disk, Arc::clone(&connection)));
        Self { connection, is_closed: Arc::default(), options, checkpoints }
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
        let connection = self.lock().await?;
        Ok(WriteGuard { connection, checkpoints: Arc::clone(&self.checkpoints), is_open: false })
    }

    /// Waits for the transaction in progress, then closes the file.
    pub(crate) async fn close(&self) {
        let connection = {
            let mut connection = self.connection.lock().await;
            self.is_closed.store(true, Ordering::Release);
            connection.take()
        };
        self.checkpoints.end().await;
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

/// The exclusive right to write: the connection, with a transaction on it. Dropped, the transaction is rolled back.
#[derive(Debug)]
pub(crate) struct WriteGuard {
    connection: LockedConnection,
    checkpoints: Arc<Checkpoints>,
    /// The transaction has begun, and not ended.
    is_open: bool,
}

impl WriteGuard {
    /// The connection, with an open transaction.
    pub(crate) async fn ready(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        if !self.is_open {
            let begun = sqlx::query("BEGIN IMMEDIATE").execute(self.connection.get()?).await;
            if let Err(error) = begun {
                // The error is the connection's, not the database's answer: a fresh connection helps.
                if error.as_database_error().is_none() {
                    self.connection.discard();
                }
                return Err(error);
            }
            self.is_open = true;
        }
        let connection = self.connection.get()?;
        // After some errors (a full disk) it has undone everything, and what comes next would be a change of its own.
        if connection.has_transaction() { Ok(connection) } else { Err(sqlx::Error::Protocol(UNDONE.into())) }
    }

    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        if !self.is_open {
            // Nothing has happened.
            return Ok(());
        }
        let connection = self.connection.get()?;
        let committed = sqlx::query("COMMIT").execute(&mut *connection).await;
        match committed {
            Ok(_) => {
                self.is_open = false;
                self.checkpoints.consider(connection.log_pages());
                Ok(())
            }
            Err(error) => {
                self.is_open = false;
                self.connection.discard();
                Err(error)
            }
        }
    }

    pub(crate) fn roll_back(mut self) -> Result<(), sqlx::Error> {
        self.undo()
    }

    fn undo(&mut self) -> Result<(), sqlx::Error> {
        if !std::mem::take(&mut self.is_open) {
            return Ok(());
        }
        let undone = self.connection.get().and_then(SqliteConnection::roll_back);
        if undone.is_err() {
            self.connection.discard();
        }
        undone
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        if let Err(error) = self.undo() {
            tracing::debug!(%error, "a transaction was undone with its connection");
        }
    }
}
