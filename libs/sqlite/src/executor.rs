//! How `sqlx` asks for statements to be run.

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx_core::Either;
use sqlx_core::describe::Describe;
use sqlx_core::error::Error;
use sqlx_core::executor::{Execute, Executor};
use sqlx_core::sql_str::SqlStr;

use crate::connection::Ran;
use crate::{Sqlite, SqliteConnection, SqliteQueryResult, SqliteRow, SqliteStatement, SqliteType};

impl SqliteConnection {
    async fn carry_out<'q>(&mut self, mut query: impl Execute<'q, Sqlite>, most: usize) -> Result<Ran, Error> {
        let arguments = query.take_arguments().map_err(Error::Encode)?;
        let sql = query.sql();
        self.run(sql.as_str(), arguments.as_ref().map(|it| it.0.as_slice()), most).await
    }
}

impl<'c> Executor<'c> for &'c mut SqliteConnection {
    type Database = Sqlite;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<SqliteQueryResult, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Sqlite>,
    {
        Box::pin(async move {
            let ran = self.carry_out(query, usize::MAX).await?;
            Ok(SqliteQueryResult { changed: ran.changed })
        })
    }

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<SqliteQueryResult, SqliteRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Sqlite>,
    {
        stream::once(self.carry_out(query, usize::MAX))
            .map_ok(|ran| {
                let result = Either::Left(SqliteQueryResult { changed: ran.changed });
                stream::iter(ran.rows.into_iter().map(Either::Right).chain([result]).map(Ok))
            })
            .try_flatten()
            .boxed()
    }

    fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Vec<SqliteRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Sqlite>,
    {
        Box::pin(async move { Ok(self.carry_out(query, usize::MAX).await?.rows) })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<SqliteRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Sqlite>,
    {
        Box::pin(async move { Ok(self.carry_out(query, 1).await?.rows.pop()) })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        _parameters: &'e [SqliteType],
    ) -> BoxFuture<'e, Result<SqliteStatement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let (columns, parameters) = self.describe(sql.as_str())?;
            Ok(SqliteStatement { sql, columns, parameters })
        })
    }

    #[doc(hidden)]
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Sqlite>, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let (columns, parameters) = SqliteConnection::describe(self, sql.as_str())?;
            let nullable = vec![None; columns.len()];
            Ok(Describe { columns: columns.to_vec(), parameters: Some(Either::Right(parameters)), nullable })
        })
    }
}
