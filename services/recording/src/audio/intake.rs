//! Storing one uploaded file: it is written and checked as it comes, and appears in the storage only if it is right (R4).

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use object_store::WriteMultipart;
use object_store::path::Path;
use sha2::{Digest as _, Sha256};
use tonic::Status;

use super::files::Files;
use baton_audio::wav::{WavChecker, WavError, WavLayout};

/// The longest segment: eighteen hours of telephone sound.
pub(crate) const MAX_SEGMENT_BYTES: u64 = 1 << 30;
/// How many parts may be on their way to the storage while the next one comes in.
const PARTS_IN_FLIGHT: usize = 2;

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
    #[error("the audio could not be written")]
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
    let mut upload = files.begin(location).await?;
    match write(&mut upload, expected, chunks).await {
        Ok(file) => {
            upload.finish().await?;
            files.tidy(location).await;
            Ok(file)
        }
        Err(error) => {
            // Leftovers of a failed abort are removed by `tidy` when the segment is sent again.
            let _ = upload.abort().await;
            Err(error)
        }
    }
}

async fn write<S>(upload: &mut WriteMultipart, expected: &str, mut chunks: S) -> Result<StoredFile, IntakeError>
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
        upload.wait_for_capacity(PARTS_IN_FLIGHT).await?;
        upload.put(chunk);
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
    use baton_audio::wav::{Format, header};

    const SHA_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn wav(data: usize) -> Vec<u8> {
        let mut file = header(Format::PHONE, data as u64).unwrap().to_vec();
        file.resize(44 + data, 1);
        file
    }

    async fn send(
        folder: &std::path::Path,
        expected: &str,
        chunks: Vec<Result<Bytes, Status>>,
    ) -> Result<StoredFile, IntakeError> {
        let files = Files::open(folder).unwrap();
        store_file(&files, &Files::location("acme", "i", "s"), expected, futures::stream::iter(chunks)).await
    }

    fn chunks(file: &[u8]) -> Vec<Result<Bytes, Status>> {
        file.chunks(100).map(|it| Ok(Bytes::copy_from_slice(it))).collect()
    }

    fn names(folder: &std::path::Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(folder.join("acme/i")) else { return Vec::new() };
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_whole_file_is_stored_as_it_came() {
        let folder = tempfile::tempdir().unwrap();
        let file = wav(1_000);
        let sha256 = hex(&Sha256::digest(&file));
        let stored = send(folder.path(), &sha256.to_uppercase(), chunks(&file)).await.unwrap();
        assert_eq!((stored.size_bytes, stored.sha256), (1_044, sha256));
        assert_eq!(std::fs::read(folder.path().join("acme/i/s.wav")).unwrap(), file);
        assert_eq!(names(folder.path()), ["s.wav"]);
    }

    #[tokio::test]
    async fn another_checksum_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let error = send(folder.path(), SHA_OF_NOTHING, chunks(&wav(1_000))).await.unwrap_err();
        assert!(matches!(error, IntakeError::Checksum { .. }), "{error}");
        assert!(names(folder.path()).is_empty());
    }

    #[tokio::test]
    async fn a_file_that_ends_early_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let error = send(folder.path(), "", chunks(&wav(1_000)[..800])).await.unwrap_err();
        assert!(matches!(error, IntakeError::Wav(WavError::WrongLength { .. })), "{error}");
        assert!(names(folder.path()).is_empty());
    }

    #[tokio::test]
    async fn a_sender_that_breaks_off_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut sent = chunks(&wav(1_000));
        sent[5] = Err(Status::cancelled("gone"));
        let error = send(folder.path(), "", sent).await.unwrap_err();
        assert!(matches!(error, IntakeError::Sender(_)), "{error}");
        assert!(names(folder.path()).is_empty());
    }
}
