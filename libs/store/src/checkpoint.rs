//! Writing the log back into the file, so that it stays short.
//!
//! `SQLite` would do it in the commit that makes the log long: four megabytes, and two syncs of the disk, while a caller waits and its thread with it.
//! Here a thread of its own does it, in two steps. The first one takes most of the time, and nobody waits for it. But the log begins anew only when
//! all of it has been written back, and meanwhile there were other commits: so the second step, for what these have left, is taken while
//! nobody writes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use baton_sqlite::{LogWriter, SqliteConnection, SqliteOptions};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::disk::Disk;
use crate::error::sqlite_code;

/// Of 4 KiB; as many as `SQLite` itself lets come together.
const PAGES: u32 = 1_000;
/// `SQLITE_IOERR`.
const DISK_FAILED: u32 = 10;

/// Writes a file's log back, once at a time.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    options: Arc<SqliteOptions>,
    disk: Arc<Disk>,
    /// Whoever holds it writes.
    writer: Arc<Mutex<Option<SqliteConnection>>>,
    /// Locked while it is under way; with the connection of the last one, which spares the next one the reading of the schema.
    running: Arc<Mutex<Option<LogWriter>>>,
    /// How long the log may become before the next one.
    due_pages: AtomicU32,
}

impl Checkpoints {
    pub(crate) fn new(
        options: Arc<SqliteOptions>,
        disk: Arc<Disk>,
        writer: Arc<Mutex<Option<SqliteConnection>>>,
    ) -> Self {
        Self { options, disk, writer, running: Arc::default(), due_pages: AtomicU32::new(PAGES) }
    }

    /// After a commit that has left so many pages in the log.
    pub(crate) fn consider(&self, log_pages: u32) {
        if log_pages < PAGES {
            self.due_pages.store(PAGES, Ordering::Relaxed);
        }
        if log_pages < self.due_pages.load(Ordering::Relaxed) {
            return;
        }
        let (Ok(mut running), Ok(runtime)) = (Arc::clone(&self.running).try_lock_owned(), Handle::try_current()) else {
            return;
        };
        // If somebody reads from the log for long, it is not begun anew, and it would be in vain to try with each commit.
        self.due_pages.store(log_pages.saturating_add(PAGES), Ordering::Relaxed);
        let (options, disk, writer) = (Arc::clone(&self.options), Arc::clone(&self.disk), Arc::clone(&self.writer));
        drop(runtime.spawn_blocking(move || {
            let written = running.take().map_or_else(|| options.log_writer(), Ok).and_then(|log_writer| {
                log_writer.write_back()?;
                let _nobody_else = writer.blocking_lock_owned();
                log_writer.write_back()?;
                *running = Some(log_writer);
                Ok(())
            });
            if let Err(error) = written {
                tracing::warn!(%error, "a database's log could not be written back to its file; it is tried again, and nothing is lost");
                if error.as_database_error().and_then(sqlite_code) == Some(DISK_FAILED) {
                    // Whoever asks the disk next may be told that all is well (module `disk`).
                    disk.fail(io::Error::other(error));
                }
            }
            drop(running);
        }));
    }

    /// Waits for the one in progress, and closes its connection.
    pub(crate) async fn end(&self) {
        drop(self.running.lock().await.take());
    }
}
