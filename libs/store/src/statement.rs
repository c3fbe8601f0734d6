//! One statement of a change that returns no rows: on `SQLite` it can wait for the next one, so that they go to the database's thread together.

use std::borrow::Cow;

use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Postgres, Sqlite, Type};

use crate::tx::TxHandle;
use crate::{StoreError, Tx};

/// A statement with its values: see [`Tx::statement`].
#[must_use = "a statement that is dropped does nothing"]
#[derive(Debug)]
pub struct Statement<'t> {
    tx: &'t mut Tx,
    text: Cow<'static, str>,
    /// On `SQLite`: how many values belong to statements before this one. Its own are with theirs.
    before: usize,
    /// On `PostgreSQL`.
    values: PgArguments,
    unusable: Option<BoxDynError>,
}

/// The values of so many rows, for a statement's text: `($1, $2), ($3, $4)`.
pub fn rows_of_values(rows: usize, columns: usize) -> String {
    let of_row = |row: usize| (1..=columns).map(move |column| row * columns + column);
    let row = |row: usize| of_row(row).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
    (0..rows).map(|it| format!("({})", row(it))).collect::<Vec<_>>().join(", ")
}

impl Tx {
    /// A statement that returns no rows, with its values in the text as `$1`, `$2`…: [bind](Statement::bind) them in their order, and end with
    /// [`later`](Statement::later) or [`now`](Statement::now). The text is the program's own; whatever comes from outside is a value.
    pub fn statement(&mut self, text: impl Into<Cow<'static, str>>) -> Statement<'_> {
        let before = match &self.handle {
            TxHandle::Sqlite(guard, _) => guard.script.values(),
            TxHandle::Postgres(_) => 0,
        };
        Statement { before, tx: self, text: text.into(), values: PgArguments::default(), unusable: None }
    }

    /// Carries out what waits, so that it fails here and not later.
    ///
    /// # Errors
    /// Of the first statement that failed; those after it were not carried out.
    pub async fn send(&mut self) -> Result<(), StoreError> {
        Ok(self.ready().await.map(drop)?)
    }
}

impl Statement<'_> {
    /// The next value.
    pub fn bind<'v, T>(mut self, value: T) -> Self
    where
        T: Encode<'v, Sqlite> + Type<Sqlite> + Encode<'v, Postgres> + Type<Postgres> + 'v,
    {
        let bound = match &mut self.tx.handle {
            TxHandle::Sqlite(guard, _) => guard.script.bind(value),
            TxHandle::Postgres(_) => self.values.add(value),
        };
        self.unusable = self.unusable.or(bound.err());
        self
    }

    /// Carries it out before the next statement that is awaited, or the commit: on `SQLite` together with it, on `PostgreSQL` at once.
    ///
    /// # Errors
    /// Of this statement, or what waited before it; where it waits, whoever sends it gets them.
    pub async fn later(self) -> Result<(), StoreError> {
        match self.tx.handle {
            TxHandle::Sqlite(..) => self.push(),
            TxHandle::Postgres(_) => self.now().await.map(drop),
        }
    }

    /// Carries it out, after what waits; how many rows it has changed.
    ///
    /// # Errors
    /// Of this statement, or of what waited before it.
    pub async fn now(mut self) -> Result<u64, StoreError> {
        if let Some(error) = self.unusable.take() {
            return Err(sqlx::Error::Encode(error).into());
        }
        let Self { tx, text, before, values, .. } = self;
        match &mut tx.handle {
            TxHandle::Sqlite(guard, _) => {
                guard.script.push(&text, before);
                Ok(guard.send().await?)
            }
            TxHandle::Postgres(transaction) => {
                let query = sqlx::query_with(AssertSqlSafe(text), values);
                Ok(query.execute(&mut **transaction).await?.rows_affected())
            }
        }
    }

    fn push(self) -> Result<(), StoreError> {
        if let Some(error) = self.unusable {
            return Err(sqlx::Error::Encode(error).into());
        }
        if let TxHandle::Sqlite(guard, _) = &mut self.tx.handle {
            guard.script.push(&self.text, self.before);
        }
        Ok(())
    }
}
