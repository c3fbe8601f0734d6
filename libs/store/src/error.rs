//! The errors of opening a database, of bringing its tables up to date, and of using it.

use std::path::PathBuf;
use std::sync::Arc;

use baton_api::{ApiError, Outcome};
use sqlx::migrate::MigrateError as SqlxMigrateError;
use sqlx::postgres::PgDatabaseError;

/// Why a database could not be opened. Each message says what to do; it is meant for the person who starts Baton.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder can't be made or entered.
    #[error("the data folder {} can't be used: make it writable for this user, or choose another one", folder.display())]
    Folder {
        /// The folder that should hold the file.
        folder: PathBuf,
        source: std::io::Error,
    },
    /// The folder is there, but the file in it can't be written.
    #[error("{} can't be written: check its permissions and the free space, or choose another data folder", file.display())]
    NotWritable { file: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    /// Something else lives under that name.
    #[error("{} was not made by Baton: move it away, or choose another data folder", file.display())]
    NotOurs {
        /// The file that was found.
        file: PathBuf,
    },
    /// The address of a `PostgreSQL` server can't be read. It is not repeated, because there may be a password in it.
    #[error("the database's URL can't be read: write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Url(#[source] sqlx::Error),
    /// Any other cause.
    #[error("opening {} failed", file.display())]
    Database { file: PathBuf, source: sqlx::Error },
}

/// Why the tables could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database holds tables that this program does not know yet.
    #[error(
        "{name} was written by a newer Baton (it has migration {version}): start that version, or choose another database"
    )]
    Newer {
        name: String,
        /// The migration that this program does not have.
        version: i64,
    },
    /// The tables are not made yet, or not up to date.
    #[error("the tables of {name} lack migration {version}: run `baton migrate` with this version first")]
    Older {
        name: String,
        /// The first one that is missing.
        version: i64,
    },
    /// A migration was edited after it had run somewhere: a mistake of ours, not of the person who starts Baton.
    #[error("migration {version} in {name} is not the one that this program has: it was changed after its release")]
    Changed {
        name: String,
        /// The migration that differs.
        version: i64,
    },
    /// A migration failed; the database is as it was before that one.
    #[error("bringing the tables of {name} up to date failed")]
    Failed { name: String, source: SqlxMigrateError },
    /// The database did not answer, or refused it.
    #[error("the tables of {name} can't be looked at or changed")]
    Store { name: String, source: StoreError },
}

/// Why a statement or a transaction failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another change was in the way, and nothing has changed: the same change succeeds when it is run again.
    #[error("another change was in the way")]
    Overtaken(#[source] Option<sqlx::Error>),
    /// No writer or reader became free in time.
    #[error("the database is busy")]
    Busy(#[source] sqlx::Error),
    /// The server can't be reached, or takes no changes: it is starting, stopping, or another one has taken its place.
    #[error("the database is away")]
    Away(#[source] sqlx::Error),
    /// The commit was sent and its answer is missing or bad.
    #[error("committing failed")]
    Commit(#[source] sqlx::Error),
    /// A statement was refused.
    #[error("a database statement failed")]
    Database(#[source] sqlx::Error),
    /// A row holds what no version of Baton writes.
    #[error("bad data in {table}.{column}, row {row}")]
    Corrupt {
        table: &'static str,
        column: &'static str,
        /// The row's key, as text.
        row: String,
        /// The parser's error, if there was one.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A statement changed more or fewer rows than it must.
    #[error("{doing} changed {affected} rows, not {expected}")]
    WrongRowCount {
        /// The operation, for the message.
        doing: &'static str,
        expected: u64,
        affected: u64,
    },
}

impl StoreError {
    /// Whether the same operation may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Away(_) | Self::Overtaken(_))
    }

    /// Whether the data are at fault: the same data will be refused again, by a healthy database too.
    pub fn is_about_data(&self) -> bool {
        match self {
            Self::Corrupt { .. } | Self::WrongRowCount { .. } => true,
            Self::Database(error) => Fault::of(error) == Fault::Data,
            Self::Overtaken(_) | Self::Busy(_) | Self::Away(_) | Self::Commit(_) => false,
        }
    }

    /// Whether the change is known not to have happened.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Commit(_) => Outcome::Unknown,
            Self::Overtaken(_)
            | Self::Busy(_)
            | Self::Away(_)
            | Self::Database(_)
            | Self::Corrupt { .. }
            | Self::WrongRowCount { .. } => Outcome::Definite,
        }
    }

    /// Whether the disk is full: nothing was changed, and there may be space later.
    pub fn is_disk_full(&self) -> bool {
        let (Self::Database(error) | Self::Commit(error) | Self::Busy(error)) = self else { return false };
        Fault::of(error) == Fault::DiskFull
    }

    /// The error of a commit: whatever the database has refused has not happened, and of anything else that is not known.
    pub(crate) fn of_commit(error: sqlx::Error) -> Self {
        match Fault::of(&error) {
            Fault::Overtaken => Self::Overtaken(Some(error)),
            _ => Self::Commit(error),
        }
    }

    /// Whether a unique index or a primary key refused the row: another change was first.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match Fault::of(&error) {
            Fault::Overtaken => Self::Overtaken(Some(error)),
            Fault::Busy => Self::Busy(error),
            Fault::Away => Self::Away(error),
            Fault::Data | Fault::DiskFull | Fault::Other => Self::Database(error),
        }
    }
}

