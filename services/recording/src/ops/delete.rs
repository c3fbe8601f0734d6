//! Deleting a recording's audio: by hand, or because it is old. Its rows stay.
//!
//! In two steps: first the recording is marked as deleted, so that it can't be downloaded any more; then the files are removed
//! and `recording.deleted` is published. After a crash in between the [sweeper](crate::retention) does the second step.

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::recording::v1::{DeleteRecordingRequest, DeleteRecordingResponse};
use baton_bus::{actor_text, caller_actor};
use baton_runtime::auth::Caller;
use baton_store::requests::RequestKey;
use baton_store::{StoreError, Tx, change, idempotent};
use tonic::Status;

use super::list;
use crate::core::RecordingCore;
use crate::grpc::parse;
use crate::settle::announce_deleted;
use crate::state::RecordingState;
use crate::store::recordings::{self, Row};
use crate::store::segments;

const METHOD: &str = "/baton.recording.v1.RecordingService/DeleteRecording";

#[derive(Debug, thiserror::Error)]
pub(crate) enum PurgeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the audio could not be removed")]
    Storage(#[from] object_store::Error),
}

pub(crate) async fn delete(
    core: &RecordingCore,
    caller: &Caller,
    request: &DeleteRecordingRequest,
) -> Result<DeleteRecordingResponse, Status> {
    let tenant = caller.tenant()?.as_str();
    let recording_id = parse::id("recording_id", &request.recording_id)?;
    let key = RequestKey::new(tenant, &caller.subject, METHOD, &request.request_id)?;
    let by = actor_text(&caller_actor(caller));
    let now_us = core.clock.now_us();
    let by = &by;
    let response = idempotent(
        &core.db,
        &key,
        request,
        now_us,
        change!(|tx| {
            recordings::lock(tx, tenant, recording_id).await?;
            let row = recordings::load(tx, tenant, recording_id).await?.ok_or_else(list::not_found)?;
            check_and_mark(tx, &row, by, now_us).await
        }),
    )
    .await?;
    purge_now(core, tenant, recording_id).await?;
    Ok(response)
}

async fn check_and_mark(tx: &mut Tx, row: &Row, by: &str, now_us: i64) -> Result<DeleteRecordingResponse, Status> {
    if row.state()? == RecordingState::Recording {
        let message = "It is still being recorded: wait for `recording.stored`.";
        return Err(ApiError::failed_precondition(ErrorReason::RecordingState, message).into());
    }
    recordings::mark_deleted(tx, &row.tenant, &row.recording_id, by, now_us).await?;
    Ok(DeleteRecordingResponse {})
}

/// Marks a recording as deleted for a reason of Baton's own, or for somebody who has many deleted.
pub(crate) async fn mark(core: &RecordingCore, row: &Row, by: &str) -> Result<(), StoreError> {
    let now_us = core.clock.now_us();
    core.db
        .change(change!(|tx| {
            recordings::lock(tx, &row.tenant, &row.recording_id).await?;
            recordings::mark_deleted(tx, &row.tenant, &row.recording_id, by, now_us).await.map(drop)
        }))
        .await
}

/// The caller is answered when the files are gone; if that fails, a retry or the sweeper removes them.
async fn purge_now(core: &RecordingCore, tenant: &str, recording_id: &str) -> Result<(), ApiError> {
    let Some(row) = recordings::lookup(&core.db, tenant, recording_id, "").await? else { return Ok(()) };
    purge(core, &row).await.map_err(|error| {
        tracing::warn!(error = ?error, recording.id = recording_id, "deleted audio is still in the storage");
        ApiError::unavailable("Nobody may listen to it any more, but its files are not gone yet. Try again.")
    })
}

/// Removes the files of a recording that was marked as deleted, and publishes `recording.deleted` once.
pub(crate) async fn purge(core: &RecordingCore, row: &Row) -> Result<(), PurgeError> {
    let stored = segments::of_recordings(&core.db, &row.tenant, &[&row.recording_id]).await?;
    for segment in &stored {
        core.files.delete(&segment.file(&row.tenant)).await?;
    }
    let now_us = core.clock.now_us();
    let stored = &stored;
    let change = core.db.change(change!(|tx| {
        recordings::lock(tx, &row.tenant, &row.recording_id).await?;
        for segment in stored {
            segments::deleted(tx, &row.tenant, &segment.segment_id).await?;
        }
        if recordings::purged(tx, &row.tenant, &row.recording_id, now_us).await? {
            announce_deleted(tx, row, now_us).await?;
        }
        Ok::<_, StoreError>(())
    }));
    Ok(change.await?)
}
