//! What telephony keeps: plans, what was asked for once, the last observations, segments on their way to the archive.
//!
//! The switch and the transfer service hold the truth; this is what telephony needs so as not to ask twice, and not to
//! forget what it saw while the transfer service was away.

pub mod journal;
mod load;
mod rows;

use baton_store::{Db, StoreError};

pub use journal::{Journal, Write};
pub use load::{Restored, RestoredThing, due_uploads, next_upload_us, plan_of, things, unfinished, uploads};
pub use rows::{FailedUpload, PlanRow, ThingRow, UploadRow};

use crate::plan::InteractionId;

/// The service's own migrations.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// Everything that can go wrong with what is kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The database did not do it.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// A statement failed.
    #[error("the database refused a statement")]
    Sql(#[from] sqlx::Error),
    /// A row can't be read.
    #[error("table {table}, row {row}: {column} can't be read")]
    Row {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        row: String,
    },
    /// The database takes everything but this.
    #[error("the database refused what was to be written")]
    Refused,
    /// The journal has ended with the service.
    #[error("the service is stopping")]
    Stopping,
}

/// The epoch that was used last; 0 before the first.
pub async fn epoch(db: &Db) -> Result<i64, KeepError> {
    let mut reader = db.read().await?;
    let epoch = baton_store::on!(reader, conn => {
        sqlx::query_scalar("SELECT number FROM meta WHERE name = 'epoch'").fetch_optional(conn).await
    })?;
    Ok(epoch.unwrap_or(0))
}

pub(crate) fn bad(table: &'static str, column: &'static str, row: &InteractionId) -> KeepError {
    KeepError::Row { table, column, row: row.to_string() }
}
