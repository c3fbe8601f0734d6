//! The statements that write, one function each.

use baton_api::recording::v1::SegmentHeader;
use baton_store::{StoreError, Tx};
use prost::Message as _;

use crate::operation::OperationKey;
use crate::plan::InteractionId;
use crate::store::Kept;
use crate::switch::ClosedRecording;

/// The newest plan of an interaction; after the end, its tombstone.
#[derive(Clone, Debug)]
pub struct PlanRow {
    pub interaction: InteractionId,
    pub tenant: String,
    pub version: u64,
    /// As it came, encoded.
    pub plan: Vec<u8>,
    /// When the plan that ends the interaction came; `None` before.
    pub ended_at_us: Option<i64>,
    /// The interaction has ended and has nothing left on the switch: this is a tombstone.
    pub finished: bool,
}

/// An operation that is about to be requested.
#[derive(Clone, Debug)]
pub struct OperationRow {
    pub interaction: InteractionId,
    pub key: OperationKey,
    /// On the switch.
    pub name: String,
    /// See [`crate::operation::Operation::detail`].
    pub detail: String,
    pub boot_id: String,
}

/// What a segment belongs to.
#[derive(Clone, Debug)]
pub struct SegmentOwner {
    pub tenant: String,
    pub interaction: InteractionId,
    pub recording_id: String,
}

impl SegmentOwner {
    /// `lost`: there is no file.
    pub fn upload(self, closed: &ClosedRecording, lost: bool) -> UploadRow {
        let header = SegmentHeader {
            tenant: self.tenant,
            interaction_id: self.interaction.to_string(),
            recording_id: self.recording_id,
            segment_id: closed.recording.clone(),
            started_at_us: closed.started_at_us,
            ended_at_us: closed.ended_at_us,
            sha256: closed.sha256.clone(),
            torn: closed.torn,
            lost,
            voicemail: None,
        };
        let segment = closed.recording.clone();
        UploadRow { segment, header: header.encode_to_vec(), lost, ..UploadRow::default() }
    }
}

/// A closed segment that is not in the archive yet, or the message that may be left in an exit.
#[derive(Clone, Debug, Default, sqlx::FromRow)]
pub struct UploadRow {
    /// Its name on the switch.
    pub segment: String,
    /// A [`SegmentHeader`], encoded.
    pub header: Vec<u8>,
    /// The header says that there is no file.
    pub lost: bool,
    /// How often the upload failed.
    pub failures: i64,
    /// How often the archive refused it.
    pub refusals: i64,
    /// When it is tried; 0: at once.
    pub next_try_at_us: i64,
}

#[derive(Clone, Debug)]
pub struct FailedUpload {
    pub segment: String,
    /// By the archive.
    pub refused: bool,
    /// When to try again; `None`: never.
    pub next_try_at_us: Option<i64>,
}

/// A finished interaction stays finished if the new version ends it, too: that version may come while the task ends.
pub(super) async fn put_plan(tx: &mut Tx, row: &PlanRow) -> Result<(), StoreError> {
    // The usual case, which leaves the index of what is not finished alone.
    let go_on = "UPDATE plans SET tenant = $2, version = $3, plan = $4, ended_at_us = $5 \
                 WHERE interaction = $1 AND version <= $3 AND finished = 0";
    let put = "INSERT INTO plans (interaction, tenant, version, plan, ended_at_us) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (interaction) DO UPDATE SET tenant = excluded.tenant, version = excluded.version, \
         plan = excluded.plan, ended_at_us = excluded.ended_at_us, \
         finished = CASE WHEN plans.finished = 1 AND excluded.ended_at_us IS NOT NULL THEN 1 ELSE 0 END \
         WHERE plans.version <= excluded.version";
    for text in [go_on, put] {
        let statement = tx
            .statement(text)
            .bind(row.interaction.as_str())
            .bind(&row.tenant)
            .bind(row.version as i64)
            .bind(&row.plan)
            .bind(row.ended_at_us);
        if statement.affected().await? > 0 {
            break;
        }
    }
    Ok(())
}

pub(super) async fn put_operation(tx: &mut Tx, row: &OperationRow) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO things (interaction, kind, id, name, detail, boot_id, position, acked) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, 1) \
         ON CONFLICT (interaction, kind, id) DO UPDATE SET boot_id = excluded.boot_id",
    )
    .bind(row.interaction.as_str())
    .bind(row.key.kind.as_str())
    .bind(&row.key.id)
    .bind(&row.name)
    .bind(&row.detail)
    .bind(&row.boot_id)
    .run()
    .await?;
    Ok(())
}

