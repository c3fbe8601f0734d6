//! A value of a row, and what kind it is.

use std::borrow::Cow;
use std::fmt;

use rusqlite::types::Value as Stored;
use sqlx_core::type_info::TypeInfo;
use sqlx_core::value::{Value, ValueRef};

use crate::Sqlite;

/// `SQLite`'s storage classes. A column may hold any of them, so this is a value's, not a column's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqliteType {
    Null,
    Integer,
    Real,
    Text,
    Blob,
}

impl fmt::Display for SqliteType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl TypeInfo for SqliteType {
    fn is_null(&self) -> bool {
        *self == Self::Null
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
            Self::Blob => "BLOB",
        }
    }
}

/// A value of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct SqliteValue(pub(crate) Stored);

impl Value for SqliteValue {
    type Database = Sqlite;

    fn as_ref(&self) -> SqliteValueRef<'_> {
        SqliteValueRef(&self.0)
    }

    fn type_info(&self) -> Cow<'_, SqliteType> {
        Cow::Owned(type_of(&self.0))
    }

    fn is_null(&self) -> bool {
        self.0 == Stored::Null
    }
}

/// A value of a row.
#[derive(Debug, Clone, Copy)]
pub struct SqliteValueRef<'r>(pub(crate) &'r Stored);

impl<'r> ValueRef<'r> for SqliteValueRef<'r> {
    type Database = Sqlite;

    fn to_owned(&self) -> SqliteValue {
        SqliteValue(self.0.clone())
    }

    fn type_info(&self) -> Cow<'_, SqliteType> {
        Cow::Owned(type_of(self.0))
    }

    fn is_null(&self) -> bool {
        *self.0 == Stored::Null
    }
}

fn type_of(value: &Stored) -> SqliteType {
    match value {
        Stored::Null => SqliteType::Null,
        Stored::Integer(_) => SqliteType::Integer,
        Stored::Real(_) => SqliteType::Real,
        Stored::Text(_) => SqliteType::Text,
        Stored::Blob(_) => SqliteType::Blob,
    }
}
