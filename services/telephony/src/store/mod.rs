//! The database: plans, operations with their last observation, and segments that are not in the archive yet.
//!
//! The switch and the transfer service hold the truth. Telephony stores what it needs so that no operation is requested
//! twice, and no observation is forgotten while the transfer service is away.

pub mod journal;
mod load;
mod rows;

use baton_store::{Db, StoreError};

pub use journal::{StoreWrite, WriteJournal};
pub use load::{
    RestoredOperation, RestoredOperations, due_uploads, next_upload_us, operations, owner_if_finished, plan_of,
    unfinished, uploads,
};
pub use rows::{FailedUpload, OperationRow, PlanRow, SegmentOwner, UploadRow};

use crate::plan::InteractionId;

/// The tables of its database, and how they came about.
pub static MIGRATIONS: baton_store::Migrations = baton_store::migrations!();

/// The database could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PersistError {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("the database refused a statement")]
    Sql(#[from] sqlx::Error),
    #[error("table {table}, row {row}: {column} can't be read")]
    Row {
        table: &'static str,
        column: &'static str,
        /// Its key.
        row: String,
    },
    /// The write was refused for its contents; other writes are accepted.
    #[error("the database refused what was to be written")]
    Refused,
    /// The journal has ended, and the write was not committed.
    #[error("the service is stopping")]
    Stopping,
}

/// What is kept once, for the whole service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The epoch under which control of the switch was last taken.
    Epoch,
    /// The start of the machine since which every plan that was carried out is on the disk: a number of it.
    MachineStart,
}

impl Kept {
    fn name(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::MachineStart => "machine-start",
        }
    }
}

/// 0 before the first time.
pub async fn kept(db: &Db, what: Kept) -> Result<i64, PersistError> {
    let mut reader = db.read().await?;
    let number = baton_store::on!(reader, conn => {
        sqlx::query_scalar("SELECT number FROM meta WHERE name = $1").bind(what.name()).fetch_optional(conn).await
    })?;
    Ok(number.unwrap_or(0))
}

pub(crate) fn bad(table: &'static str, column: &'static str, row: &InteractionId) -> PersistError {
    PersistError::Row { table, column, row: row.to_string() }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn both_databases_have_the_same_schema() {
        baton_store::testing::assert_same_schema(&super::MIGRATIONS).await;
    }
}
