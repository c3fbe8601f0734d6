//! The tables: one file each, one function a statement. Migrations are in the crate's `migrations` folder.

pub(crate) mod downloads;
pub(crate) mod manifest;
pub(crate) mod recordings;
pub(crate) mod segments;
pub(crate) mod settings;

use baton_store::StoreError;
use sqlx::migrate::Migrator;

/// The tables of this service.
pub(crate) static MIGRATOR: Migrator = sqlx::migrate!();

/// Stored data that no version of Baton writes.
fn corrupt(table: &'static str, column: &'static str, row: &str) -> StoreError {
    StoreError::Corrupt { table, column, row: row.to_owned(), source: None }
}
