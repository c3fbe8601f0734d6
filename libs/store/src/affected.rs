//! What the libraries of the databases have not in common, for statements that run on either: how many rows were changed, and what can be
//! bound.

use baton_sqlite::{Sqlite, SqliteArguments, SqliteConnection};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Database, Encode, PgConnection, Postgres, Type};

/// A value that a statement for this database can hold: for functions that build a statement for either.
pub trait Bind<DB: Database>: for<'q> Encode<'q, DB> + Type<DB> {}

impl<DB: Database, T: for<'q> Encode<'q, DB> + Type<DB>> Bind<DB> for T {}

/// Runs a statement that returns no rows. In scope where a body of [`on!`](crate::on) writes.
pub trait Affected<Connection> {
    /// Runs it, and says how many rows it has changed.
    fn affected(self, connection: &mut Connection) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;
}

impl Affected<SqliteConnection> for Query<'_, Sqlite, SqliteArguments> {
    async fn affected(self, connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
        Ok(self.execute(connection).await?.rows_affected())
    }
}

impl Affected<PgConnection> for Query<'_, Postgres, PgArguments> {
    async fn affected(self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        Ok(self.execute(connection).await?.rows_affected())
    }
}
