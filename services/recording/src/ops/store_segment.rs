//! Taking in a finished segment. Telephony sends it until it is told that it is stored, so everything here may come twice,
//! before the events that tell of it, or after its recording was deleted.

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::recording::v1::{SegmentHeader, StoreSegmentResponse};
use baton_store::StoreError;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use object_store::path::Path;
use tonic::Status;

use crate::audio::files::Files;
use crate::audio::intake::{IntakeError, Taken, take_in};
use crate::audio::wav::WavError;
use crate::core::Core;
use crate::settle::settle;
use crate::state::{Audio, State};
use crate::store::recordings;
use crate::store::segments::{self, Name, Row, StoredAudio};

/// Stores a segment, or learns that it is lost.
pub(crate) async fn store<S>(
    core: &Core,
    name: Name,
    header: &SegmentHeader,
    chunks: S,
) -> Result<StoreSegmentResponse, Status>
where
    S: Stream<Item = Result<Bytes, Status>> + Unpin,
{
    if header.lost {
        lost(core, &name).await?;
        return Ok(StoreSegmentResponse::default());
    }
    let location = Files::location(&name.tenant, &name.interaction_id, &name.segment_id);
    if is_deleted(core, &name).await? {
        drain(chunks).await?;
        return unwanted(core, &name, &location).await;
    }
    let known = segments::lookup(&core.db, &name.tenant, &name.segment_id).await?;
    if let Some(known) = known
        && known.state()?.audio == Audio::Stored
    {
        return again(&known, header, chunks).await;
    }
    // Never closed, so this only waits.
    let _permit = core.uploads.acquire().await.map_err(|_| ApiError::unavailable("The service is stopping."))?;
    let taken = take_in(&core.files, &location, &header.sha256, chunks).await.map_err(|error| refusal(&name, error))?;
    if commit(core, &name, header, (&location, &taken)).await? {
        Ok(answer(taken.sha256, taken.size_bytes))
    } else {
        unwanted(core, &name, &location).await
    }
}

/// Whether nobody may listen to it any more: its recording was deleted, or it was audio of which no event ever told.
async fn is_deleted(core: &Core, name: &Name) -> Result<bool, StoreError> {
    if let Some(recording) = recordings::lookup(&core.db, &name.tenant, &name.recording_id, "").await? {
        return Ok(recording.state()? == State::Deleted);
    }
    let segment = segments::lookup(&core.db, &name.tenant, &name.segment_id).await?;
    Ok(segment.map(|it| it.state()).transpose()?.is_some_and(|it| it.audio == Audio::Deleted))
}

fn answer(sha256: String, size_bytes: u64) -> StoreSegmentResponse {
    StoreSegmentResponse { sha256, size_bytes: size_bytes as i64 }
}

/// `false` when its recording was deleted meanwhile.
async fn commit(core: &Core, name: &Name, header: &SegmentHeader, stored: (&Path, &Taken)) -> Result<bool, StoreError> {
    let (location, taken) = stored;
    let now_us = core.clock.now_us();
    let audio = StoredAudio {
        taken,
        location: location.as_ref(),
        start_us: header.started_at_us,
        end_us: header.ended_at_us,
        torn: header.torn,
        now_us,
    };
    let mut tx = core.db.begin().await?;
    let recording = recordings::load(&mut tx, &name.tenant, &name.recording_id).await?;
    if recording.map(|it| it.state()).transpose()? == Some(State::Deleted) {
        tx.rollback().await?;
        return Ok(false);
    }
    segments::note(&mut tx, name).await?;
    segments::stored(&mut tx, name, &audio).await?;
    settle(&mut tx, &name.tenant, &name.recording_id, now_us).await?;
    tx.commit().await?;
    Ok(true)
}

/// Its recording was deleted: the sender may forget it too, but not before it is certain that no file is left. Until then it
/// comes again, also after a crash; nothing else would look for the file of a recording that is purged.
async fn unwanted(core: &Core, name: &Name, location: &Path) -> Result<StoreSegmentResponse, Status> {
    core.files.delete(location).await.map_err(|error| {
        tracing::error!(error = ?error, segment.id = name.segment_id, "audio of a deleted recording is still stored");
        ApiError::unavailable("Its recording was deleted, and its file is not gone yet. Try again.")
    })?;
    let mut tx = core.db.begin().await?;
    segments::note(&mut tx, name).await?;
    segments::deleted(&mut tx, &name.tenant, &name.segment_id).await?;
    tx.commit().await?;
    Ok(StoreSegmentResponse::default())
}

async fn lost(core: &Core, name: &Name) -> Result<(), StoreError> {
    tracing::warn!(tenant = name.tenant, segment.id = name.segment_id, "a segment's audio is lost");
    let now_us = core.clock.now_us();
    let mut tx = core.db.begin().await?;
    segments::note(&mut tx, name).await?;
    segments::lost(&mut tx, &name.tenant, &name.segment_id, now_us).await?;
    settle(&mut tx, &name.tenant, &name.recording_id, now_us).await?;
    tx.commit().await
}

/// The segment is stored already. The rest is read all the same: a sender that is cut off sees a broken connection, not
/// the answer.
async fn again<S>(known: &Row, header: &SegmentHeader, chunks: S) -> Result<StoreSegmentResponse, Status>
where
    S: Stream<Item = Result<Bytes, Status>> + Unpin,
{
    drain(chunks).await?;
    if header.sha256.is_empty() || header.sha256.eq_ignore_ascii_case(&known.sha256) {
        return Ok(answer(known.sha256.clone(), known.size_bytes as u64));
    }
    let message = "Other audio is stored under this segment already; a segment is written once.";
    Err(ApiError::failed_precondition(ErrorReason::RecordingState, message).into())
}

async fn drain<S>(mut chunks: S) -> Result<(), Status>
where
    S: Stream<Item = Result<Bytes, Status>> + Unpin,
{
    while let Some(chunk) = chunks.next().await {
        chunk?;
    }
    Ok(())
}

fn refusal(name: &Name, error: IntakeError) -> Status {
    tracing::warn!(error = %error, cause = ?error, segment.id = name.segment_id, "a segment was not stored");
    match error {
        IntakeError::Sender(status) => *status,
        IntakeError::Wav(error @ WavError::NotWav(_)) => ApiError::invalid_argument("chunk", error.to_string()).into(),
        IntakeError::Wav(WavError::WrongLength { .. }) | IntakeError::Checksum { .. } => {
            super::data_loss(&format!("The segment was not stored: {error}. Fetch it from the switch again."))
        }
        IntakeError::TooLong => ApiError::resource_exhausted(error.to_string()).into(),
        IntakeError::Storage(_) => {
            ApiError::unavailable("The audio could not be written; the service's log says why. Try again.").into()
        }
    }
}
