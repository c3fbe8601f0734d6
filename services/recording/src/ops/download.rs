//! Downloading audio: first an entry in the access log, then the file, in chunks.

use std::sync::Arc;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::recording::v1::DownloadRecordingRequest;
use baton_runtime::auth::Caller;
use baton_runtime::ids;
use baton_runtime::quota::{Permit, QuotaExceeded};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, Stream, StreamExt as _, future, stream};
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::list;
use crate::audio::chunks::{ChunkSender, SendError};
use crate::audio::download::{AudioDownload, DownloadError, JoinError, StoredPiece};
use crate::core::RecordingCore;
use crate::grpc::parse::{self, Viewer};
use crate::state::{AudioState, RecordingState};
use crate::store::downloads::{self, Download};
use crate::store::recordings::{self, Row};
use crate::store::segments;

/// Messages queued for a slow reader: half a megabyte.
const QUEUE: usize = 8;

pub(crate) async fn start(
    core: &Arc<RecordingCore>,
    caller: &Caller,
    request: &DownloadRecordingRequest,
) -> Result<impl Stream<Item = Result<Bytes, Status>> + Send + use<>, Status> {
    let viewer = Viewer::of(caller)?;
    let segment_id = parse::optional_id("segment_id", &request.segment_id)?;
    let recording = list::find(core, &viewer, &request.recording_id).await?;
    let playback = choose(core, &recording, segment_id).await?;
    let permit = core.downloads.take(viewer.tenant).map_err(too_many)?;
    log(core, caller, (&recording.recording_id, segment_id)).await?;
    let may_go_on: MayGoOn = Box::new(move |core| {
        let (core, recording) = (Arc::clone(core), recording.clone());
        async move { still_there(&core, &recording).await }.boxed()
    });
    Ok(stream(core, permit, playback, may_go_on))
}

/// Whether the next piece may be sent, or the audio was deleted meanwhile.
pub(crate) type MayGoOn =
    Box<dyn Fn(&Arc<RecordingCore>) -> BoxFuture<'static, Result<(), DownloadError>> + Send + Sync>;

/// Sends audio in chunks, for as long as the caller reads and `may_go_on` allows each next piece.
pub(crate) fn stream(
    core: &Arc<RecordingCore>,
    permit: Permit,
    audio: AudioDownload,
    may_go_on: MayGoOn,
) -> impl Stream<Item = Result<Bytes, Status>> + Send + use<> {
    let (to, from) = mpsc::channel(QUEUE);
    let (end_sender, end) = oneshot::channel();
    let (task, stop) = (Arc::clone(core), core.lifecycle.soft());
    core.lifecycle.spawn("recording-download", async move {
        let out = ChunkSender::new(to, task.clock.clone());
        let sent = audio.send(&task.files, out, || may_go_on(&task));
        let ended = stop.run_until_cancelled(sent).await.unwrap_or(Err(DownloadError::Stopping));
        drop(permit);
        // It fails if the caller has gone.
        let _ = end_sender.send(ended);
    });
    let chunks = ReceiverStream::new(from).map(Ok);
    chunks.chain(stream::once(end).filter_map(|ended| future::ready(broken_off(ended))))
}

/// Checked before each segment: a segment that is being sent is finished, but after a deletion no further one is begun.
async fn still_there(core: &RecordingCore, recording: &Row) -> Result<(), DownloadError> {
    let row = recordings::lookup(&core.db, &recording.tenant, &recording.recording_id, "").await?;
    match row.map(|it| it.state()).transpose()? {
        None | Some(RecordingState::Deleted) => Err(DownloadError::Deleted),
        Some(_) => Ok(()),
    }
}

/// Notes who is given the audio of a recording, or of one segment of it, or of a voicemail message.
pub(crate) async fn log(
    core: &RecordingCore,
    caller: &Caller,
    (recording_id, segment_id): (&str, &str),
) -> Result<(), ApiError> {
    let download = Download {
        id: ids::new_uuid(),
        tenant: caller.tenant()?.as_str(),
        recording_id,
        segment_id,
        subject: &caller.subject,
        role: caller.role.name(),
        at_us: core.clock.now_us(),
    };
    Ok(downloads::log(&core.db, &download).await?)
}

/// One segment, or all that are stored.
async fn choose(core: &RecordingCore, recording: &Row, segment_id: &str) -> Result<AudioDownload, ApiError> {
    let state = recording.state()?;
    if state == RecordingState::Deleted {
        return Err(wrong_state("Its audio was deleted."));
    }
    let mut stored = Vec::new();
    for row in segments::of_recordings(&core.db, &recording.tenant, &[&recording.recording_id]).await? {
        let is_wanted = segment_id.is_empty() || row.segment_id == segment_id;
        if is_wanted && row.state()?.audio == AudioState::Stored {
            stored.push(row.stored.piece());
        } else if is_wanted && !segment_id.is_empty() {
            return Err(wrong_state("This segment's audio is not stored; the recording says whether it is lost."));
        }
    }
    if segment_id.is_empty() {
        return whole(state, stored);
    }
    stored.pop().map(AudioDownload::single).ok_or_else(|| ApiError::not_found("segment"))
}

fn whole(state: RecordingState, stored: Vec<StoredPiece>) -> Result<AudioDownload, ApiError> {
    if state == RecordingState::Recording {
        return Err(wrong_state("It is not complete yet: wait for `recording.stored`, or download single segments."));
    }
    AudioDownload::joined(stored).map_err(|error| match error {
        JoinError::Empty => wrong_state("It has no audio."),
        JoinError::Mixed | JoinError::TooLong => wrong_state(&format!("Download its segments one by one: {error}.")),
    })
}

fn wrong_state(message: &str) -> ApiError {
    ApiError::failed_precondition(ErrorReason::RecordingState, message)
}

pub(crate) fn too_many(error: QuotaExceeded) -> ApiError {
    ApiError::resource_exhausted(format!("No more downloads: {error}. Try again in a little while."))
}

/// The error that ends an incomplete stream, because a file that is too short must not pass for the whole one.
fn broken_off(ended: Result<Result<(), DownloadError>, RecvError>) -> Option<Result<Bytes, Status>> {
    let error = ended.unwrap_or(Err(DownloadError::Stopping)).err()?;
    let status = match error {
        DownloadError::Deleted => wrong_state("Its audio was deleted while it was sent.").into(),
        DownloadError::Send(SendError::Idle) => {
            ApiError::unavailable(format!("The download was ended: {error}.")).into()
        }
        DownloadError::Stopping => ApiError::unavailable("The service is stopping. Download it again.").into(),
        DownloadError::Store(error) => error.into(),
        DownloadError::Send(SendError::Gone) => return None,
        DownloadError::Read(_) | DownloadError::Changed { .. } => {
            tracing::error!(error = %error, cause = ?error, "stored audio could not be given out");
            super::data_loss("The stored audio can't be read whole; the service's log says why.")
        }
    };
    Some(Err(status))
}
