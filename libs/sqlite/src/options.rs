//! How a file is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use log::LevelFilter;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;
use sqlx_core::Url;
use sqlx_core::connection::ConnectOptions;
use sqlx_core::error::Error;

use crate::SqliteConnection;
use crate::error::error;

/// How long a statement waits for another connection's lock, if nothing else is said.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many statements a connection keeps prepared, if nothing else is said.
const STATEMENTS: usize = 100;

/// The file, and what is set on each connection to it.
#[derive(Clone)]
pub struct SqliteOptions {
    file: PathBuf,
    creates: bool,
    busy_timeout: Duration,
    statements: usize,
    pragmas: Vec<(&'static str, String)>,
}

impl SqliteOptions {
    /// A file that must be there; `:memory:` is a database of the connection's own.
    pub fn new(file: impl AsRef<Path>) -> Self {
        Self {
            file: file.as_ref().to_owned(),
            creates: false,
            busy_timeout: BUSY_TIMEOUT,
            statements: STATEMENTS,
            pragmas: Vec::new(),
        }
    }

    /// Whether the file is made if it is not there.
    #[must_use]
    pub fn create_if_missing(self, creates: bool) -> Self {
        Self { creates, ..self }
    }

    /// How long a statement waits for another connection's lock before it is refused (code 5).
    #[must_use]
    pub fn busy_timeout(self, busy_timeout: Duration) -> Self {
        Self { busy_timeout, ..self }
    }

    /// How many statements stay prepared, by their texts.
    #[must_use]
    pub fn statement_cache_capacity(self, statements: usize) -> Self {
        Self { statements, ..self }
    }

    /// `PRAGMA name = value`, in the order of these calls.
    #[must_use]
    pub fn pragma(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.pragmas.push((name, value.to_string()));
        self
    }

    /// Opens the file for writing its log back. Takes a moment: not for a thread that others need.
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn log_writer(&self) -> Result<LogWriter, Error> {
        let connection = rusqlite::Connection::open_with_flags(&self.file, flags(false)).map_err(error)?;
        connection.busy_timeout(self.busy_timeout).map_err(error)?;
        Ok(LogWriter(connection))
    }

    /// Takes a moment, and longer if somebody else has the file locked: not for a thread that others need.
    fn open(&self) -> Result<SqliteConnection, rusqlite::Error> {
        let connection = rusqlite::Connection::open_with_flags(&self.file, flags(self.creates))?;
        connection.busy_timeout(self.busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(self.statements);
        // A plan does not depend on the values. Otherwise a statement with a range is planned anew for each value, in case there are statistics (there are
        // none); in return, an index with a condition, or one for `LIKE`, is used only if the text of the statement says enough.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        for (name, value) in &self.pragmas {
            connection.execute_batch(&format!("PRAGMA {name} = {value}"))?;
        }
        // From now on whoever waits for a lock waits without a thread.
        connection.busy_timeout(Duration::ZERO)?;
        Ok(SqliteConnection::new(connection, self.busy_timeout))
    }
}

/// A connection that writes the log of a file back into it, and does nothing else.
#[derive(Debug)]
pub struct LogWriter(rusqlite::Connection);

impl LogWriter {
    /// Moves what is in the write-ahead log into the file, as far as nobody reads from it (a passive checkpoint). Takes as long as the disk does: not
    /// for a thread that others need.
    ///
    /// # Errors
    /// Of the disk. Nothing is lost then.
    pub fn write_back(&self) -> Result<(), Error> {
        let mut checkpoint = self.0.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)").map_err(error)?;
        checkpoint.query_row([], |_| Ok(())).map_err(error)
    }
}

/// A connection has one user at a time, so `SQLite` need not look after that.
fn flags(creates: bool) -> OpenFlags {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, creates);
    flags
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqliteOptions").field("file", &self.file).finish_non_exhaustive()
    }
}

/// `sqlite:` and the path, or the path alone.
impl FromStr for SqliteOptions {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        Ok(Self::new(path.strip_prefix("//").unwrap_or(path)))
    }
}

impl ConnectOptions for SqliteOptions {
    type Connection = SqliteConnection;

    fn from_url(url: &Url) -> Result<Self, Error> {
        url.as_str().parse()
    }

    async fn connect(&self) -> Result<SqliteConnection, Error> {
        let options = self.clone();
        match tokio::task::spawn_blocking(move || options.open()).await {
            Ok(opened) => opened.map_err(error),
            Err(_) => Err(Error::WorkerCrashed),
        }
    }

    /// Statements are told to `tracing`, at its level for traces.
    fn log_statements(self, _level: LevelFilter) -> Self {
        self
    }

    fn log_slow_statements(self, _level: LevelFilter, _duration: Duration) -> Self {
        self
    }
}
