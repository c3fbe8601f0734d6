//! Giving audio to somebody: the access log first, then the file, in pieces.

use std::sync::Arc;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::recording::v1::{DownloadRecordingRequest, DownloadRecordingResponse};
use baton_runtime::auth::Caller;
use baton_runtime::ids;
use baton_runtime::shares::NoPlace;
use futures::{Stream, StreamExt as _, future, stream};
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::list;
use crate::audio::out::{NotTaken, Out};
use crate::audio::playback::{JoinError, Piece, Playback, PlaybackError};
use crate::core::Core;
use crate::grpc::parse::{self, Viewer};
use crate::state::{Audio, State};
use crate::store::downloads::{self, Download};
use crate::store::recordings::{self, Row};
use crate::store::segments;

/// Messages on their way to a slow reader: half a megabyte.
const QUEUE: usize = 8;

/// Starts a download.
pub(crate) async fn start(
    core: &Arc<Core>,
    caller: &Caller,
    request: &DownloadRecordingRequest,
) -> Result<impl Stream<Item = Result<DownloadRecordingResponse, Status>> + Send + use<>, Status> {
    let viewer = Viewer::of(caller)?;
    let segment_id = parse::optional_id("segment_id", &request.segment_id)?;
    let recording = list::find(core, &viewer, &request.recording_id).await?;
    let playback = choose(core, &recording, segment_id).await?;
    let place = core.downloads.take(viewer.tenant).map_err(too_many)?;
    log(core, caller, &recording, segment_id).await?;

    let (to, from) = mpsc::channel(QUEUE);
    let (tell, end) = oneshot::channel();
    let (task, stop) = (Arc::clone(core), core.lifecycle.soft());
    core.lifecycle.spawn("recording-download", async move {
        let out = Out::new(to, task.clock.clone());
        let sent = playback.send(&task.files, out, || still_there(&task, &recording));
        let ended = stop.run_until_cancelled(sent).await.unwrap_or(Err(PlaybackError::Stopping));
        drop(place);
        // Nobody is told who has gone.
        let _ = tell.send(ended);
    });
    let chunks = ReceiverStream::new(from).map(|chunk| Ok(DownloadRecordingResponse { chunk }));
    Ok(chunks.chain(stream::once(end).filter_map(|ended| future::ready(broken_off(ended)))))
}

/// What is open is read to its end; of a recording that is deleted meanwhile, no further piece is begun.
async fn still_there(core: &Core, recording: &Row) -> Result<(), PlaybackError> {
    let row = recordings::lookup(&core.db, &recording.tenant, &recording.recording_id, "").await?;
    match row.map(|it| it.state()).transpose()? {
        None | Some(State::Deleted) => Err(PlaybackError::Deleted),
        Some(_) => Ok(()),
    }
}

async fn log(core: &Core, caller: &Caller, recording: &Row, segment_id: &str) -> Result<(), ApiError> {
    let download = Download {
        id: ids::new_uuid(),
        tenant: &recording.tenant,
        recording_id: &recording.recording_id,
        segment_id,
        subject: &caller.subject,
        role: caller.role.name(),
        at_us: core.clock.now_us(),
    };
    Ok(downloads::log(&core.db, &download).await?)
}

/// What is sent: one segment, or all that were stored.
async fn choose(core: &Core, recording: &Row, segment_id: &str) -> Result<Playback, ApiError> {
    let state = recording.state()?;
    if state == State::Deleted {
        return Err(wrong_state("Its audio was deleted."));
    }
    let mut stored = Vec::new();
    for row in segments::of_recordings(&core.db, &recording.tenant, &[&recording.recording_id]).await? {
        let is_wanted = segment_id.is_empty() || row.segment_id == segment_id;
        if is_wanted && row.state()?.audio == Audio::Stored {
            stored.push(row.piece());
        } else if is_wanted && !segment_id.is_empty() {
            return Err(wrong_state("This segment's audio is not stored; the recording says whether it is lost."));
        }
    }
    if segment_id.is_empty() {
        return whole(state, stored);
    }
    stored.pop().map(Playback::single).ok_or_else(|| ApiError::not_found("segment"))
}

fn whole(state: State, stored: Vec<Piece>) -> Result<Playback, ApiError> {
    if state == State::Recording {
        return Err(wrong_state("It is not complete yet: wait for `recording.stored`, or download single segments."));
    }
    Playback::joined(stored).map_err(|error| match error {
        JoinError::Empty => wrong_state("It has no audio."),
        JoinError::Mixed | JoinError::TooLong => wrong_state(&format!("Download its segments one by one: {error}.")),
    })
}

fn wrong_state(message: &str) -> ApiError {
    ApiError::failed_precondition(ErrorReason::RecordingState, message)
}

fn too_many(error: NoPlace) -> ApiError {
    ApiError::resource_exhausted(format!("No more downloads: {error}. Try again in a little while."))
}

/// How a stream ends that is not whole: with an error, as a file that is too short must not pass for the whole one.
fn broken_off(
    ended: Result<Result<(), PlaybackError>, RecvError>,
) -> Option<Result<DownloadRecordingResponse, Status>> {
    let error = ended.unwrap_or(Err(PlaybackError::Stopping)).err()?;
    let status = match error {
        PlaybackError::Deleted => wrong_state("Its audio was deleted while it was sent.").into(),
        PlaybackError::NotTaken(NotTaken::Idle) => {
            ApiError::unavailable(format!("The download was ended: {error}.")).into()
        }
        PlaybackError::Stopping => ApiError::unavailable("The service is stopping. Download it again.").into(),
        PlaybackError::Store(error) => error.into(),
        PlaybackError::NotTaken(NotTaken::Gone) => return None,
        PlaybackError::Read(_) | PlaybackError::Changed { .. } => {
            tracing::error!(error = %error, cause = ?error, "stored audio could not be given out");
            super::data_loss("The stored audio can't be read whole; the service's log says why.")
        }
    };
    Some(Err(status))
}
