//! Storing a finished segment. Telephony sends it until it is acknowledged, so a segment may come twice, before the events
//! that announce it, or after its recording was deleted.

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::recording::v1::{SegmentHeader, StoreSegmentResponse};
use baton_store::{StoreError, change};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use object_store::path::Path;
use tonic::Status;

use crate::audio::files::Files;
use crate::audio::intake::{IntakeError, StoredFile, store_file};
use crate::core::RecordingCore;
use crate::settle::settle;
use crate::state::{AudioState, RecordingState};
use crate::store::recordings;
use crate::store::segments::{self, Row, SegmentKey, StoredAudio};
use baton_audio::wav::WavError;

/// Stores a segment, or records that it is lost.
pub(crate) async fn store<S>(
    core: &RecordingCore,
    key: SegmentKey,
    header: &SegmentHeader,
    chunks: S,
) -> Result<StoreSegmentResponse, Status>
where
    S: Stream<Item = Result<Bytes, Status>> + Unpin,
{
    if header.lost {
        lost(core, &key).await?;
        return Ok(StoreSegmentResponse::default());
    }
    let location = Files::location(&key.tenant, &key.interaction_id, &key.segment_id);
    if is_deleted(core, &key).await? {
        drain(chunks).await?;
        return discard(core, &key, &location).await;
    }
    let known = segments::lookup(&core.db, &key.tenant, &key.segment_id).await?;
    if let Some(known) = known
        && known.state()?.audio == AudioState::Stored
    {
        return already_stored(&known, header, chunks).await;
    }
    // The semaphore is never closed, so this only waits.
    let _permit = core.uploads.acquire().await.map_err(|_| ApiError::unavailable("The service is stopping."))?;
    let file = store_file(&core.files, &location, &header.sha256, chunks)
        .await
        .map_err(|error| refusal(&key.segment_id, error))?;
    if commit(core, &key, header, (&location, &file)).await? {
        Ok(answer(file.sha256, file.size_bytes))
    } else {
        discard(core, &key, &location).await
    }
}

/// Whether its recording was deleted, or its audio was deleted because no event ever announced it.
async fn is_deleted(core: &RecordingCore, key: &SegmentKey) -> Result<bool, StoreError> {
    if let Some(recording) = recordings::lookup(&core.db, &key.tenant, &key.recording_id, "").await? {
        return Ok(recording.state()? == RecordingState::Deleted);
    }
    let segment = segments::lookup(&core.db, &key.tenant, &key.segment_id).await?;
    Ok(segment.map(|it| it.state()).transpose()?.is_some_and(|it| it.audio == AudioState::Deleted))
}

pub(super) fn answer(sha256: String, size_bytes: u64) -> StoreSegmentResponse {
    StoreSegmentResponse { sha256, size_bytes: size_bytes as i64 }
}

/// `false` if its recording was deleted meanwhile.
async fn commit(
    core: &RecordingCore,
    key: &SegmentKey,
    header: &SegmentHeader,
    stored: (&Path, &StoredFile),
) -> Result<bool, StoreError> {
    let (location, file) = stored;
    let now_us = core.clock.now_us();
    let audio = StoredAudio {
        file,
        location: location.as_ref(),
        start_us: header.started_at_us,
        end_us: header.ended_at_us,
        torn: header.torn,
        now_us,
    };
    let audio = &audio;
    core.db
        .change(change!(|tx| {
            recordings::lock(tx, &key.tenant, &key.recording_id).await?;
            let recording = recordings::load(tx, &key.tenant, &key.recording_id).await?;
            if recording.map(|it| it.state()).transpose()? == Some(RecordingState::Deleted) {
                return Ok(false);
            }
            segments::note(tx, key).await?;
            segments::stored(tx, key, audio).await?;
            settle(tx, &key.tenant, &key.recording_id, now_us).await?;
            Ok(true)
        }))
        .await
}

/// Removes the audio of a deleted recording. The sender is acknowledged only when no file is left; until then it sends the
/// segment again, also after a crash. Otherwise the file would stay: the sweeper does not visit a purged recording again.
async fn discard(core: &RecordingCore, key: &SegmentKey, location: &Path) -> Result<StoreSegmentResponse, Status> {
    core.files.delete(location).await.map_err(|error| {
        tracing::error!(error = ?error, segment.id = key.segment_id, "audio of a deleted recording is still stored");
        ApiError::unavailable("Its recording was deleted, and its file is not gone yet. Try again.")
    })?;
    let change = core.db.change(change!(|tx| {
        segments::note(tx, key).await?;
        segments::deleted(tx, &key.tenant, &key.segment_id).await
    }));
    change.await?;
    Ok(StoreSegmentResponse::default())
}

async fn lost(core: &RecordingCore, key: &SegmentKey) -> Result<(), StoreError> {
    let now_us = core.clock.now_us();
    let change = core.db.change(change!(|tx| {
        segments::note(tx, key).await?;
        let is_new = segments::lost(tx, &key.tenant, &key.segment_id, now_us).await?;
        settle(tx, &key.tenant, &key.recording_id, now_us).await?;
        Ok::<_, StoreError>(is_new)
    }));
    let is_new = change.await?;
    // A sender that died after the answer sends the notice for audio that it has delivered: it is here.
    if is_new {
        tracing::warn!(tenant = key.tenant, segment.id = key.segment_id, "a segment's audio is lost");
    }
    Ok(())
}

/// The segment is stored already. The upload is read to its end all the same: a sender that is cut off sees a broken
/// connection and not the answer.
async fn already_stored<S>(known: &Row, header: &SegmentHeader, chunks: S) -> Result<StoreSegmentResponse, Status>
where
    S: Stream<Item = Result<Bytes, Status>> + Unpin,
{
    drain(chunks).await?;
    if header.sha256.is_empty() || header.sha256.eq_ignore_ascii_case(&known.stored.sha256) {
        return Ok(answer(known.stored.sha256.clone(), known.stored.size_bytes as u64));
    }
    let message = "Other audio is stored under this segment already; a segment is written once.";
    Err(ApiError::failed_precondition(ErrorReason::RecordingState, message).into())
}

pub(super) async fn drain<S>(mut chunks: S) -> Result<(), Status>
where
    S: Stream<Item = Result<Bytes, Status>> + Unpin,
{
    while let Some(chunk) = chunks.next().await {
        chunk?;
    }
    Ok(())
}

pub(super) fn refusal(segment_id: &str, error: IntakeError) -> Status {
    tracing::warn!(error = %error, cause = ?error, segment.id = segment_id, "audio was not stored");
    match error {
        IntakeError::Sender(status) => *status,
        IntakeError::Wav(error @ WavError::NotWav(_)) => ApiError::invalid_argument("chunk", error.to_string()).into(),
        IntakeError::Wav(WavError::WrongLength { .. }) | IntakeError::Checksum { .. } => {
            super::data_loss(&format!("The audio was not stored: {error}. Fetch it from the switch again."))
        }
        IntakeError::TooLong => ApiError::resource_exhausted(error.to_string()).without_retry().into(),
        IntakeError::Storage(_) => {
            ApiError::unavailable("The audio could not be written; the service's log says why. Try again.").into()
        }
    }
}
