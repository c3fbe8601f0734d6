//! Group commit: one sync of the disk for all commits that wait for one.
//!
//! # Theory of operation
//! A commit has two halves of very different cost. `SQLite`'s `COMMIT` appends the change to the write-ahead log, in the
//! order of the commits, and takes microseconds: the writer is held only for that (`synchronous=NORMAL`). Then the log's
//! file must reach the disk, which takes a large part of a millisecond or several, and which one call does for every
//! commit before it. So [`Tx::commit`](crate::Tx::commit) gives the writer back after its `COMMIT` and waits here until a
//! sync that *began* after it has ended. While one sync runs, others change, commit, and gather for the next: the slower
//! the disk, the larger the groups, and no timer is needed. A commit that is alone has its sync at once: the leader yields to whoever is ready, and then begins.
//!
//! - A waiting commit that finds no sync running begins one (the leader). The sync runs on a thread of its own, which
//!   publishes the result, so a leader whose caller goes away harms no other commit.
//! - Commits are numbered while the writer is held, *before* their `COMMIT`, and called done after it. What can be seen in
//!   the database has therefore been numbered, and what is done is in the log's file when the next sync begins.
//! - Because the log is synced from its start, a commit is never durable before one that it could have read.
//! - Commits that share a sync are acknowledged in any order: whoever follows them in memory compares versions.
//! - After a failed sync the state of the disk is unknown, and a later sync that succeeds proves nothing (the kernel may
//!   have dropped the pages). So every waiting commit fails, and no transaction begins until the file is opened anew.
//!
//! A reader may see a change for the length of one sync before it is durable. The change can be lost only if the *machine*
//! stops: after the end of the process the kernel still has the log. A caller who lets the world act on what it has read
//! waits with [`Db::settled`](crate::Db::settled), or ends its transaction with `commit` or `rollback`, which wait too.
//!
//! Considered instead: a savepoint for each transaction within one long one. It groups only what queues at the right moment,
//! makes each commit wait for the slowest of its group, and hangs when two of a group wait for the same lock.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, watch};

use crate::StoreError;

type SyncLog = Box<dyn Fn() -> io::Result<()> + Send + Sync>;

pub(crate) struct Disk {
    sync: SyncLog,
    /// The last number that a commit was given.
    numbered: AtomicU64,
    /// The last commit that is in the log's file.
    done: AtomicU64,
    synced: watch::Sender<Synced>,
    leader: Mutex<()>,
}

#[derive(Debug, Clone, Default)]
struct Synced {
    up_to: u64,
    failed: Option<Arc<io::Error>>,
}

impl Synced {
    fn failure(&self) -> Option<sqlx::Error> {
        let error = self.failed.as_ref()?;
        Some(sqlx::Error::Io(io::Error::new(error.kind(), Arc::clone(error))))
    }
}

/// A commit that is being appended to the log; dropped when it is there, or will never be.
#[must_use = "dropped, the commit is done"]
pub(crate) struct NumberedCommit<'a> {
    disk: &'a Disk,
    pub(crate) number: u64,
}

impl Drop for NumberedCommit<'_> {
    fn drop(&mut self) {
        self.disk.done.fetch_max(self.number, Ordering::AcqRel);
    }
}

impl Disk {
    pub(crate) fn of(file: &Path) -> Arc<Self> {
        let log = parking_lot::Mutex::new(LogFile::of(file));
        Self::new(move || log.lock().sync())
    }

