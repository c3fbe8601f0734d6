//! Deleting a recording's audio: by hand, or because it is old. What is known of it stays.
//!
//! In two steps. First nobody may listen any more, then the files go and `recording.deleted` says so: an event follows the
//! fact. A crash in between leaves the second step to the [sweeper](crate::retention).

use baton_api::ApiError;
use baton_api::common::v1::{Actor, actor::Kind};
use baton_api::error::ErrorReason;
use baton_api::recording::v1::{DeleteRecordingRequest, DeleteRecordingResponse};
use baton_bus::actor_text;
use baton_runtime::auth::Caller;
use baton_store::requests::Key;
use baton_store::{StoreError, Tx, idempotent};
use tonic::Status;

use super::list;
use crate::core::Core;
use crate::grpc::parse;
use crate::settle::announce_deleted;
use crate::state::State;
use crate::store::recordings::{self, Row};
use crate::store::segments;

const METHOD: &str = "/baton.recording.v1.RecordingService/DeleteRecording";

/// Why audio could not be removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PurgeError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The storage failed.
    #[error("the audio could not be removed")]
    Storage(#[from] object_store::Error),
}

/// Deletes by hand.
pub(crate) async fn delete(
    core: &Core,
    caller: &Caller,
    request: &DeleteRecordingRequest,
) -> Result<DeleteRecordingResponse, Status> {
    let tenant = caller.tenant()?.as_str();
    let recording_id = parse::id("recording_id", &request.recording_id)?;
    let key = Key::new(tenant, &caller.subject, METHOD, &request.request_id)?;
    let by = actor_text(&Actor { kind: Kind::Supervisor.into(), id: caller.subject.clone() });
    let now_us = core.clock.now_us();
    let response = idempotent(&core.db, &key, request, now_us, async |tx| {
        let row = recordings::load(tx, tenant, recording_id).await?.ok_or_else(list::not_found)?;
        check_and_mark(tx, &row, &by, now_us).await
    })
    .await?;
    purge_now(core, tenant, recording_id).await?;
    Ok(response)
}

async fn check_and_mark(tx: &mut Tx, row: &Row, by: &str, now_us: i64) -> Result<DeleteRecordingResponse, Status> {
    if row.state()? == State::Recording {
        let message = "It is still being recorded: wait for `recording.stored`.";
        return Err(ApiError::failed_precondition(ErrorReason::RecordingState, message).into());
    }
    recordings::mark_deleted(tx, &row.tenant, &row.recording_id, by, now_us).await?;
    Ok(DeleteRecordingResponse {})
}

/// The answer is given when the files are gone; if that fails, a retry and the sweeper go on with it.
async fn purge_now(core: &Core, tenant: &str, recording_id: &str) -> Result<(), ApiError> {
    let Some(row) = recordings::lookup(&core.db, tenant, recording_id, "").await? else { return Ok(()) };
    purge(core, &row).await.map_err(|error| {
        tracing::warn!(error = ?error, recording.id = recording_id, "deleted audio is still in the storage");
        ApiError::unavailable("Nobody may listen to it any more, but its files are not gone yet. Try again.")
    })
}

/// Removes the files of a recording that was deleted, and says so once.
pub(crate) async fn purge(core: &Core, row: &Row) -> Result<(), PurgeError> {
    let stored = segments::of_recordings(&core.db, &row.tenant, &[&row.recording_id]).await?;
    for segment in &stored {
        core.files.delete(&segment.file(&row.tenant)).await?;
    }
    let now_us = core.clock.now_us();
    let mut tx = core.db.begin().await?;
    for segment in &stored {
        segments::deleted(&mut tx, &row.tenant, &segment.segment_id).await?;
    }
    if recordings::purged(&mut tx, &row.tenant, &row.recording_id, now_us).await? {
        announce_deleted(&mut tx, row, now_us).await?;
    }
    Ok(tx.commit().await?)
}
