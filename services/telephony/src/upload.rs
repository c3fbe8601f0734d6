//! Brings closed segments from the switch to the archive, and deletes them on the switch when they are there.
//!
//! The list is on disk. What could not be brought is tried again for ever: only a file that the switch no longer has is given
//! up, and then the archive is told that it is lost.

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

use crate::report::ReportWays;
use crate::retry;
use crate::store::{self, KeepError, UploadRow, Write};
use crate::switch::{Switch, SwitchError, gone_is_done};

const AT_ONCE: usize = 4;
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

    /// Until the service stops.
    pub async fn run(self) {
        let stopping = self.ways.lifecycle.soft();
        let backoff = retry::endless(SHORTEST_PAUSE, LONGEST_PAUSE);
        let mut failures = 0;
        loop {
            failures = if self.round(failures).await { 0 } else { failures + 1 };
            let retry = async {
                if failures > 0 {
                    self.ways.clock.sleep(backoff.pause(failures)).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = self.listed.notified() => {}
                () = retry => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    /// Brings what is on the list; says whether all of it is there now. So many rounds before have failed.
    async fn round(&self, failures: u32) -> bool {
        let _busy = self.ways.clock.busy();
        let rows = match store::uploads(&self.db).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!(%error, "the list of segments can't be read");
                return false;
            }
        };
        let results = stream::iter(rows).map(|row| self.bring(row, failures)).buffer_unordered(AT_ONCE);
        results.fold(true, |all, brought| std::future::ready(all && brought)).await
    }

    async fn bring(&self, row: UploadRow, failures: u32) -> bool {
        let Err(error) = self.try_bring(&row).await else { return true };
        let source = std::error::Error::source(&error).map(ToString::to_string);
        // One failure is a hiccup: the segment is safe where it is, and is fetched again at once.
        if failures == 0 {
            tracing::info!(segment.id = %row.segment, %error, source, "a segment is not in the archive yet");
        } else {
            tracing::warn!(segment.id = %row.segment, %error, source, "a segment is not in the archive yet");
        }
        false
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
