//! Uploads closed segments and messages in voicemail from the switch to the archive, and deletes them on the switch after that.
//!
//! The list of uploads is stored, and each has its own time of the next try, so that one delays no other. An upload is
//! tried again for ever, with two exceptions: the switch no longer has the file, or the archive has refused it
//! `MOST_REFUSALS` times. Then the archive is notified that the segment is lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use baton_api::recording::v1::archive_service_client::ArchiveServiceClient;
use baton_api::recording::v1::store_segment_request::Message;
use baton_api::recording::v1::{SegmentHeader, StoreSegmentRequest};
use baton_runtime::client::InternalChannel;
use baton_store::Db;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::sync::{Notify, oneshot};
use tonic::Code;

use crate::report::ReportContext;
use crate::retry;
use crate::store::{self, FailedUpload, PersistError, StoreWrite, UploadRow};
use crate::switch::{SwitchPort, SwitchPortError, gone_is_done};

const AT_ONCE: usize = 4;
/// Read from the list in one round; the others follow.
const MOST_IN_A_ROUND: i64 = 64;
/// A file that was damaged on its way is whole at one of the next tries. About half a minute passes until this many.
const MOST_REFUSALS: i64 = 10;
const LARGEST_CHUNK: usize = 64 * 1024;
/// An hour of audio is 58 MB.
const STORE_DEADLINE: Duration = Duration::from_mins(2);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Uploaded segments that are remembered, so that a snapshot from before the upload does not cause another one.
const MOST_DONE: usize = 50_000;

pub struct Uploader {
    pub db: Db,
    pub switch: Arc<dyn SwitchPort>,
    pub archive: ArchiveServiceClient<InternalChannel>,
    pub context: ReportContext,
    /// Notified of each new upload.
    pub listed: Arc<Notify>,
    done: Mutex<HashSet<String>>,
}

/// Why a segment is not in the archive yet.
#[derive(Debug, thiserror::Error)]
enum UploadError {
    #[error("the list of segments")]
    Persist(#[from] PersistError),
    #[error("the switch")]
    Switch(#[from] SwitchPortError),
    #[error("the archive")]
    Archive(#[from] Box<tonic::Status>),
    #[error("the header of segment {0} can't be read")]
    Header(String),
}

impl UploadError {
    /// The archive, or this service, refuses the file itself, so that another try will probably end alike.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Header(_) => true,
            Self::Archive(status) => {
                matches!(status.code(), Code::DataLoss | Code::InvalidArgument | Code::FailedPrecondition)
            }
            Self::Persist(_) | Self::Switch(_) => false,
        }
    }
}

impl Uploader {
    pub fn new(
        db: Db,
        switch: Arc<dyn SwitchPort>,
        archive: &InternalChannel,
        context: ReportContext,
        listed: Arc<Notify>,
    ) -> Self {
        let archive = ArchiveServiceClient::new(archive.with_default_deadline(STORE_DEADLINE));
        Self { db, switch, archive, context, listed, done: Mutex::default() }
    }

