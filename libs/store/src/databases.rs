//! Where the databases of an installation are: in a data folder, or on a `PostgreSQL` server.

use std::path::PathBuf;

use crate::{Db, MigrateError, Migrations, OpenError, PostgresOptions};

/// Opens databases by the names of their services.
#[derive(Debug, Clone)]
pub enum Databases {
    /// `SQLite` files in a folder that this process has for itself: `presence.db`.
    Folder(PathBuf),
    /// The same in a folder that several processes may use.
    CommonFolder(PathBuf),
    /// Schemas in one database: `baton_presence`.
    Postgres(PostgresOptions),
}

impl Databases {
    /// The same ones, with so many connections to each of them on a server.
    #[must_use]
    pub fn with_connections(&self, max_connections: u32) -> Self {
        match self {
            Self::Folder(_) | Self::CommonFolder(_) => self.clone(),
            Self::Postgres(options) => Self::Postgres(PostgresOptions { max_connections, ..options.clone() }),
        }
    }

    /// The same ones for a service that starts: what it asks them for may take its time, until [its start has ended](Self::end_start).
    #[must_use]
    pub fn of_a_start(&self) -> Self {
        match self {
            Self::Folder(_) | Self::CommonFolder(_) => self.clone(),
            Self::Postgres(options) => {
                Self::Postgres(PostgresOptions { patience: options.patience.of_a_start(), ..options.clone() })
            }
        }
    }

    /// From now on callers learn at once when they can't be served.
    pub fn end_start(&self) {
        if let Self::Postgres(options) = self {
            options.patience.end_start();
        }
    }

    /// Brings the tables of one of them up to date, or checks that they are where that is somebody else's part.
    ///
    /// # Errors
    /// See [`MigrateError`].
    pub async fn prepare(&self, db: &Db, migrations: &Migrations) -> Result<(), MigrateError> {
        match self {
            Self::Postgres(options) if !options.migrates => db.check_schema(migrations).await,
            Self::Postgres(_) | Self::Folder(_) | Self::CommonFolder(_) => db.migrate(migrations).await,
        }
    }

    /// The database of the service `name`: letters, digits and underscores.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(&self, name: &str) -> Result<Db, OpenError> {
        match self {
            Self::Folder(folder) => Ok(Db::open(folder.join(format!("{name}.db"))).await?.exclusive()),
            Self::CommonFolder(folder) => Db::open(folder.join(format!("{name}.db"))).await,
            Self::Postgres(options) => Db::on_postgres(options, &format!("{}_{name}", options.prefix)),
        }
    }
}
