//! Rows, their columns, and prepared statements.

use std::sync::Arc;

use rusqlite::types::Value as Stored;
use sqlx_core::Either;
use sqlx_core::column::{Column, ColumnIndex};
use sqlx_core::error::Error;
use sqlx_core::row::Row;
use sqlx_core::sql_str::SqlStr;
use sqlx_core::statement::Statement;

use crate::{Sqlite, SqliteArguments, SqliteType, SqliteValueRef};

/// A column of a result. Its values may be of any type.
#[derive(Debug, Clone)]
pub struct SqliteColumn {
    pub(crate) ordinal: usize,
    pub(crate) name: Box<str>,
}

impl Column for SqliteColumn {
    type Database = Sqlite;

    fn ordinal(&self) -> usize {
        self.ordinal
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn type_info(&self) -> &SqliteType {
        &SqliteType::Null
    }
}

/// A row of a result.
#[derive(Debug)]
pub struct SqliteRow {
    pub(crate) values: Box<[Stored]>,
    pub(crate) columns: Arc<[SqliteColumn]>,
}

impl Row for SqliteRow {
    type Database = Sqlite;

    fn columns(&self) -> &[SqliteColumn] {
        &self.columns
    }

    fn try_get_raw<I: ColumnIndex<Self>>(&self, index: I) -> Result<SqliteValueRef<'_>, Error> {
        let ordinal = index.index(self)?;
        Ok(SqliteValueRef(&self.values[ordinal]))
    }
}

sqlx_core::impl_column_index_for_row!(SqliteRow);

impl ColumnIndex<SqliteRow> for str {
    fn index(&self, row: &SqliteRow) -> Result<usize, Error> {
        named(&row.columns, self)
    }
}

/// A statement that was prepared.
#[derive(Debug, Clone)]
pub struct SqliteStatement {
    pub(crate) sql: SqlStr,
    pub(crate) columns: Arc<[SqliteColumn]>,
    pub(crate) parameters: usize,
}

impl Statement for SqliteStatement {
    type Database = Sqlite;

    fn into_sql(self) -> SqlStr {
        self.sql
    }

    fn sql(&self) -> &SqlStr {
        &self.sql
    }

    fn parameters(&self) -> Option<Either<&[SqliteType], usize>> {
        Some(Either::Right(self.parameters))
    }

    fn columns(&self) -> &[SqliteColumn] {
        &self.columns
    }

    sqlx_core::impl_statement_query!(SqliteArguments);
}

sqlx_core::impl_column_index_for_statement!(SqliteStatement);

impl ColumnIndex<SqliteStatement> for str {
    fn index(&self, statement: &SqliteStatement) -> Result<usize, Error> {
        named(&statement.columns, self)
    }
}

fn named(columns: &[SqliteColumn], name: &str) -> Result<usize, Error> {
    // Of two with one name it is the last one, as on `PostgreSQL`.
    columns.iter().rposition(|it| &*it.name == name).ok_or_else(|| Error::ColumnNotFound(name.into()))
}