/// `position` 0: the fact is not to be reported.
pub(super) async fn put_fact(
    tx: &mut Tx,
    interaction: &InteractionId,
    key: &OperationKey,
    fact: &[u8],
    position: i64,
) -> Result<(), StoreError> {
    tx.statement(
        "UPDATE things SET fact = $1, position = $2, acked = $3 WHERE interaction = $4 AND kind = $5 AND id = $6",
    )
    .bind(fact)
    .bind(position)
    .bind(i64::from(position == 0))
    .bind(interaction.as_str())
    .bind(key.kind.as_str())
    .bind(&key.id)
    .run()
    .await?;
    Ok(())
}

pub(super) async fn acknowledge(tx: &mut Tx, interaction: &InteractionId, positions: &[i64]) -> Result<(), StoreError> {
    let numbers: Vec<_> = (0..positions.len()).map(|at| format!("${}", at + 2)).collect();
    let text = format!("UPDATE things SET acked = 1 WHERE interaction = $1 AND position IN ({})", numbers.join(", "));
    let statement = tx.statement(text).bind(interaction.as_str());
    positions.iter().fold(statement, |statement, position| statement.bind(*position)).run().await
}

/// A file that appears replaces a row that says it is lost, and never the reverse.
pub(super) async fn put_upload(tx: &mut Tx, row: &UploadRow) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO uploads (segment, header, lost, next_try_at_us) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (segment) DO UPDATE SET header = excluded.header, lost = excluded.lost, \
         next_try_at_us = 0, failures = 0, refusals = 0, set_aside = 0 \
         WHERE uploads.lost > excluded.lost",
    )
    .bind(&row.segment)
    .bind(&row.header)
    .bind(i64::from(row.lost))
    .bind(row.next_try_at_us)
    .run()
    .await?;
    Ok(())
}

/// One that has failed meanwhile keeps its time.
pub(super) async fn put_due_upload(tx: &mut Tx, segment: &str) -> Result<(), StoreError> {
    tx.statement("UPDATE uploads SET next_try_at_us = 0 WHERE segment = $1 AND failures = 0")
        .bind(segment)
        .run()
        .await?;
    Ok(())
}

pub(super) async fn put_failed_upload(tx: &mut Tx, it: &FailedUpload) -> Result<(), StoreError> {
    tx.statement(
        "UPDATE uploads SET failures = failures + 1, refusals = refusals + $1, next_try_at_us = $2, set_aside = $3 \
         WHERE segment = $4",
    )
    .bind(i64::from(it.refused))
    .bind(it.next_try_at_us.unwrap_or(0))
    .bind(i64::from(it.next_try_at_us.is_none()))
    .bind(&it.segment)
    .run()
    .await?;
    Ok(())
}

/// Keeps the row when the segment was uploaded as lost, and its file has appeared meanwhile.
pub(super) async fn delete_upload(tx: &mut Tx, segment: &str, lost: bool) -> Result<(), StoreError> {
    tx.statement("DELETE FROM uploads WHERE segment = $1 AND lost = $2")
        .bind(segment)
        .bind(i64::from(lost))
        .run()
        .await?;
    Ok(())
}

pub(super) async fn keep(tx: &mut Tx, what: Kept, number: i64) -> Result<(), StoreError> {
    tx.statement(
        "INSERT INTO meta (name, number) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET number = excluded.number",
    )
    .bind(what.name())
    .bind(number)
    .run()
    .await
}

/// Turns the plan of an interaction that has ended into its tombstone.
pub(super) async fn finish(tx: &mut Tx, interaction: &InteractionId) -> Result<(), StoreError> {
    tx.statement("UPDATE plans SET finished = 1 WHERE interaction = $1 AND ended_at_us IS NOT NULL")
        .bind(interaction.as_str())
        .run()
        .await?;
    Ok(())
}

/// Completes a statement with the tombstones that may be removed: all their facts are acknowledged.
macro_rules! prunable {
    ($delete:literal) => {
        concat!(
            $delete,
            " WHERE interaction IN (SELECT interaction FROM plans WHERE finished = 1 AND ended_at_us < $1 AND NOT EXISTS \
             (SELECT 1 FROM things WHERE things.interaction = plans.interaction AND acked = 0) \
             ORDER BY ended_at_us, interaction LIMIT $2)"
        )
    };
}

/// Removes tombstones of interactions that ended before then: the oldest, `most` at most.
pub(super) async fn prune(tx: &mut Tx, before_us: i64, most: i64) -> Result<(), StoreError> {
    tx.statement(prunable!("DELETE FROM things")).bind(before_us).bind(most).run().await?;
    tx.statement(prunable!("DELETE FROM plans")).bind(before_us).bind(most).run().await
}

#[cfg(test)]
mod tests;
