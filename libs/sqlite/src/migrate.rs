//! Migrations: the same table, and the same ways, as `sqlx`'s own driver has.

use std::time::Duration;

use futures::future::BoxFuture;
use sqlx_core::connection::Connection as _;
use sqlx_core::error::Error;
use sqlx_core::executor::Executor as _;
use sqlx_core::migrate::{AppliedMigration, Migrate, MigrateError, Migration};
use sqlx_core::query::query;
use sqlx_core::query_as::query_as;
use sqlx_core::query_scalar::query_scalar;
use sqlx_core::sql_str::AssertSqlSafe;

use crate::SqliteConnection;
use crate::connection::now;

impl Migrate for SqliteConnection {
    fn create_schema_if_not_exists<'e>(&'e mut self, schema: &'e str) -> BoxFuture<'e, Result<(), MigrateError>> {
        Box::pin(async move {
            Err(MigrateError::CreateSchemasNotSupported(format!("a file of SQLite has no schema {schema}")))
        })
    }

    fn ensure_migrations_table<'e>(&'e mut self, table: &'e str) -> BoxFuture<'e, Result<(), MigrateError>> {
        Box::pin(async move {
            let statement = AssertSqlSafe(format!(
                "CREATE TABLE IF NOT EXISTS {table} (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
)"
            ));
            self.execute(statement).await?;
            Ok(())
        })
    }

    fn dirty_version<'e>(&'e mut self, table: &'e str) -> BoxFuture<'e, Result<Option<i64>, MigrateError>> {
        Box::pin(async move {
            let statement = format!("SELECT version FROM {table} WHERE success = false ORDER BY version LIMIT 1");
            Ok(query_scalar(AssertSqlSafe(statement)).fetch_optional(self).await?)
        })
    }

    fn list_applied_migrations<'e>(
        &'e mut self,
        table: &'e str,
    ) -> BoxFuture<'e, Result<Vec<AppliedMigration>, MigrateError>> {
        Box::pin(async move {
            let statement = format!("SELECT version, checksum FROM {table} ORDER BY version");
            let rows: Vec<(i64, Vec<u8>)> = query_as(AssertSqlSafe(statement)).fetch_all(self).await?;
            let applied = |(version, checksum): (i64, Vec<u8>)| AppliedMigration { version, checksum: checksum.into() };
            Ok(rows.into_iter().map(applied).collect())
        })
    }

    /// The transaction of each migration is the lock.
    fn lock(&mut self) -> BoxFuture<'_, Result<(), MigrateError>> {
        Box::pin(async { Ok(()) })
    }

    fn unlock(&mut self) -> BoxFuture<'_, Result<(), MigrateError>> {
        Box::pin(async { Ok(()) })
    }

    fn apply<'e>(
        &'e mut self,
        table: &'e str,
        migration: &'e Migration,
    ) -> BoxFuture<'e, Result<Duration, MigrateError>> {
        Box::pin(async move {
            let began = now();
            if migration.no_tx {
                carry_out(self, table, migration).await?;
            } else {
                let mut transaction = self.begin().await?;
                carry_out(&mut transaction, table, migration).await?;
                transaction.commit().await?;
            }
            let took = began.elapsed();
            let statement = format!("UPDATE {table} SET execution_time = $1 WHERE version = $2");
            let noted = query(AssertSqlSafe(statement)).bind(took.as_nanos() as i64).bind(migration.version);
            noted.execute(self).await?;
            Ok(took)
        })
    }

    fn revert<'e>(
        &'e mut self,
        _table: &'e str,
        migration: &'e Migration,
    ) -> BoxFuture<'e, Result<Duration, MigrateError>> {
        let refused =
            Error::Protocol(format!("migration {} is not taken back: migrations only add", migration.version));
        Box::pin(async move { Err(MigrateError::Execute(refused)) })
    }
}

async fn carry_out(connection: &mut SqliteConnection, table: &str, migration: &Migration) -> Result<(), MigrateError> {
    let ran = connection.execute(migration.sql.clone()).await;
    ran.map_err(|error| MigrateError::ExecuteMigration(error, migration.version))?;
    let statement = format!(
        "INSERT INTO {table} (version, description, success, checksum, execution_time) VALUES ($1, $2, TRUE, $3, -1)"
    );
    let noted = query(AssertSqlSafe(statement))
        .bind(migration.version)
        .bind(&*migration.description)
        .bind(&*migration.checksum);
    noted.execute(connection).await?;
    Ok(())
}