    pub(crate) fn new(sync: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            sync: Box::new(sync),
            numbered: AtomicU64::new(0),
            done: AtomicU64::new(0),
            synced: watch::Sender::default(),
            leader: Mutex::new(()),
        })
    }

    /// Numbers a commit. Call it while holding the writer, before the `COMMIT`.
    pub(crate) fn number(&self) -> NumberedCommit<'_> {
        NumberedCommit { disk: self, number: self.numbered.fetch_add(1, Ordering::AcqRel) + 1 }
    }

    /// The last commit that a reader can have seen.
    pub(crate) fn last(&self) -> u64 {
        self.numbered.load(Ordering::Acquire)
    }

    /// Waits until this commit, and so all before it, are on the disk.
    pub(crate) async fn wait(self: &Arc<Self>, number: u64) -> Result<(), StoreError> {
        let mut synced = self.synced.subscribe();
        let is_known = |synced: &Synced| synced.up_to >= number || synced.failed.is_some();
        while !is_known(&self.synced.borrow()) {
            tokio::select! {
                biased;
                _ = async { synced.wait_for(is_known).await.is_ok() } => {}
                _leader = self.leader.lock() => self.lead().await,
            }
        }
        self.check().map_err(StoreError::Commit)
    }

    /// Fails for good once a sync has failed.
    pub(crate) fn check(&self) -> Result<(), sqlx::Error> {
        self.synced.borrow().failure().map_or(Ok(()), Err)
    }

    /// Resolves when a sync has failed.
    pub(crate) fn failed(&self) -> impl Future<Output = StoreError> + Send + use<> {
        let mut synced = self.synced.subscribe();
        async move {
            let failure = synced.wait_for(|synced| synced.failed.is_some()).await.ok().and_then(|it| it.failure());
            match failure {
                Some(error) => StoreError::Commit(error),
                // The database was dropped without a failure.
                None => std::future::pending().await,
            }
        }
    }

    async fn lead(self: &Arc<Self>) {
        // Where many are at work, those who are ready write their commits first: one sync is for all of them.
        tokio::task::yield_now().await;
        let disk = Arc::clone(self);
        let synced = tokio::task::spawn_blocking(move || disk.sync_now()).await;
        if let Err(error) = synced {
            self.notify(0, Err(io::Error::other(error)));
        }
    }

    fn sync_now(&self) {
        // Read before the sync: a commit that is done after this may or may not be covered.
        let covers = self.done.load(Ordering::Acquire);
        let result = (self.sync)();
        self.notify(covers, result);
    }

    /// The disk has failed in somebody else's hands.
    pub(crate) fn fail(&self, error: io::Error) {
        self.notify(0, Err(error));
    }

    fn notify(&self, covers: u64, result: io::Result<()>) {
        self.synced.send_modify(|synced| match result {
            Ok(()) => synced.up_to = synced.up_to.max(covers),
            Err(error) => {
                tracing::error!(%error, "the disk failed; nothing is written any more until the service is started again");
                synced.failed.get_or_insert(Arc::new(error));
            }
        });
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Disk").field("synced", &self.synced).finish_non_exhaustive()
    }
}

/// Where `SQLite` keeps a database's write-ahead log.
fn log_of(file: &Path) -> PathBuf {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// The log of a database, kept open from one sync to the next.
struct LogFile {
    /// The database.
    file: PathBuf,
    log: PathBuf,
    /// With its device and number.
    opened: Option<(File, (u64, u64))>,
}

impl LogFile {
    fn of(file: &Path) -> Self {
        Self { file: file.to_owned(), log: log_of(file), opened: None }
    }

    /// It is another file after the last connection was closed, so its number is looked at each time. Without a log, that connection has moved all
    /// of it into the database file, synced, before it removed the log. Without a database file, somebody has removed both, and writes would
    /// go nowhere: an error.
    fn sync(&mut self) -> io::Result<()> {
        match std::fs::metadata(&self.log) {
            Ok(now) => self.open((now.dev(), now.ino()))?.sync_data(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.opened = None;
                std::fs::metadata(&self.file).map(drop)
            }
            Err(error) => Err(error),
        }
    }

    fn open(&mut self, number: (u64, u64)) -> io::Result<&File> {
        let opened = if let Some(opened) = self.opened.take().filter(|(_, opened)| *opened == number) {
            opened
        } else {
            let log = OpenOptions::new().write(true).open(&self.log)?;
            let opened = log.metadata()?;
            (log, (opened.dev(), opened.ino()))
        };
        Ok(&self.opened.insert(opened).0)
    }
}

#[cfg(test)]
mod tests;
