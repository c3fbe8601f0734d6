//! Bringing a database's tables up to date: the store's own first, then the service's.
//!
//! Each of the two has a history table of its own (`store_migrations`, and sqlx's usual one for the service), so that a
//! service numbers its migrations from 1. Migrations only add; a table or column is removed one release after its last use.
//!
//! `SQLite` and `PostgreSQL` have each their own files, because what was changed in data folders over time never was on a
//! server; both lead to the same tables and columns, which a test compares.

use sqlx::migrate::{MigrateError as SqlxMigrateError, Migrator};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::postgres::PostgresDb;
use crate::{Db, MigrateError, StoreError};

/// A service's migrations; made by [`migrations!`](crate::migrations).
#[derive(Debug)]
pub struct Migrations {
    pub sqlite: Migrator,
    pub postgres: Migrator,
}

/// The migrations in the folders `migrations/sqlite` and `migrations/postgres` of the crate.
#[macro_export]
macro_rules! migrations {
    () => {
        $crate::Migrations {
            sqlite: ::sqlx::migrate!("migrations/sqlite"),
            postgres: ::sqlx::migrate!("migrations/postgres"),
        }
    };
}

impl Migrations {
    /// None: for a database that has the store's own tables alone.
    pub const NONE: Self = Self { sqlite: Migrator::DEFAULT, postgres: Migrator::DEFAULT };
}

impl Db {
    /// Applies the store's own migrations and then the service's. Safe at every start.
    pub async fn migrate(&self, service: &Migrations) -> Result<(), MigrateError> {
        let mut own = migrations!();
        own.sqlite.dangerous_set_table_name("store_migrations");
        own.postgres.dangerous_set_table_name("store_migrations");
        self.apply(&own).await?;
        self.apply(service).await
    }

    async fn apply(&self, migrations: &Migrations) -> Result<(), MigrateError> {
        match self {
            Self::Sqlite(db) => {
                let name = db.file.display().to_string();
                let busy = |error| MigrateError::Store { name: name.clone(), source: StoreError::from(error) };
                let mut writer = db.writer.lock().await.map_err(busy)?;
                let commits = db.disk.number();
                let number = commits.number;
                let applied = migrations.sqlite.run_direct(None, &mut *writer, false).await;
                drop((commits, writer));
                applied.map_err(|error| explain(name.clone(), error))?;
                db.disk.wait(number).await.map_err(|source| MigrateError::Store { name, source })
            }
            Self::Postgres(db) => {
                let name = db.schema.to_string();
                let store = |source: sqlx::Error| MigrateError::Store { name: name.clone(), source: source.into() };
                // A connection of its own, which waits: all services of a database migrate one after the other.
                let mut connection = db.without_limits.connect().await.map_err(store)?;
                make_schema(&mut connection, db).await.map_err(store)?;
                let applied = migrations.postgres.run_direct(None, &mut connection, false).await;
                applied.map_err(|error| explain(name.clone(), error))?;
                connection.close().await.map_err(store)?;
                // Whoever comes first finds one that is made.
                drop(db.pool.acquire().await.map_err(store)?);
                Ok(())
            }
        }
    }
}

/// Makes the schema if it is not there. Several processes may start at once.
async fn make_schema(connection: &mut PgConnection, db: &PostgresDb) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(4781003)").execute(&mut *transaction).await?;
    let statement = format!("CREATE SCHEMA IF NOT EXISTS \"{}\"", db.schema);
    // A schema's name is the service's.
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    transaction.commit().await
}

fn explain(name: String, error: SqlxMigrateError) -> MigrateError {
    match error {
        SqlxMigrateError::VersionMissing(version) => MigrateError::Newer { name, version },
        SqlxMigrateError::VersionMismatch(version) => MigrateError::Changed { name, version },
        source => MigrateError::Failed { name, source },
    }
}
