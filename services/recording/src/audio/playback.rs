//! Giving audio out: one segment as it was stored, or all segments of a recording as one WAV file.
//!
//! The header of the joined file is computed from what is known of the segments, and the samples are passed on as they are
//! read: a recording of hours costs no more memory than one of seconds. Each file is hashed on the way, and one that is no
//! longer what was stored ends the stream with an error instead of passing for whole.

use baton_store::StoreError;
use bytes::Bytes;
use futures::StreamExt as _;
use object_store::path::Path;
use sha2::{Digest as _, Sha256};

use super::files::{Files, ReadError};
use super::intake::hex;
use super::out::{NotTaken, Out};
use super::wav::{self, Format};

/// A stored segment, as far as reading it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where the file is.
    pub(crate) location: String,
    /// Its size.
    pub(crate) size_bytes: u64,
    /// Its SHA-256, hex.
    pub(crate) sha256: String,
    /// Where its audio begins.
    pub(crate) data_offset: u64,
    /// How much audio it has.
    pub(crate) data_bytes: u64,
    /// How its samples are laid out.
    pub(crate) format: Format,
}

/// Why segments can't be given out as one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JoinError {
    /// There is none.
    #[error("it has no audio")]
    Empty,
    /// They were written in different formats.
    #[error("its segments have different sample rates or channels")]
    Mixed,
    /// Together they are longer than a WAV file can be.
    #[error("it is longer than a WAV file can be")]
    TooLong,
}

/// Why a stream of audio broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaybackError {
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It could not be seen whether it may still be heard.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was deleted meanwhile.
    #[error("the audio was deleted")]
    Deleted,
    /// The listener is gone, or as good as gone.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    /// The service is.
    #[error("the service is stopping")]
    Stopping,
    /// A file is no longer what was stored.
    #[error("the audio is not what was stored: its SHA-256 is {found}, and it was {expected}")]
    Changed {
        /// What was stored.
        expected: String,
        /// What there is.
        found: String,
    },
}

impl From<object_store::Error> for PlaybackError {
    fn from(error: object_store::Error) -> Self {
        Self::Read(error.into())
    }
}

/// What is sent: a header of ours, and the files without what precedes their audio; or one file with everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Playback {
    header: Bytes,
    pieces: Vec<Piece>,
}

impl Playback {
    /// One segment, byte for byte.
    pub(crate) fn single(piece: Piece) -> Self {
        Self { header: Bytes::new(), pieces: vec![Piece { data_offset: 0, ..piece }] }
    }

    /// The segments one after the other, in this order.
    pub(crate) fn joined(pieces: Vec<Piece>) -> Result<Self, JoinError> {
        let format = pieces.first().ok_or(JoinError::Empty)?.format;
        if pieces.iter().any(|piece| piece.format != format) {
            return Err(JoinError::Mixed);
        }
        let data_bytes = pieces.iter().map(|piece| piece.data_bytes).sum();
        let header = wav::header(format, data_bytes).ok_or(JoinError::TooLong)?;
        Ok(Self { header: header.into(), pieces })
    }

    /// Sends everything. `may_go_on` is asked before each piece, and again when one can't be read: that its audio was deleted
    /// meanwhile is the better reason.
    pub(crate) async fn send<F>(
        self,
        files: &Files,
        mut out: Out,
        may_go_on: impl Fn() -> F,
    ) -> Result<(), PlaybackError>
    where
        F: Future<Output = Result<(), PlaybackError>>,
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

async fn send_piece(files: &Files, piece: &Piece, out: &mut Out) -> Result<(), PlaybackError> {
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
    if found == piece.sha256 { Ok(()) } else { Err(PlaybackError::Changed { expected: piece.sha256.clone(), found }) }
}

#[cfg(test)]
mod tests {
    use baton_runtime::clock::Clock;
    use futures::future;
    use tokio::sync::mpsc;

    use super::*;
    use crate::audio::intake::take_in;
    use crate::audio::out::CHUNK_BYTES;

    const PHONE: Format = Format { sample_rate: 8_000, channels: 1 };

    async fn store(files: &Files, name: &str, samples: &[i16]) -> Piece {
        let mut file = wav::header(PHONE, samples.len() as u64 * 2).unwrap();
        file.extend(samples.iter().flat_map(|it| it.to_le_bytes()));
        let location = Files::location("acme", "i", name);
        let chunk = futures::stream::iter([Ok(Bytes::from(file))]);
        let taken = take_in(files, &location, "", chunk).await.unwrap();
        Piece {
            location: location.to_string(),
            size_bytes: taken.size_bytes,
            sha256: taken.sha256,
            data_offset: taken.shape.data_offset,
            data_bytes: taken.shape.data_bytes,
            format: taken.shape.format,
        }
    }

    async fn play(files: &Files, playback: Playback) -> Result<Vec<u8>, PlaybackError> {
        let (to, mut from) = mpsc::channel(1);
        let (files, out) = (files.clone(), Out::new(to, Clock::real()));
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
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let first = vec![11; 50_000];
        let pieces =
            vec![store(&files, "1", &first).await, store(&files, "2", &[]).await, store(&files, "3", &[-7; 3]).await];
        let file = play(&files, Playback::joined(pieces).unwrap()).await.unwrap();
        let reader = hound::WavReader::new(std::io::Cursor::new(file)).unwrap();
        let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
        assert_eq!(samples, [first, vec![-7; 3]].concat());
    }

    #[tokio::test]
    async fn one_segment_comes_as_it_was_stored() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let piece = store(&files, "1", &[1, 2, 3]).await;
        let stored = std::fs::read(folder.path().join(&piece.location)).unwrap();
        assert_eq!(play(&files, Playback::single(piece)).await.unwrap(), stored);
    }

    #[tokio::test]
    async fn a_file_that_changed_on_disk_never_passes_for_whole() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let piece = store(&files, "1", &[1; 100]).await;
        let path = folder.path().join(&piece.location);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[100] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let error = play(&files, Playback::joined(vec![piece]).unwrap()).await.unwrap_err();
        assert!(matches!(error, PlaybackError::Changed { .. }), "{error}");
    }

    #[tokio::test]
    async fn who_reads_nothing_for_a_minute_keeps_no_place() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let piece = store(&files, "1", &vec![1; 100_000]).await;
        let (clock, driver) = Clock::simulated(0);
        baton_runtime::lifecycle::spawn(driver.run());
        let (to, from) = mpsc::channel(1);
        let error = Playback::single(piece)
            .send(&files, Out::new(to, clock.clone()), || future::ready(Ok(())))
            .await
            .unwrap_err();
        assert!(matches!(error, PlaybackError::NotTaken(NotTaken::Idle)), "{error}");
        assert_eq!(clock.now_us(), 60_000_000);
        drop(from);
    }

    #[test]
    fn what_cannot_be_one_file_is_refused() {
        let piece = |format, data_bytes| Piece {
            location: String::new(),
            size_bytes: 0,
            sha256: String::new(),
            data_offset: 44,
            data_bytes,
            format,
        };
        let wide = Format { sample_rate: 16_000, channels: 1 };
        assert_eq!(Playback::joined(Vec::new()), Err(JoinError::Empty));
        assert_eq!(Playback::joined(vec![piece(PHONE, 2), piece(wide, 2)]), Err(JoinError::Mixed));
        assert_eq!(Playback::joined(vec![piece(PHONE, 3 << 30), piece(PHONE, 3 << 30)]), Err(JoinError::TooLong));
    }
}
