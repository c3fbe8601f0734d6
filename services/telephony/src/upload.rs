//! Brings closed segments from the switch to the archive, and deletes them on the switch when they are there.
//!
//! The list is on disk, and each segment has its own time to be tried again, so that one delays no other. What could not be
//! brought is tried again for ever, but for two things: a file that the switch no longer has, and one that the archive has
//! refused so often that it always will. Then the archive is told that the segment is lost.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use baton_api::recording::v1::archive_service_client::ArchiveServiceClient;
use baton_api::recording::v1::store_segment_request::Message;
use baton_api::recording::v1::{SegmentHeader, StoreSegmentRequest};
use baton_runtime::client::InternalChannel;
use baton_store::Db;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use prost::Message as _;
use tokio::sync::{Notify, oneshot};
use tonic::Code;

use crate::report::ReportWays;
use crate::retry;
use crate::store::{self, FailedUpload, KeepError, UploadRow, Write};
use crate::switch::{Switch, SwitchError, gone_is_done};

const AT_ONCE: usize = 4;
/// As many are taken from the list at once; the others follow.
const MOST_IN_A_ROUND: i64 = 64;
/// A file that was spoilt on its way is whole the next time, or the time after: about half a minute passes until then.
const MOST_REFUSALS: i64 = 10;
const LARGEST_CHUNK: usize = 64 * 1024;
/// An hour of audio is 58 MB.
const STORE_DEADLINE: Duration = Duration::from_mins(2);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Segments that are remembered as done, so that a look from before does not bring them back.
const MOST_DONE: usize = 50_000;

/// The uploader's task.
pub struct Uploader {
    /// The list.
    pub db: Db,
    /// The switch.
    pub switch: Arc<dyn Switch>,
    /// To the archive.
    pub archive: ArchiveServiceClient<InternalChannel>,
    /// To the disk; the time.
    pub ways: ReportWays,
    /// Told when there is something new on the list.
    pub listed: Arc<Notify>,
    done: Mutex<HashSet<String>>,
}

/// Why a segment is not in the archive yet.
#[derive(Debug, thiserror::Error)]
enum UploadError {
    #[error("the list of segments")]
    Keep(#[from] KeepError),
    #[error("the switch")]
    Switch(#[from] SwitchError),
    #[error("the archive")]
    Archive(#[from] Box<tonic::Status>),
    #[error("the header of segment {0} can't be read")]
    Header(String),
}

impl UploadError {
    /// The same is refused again, however often it is tried.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Header(_) => true,
            Self::Archive(status) => {
                matches!(status.code(), Code::DataLoss | Code::InvalidArgument | Code::FailedPrecondition)
            }
            Self::Keep(_) | Self::Switch(_) => false,
        }
    }
}

impl Uploader {
    /// Nothing is brought before it runs.
    pub fn new(
        db: Db,
        switch: Arc<dyn Switch>,
        archive: &InternalChannel,
        ways: ReportWays,
        listed: Arc<Notify>,
    ) -> Self {
        let archive = ArchiveServiceClient::new(archive.with_default_deadline(STORE_DEADLINE));
        Self { db, switch, archive, ways, listed, done: Mutex::default() }
    }

