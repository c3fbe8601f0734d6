//! One statement of a change that returns no rows.

use std::borrow::Cow;

use baton_sqlite::{Sqlite, SqliteArguments};
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Postgres, Type};

use crate::tx::TxHandle;
use crate::{Affected as _, Conn, StoreError, Tx};

/// A statement with its values: see [`Tx::statement`].
#[must_use = "a statement that is dropped does nothing"]
#[derive(Debug)]
pub struct Statement<'t> {
    tx: &'t mut Tx,
    text: Cow<'static, str>,
    values: Values,
    unusable: Option<BoxDynError>,
}

#[derive(Debug)]
enum Values {
    Sqlite(SqliteArguments),
    Postgres(PgArguments),
}

/// The values of so many rows, for a statement's text: `($1, $2), ($3, $4)`.
pub fn rows_of_values(rows: usize, columns: usize) -> String {
    let of_row = |row: usize| (1..=columns).map(move |column| row * columns + column);
    let row = |row: usize| of_row(row).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
    (0..rows).map(|it| format!("({})", row(it))).collect::<Vec<_>>().join(", ")
}

impl Tx {
    /// A statement that returns no rows, with its values in the text as `$1`, `$2`…: [bind](Statement::bind) them in their order, and end with
    /// [`run`](Statement::run) or [`affected`](Statement::affected). The text is the program's own; whatever comes from outside is a value.
    pub fn statement(&mut self, text: impl Into<Cow<'static, str>>) -> Statement<'_> {
        let values = match &self.handle {
            TxHandle::Sqlite(..) => Values::Sqlite(SqliteArguments::default()),
            TxHandle::Postgres(_) => Values::Postgres(PgArguments::default()),
        };
        Statement { tx: self, text: text.into(), values, unusable: None }
    }
}

impl Statement<'_> {
    /// The next value.
    pub fn bind<'v, T>(mut self, value: T) -> Self
    where
        T: Encode<'v, Sqlite> + Type<Sqlite> + Encode<'v, Postgres> + Type<Postgres> + 'v,
    {
        let bound = match &mut self.values {
            Values::Sqlite(values) => values.add(value),
            Values::Postgres(values) => values.add(value),
        };
        self.unusable = self.unusable.or(bound.err());
        self
    }

    /// Carries it out.
    ///
    /// # Errors
    /// A value can't be stored, or what the database says.
    pub async fn run(self) -> Result<(), StoreError> {
        self.affected().await.map(drop)
    }

    /// Carries it out; how many rows it has inserted, updated or deleted.
    ///
    /// # Errors
    /// As of [`run`](Self::run).
    pub async fn affected(self) -> Result<u64, StoreError> {
        if let Some(error) = self.unusable {
            return Err(sqlx::Error::Encode(error).into());
        }
        let text = AssertSqlSafe(self.text);
        let affected = match (self.tx.ready().await?, self.values) {
            (Conn::Sqlite(conn), Values::Sqlite(values)) => sqlx::query_with(text, values).affected(conn).await?,
            (Conn::Postgres(conn), Values::Postgres(values)) => sqlx::query_with(text, values).affected(conn).await?,
            (Conn::Sqlite(_), Values::Postgres(_)) | (Conn::Postgres(_), Values::Sqlite(_)) => {
                return Err(sqlx::Error::InvalidArgument("a statement has another database's values".into()).into());
            }
        };
        Ok(affected)
    }
}
