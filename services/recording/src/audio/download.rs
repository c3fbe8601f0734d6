//! The audio of a download: one segment as it was stored, or all segments of a recording as one WAV file.
//!
//! The header of the joined file is computed from the rows of the segments, and the samples are sent as they are read: a
//! recording of hours needs no more memory than one of seconds. Each file is hashed on the way, and a file that has changed
//! since it was stored ends the stream with an error.

use baton_store::StoreError;
use bytes::Bytes;
use futures::StreamExt as _;
use object_store::path::Path;
use sha2::{Digest as _, Sha256};

use super::chunks::{ChunkSender, SendError};
use super::files::{Files, ReadError};
use super::intake::hex;
use baton_audio::wav::{self, Format};

/// What reading a stored segment needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredPiece {
    pub(crate) location: String,
    pub(crate) size_bytes: u64,
    /// Hexadecimal.
    pub(crate) sha256: String,
    /// Where its audio begins, in bytes.
    pub(crate) data_offset: u64,
    pub(crate) data_bytes: u64,
    pub(crate) format: Format,
}

/// Why segments can't be joined into one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JoinError {
    #[error("it has no audio")]
    Empty,
    #[error("its segments have different sample rates or channels")]
    Mixed,
    #[error("it is longer than a WAV file can be")]
    TooLong,
}

/// Why a download broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The check whether the recording was deleted failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the audio was deleted")]
    Deleted,
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("the service is stopping")]
    Stopping,
    /// A file has changed since it was stored.
    #[error("the audio is not what was stored: its SHA-256 is {found}, and it was {expected}")]
    Changed { expected: String, found: String },
}

impl From<object_store::Error> for DownloadError {
    fn from(error: object_store::Error) -> Self {
        Self::Read(error.into())
    }
}

/// What is sent: a new header and the samples of several files, or one whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AudioDownload {
    header: Bytes,
    pieces: Vec<StoredPiece>,
}

impl AudioDownload {
    /// One segment, byte for byte.
    pub(crate) fn single(piece: StoredPiece) -> Self {
        Self { header: Bytes::new(), pieces: vec![StoredPiece { data_offset: 0, ..piece }] }
    }

    /// The segments one after the other, in this order.
    pub(crate) fn joined(pieces: Vec<StoredPiece>) -> Result<Self, JoinError> {
        let format = pieces.first().ok_or(JoinError::Empty)?.format;
        if pieces.iter().any(|piece| piece.format != format) {
            return Err(JoinError::Mixed);
        }
        let data_bytes = pieces.iter().map(|piece| piece.data_bytes).sum();
        let header = wav::header(format, data_bytes).ok_or(JoinError::TooLong)?;
        Ok(Self { header: Bytes::copy_from_slice(&header), pieces })
    }

    /// Sends everything. `may_go_on` is called before each piece, and again after a read error: if the audio was deleted
    /// meanwhile, that is the error to report.
    pub(crate) async fn send<F>(
        self,
        files: &Files,
        mut out: ChunkSender,
        may_go_on: impl Fn() -> F,
    ) -> Result<(), DownloadError>
    where
        F: Future<Output = Result<(), DownloadError>>,
    {
        out.push(&self.header).await?;
        for piece in &self.pieces {
            may_go_on().await?;
            if let Err(error) = send_piece(files, piece, &mut out).await {
                may_go_on().await?;
                return Err(error);
            }
        }
        Ok(out.flush().await?)
    }
}

async fn send_piece(files: &Files, piece: &StoredPiece, out: &mut ChunkSender) -> Result<(), DownloadError> {
    let mut skip = piece.data_offset as usize;
    let mut hash = Sha256::new();
    let location = Path::from(piece.location.as_str());
    let mut file = files.read(&location, piece.size_bytes).await?;
    while let Some(bytes) = file.next().await {
        let mut bytes = bytes?;
        hash.update(&bytes);
        let head = bytes.split_to(skip.min(bytes.len()));
        skip -= head.len();
        out.push(&bytes).await?;
    }
    let found = hex(&hash.finalize());
    if found == piece.sha256 { Ok(()) } else { Err(DownloadError::Changed { expected: piece.sha256.clone(), found }) }
}

#[cfg(test)]
mod tests {
    use baton_runtime::clock::Clock;
    use futures::future;
    use tokio::sync::mpsc;

    use super::*;
    use crate::audio::chunks::CHUNK_BYTES;
    use crate::audio::intake::store_file;
    use crate::audio::testing::TestStorage;

    const PHONE: Format = Format::PHONE;

