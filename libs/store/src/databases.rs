//! Where the databases of an installation are: in a data folder, or on a `PostgreSQL` server.

use std::path::PathBuf;

use crate::{Db, OpenError, PostgresOptions};

/// Opens databases by the names of their services.
#[derive(Debug, Clone)]
pub enum Databases {
    /// `SQLite` files in a folder: `presence.db`.
    Folder(PathBuf),
    /// Schemas in one database: `baton_presence`.
    Postgres(PostgresOptions),
}

impl Databases {
    /// The database of the service `name`: letters, digits and underscores.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(&self, name: &str) -> Result<Db, OpenError> {
        match self {
            Self::Folder(folder) => Db::open(folder.join(format!("{name}.db"))).await,
            Self::Postgres(options) => Db::on_postgres(options, &format!("{}_{name}", options.prefix)),
        }
    }
}
