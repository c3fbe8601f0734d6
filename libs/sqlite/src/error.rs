//! What `SQLite` says when it refuses.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use rusqlite::ffi;
use sqlx_core::error::{DatabaseError, Error, ErrorKind};

/// A refusal, with `SQLite`'s extended result code.
#[derive(Debug)]
pub struct SqliteError {
    code: i32,
    message: String,
}

impl fmt::Display for SqliteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "(code: {}) {}", self.code, self.message)
    }
}

impl StdError for SqliteError {}

impl DatabaseError for SqliteError {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        match self.code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
                ErrorKind::UniqueViolation
            }
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ErrorKind::ForeignKeyViolation,
            ffi::SQLITE_CONSTRAINT_NOTNULL => ErrorKind::NotNullViolation,
            ffi::SQLITE_CONSTRAINT_CHECK => ErrorKind::CheckViolation,
            _ => ErrorKind::Other,
        }
    }
}

pub(crate) fn error(error: rusqlite::Error) -> Error {
    let refused = |code: ffi::Error, message: String| {
        Error::Database(Box::new(SqliteError { code: code.extended_code, message }))
    };
    match error {
        rusqlite::Error::SqliteFailure(code, Some(message)) => refused(code, message),
        rusqlite::Error::SqliteFailure(code, None) => refused(code, code.to_string()),
        rusqlite::Error::SqlInputError { error, ref msg, .. } => refused(error, msg.clone()),
        rusqlite::Error::Utf8Error(..) | rusqlite::Error::FromSqlConversionFailure(..) => {
            Error::Decode(Box::new(error))
        }
        other => Error::Encode(Box::new(other)),
    }
}

/// Whether another connection holds a lock that the statement needs, and may give it back. A snapshot that is too old stays so.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(code, _) = error else { return false };
    code.extended_code & 0xff == ffi::SQLITE_BUSY && code.extended_code != ffi::SQLITE_BUSY_SNAPSHOT
}