    async fn store(files: &Files, name: &str, samples: &[i16]) -> StoredPiece {
        let mut file = wav::header(PHONE, samples.len() as u64 * 2).unwrap().to_vec();
        file.extend(samples.iter().flat_map(|it| it.to_le_bytes()));
        let location = Files::location("acme", "i", name);
        let chunk = futures::stream::iter([Ok(Bytes::from(file))]);
        let stored = store_file(files, &location, "", chunk).await.unwrap();
        StoredPiece {
            location: location.to_string(),
            size_bytes: stored.size_bytes,
            sha256: stored.sha256,
            data_offset: stored.layout.data_offset,
            data_bytes: stored.layout.data_bytes,
            format: stored.layout.format,
        }
    }

    async fn play(files: &Files, playback: AudioDownload) -> Result<Vec<u8>, DownloadError> {
        let (to, mut from) = mpsc::channel(1);
        let (files, out) = (files.clone(), ChunkSender::new(to, Clock::real()));
        let sender =
            baton_runtime::lifecycle::spawn(async move { playback.send(&files, out, || future::ready(Ok(()))).await });
        let mut all = Vec::new();
        while let Some(chunk) = from.recv().await {
            assert!(chunk.len() <= CHUNK_BYTES);
            all.extend_from_slice(&chunk);
        }
        sender.await.unwrap().map(|()| all)
    }

    #[tokio::test]
    async fn segments_are_joined_into_one_file_sample_by_sample() {
        for TestStorage { files, .. } in &TestStorage::each() {
            let first = vec![11; 50_000];
            let pieces =
                vec![store(files, "1", &first).await, store(files, "2", &[]).await, store(files, "3", &[-7; 3]).await];
            let file = play(files, AudioDownload::joined(pieces).unwrap()).await.unwrap();
            let reader = hound::WavReader::new(std::io::Cursor::new(file)).unwrap();
            let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
            assert_eq!(samples, [first, vec![-7; 3]].concat());
        }
    }

    #[tokio::test]
    async fn one_segment_comes_as_it_was_stored() {
        for storage in TestStorage::each() {
            let piece = store(&storage.files, "1", &[1, 2, 3]).await;
            let stored = storage.content(&Path::from(piece.location.as_str())).await;
            assert_eq!(play(&storage.files, AudioDownload::single(piece)).await.unwrap(), stored);
        }
    }

    #[tokio::test]
    async fn a_file_that_changed_in_the_storage_never_passes_for_whole() {
        for storage in TestStorage::each() {
            let piece = store(&storage.files, "1", &[1; 100]).await;
            let location = Path::from(piece.location.as_str());
            let mut bytes = storage.content(&location).await;
            bytes[100] ^= 1;
            storage.write(&location, bytes).await;
            let error = play(&storage.files, AudioDownload::joined(vec![piece]).unwrap()).await.unwrap_err();
            assert!(matches!(error, DownloadError::Changed { .. }), "{error}");
        }
    }

    #[tokio::test]
    async fn a_download_of_what_was_deleted_meanwhile_says_so() {
        for storage in TestStorage::each() {
            let piece = store(&storage.files, "1", &[1; 100]).await;
            storage.files.delete(&Path::from(piece.location.as_str())).await.unwrap();
            let (to, _from) = mpsc::channel(1);
            let asked = std::sync::atomic::AtomicUsize::new(0);
            let is_there = || {
                let asked = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                future::ready(if asked == 0 { Ok(()) } else { Err(DownloadError::Deleted) })
            };
            let sending =
                AudioDownload::single(piece).send(&storage.files, ChunkSender::new(to, Clock::real()), is_there);
            let error = sending.await.unwrap_err();
            assert!(matches!(error, DownloadError::Deleted), "{error}");
        }
    }

    #[tokio::test]
    async fn a_caller_who_reads_nothing_for_a_minute_keeps_no_permit() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let piece = store(&files, "1", &vec![1; 100_000]).await;
        let (clock, driver) = Clock::simulated(0);
        baton_runtime::lifecycle::spawn(driver.run());
        let (to, from) = mpsc::channel(1);
        let error = AudioDownload::single(piece)
            .send(&files, ChunkSender::new(to, clock.clone()), || future::ready(Ok(())))
            .await
            .unwrap_err();
        assert!(matches!(error, DownloadError::Send(SendError::Idle)), "{error}");
        assert_eq!(clock.now_us(), 60_000_000);
        drop(from);
    }

    #[test]
    fn what_cannot_be_one_file_is_refused() {
        let piece = |format, data_bytes| StoredPiece {
            location: String::new(),
            size_bytes: 0,
            sha256: String::new(),
            data_offset: 44,
            data_bytes,
            format,
        };
        let wide = Format { sample_rate: 16_000, channels: 1 };
        assert_eq!(AudioDownload::joined(Vec::new()), Err(JoinError::Empty));
        assert_eq!(AudioDownload::joined(vec![piece(PHONE, 2), piece(wide, 2)]), Err(JoinError::Mixed));
        assert_eq!(AudioDownload::joined(vec![piece(PHONE, 3 << 30), piece(PHONE, 3 << 30)]), Err(JoinError::TooLong));
    }
}
