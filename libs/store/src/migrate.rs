//! Bringing a database's tables up to date: the store's own first, then the service's.
//!
//! Each of the two has a history table of its own (`store_migrations`, and sqlx's usual one for the service), so that a
//! service numbers its migrations from 1. Migrations only add; a table or column is removed one release after its last use.

use std::path::PathBuf;

use sqlx::migrate::{MigrateError as SqlxMigrateError, Migrator};

use crate::{Db, MigrateError, StoreError};

impl Db {
    /// Applies the store's own migrations and then the service's (`sqlx::migrate!()` in its crate). Safe at every start.
    pub async fn migrate(&self, service: &Migrator) -> Result<(), MigrateError> {
        let mut own = sqlx::migrate!();
        own.dangerous_set_table_name("store_migrations");
        self.apply(&own).await?;
        self.apply(service).await
    }

    async fn apply(&self, migrator: &Migrator) -> Result<(), MigrateError> {
        match self {
            Self::Sqlite(db) => {
                let file = PathBuf::from(db.file.as_ref());
                let busy = |error| MigrateError::Store { file: file.clone(), source: StoreError::from(error) };
                let mut writer = db.writer.lock().await.map_err(busy)?;
                let commits = db.disk.number();
                let number = commits.number;
                let applied = migrator.run_direct(None, &mut *writer, false).await;
                drop((commits, writer));
                applied.map_err(|error| explain(file.clone(), error))?;
                db.disk.wait(number).await.map_err(|source| MigrateError::Store { file, source })
            }
        }
    }
}

fn explain(file: PathBuf, error: SqlxMigrateError) -> MigrateError {
    match error {
        SqlxMigrateError::VersionMissing(version) => MigrateError::Newer { file, version },
        SqlxMigrateError::VersionMismatch(version) => MigrateError::Changed { file, version },
        source => MigrateError::Failed { file, source },
    }
}
