//! Storing one uploaded file: it is written and checked as it comes, and appears in the storage only if it is right (R4).

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use object_store::path::Path;
use sha2::{Digest as _, Sha256};
use tonic::Status;

use super::files::{Files, meaning};
use super::upload::Upload;
use baton_audio::wav::{WavChecker, WavError, WavLayout};

/// The longest segment: eighteen hours of telephone sound.
pub(crate) const MAX_SEGMENT_BYTES: u64 = 1 << 30;

/// Why a file was not stored. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    /// The sender broke off, or sent another message than a chunk.
    #[error("the upload broke off")]
    Sender(#[from] Box<Status>),
    #[error(transparent)]
    Wav(#[from] WavError),
    #[error("its SHA-256 is {found}, and the switch wrote {expected}")]
    Checksum { expected: String, found: String },
    #[error("a segment has at most {MAX_SEGMENT_BYTES} bytes")]
    TooLong,
    #[error("the audio could not be written: {}", meaning(.0))]
    Storage(#[from] object_store::Error),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFile {
    pub(crate) layout: WavLayout,
    pub(crate) size_bytes: u64,
    /// Hexadecimal.
    pub(crate) sha256: String,
}

/// Stores a file. `expected` is its SHA-256 in hex; empty if the switch gave none.
pub(crate) async fn store_file<S>(
    files: &Files,
    location: &Path,
    expected: &str,
    chunks: S,
) -> Result<StoredFile, IntakeError>
where
    S: Stream<Item = Result<Bytes, Status>> + Unpin,
{
    let mut upload = files.begin(location);
    match write(&mut upload, expected, chunks).await {
        Ok(file) => {
            upload.finish().await?;
            files.tidy(location).await;
            Ok(file)
        }
        Err(error) => {
            upload.abort().await;
            Err(error)
        }
    }
}

async fn write<S>(upload: &mut Upload, expected: &str, mut chunks: S) -> Result<StoredFile, IntakeError>
where
    S: Stream<Item = Result<Bytes, Status>> + Unpin,
{
    let mut wav = WavChecker::default();
    let mut hash = Sha256::new();
    let mut size_bytes = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(Box::new)?;
        size_bytes += chunk.len() as u64;
        if size_bytes > MAX_SEGMENT_BYTES {
            return Err(IntakeError::TooLong);
        }
        wav.push(&chunk)?;
        hash.update(&chunk);
        upload.put(chunk).await?;
    }
    let layout = wav.finish()?;
    let sha256 = hex(&hash.finalize());
    if !expected.is_empty() && !expected.eq_ignore_ascii_case(&sha256) {
        return Err(IntakeError::Checksum { expected: expected.to_owned(), found: sha256 });
    }
    Ok(StoredFile { layout, size_bytes, sha256 })
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|it| [it >> 4, it & 15]);
    digits.map(|it| char::from(DIGITS[usize::from(it)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::testing::{TestStorage, chunks, wav};
    use crate::audio::upload::PART_BYTES;

    const SHA_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    async fn send(
        storage: &TestStorage,
        expected: &str,
        chunks: Vec<Result<Bytes, Status>>,
    ) -> Result<StoredFile, IntakeError> {
        let location = Files::location("acme", "i", "s");
        store_file(&storage.files, &location, expected, futures::stream::iter(chunks)).await
    }

    /// So much audio that it is one part, and so much that it is three.
    const SIZES: [usize; 2] = [1_000, 2 * PART_BYTES + 1_000];

    fn sent(file: &[u8]) -> Vec<Result<Bytes, Status>> {
        chunks(file, if file.len() < 10_000 { 100 } else { 1_000_000 })
    }

    #[tokio::test]
    async fn a_whole_file_is_stored_as_it_came() {
        for storage in TestStorage::each() {
            for file in SIZES.map(wav) {
                let sha256 = hex(&Sha256::digest(&file));
                let stored = send(&storage, &sha256.to_uppercase(), sent(&file)).await.unwrap();
                assert_eq!((stored.size_bytes, stored.sha256), (file.len() as u64, sha256));
                assert!(storage.content(&Files::location("acme", "i", "s")).await == file);
                assert_eq!(storage.names().await, ["acme/i/s.wav"], "{storage:?}");
            }
        }
    }

    #[tokio::test]
    async fn another_checksum_leaves_nothing() {
        for storage in TestStorage::each() {
            for file in SIZES.map(wav) {
                let error = send(&storage, SHA_OF_NOTHING, sent(&file)).await.unwrap_err();
                assert!(matches!(error, IntakeError::Checksum { .. }), "{error}");
                assert_eq!(storage.names().await, [""; 0], "{storage:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_ends_early_leaves_nothing() {
        for storage in TestStorage::each() {
            for file in SIZES.map(wav) {
                let error = send(&storage, "", sent(&file[..file.len() - 200])).await.unwrap_err();
                assert!(matches!(error, IntakeError::Wav(WavError::WrongLength { .. })), "{error}");
                assert_eq!(storage.names().await, [""; 0], "{storage:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_sender_that_breaks_off_leaves_nothing() {
        for storage in TestStorage::each() {
            for file in SIZES.map(wav) {
                let mut sent = sent(&file);
                *sent.last_mut().unwrap() = Err(Status::cancelled("gone"));
                let error = send(&storage, "", sent).await.unwrap_err();
                assert!(matches!(error, IntakeError::Sender(_)), "{error}");
                assert_eq!(storage.names().await, [""; 0], "{storage:?}");
            }
        }
    }

    #[tokio::test]
    async fn an_upload_that_nobody_waits_for_leaves_nothing() {
        for storage in TestStorage::each() {
            let mut upload = storage.files.begin(&Files::location("acme", "i", "s"));
            upload.put(wav(SIZES[1]).into()).await.unwrap();
            assert_eq!(storage.names().await.len(), 1, "it was begun");
            drop(upload);
            let clock = baton_runtime::clock::Clock::real();
            for _ in 0..500 {
                if storage.names().await.is_empty() {
                    break;
                }
                clock.sleep(std::time::Duration::from_millis(10)).await;
            }
            assert_eq!(storage.names().await, [""; 0], "{storage:?}");
        }
    }

    #[tokio::test]
    async fn what_is_one_part_is_one_request() {
        for storage in TestStorage::each() {
            let mut upload = storage.files.begin(&Files::location("acme", "i", "s"));
            upload.put(wav(PART_BYTES - 44).into()).await.unwrap();
            assert_eq!(storage.names().await, [""; 0], "an upload of parts would be here");
            upload.finish().await.unwrap();
            assert_eq!(storage.names().await, ["acme/i/s.wav"]);
        }
    }

    #[tokio::test]
    async fn a_file_may_come_again() {
        for storage in TestStorage::each() {
            for _ in 0..2 {
                send(&storage, "", sent(&wav(1_000))).await.unwrap();
            }
            assert_eq!(storage.names().await, ["acme/i/s.wav"]);
        }
    }
}
