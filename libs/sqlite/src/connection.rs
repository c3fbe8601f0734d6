//! A connection: what runs statements.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::hooks::Wal;
use rusqlite::types::Value as Stored;
use rusqlite::{Batch, Statement};
use sqlx_core::connection::Connection;
use sqlx_core::error::Error;
use sqlx_core::transaction::Transaction;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::error::{error, is_busy};
use crate::{Sqlite, SqliteColumn, SqliteOptions, SqliteRow};

/// What has taken longer than this runs beside the others the next time: its thread gives its other work to another one first.
const LONG: Duration = Duration::from_millis(2);
/// A statement that takes longer is told in the log.
const SLOW: Duration = Duration::from_secs(1);
/// Between two attempts to get what another connection has locked.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(25);
/// Statements of which something is remembered, at most.
const REMEMBERED: usize = 512;

type Columns = HashMap<Box<str>, Arc<[SqliteColumn]>>;

thread_local! {
    /// What the hook of a commit was told, on the thread that committed.
    static LOG_PAGES: Cell<u32> = const { Cell::new(0) };
}

/// A connection to a file. It may be used by one caller at a time, on any thread.
pub struct SqliteConnection {
    /// Behind a lock that is never waited for, so that what holds a connection can be shared.
    inner: Box<Mutex<rusqlite::Connection>>,
    columns: Columns,
    /// What took long the last time: a long list, or a commit when the disk is behind.
    long: HashSet<Box<str>>,
    busy_timeout: Duration,
    /// Transactions and savepoints that are open, of those that `sqlx` has begun.
    pub(crate) depth: usize,
    log_pages: u32,
}

/// What a statement has returned.
#[derive(Default)]
pub(crate) struct Ran {
    pub(crate) rows: Vec<SqliteRow>,
    pub(crate) changed: u64,
}

/// A statement was refused.
struct Refused {
    error: rusqlite::Error,
    /// Nothing of its text was carried out before it.
    is_first: bool,
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self { error, is_first: true }
    }
}

impl Refused {
    fn may_be_repeated(&self) -> bool {
        self.is_first && is_busy(&self.error)
    }
}

impl SqliteConnection {
    pub(crate) fn new(inner: rusqlite::Connection, busy_timeout: Duration) -> Self {
        inner.wal_hook(Some(note_log_pages));
        Self {
            inner: Box::new(Mutex::new(inner)),
            columns: HashMap::new(),
            long: HashSet::new(),
            busy_timeout,
            depth: 0,
            log_pages: 0,
        }
    }

    /// How long the write-ahead log was after the last commit of this connection, in pages. It is never written back to the file by itself
    /// (`PRAGMA wal_checkpoint`).
    pub fn log_pages(&self) -> u32 {
        self.log_pages
    }

    /// Whether a transaction is open: not any more, if an error has made `SQLite` undo it.
    pub fn has_transaction(&mut self) -> bool {
        !self.inner().is_autocommit()
    }

    /// Ends the open transaction, if there is one, and undoes what it did.
    pub fn roll_back(&mut self) -> Result<(), Error> {
        self.depth = 0;
        let inner = self.inner();
        if inner.is_autocommit() {
            return Ok(());
        }
        inner.execute_batch("ROLLBACK").map_err(error)
    }

    /// Carries out what can't fail in a way that matters to its caller.
    pub(crate) fn run_now(&mut self, sql: &str) {
        if let Err(error) = self.inner().execute_batch(sql) {
            tracing::debug!(%error, sql, "a statement failed");
        }
    }

    /// Runs one statement with its values, or, without values, all that the text has. `most`: so many rows, and not the others.
    pub(crate) async fn run(&mut self, sql: &str, values: Option<&[Stored]>, most: usize) -> Result<Ran, Error> {
        let began = now();
        let mut result = self.try_run(sql, values, most);
        let took = began.elapsed();
        self.note_length(sql, took);
        tracing::trace!(sql, ?took, "statement");
        if took > SLOW {
            tracing::warn!(sql, ?took, "a statement was slow");
        }
        let mut pause = FIRST_PAUSE;
        while result.as_ref().is_err_and(Refused::may_be_repeated) && began.elapsed() < self.busy_timeout {
            #[expect(clippy::disallowed_methods, reason = "another process's lock is real, whatever a test's time is")]
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            result = self.try_run(sql, values, most);
        }
        result.map_err(|refused| error(refused.error))
    }

    fn note_length(&mut self, sql: &str, took: Duration) {
        if took < LONG {
            // Statements have long texts, and mostly there is nothing to look for.
            if !self.long.is_empty() {
                self.long.remove(sql);
            }
        } else {
            if self.long.len() >= REMEMBERED {
                self.long.clear();
            }
            self.long.insert(sql.into());
        }
    }

    fn try_run(&mut self, sql: &str, values: Option<&[Stored]>, most: usize) -> Result<Ran, Refused> {
        if self.long.contains(sql) && has_other_threads() {
            tokio::task::block_in_place(|| self.try_run_here(sql, values, most))
        } else {
            self.try_run_here(sql, values, most)
        }
    }