    /// Until the service stops: a segment that is on its way then is brought after the next start.
    pub async fn run(self) {
        let stopping = self.ways.lifecycle.soft();
        loop {
            let Some(next_us) = stopping.run_until_cancelled(self.round()).await else { return };
            tokio::select! {
                () = self.listed.notified() => {}
                () = self.ways.clock.sleep_until(next_us), if next_us < i64::MAX => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    /// Brings those whose turn it is; says when the next one's is.
    async fn round(&self) -> i64 {
        let _busy = self.ways.clock.busy();
        match self.bring_due().await {
            Ok(next_us) => next_us.unwrap_or(i64::MAX),
            Err(error) => {
                tracing::error!(%error, "the list of segments can't be read or written");
                self.ways.clock.after(LONGEST_PAUSE)
            }
        }
    }

    async fn bring_due(&self) -> Result<Option<i64>, KeepError> {
        let rows = store::due_uploads(&self.db, self.ways.clock.now_us(), MOST_IN_A_ROUND).await?;
        let mut results = stream::iter(rows).map(|row| self.bring(row)).buffer_unordered(AT_ONCE);
        while let Some(result) = results.next().await {
            result?;
        }
        store::next_upload_us(&self.db).await
    }

    /// The error is the disk's. What else goes wrong is noted, so that this one's turn comes again after the others'.
    async fn bring(&self, row: UploadRow) -> Result<(), KeepError> {
        let error = match self.try_bring(&row).await {
            Ok(()) => return Ok(()),
            Err(UploadError::Keep(error)) => return Err(error),
            Err(error) => error,
        };
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let refused = error.is_refusal();
        let is_hopeless = refused && row.refusals + 1 >= MOST_REFUSALS;
        if is_hopeless && self.tell_lost(&row).await {
            tracing::error!(segment.id = %row.segment, %error, source, "the archive will not have a segment: it is reported lost, and its file stays on the switch");
            return self.note(&row, refused, None).await;
        }
        // One failure is a hiccup: the segment is safe where it is, and is fetched again at once.
        if row.failures == 0 {
            tracing::info!(segment.id = %row.segment, %error, source, "a segment is not in the archive yet");
        } else {
            tracing::warn!(segment.id = %row.segment, %error, source, "a segment is not in the archive yet");
        }
        let failures = u32::try_from(row.failures).unwrap_or(u32::MAX).saturating_add(1);
        let pause = retry::endless(SHORTEST_PAUSE, LONGEST_PAUSE).pause(failures);
        self.note(&row, refused, Some(self.ways.clock.after(pause))).await
    }

    async fn note(&self, row: &UploadRow, refused: bool, next_try_at_us: Option<i64>) -> Result<(), KeepError> {
        let failed = FailedUpload { segment: row.segment.clone(), refused, next_try_at_us };
        self.ways.journal.write(Write::UploadFailed(failed)).await
    }

    /// Says whether the archive knows now that it will not get the segment, as far as it can be told.
    async fn tell_lost(&self, row: &UploadRow) -> bool {
        let Ok(header) = SegmentHeader::decode(row.header.as_slice()) else { return true };
        match self.store(SegmentHeader { lost: true, ..header }, stream::empty().boxed()).await {
            Ok(()) => true,
            Err(error) => error.is_refusal(),
        }
    }

    async fn try_bring(&self, row: &UploadRow) -> Result<(), UploadError> {
        if self.is_done(&row.segment) || self.fetch_and_store(row).await? {
            self.set_done(&row.segment);
            gone_is_done(self.switch.delete_recording(&row.segment).await)?;
        }
        let uploaded = Write::Uploaded { segment: row.segment.clone(), lost: row.lost };
        Ok(self.ways.journal.write(uploaded).await?)
    }

    /// Says whether there was a file: the switch knows, whatever was thought when the segment was listed.
    async fn fetch_and_store(&self, row: &UploadRow) -> Result<bool, UploadError> {
        let header = SegmentHeader::decode(row.header.as_slice());
        let mut header = header.map_err(|_| UploadError::Header(row.segment.clone()))?;
        let file = match self.switch.fetch(&row.segment).await {
            Ok(file) => Some(file),
            Err(SwitchError::Gone) => None,
            Err(error) => return Err(error.into()),
        };
        let is_there = file.is_some();
        header.lost = !is_there;
        self.store(header, file.unwrap_or_else(|| stream::empty().boxed())).await?;
        Ok(is_there)
    }

    /// A file that breaks off while it is fetched ends the call, so that the archive never takes a part for the whole.
    async fn store(
        &self,
        header: SegmentHeader,
        file: BoxStream<'static, Result<Bytes, SwitchError>>,
    ) -> Result<(), UploadError> {
        let (broke_off, broken) = oneshot::channel();
        let mut archive = self.archive.clone();
        tokio::select! {
            biased;
            Ok(error) = broken => Err(UploadError::Switch(error)),
            answer = archive.store_segment(messages(header, file, broke_off)) => {
                answer.map(drop).map_err(|status| UploadError::Archive(Box::new(status)))
            }
        }
    }

    fn is_done(&self, segment: &str) -> bool {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).contains(segment)
    }

    fn set_done(&self, segment: &str) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.len() >= MOST_DONE {
            done.clear();
        }
        done.insert(segment.to_owned());
    }
}

/// The header, then the file in pieces. An error is told to `broke_off`, and the stream stays open until the call is dropped.
fn messages(
    header: SegmentHeader,
    file: BoxStream<'static, Result<Bytes, SwitchError>>,
    broke_off: oneshot::Sender<SwitchError>,
) -> impl futures::Stream<Item = StoreSegmentRequest> + Send + 'static {
    let header = StoreSegmentRequest { message: Some(Message::Header(header)) };
    let pieces = stream::unfold((file, Some(broke_off)), |(mut file, mut broke_off)| async move {
        match file.next().await? {
            Ok(data) => Some((chunks(data), (file, broke_off))),
            Err(error) => {
                if let Some(broke_off) = broke_off.take() {
                    // The call may be over already.
                    let _ = broke_off.send(error);
                }
                std::future::pending().await
            }
        }
    });
    stream::once(std::future::ready(header)).chain(pieces.flat_map(stream::iter))
}

fn chunks(mut data: Bytes) -> Vec<StoreSegmentRequest> {
    let mut chunks = Vec::new();
    while !data.is_empty() {
        let chunk = data.split_to(data.len().min(LARGEST_CHUNK));
        chunks.push(StoreSegmentRequest { message: Some(Message::Chunk(chunk)) });
    }
    chunks
}
