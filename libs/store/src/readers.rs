//! The connections that read: a few, made when they are first needed, and kept.

use std::sync::Arc;

use baton_sqlite::{SqliteConnection, SqliteOptions};
use parking_lot::Mutex;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::writer::ACQUIRE_TIMEOUT;

/// Readers run beside each other; more than this would only compete for the processor.
const MOST: usize = 4;

/// Who may read, and with which connections. All clones share them.
#[derive(Debug, Clone)]
pub(crate) struct SqliteReaders {
    options: Arc<SqliteOptions>,
    turns: Arc<Semaphore>,
    resting: Arc<Mutex<Vec<SqliteConnection>>>,
}

/// A connection, for one caller.
#[derive(Debug)]
pub(crate) struct SqliteReader {
    /// `None` when it is dropped.
    connection: Option<SqliteConnection>,
    resting: Arc<Mutex<Vec<SqliteConnection>>>,
    /// Given back after the connection.
    _turn: OwnedSemaphorePermit,
}

impl SqliteReaders {
    pub(crate) fn new(options: SqliteOptions) -> Self {
        Self { options: Arc::new(options), turns: Arc::new(Semaphore::new(MOST)), resting: Arc::default() }
    }

    pub(crate) async fn acquire(&self) -> Result<SqliteReader, sqlx::Error> {
        let queue = Arc::clone(&self.turns).acquire_owned();
        #[expect(clippy::disallowed_methods, reason = "a limit against hanging, in real time as a pool's would be")]
        let timeout = tokio::time::timeout(ACQUIRE_TIMEOUT, queue);
        let turn = timeout.await.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let rested = self.resting.lock().pop();
        let connection = match rested {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(SqliteReader { connection: Some(connection), resting: Arc::clone(&self.resting), _turn: turn })
    }

    /// Waits for those who read, and closes the file.
    pub(crate) async fn close(&self) {
        let all = self.turns.acquire_many(MOST as u32).await;
        self.turns.close();
        drop(all);
        let rested = std::mem::take(&mut *self.resting.lock());
        for connection in rested {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "a database was not closed in good order; nothing is lost");
            }
        }
    }
}

impl SqliteReader {
    pub(crate) fn get(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)
    }
}

impl Drop for SqliteReader {
    fn drop(&mut self) {
        self.resting.lock().extend(self.connection.take());
    }
}