    fn try_run_here(&mut self, sql: &str, values: Option<&[Stored]>, most: usize) -> Result<Ran, Refused> {
        let Self { inner, columns, .. } = self;
        let inner = &*inner.get_mut();
        let mut ran = Ran::default();
        if let Some(values) = values {
            let mut statement = inner.prepare_cached(sql)?;
            bind(&mut statement, values)?;
            read(&mut statement, |statement| remembered(columns, sql, statement), most, &mut ran)?;
            ran.changed = inner.changes();
        } else {
            let mut statements = Batch::new(inner, sql);
            let mut is_first = true;
            while let Some(mut statement) = statements.next().map_err(|error| Refused { error, is_first })? {
                read(&mut statement, columns_of, most, &mut ran).map_err(|error| Refused { error, is_first })?;
                ran.changed += inner.changes();
                is_first = false;
            }
        }
        // Not every statement is a commit.
        if let pages @ 1.. = LOG_PAGES.take() {
            self.log_pages = pages;
        }
        Ok(ran)
    }

    /// The columns of a statement, and how many values it takes.
    pub(crate) fn describe(&mut self, sql: &str) -> Result<(Arc<[SqliteColumn]>, usize), Error> {
        let statement = self.inner().prepare_cached(sql).map_err(error)?;
        Ok((columns_of(&statement), statement.parameter_count()))
    }

    fn inner(&mut self) -> &rusqlite::Connection {
        self.inner.get_mut()
    }
}

impl fmt::Debug for SqliteConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqliteConnection").field("depth", &self.depth).finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a thread was kept is real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn has_other_threads() -> bool {
    Handle::try_current().is_ok_and(|it| it.runtime_flavor() == RuntimeFlavor::MultiThread)
}

#[expect(clippy::unnecessary_wraps, reason = "the hook's type")]
fn note_log_pages(_log: &Wal, pages: i32) -> rusqlite::Result<()> {
    LOG_PAGES.set(pages.unsigned_abs());
    Ok(())
}

fn columns_of(statement: &Statement<'_>) -> Arc<[SqliteColumn]> {
    let names = statement.column_names();
    names.iter().enumerate().map(|(ordinal, name)| SqliteColumn { ordinal, name: (*name).into() }).collect()
}

/// The columns of a statement, by its text; other ones if a table has others since.
fn remembered(known: &mut Columns, sql: &str, statement: &Statement<'_>) -> Arc<[SqliteColumn]> {
    let is_named = |it: &SqliteColumn| statement.column_name(it.ordinal).is_ok_and(|name| name == &*it.name);
    let is_so = |it: &&Arc<[SqliteColumn]>| it.len() == statement.column_count() && it.iter().all(is_named);
    if let Some(columns) = known.get(sql).filter(is_so) {
        return Arc::clone(columns);
    }
    if known.len() >= REMEMBERED {
        known.clear();
    }
    let columns = columns_of(statement);
    known.insert(sql.into(), Arc::clone(&columns));
    columns
}

/// Gives each parameter its value: `$1` and `?1` have numbers, `?` the next one.
fn bind(statement: &mut Statement<'_>, values: &[Stored]) -> rusqlite::Result<()> {
    for parameter in 1..=statement.parameter_count() {
        let number = match statement.parameter_name(parameter) {
            Some(name) => name[1..].parse().unwrap_or(0),
            None => parameter,
        };
        let value = number.checked_sub(1).and_then(|at: usize| values.get(at));
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(values.len(), number))?;
        statement.raw_bind_parameter(parameter, value)?;
    }
    Ok(())
}

/// Carries a statement out. Which columns it has is known with its first row: only then has `SQLite` looked at the tables as they are now.
fn read(
    statement: &mut Statement<'_>,
    columns_of: impl FnOnce(&Statement<'_>) -> Arc<[SqliteColumn]>,
    most: usize,
    ran: &mut Ran,
) -> rusqlite::Result<()> {
    let mut rows = statement.raw_query();
    let Some(first) = rows.next()? else { return Ok(()) };
    let columns = columns_of(first.as_ref());
    let mut next = Some(first);
    while let Some(row) = next {
        let value = |at| row.get_ref(at).and_then(|value| Ok(Stored::try_from(value)?));
        let values = (0..columns.len()).map(value).collect::<rusqlite::Result<_>>()?;
        ran.rows.push(SqliteRow { values, columns: Arc::clone(&columns) });
        next = if ran.rows.len() < most { rows.next()? } else { None };
    }
    Ok(())
}

impl Connection for SqliteConnection {
    type Database = Sqlite;
    type Options = SqliteOptions;

    /// The last connection to a file moves what is in its log into it, which takes its time.
    async fn close(self) -> Result<(), Error> {
        let close = || self.inner.into_inner().close().map_err(|(_, failed)| error(failed));
        tokio::task::spawn_blocking(close).await.map_err(|_| Error::WorkerCrashed)?
    }

    async fn close_hard(self) -> Result<(), Error> {
        drop(self);
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn begin(&mut self) -> impl Future<Output = Result<Transaction<'_, Sqlite>, Error>> + Send + '_ {
        Transaction::begin(self, None)
    }

    fn shrink_buffers(&mut self) {}

    async fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn should_flush(&self) -> bool {
        false
    }
}
