//! Transactions and readers, and the one macro that reaches the connection inside either.

use std::sync::Arc;

use baton_sqlite::SqliteConnection;
use sha2::{Digest as _, Sha256};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Transaction};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::Instrument as _;

use crate::StoreError;
use crate::disk::Disk;
use crate::readers::SqliteReader;
use crate::writer::WriteGuard;

/// The connection that a statement runs on: one variant per database that Baton can live in.
#[derive(Debug)]
pub enum Conn<'a> {
    /// `SQLite`, as in the embedded run.
    Sqlite(&'a mut SqliteConnection),
    /// `PostgreSQL`.
    Postgres(&'a mut PgConnection),
}

/// Runs one body against whichever database a [`Tx`](crate::Tx) or a [`Reader`](crate::Reader) holds.
///
/// The body is compiled once per database, so it may only use what all of them understand; it ends with a result of the library's. A statement
/// that writes and returns no rows is better off as a [`Tx::statement`]. See the crate's example.
#[macro_export]
macro_rules! on {
    ($handle:expr, $conn:ident => $body:expr) => {
        match $handle.ready().await {
            Ok($crate::Conn::Sqlite($conn)) => $body,
            Ok($crate::Conn::Postgres($conn)) => $body,
            Err(error) => Err(error),
        }
    };
}

/// A change in progress. Dropped without [`commit`](Tx::commit), it leaves nothing behind.
#[must_use = "a transaction that is dropped changes nothing"]
#[derive(Debug)]
pub struct Tx {
    pub(crate) handle: TxHandle,
    outbox: watch::Sender<u64>,
    has_events: bool,
}

#[derive(Debug)]
pub(crate) enum TxHandle {
    Sqlite(WriteGuard, Arc<Disk>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    pub(crate) fn sqlite(guard: WriteGuard, disk: Arc<Disk>, outbox: watch::Sender<u64>) -> Self {
        Self { handle: TxHandle::Sqlite(guard, disk), outbox, has_events: false }
    }

    pub(crate) fn postgres(transaction: Transaction<'static, Postgres>, outbox: watch::Sender<u64>) -> Self {
        Self { handle: TxHandle::Postgres(transaction), outbox, has_events: false }
    }

    /// The connection inside, with an open transaction; use it through [`on!`](crate::on).
    ///
    /// # Errors
    /// The transaction can't begin.
    pub async fn ready(&mut self) -> Result<Conn<'_>, sqlx::Error> {
        match &mut self.handle {
            TxHandle::Sqlite(guard, _) => guard.ready().await.map(Conn::Sqlite),
            TxHandle::Postgres(transaction) => Ok(Conn::Postgres(transaction)),
        }
    }

    /// Makes the change durable, then wakes the relay if there are events in it. Once it is written it runs to its end, even if the caller
    /// goes away.
    pub async fn commit(self) -> Result<(), StoreError> {
        let commit = self.commit_visibly().await?;
        commit.durable().await
    }

    /// Makes the change visible now and durable with the next commit: only for a change that is repeated if it is lost.
    ///
    /// # Errors
    /// Nothing has happened.
    pub async fn commit_lazily(mut self) -> Result<(), StoreError> {
        if let TxHandle::Postgres(transaction) = &mut self.handle {
            sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut **transaction).await?;
        }
        self.commit_visibly().await.map(VisibleCommit::left)
    }

    /// Makes the change visible, and gives the writer back: the next change can be made while the disk is busy with this one. It is durable when
    /// the [`VisibleCommit`] says so; on `PostgreSQL`, where nobody sees a change before, it is so already.
    ///
    /// # Errors
    /// Nothing has happened.
    pub async fn commit_visibly(self) -> Result<VisibleCommit, StoreError> {
        let outbox = self.has_events.then_some(self.outbox);
        match self.handle {
            TxHandle::Sqlite(guard, disk) => {
                let commit = disk.number();
                let number = commit.number;
                guard.commit().await.map_err(StoreError::of_commit)?;
                drop(commit);
                Ok(VisibleCommit { disk: Some((disk, number)), outbox })
            }
            TxHandle::Postgres(transaction) => {
                let commit = async { transaction.commit().await.map_err(StoreError::of_commit) };
                detached(async { commit.await.map(|()| VisibleCommit { disk: None, outbox }) }).await
            }
        }
    }

    /// Undoes the change and waits until what was read in it is durable, so that an answer can rely on it. Dropping undoes the
    /// change without waiting.
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self.handle {
            TxHandle::Sqlite(guard, disk) => {
                let seen = disk.last();
                guard.roll_back()?;
                disk.wait(seen).await
            }
            TxHandle::Postgres(transaction) => Ok(transaction.rollback().await?),
        }
    }

    pub(crate) fn note_events(&mut self) {
        self.has_events = true;
    }

    /// Whether no other change can run beside this one: then there is nothing to [lock](Tx::lock), and what was read stays so.
    pub fn is_alone(&self) -> bool {
        match self.handle {
            TxHandle::Sqlite(..) => true,
            TxHandle::Postgres(_) => false,
        }
    }

    /// Waits until no other change has locked one of these names, and locks them until the end of this one. What is read *after* that is what
    /// the others have left. Lock everything of one sort at once: within a call the order is the same everywhere.
    pub async fn lock(&mut self, names: impl IntoIterator<Item = String>) -> Result<(), StoreError> {
        if let TxHandle::Postgres(transaction) = &mut self.handle {
            let mut keys: Vec<i64> = names.into_iter().map(|name| lock_key(&name)).collect();
            keys.sort_unstable();
            sqlx::query("SELECT pg_advisory_xact_lock(key) FROM unnest($1::BIGINT[]) AS key")
                .bind(keys)
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    /// Marks a point that [`undo_part`](Tx::undo_part) returns to: one change among several that commit together. Parts do not
    /// nest; end each with [`keep_part`](Tx::keep_part) or `undo_part`.
    pub async fn start_part(&mut self) -> Result<(), StoreError> {
        self.statement("SAVEPOINT part").run().await
    }

    /// Keeps what was done since [`start_part`](Tx::start_part).
    pub async fn keep_part(&mut self) -> Result<(), StoreError> {
        self.statement("RELEASE SAVEPOINT part").run().await
    }

    /// Undoes what was done since [`start_part`](Tx::start_part); what came before stays.
    pub async fn undo_part(&mut self) -> Result<(), StoreError> {
        self.statement("ROLLBACK TO SAVEPOINT part").run().await?;
        self.keep_part().await
    }
}

/// `PostgreSQL` locks numbers. Two names with one number wait for each other without need, which does no harm.
fn lock_key(name: &str) -> i64 {
    Sha256::digest(name).iter().take(8).fold(0, |key, byte| (key << 8) | i64::from(*byte))
}

/// A commit that everybody can see, and that is perhaps not durable yet. Dropped, it is followed by a task until it is.
#[derive(Debug)]
#[must_use = "it is not durable before `durable` says so"]
pub struct VisibleCommit {
    /// Of a file that is still to be synced, up to this commit.
    disk: Option<(Arc<Disk>, u64)>,
    /// Who is to be told then that there are events.
    outbox: Option<watch::Sender<u64>>,
}

impl VisibleCommit {
    /// Waits until the change is on the disk.
    ///
    /// # Errors
    /// The disk has failed: nothing more can be written until the file is opened anew, and whether the change is in it will be seen then.
    pub async fn durable(mut self) -> Result<(), StoreError> {
        if let Some((disk, number)) = &self.disk {
            disk.wait(*number).await?;
        }
        self.disk = None;
        Ok(())
    }

    /// It will be durable with the next one.
    fn left(mut self) {
        (self.disk, self.outbox) = (None, None);
    }
}

impl Drop for VisibleCommit {
    fn drop(&mut self) {
        let outbox = self.outbox.take();
        let announce = move || outbox.iter().for_each(|it| it.send_modify(|commits| *commits += 1));
        match (self.disk.take(), Handle::try_current()) {
            (None, _) => announce(),
            (Some((disk, number)), Ok(runtime)) => drop(runtime.spawn(async move {
                if disk.wait(number).await.is_ok() {
                    announce();
                }
            })),
            // The runtime has ended, and with it whoever would be told.
            (Some(_), Err(_)) => {}
        }
    }
}

/// Runs a commit in a task of its own: a commit that is cancelled half way would have an unknown outcome.
async fn detached<T: Send + 'static>(
    commit: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    #[expect(clippy::disallowed_methods, reason = "the store comes before the runtime; the task ends by itself, soon")]
    let task = tokio::spawn(commit.in_current_span());
    // It fails only when the runtime ends.
    task.await.unwrap_or(Err(StoreError::Commit(sqlx::Error::WorkerCrashed)))
}

/// A connection that reads and cannot write. Give it back (drop it) before waiting for anything else.
#[derive(Debug)]
pub struct Reader {
    handle: ReaderHandle,
}

#[derive(Debug)]
enum ReaderHandle {
    Sqlite(SqliteReader),
    Postgres(PoolConnection<Postgres>),
}

impl Reader {
    pub(crate) fn sqlite(connection: SqliteReader) -> Self {
        Self { handle: ReaderHandle::Sqlite(connection) }
    }

    pub(crate) fn postgres(connection: PoolConnection<Postgres>) -> Self {
        Self { handle: ReaderHandle::Postgres(connection) }
    }

    /// The connection inside; use it through [`on!`](crate::on).
    ///
    /// # Errors
    /// None: as of a [`Tx`].
    pub fn ready(&mut self) -> impl Future<Output = Result<Conn<'_>, sqlx::Error>> {
        std::future::ready(match &mut self.handle {
            ReaderHandle::Sqlite(reader) => reader.get().map(Conn::Sqlite),
            ReaderHandle::Postgres(connection) => Ok(Conn::Postgres(connection)),
        })
    }
}
