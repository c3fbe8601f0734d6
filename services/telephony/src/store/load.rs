//! Reads what is stored: at the start, and for an interaction that has no task.

use baton_api::transfer::v1::Fact;
use baton_store::{Db, on};
use prost::Message as _;

use super::{PersistError, PlanRow, SegmentOwner, UploadRow, bad};
use crate::operation::{Operation, OperationKey, OperationKind};
use crate::plan::InteractionId;

/// The stored operations of one interaction.
#[derive(Debug, Default)]
pub struct RestoredOperations {
    pub operations: Vec<RestoredOperation>,
    /// The highest position of a fact; 0: there is none.
    pub last_position: i64,
}

#[derive(Debug)]
pub struct RestoredOperation {
    pub key: OperationKey,
    pub operation: Operation,
    /// The position of the last observation, if the transfer service has not committed it.
    pub unacknowledged: Option<i64>,
}

/// The newest plans of all interactions that are not finished. One that can't be read is logged and left out: its next plan
/// replaces it.
pub async fn unfinished(db: &Db) -> Result<Vec<PlanRow>, PersistError> {
    let mut reader = db.read().await?;
    let rows: Vec<PlanColumns> = on!(reader, conn => {
        sqlx::query_as("SELECT interaction, tenant, version, plan, ended_at_us, finished <> 0 AS finished FROM plans WHERE finished = 0 \
                        ORDER BY interaction")
            .fetch_all(conn).await
    })?;
    Ok(rows.into_iter().filter_map(|row| readable(row.read())).collect())
}

/// Logs the error.
fn readable<T>(read: Result<T, PersistError>) -> Option<T> {
    read.inspect_err(|error| tracing::error!(%error, "a row is left out")).ok()
}

pub async fn plan_of(db: &Db, interaction: &InteractionId) -> Result<Option<PlanRow>, PersistError> {
    let mut reader = db.read().await?;
    let row: Option<PlanColumns> = on!(reader, conn => {
        sqlx::query_as("SELECT interaction, tenant, version, plan, ended_at_us, finished <> 0 AS finished FROM plans WHERE interaction = $1")
            .bind(interaction.as_str())
            .fetch_optional(conn).await
    })?;
    Ok(row.and_then(|row| readable(row.read())))
}

pub async fn operations(db: &Db, interaction: &InteractionId) -> Result<RestoredOperations, PersistError> {
    let mut reader = db.read().await?;
    let rows: Vec<OperationColumns> = on!(reader, conn => {
        sqlx::query_as("SELECT kind, id, name, detail, boot_id, fact, position, acked FROM things WHERE interaction = $1")
            .bind(interaction.as_str())
            .fetch_all(conn).await
    })?;
    let last_position = rows.iter().map(|row| row.position).max().unwrap_or(0);
    let operations = rows.into_iter().filter_map(|row| readable(row.read(interaction))).collect();
    Ok(RestoredOperations { operations, last_position })
}

/// The number of segments that are not in the archive yet.
pub async fn uploads(db: &Db) -> Result<usize, PersistError> {
    let mut reader = db.read().await?;
    let count: i64 = on!(reader, conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM uploads WHERE set_aside = 0").fetch_one(conn).await
    })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// What a segment of a finished interaction belongs to; `None` also while its upload is listed, or was set aside.
pub async fn owner_if_finished(
    db: &Db,
    interaction: InteractionId,
    segment: &str,
) -> Result<Option<SegmentOwner>, PersistError> {
    let mut reader = db.read().await?;
    let row: Option<(String, String)> = on!(reader, conn => {
        sqlx::query_as("SELECT plans.tenant, things.detail FROM plans \
                        JOIN things ON things.interaction = plans.interaction \
                        WHERE plans.interaction = $1 AND plans.finished = 1 AND things.kind = 'segment' AND things.id = $2 \
                        AND NOT EXISTS (SELECT 1 FROM uploads WHERE segment = $2)")
            .bind(interaction.as_str())
            .bind(segment)
            .fetch_optional(conn).await
    })?;
    Ok(row.map(|(tenant, recording_id)| SegmentOwner { tenant, interaction, recording_id }))
}

/// Segments whose time to be tried has come, `most` at most.
pub async fn due_uploads(db: &Db, now_us: i64, most: i64) -> Result<Vec<UploadRow>, PersistError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => {
        sqlx::query_as("SELECT segment, header, lost <> 0 AS lost, failures, refusals, next_try_at_us FROM uploads \
                        WHERE set_aside = 0 AND next_try_at_us <= $1 ORDER BY next_try_at_us LIMIT $2")
            .bind(now_us)
            .bind(most)
            .fetch_all(conn).await
    })?)
}

/// When the next segment is to be tried.
pub async fn next_upload_us(db: &Db) -> Result<Option<i64>, PersistError> {
    let mut reader = db.read().await?;
    Ok(on!(reader, conn => {
        sqlx::query_scalar("SELECT MIN(next_try_at_us) FROM uploads WHERE set_aside = 0").fetch_one(conn).await
    })?)
}

#[derive(sqlx::FromRow)]
struct PlanColumns {
    interaction: String,
    tenant: String,
    version: i64,
    plan: Vec<u8>,
    ended_at_us: Option<i64>,
    finished: bool,
}

impl PlanColumns {
    fn read(self) -> Result<PlanRow, PersistError> {
        let Some(interaction) = InteractionId::parse(&self.interaction) else {
            return Err(PersistError::Row { table: "plans", column: "interaction", row: self.interaction });
        };
        let version = u64::try_from(self.version).map_err(|_| bad("plans", "version", &interaction))?;
        let Self { tenant, plan, ended_at_us, finished, .. } = self;
        Ok(PlanRow { interaction, tenant, version, plan, ended_at_us, finished })
    }
}

#[derive(sqlx::FromRow)]
struct OperationColumns {
    kind: String,
    id: String,
    name: String,
    detail: String,
    boot_id: String,
    fact: Option<Vec<u8>>,
    position: i64,
    acked: i64,
}

impl OperationColumns {
    fn read(self, interaction: &InteractionId) -> Result<RestoredOperation, PersistError> {
        let kind = OperationKind::parse(&self.kind).ok_or_else(|| bad("things", "kind", interaction))?;
        // Also when the fact can't be read: the operation was requested, and must never be requested again.
        let confirmed = self.fact.is_some();
        let fact = self
            .fact
            .and_then(|it| readable(Fact::decode(it.as_slice()).map_err(|_| bad("things", "fact", interaction))));
        let operation = Operation {
            name: self.name,
            detail: self.detail,
            boot_id: self.boot_id,
            confirmed,
            fact,
            ..Operation::default()
        };
        let unacknowledged = (self.acked == 0).then_some(self.position);
        Ok(RestoredOperation { key: OperationKey { kind, id: self.id }, operation, unacknowledged })
    }
}
