//! Bringing a database's tables up to date: the store's own first, then the service's.
//!
//! Each of the two has a history table of its own (`store_migrations`, and sqlx's usual one for the service), so that a
//! service numbers its migrations from 1. Migrations only add; a table or column is removed one release after its last use.
//!
//! `SQLite` and `PostgreSQL` have each their own files, because what was changed in data folders over time never was on a
//! server; both lead to the same tables and columns, which a test compares.
//!
//! Whoever has the files brings them up to date at each start. A server's tables are brought up to date by one command, which may need
//! rights that services don't have; services [check](Db::check_schema) that they fit. During an upgrade they may be newer than the program:
//! `store_schema` says which programs still may use them.

use sqlx::migrate::{MigrateError as SqlxMigrateError, Migrator};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::postgres::PostgresDb;
use crate::{Db, MigrateError, StoreError, on};

/// Where it is written down which of the store's own migrations were applied; of the service's, it is in the library's usual table.
const STORE_TABLE: &str = "store_migrations";
const STORE_APPLIED: &str = "SELECT version, checksum FROM store_migrations WHERE success";
const SERVICE_APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations WHERE success";

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
        self.apply(&own()).await?;
        self.apply(service).await
    }

    /// Lets a role of the server, which owns nothing of it, use all tables: for services that don't change tables.
    ///
    /// # Errors
    /// There is no such role, or this one may not grant it.
    pub async fn grant(&self, role: &str) -> Result<(), MigrateError> {
        let Self::Postgres(db) = self else { return Ok(()) };
        let (name, quoted) = (db.schema.to_string(), role.replace('"', "\"\""));
        let schema = &db.schema;
        let statements = format!(
            "GRANT USAGE ON SCHEMA \"{schema}\" TO \"{quoted}\";
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \"{schema}\" TO \"{quoted}\";
             GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA \"{schema}\" TO \"{quoted}\";"
        );
        let granted = async {
            let mut connection = db.without_limits.connect().await?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut connection).await?;
            connection.close().await
        };
        granted.await.map_err(|error| MigrateError::Store { name, source: error.into() })
    }

    /// Whether this program may use the tables as they are: every migration that it knows was applied, and no later one has taken
    /// something away that it uses.
    ///
    /// # Errors
    /// [`MigrateError::Older`], [`MigrateError::Newer`], [`MigrateError::Changed`], or that of the database.
    pub async fn check_schema(&self, service: &Migrations) -> Result<(), MigrateError> {
        let name = self.schema_name();
        let failed = |source: StoreError| MigrateError::Store { name: name.clone(), source };
        let mut reader = self.read().await.map_err(failed)?;
        let own = own();
        let known = match self {
            Self::Sqlite(_) => [(&own.sqlite, STORE_APPLIED), (&service.sqlite, SERVICE_APPLIED)],
            Self::Postgres(_) => [(&own.postgres, STORE_APPLIED), (&service.postgres, SERVICE_APPLIED)],
        };
        for (migrations, statement) in known {
            let applied: Result<Vec<(i64, Vec<u8>)>, _> =
                on!(reader, conn => sqlx::query_as(statement).fetch_all(conn).await);
            let applied = match applied {
                Err(error) if is_missing_table(&error) => Vec::new(),
                applied => applied.map_err(|error| failed(error.into()))?,
            };
            fits(migrations, &applied, &name)?;
        }
        let min_reader: i64 =
            on!(reader, conn => sqlx::query_scalar("SELECT min_reader FROM store_schema").fetch_one(conn).await)
                .map_err(|error| failed(error.into()))?;
        let [_, (migrations, _)] = known;
        let newest = migrations.iter().map(|it| it.version).max().unwrap_or(0);
        if newest < min_reader { Err(MigrateError::Newer { name, version: min_reader }) } else { Ok(()) }
    }

    /// For people.
    fn schema_name(&self) -> String {
        match self {
            Self::Sqlite(db) => db.file.display().to_string(),
            Self::Postgres(db) => db.schema.to_string(),
        }
    }

    async fn apply(&self, migrations: &Migrations) -> Result<(), MigrateError> {
        match self {
            Self::Sqlite(db) => {
                let name = db.file.display().to_string();
                let busy = |error| MigrateError::Store { name: name.clone(), source: StoreError::from(error) };
                let mut writer = db.writer.lock().await.map_err(busy)?;
                let commits = db.disk.number();
                let number = commits.number;
                let applied = migrations.sqlite.run_direct(None, writer.get().map_err(busy)?, false).await;
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

/// The store's own migrations.
fn own() -> Migrations {
    let mut own = migrations!();
    own.sqlite.dangerous_set_table_name(STORE_TABLE);
    own.postgres.dangerous_set_table_name(STORE_TABLE);
    own
}

/// Whether every known migration was applied as it is known.
fn fits(known: &Migrator, applied: &[(i64, Vec<u8>)], name: &str) -> Result<(), MigrateError> {
    for migration in known.iter() {
        let (name, version) = (name.to_owned(), migration.version);
        match applied.iter().find(|(applied, _)| *applied == version) {
            None => return Err(MigrateError::Older { name, version }),
            Some((_, checksum)) if **checksum != *migration.checksum => {
                return Err(MigrateError::Changed { name, version });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn is_missing_table(error: &sqlx::Error) -> bool {
    // SQLSTATE 42P01: undefined_table; 3F000: the schema itself. SQLite has one code for all mistakes in a statement.
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| matches!(&*code, "42P01" | "3F000" | "1"))
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