    /// Until the service stops: an upload that is under way then is repeated after the next start.
    pub async fn run(self) {
        let stopping = self.context.lifecycle.soft();
        loop {
            let Some(next_us) = stopping.run_until_cancelled(self.round()).await else { return };
            tokio::select! {
                () = self.listed.notified() => {}
                () = self.context.clock.sleep_until(next_us), if next_us < i64::MAX => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    /// Uploads all that are due; returns when the next one is.
    async fn round(&self) -> i64 {
        let _busy = self.context.clock.busy();
        match self.upload_due().await {
            Ok(next_us) => next_us.unwrap_or(i64::MAX),
            Err(error) => {
                tracing::error!(%error, "the list of segments can't be read or written");
                self.context.clock.after(LONGEST_PAUSE)
            }
        }
    }

    async fn upload_due(&self) -> Result<Option<i64>, PersistError> {
        let rows = store::due_uploads(&self.db, self.context.clock.now_us(), MOST_IN_A_ROUND).await?;
        let mut results = stream::iter(rows).map(|row| self.upload(row)).buffer_unordered(AT_ONCE);
        while let Some(result) = results.next().await {
            result?;
        }
        store::next_upload_us(&self.db).await
    }

    /// The error is the database's. Other errors are stored with the upload, which is tried again later.
    async fn upload(&self, row: UploadRow) -> Result<(), PersistError> {
        let error = match self.try_upload(&row).await {
            Ok(()) => return Ok(()),
            Err(UploadError::Persist(error)) => return Err(error),
            Err(error) => error,
        };
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let refused = error.is_refusal();
        let is_hopeless = refused && row.refusals + 1 >= MOST_REFUSALS;
        if is_hopeless && self.report_lost(&row).await {
            tracing::error!(segment.id = %row.segment, %error, source, "the archive will not have a segment: it is reported lost, and its file stays on the switch");
            return self.note(&row, refused, None).await;
        }
        // The first failure is no reason to warn: the segment is safe on the switch, and is fetched again at once.
        if row.failures == 0 {
            tracing::info!(segment.id = %row.segment, %error, source, "a segment is not in the archive yet");
        } else {
            tracing::warn!(segment.id = %row.segment, %error, source, "a segment is not in the archive yet");
        }
        let failures = u32::try_from(row.failures).unwrap_or(u32::MAX).saturating_add(1);
        let pause = retry::endless(SHORTEST_PAUSE, LONGEST_PAUSE).pause(failures);
        self.note(&row, refused, Some(self.context.clock.after(pause))).await
    }

    async fn note(&self, row: &UploadRow, refused: bool, next_try_at_us: Option<i64>) -> Result<(), PersistError> {
        let failed = FailedUpload { segment: row.segment.clone(), refused, next_try_at_us };
        self.context.journal.write(StoreWrite::UploadFailed(failed)).await
    }

    /// Returns whether the archive was notified, or can't be.
    async fn report_lost(&self, row: &UploadRow) -> bool {
        let Ok(header) = SegmentHeader::decode(row.header.as_slice()) else { return true };
        match self.store(SegmentHeader { lost: true, ..header }, stream::empty().boxed()).await {
            Ok(()) => true,
            Err(error) => error.is_refusal(),
        }
    }

    async fn try_upload(&self, row: &UploadRow) -> Result<(), UploadError> {
        if self.is_done(&row.segment) || self.fetch_and_store(row).await? {
            self.set_done(&row.segment);
            gone_is_done(self.switch.delete_recording(&row.segment).await)?;
        }
        let uploaded = StoreWrite::Uploaded { segment: row.segment.clone(), lost: row.lost };
        Ok(self.context.journal.write(uploaded).await?)
    }

    /// Returns whether the switch has the file, whatever was known when the upload was stored.
    async fn fetch_and_store(&self, row: &UploadRow) -> Result<bool, UploadError> {
        let header = SegmentHeader::decode(row.header.as_slice());
        let mut header = header.map_err(|_| UploadError::Header(row.segment.clone()))?;
        let fetched = match self.switch.fetch(&row.segment).await {
            Ok(fetched) => fetched,
            Err(SwitchPortError::Gone) => {
                header.lost = true;
                return self.store(header, stream::empty().boxed()).await.map(|()| false);
            }
            Err(error) => return Err(error.into()),
        };
        header.lost = false;
        if header.voicemail.is_some() {
            // Nobody heard it end: what it is like is in the file alone.
            (header.started_at_us, header.ended_at_us) = (fetched.started_at_us, fetched.ended_at_us);
            (header.sha256, header.torn) = (fetched.sha256, fetched.torn);
        }
        self.store(header, fetched.file).await.map(|()| true)
    }

    /// A fetch that breaks off ends the call to the archive, so that it never takes a part of the file for the whole.
    async fn store(
        &self,
        header: SegmentHeader,
        file: BoxStream<'static, Result<Bytes, SwitchPortError>>,
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
        self.done.lock().contains(segment)
    }

    fn set_done(&self, segment: &str) {
        let mut done = self.done.lock();
        if done.len() >= MOST_DONE {
            done.clear();
        }
        done.insert(segment.to_owned());
    }
}

/// The header, then the file in pieces. An error goes to `broke_off`, and the stream stays open until the call is dropped.
fn messages(
    header: SegmentHeader,
    file: BoxStream<'static, Result<Bytes, SwitchPortError>>,
    broke_off: oneshot::Sender<SwitchPortError>,
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