/// What an error of a database means, whichever database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Another change was in the way.
    Overtaken,
    /// Too much is going on.
    Busy,
    /// Nobody is there who could answer.
    Away,
    /// The same data would be refused again.
    Data,
    DiskFull,
    Other,
}

impl Fault {
    fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::Database(inner) => match inner.try_downcast_ref::<PgDatabaseError>() {
                Some(postgres) => Self::of_sqlstate(postgres.code()),
                None => sqlite_code(inner.as_ref()).map_or(Self::Other, Self::of_sqlite),
            },
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) => Self::Away,
            sqlx::Error::RowNotFound
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::Encode(_) => Self::Data,
            _ => Self::Other,
        }
    }

    /// A closed list: a full disk or a closed database must never be taken for bad data. The codes of data: too large (18), against
    /// a constraint (19), of the wrong type (20), a parameter too many (25).
    fn of_sqlite(code: u32) -> Self {
        match code {
            5 | 6 => Self::Busy,
            13 => Self::DiskFull,
            18..=20 | 25 => Self::Data,
            _ => Self::Other,
        }
    }

    /// By `PostgreSQL`'s appendix A.
    fn of_sqlstate(code: &str) -> Self {
        match code {
            // Serialization failure, deadlock, and a lock that did not come in time.
            "40001" | "40P01" | "55P03" => Self::Overtaken,
            // Too many connections, out of memory, a statement that took too long.
            "53300" | "53200" | "57014" => Self::Busy,
            "53100" => Self::DiskFull,
            // Shutting down or starting; a standby, which takes no changes; a transaction that was idle for too long.
            "57P01" | "57P02" | "57P03" | "25006" | "25P03" => Self::Away,
            _ if code.starts_with("08") => Self::Away,
            _ if code.starts_with("22") || code.starts_with("23") => Self::Data,
            _ => Self::Other,
        }
    }
}

/// A store's failure is no caller's fault: the caller learns whether to try again, and the cause is logged here.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        (&error).into()
    }
}

impl From<&StoreError> for ApiError {
    fn from(error: &StoreError) -> Self {
        if let StoreError::Overtaken(_) = error {
            tracing::warn!(error = chain(error), "a change was overtaken each time that it ran");
            return Self::overtaken(
                "Others changed the same thing at that moment. Try again with the same request id.",
            );
        }
        if let StoreError::Away(_) = error {
            tracing::error!(error = chain(error), "the database is away");
            return Self::unavailable("The database can't be reached. Try again with the same request id.");
        }
        if error.is_retryable() {
            tracing::warn!(error = chain(error), "the database is busy");
            return Self::overloaded(
                "More is asked of the database than it can do now. Try again a little later, with the same request id.",
            );
        }
        if error.is_disk_full() {
            tracing::error!(error = chain(error), "the disk is full");
            return Self::overloaded(
                "The disk of this Baton is full, and nothing was changed. Try again later, and notify its operator.",
            );
        }
        tracing::error!(error = chain(error), "the database failed");
        match error.outcome() {
            Outcome::Unknown => {
                Self::unavailable("The database did not confirm the change. Try again with the same request id.")
            }
            Outcome::Definite => Self::internal("The database failed; the service's log says why."),
        }
    }
}

/// The error stays behind the status, for whoever runs the change ([`ChangeError`](crate::ChangeError)).
impl From<StoreError> for tonic::Status {
    fn from(error: StoreError) -> Self {
        let mut status = Self::from(ApiError::from(&error));
        status.set_source(Arc::new(error));
        status
    }
}

/// An error with its causes, in one line for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// `SQLite`'s primary result code (5 busy, 6 locked, 8 read-only, 13 full, 14 can't open, 26 not a database): the low byte
/// of the extended code.
pub(crate) fn sqlite_code(error: &dyn sqlx::error::DatabaseError) -> Option<u32> {
    Some(error.code()?.parse::<u32>().ok()? & 0xff)
}
