//! Whether a storage can be used: a small file is written, read and deleted.

use std::path::Path as FsPath;

use baton_runtime::config::RecordingConfig;
use baton_runtime::ids;
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::path::Path;

use super::files::{Files, FilesError, ReadError, meaning};

/// No tenant has this name.
const FOLDER: &str = ".baton-probe";
const CONTENT: &[u8] = b"Baton looks whether it can write, read and delete here.\n";

/// What a storage does not do, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error(transparent)]
    Open(#[from] FilesError),
    #[error("nothing can be written: {}", meaning(.0))]
    Write(#[source] object_store::Error),
    #[error("what was written can't be read")]
    Read(#[source] ReadFailure),
    #[error("what was written can't be deleted: {}", meaning(.0))]
    Delete(#[source] object_store::Error),
}

/// Why the file of a probe could not be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReadFailure(#[from] ReadError);

/// Writes a file into the storage of this configuration, reads and deletes it. `folder` is the one for recordings in the data folder, if no
/// other storage is named. Where nothing can be deleted the file is left: its name begins with `.baton-probe/`.
pub async fn probe(config: &RecordingConfig, folder: &FsPath) -> Result<(), ProbeError> {
    look(&Files::of(config, folder)?).await
}

pub(crate) async fn look(files: &Files) -> Result<(), ProbeError> {
    let location = Path::from_iter([FOLDER, &ids::new_uuid().to_string()]);
    write(files, &location).await.map_err(ProbeError::Write)?;
    let read = read(files, &location).await;
    let deleted = files.delete(&location).await;
    read.map_err(|error| ProbeError::Read(error.into()))?;
    deleted.map_err(ProbeError::Delete)
}

async fn write(files: &Files, location: &Path) -> object_store::Result<()> {
    let mut upload = files.begin(location);
    upload.put(Bytes::from_static(CONTENT)).await?;
    upload.finish().await
}

async fn read(files: &Files, location: &Path) -> Result<(), ReadError> {
    let chunks: Vec<Bytes> = files.read(location, CONTENT.len() as u64).await?.try_collect().await?;
    if chunks.concat() == CONTENT { Ok(()) } else { Err(ReadError::Other) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::audio::testing::{self, TestStorage};

    /// A file with an access key that nobody knows.
    fn foreign_key() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "aws_access_key_id = baton\naws_secret_access_key = of-somebody\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        file
    }

    async fn refusal(url: &str, endpoint: &str, file: &str) -> ProbeError {
        let error = probe(&testing::config(url, endpoint, file), FsPath::new("/nowhere")).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("of-somebody"), "{error:?}");
        error
    }

    #[tokio::test]
    async fn a_storage_that_can_be_used_is_left_as_it_was() {
        for storage in TestStorage::each() {
            probe(&storage.config, FsPath::new("/nowhere")).await.unwrap();
            assert_eq!(storage.names().await, [""; 0]);
        }
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_found_when_it_is_asked_and_not_before() {
        let key = foreign_key();
        let key = key.path().to_str().unwrap();
        let files = Files::of(&testing::config("s3://audio", "http://127.0.0.1:1", key), FsPath::new("/nowhere"));
        assert!(!format!("{:?}", files.unwrap()).contains("of-somebody"));
        let error = refusal("s3://audio", "http://127.0.0.1:1", key).await;
        assert!(
            error.to_string().starts_with("nothing can be written: the storage is away or out of order"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_key_or_a_bucket_that_the_server_does_not_know_is_said_in_words() {
        let Some([bucket, endpoint, file]) = testing::server() else { return };
        let key = foreign_key();
        let error = refusal(&bucket, &endpoint, key.path().to_str().unwrap()).await;
        assert!(error.to_string().contains("the storage refuses it; look at recording.s3_credentials_file"), "{error}");
        let error = refusal("s3://no-such-bucket", &endpoint, &file).await;
        assert!(error.to_string().contains("it is not there; look at the bucket"), "{error} {error:?}");
    }

    #[tokio::test]
    async fn a_key_file_that_will_not_do_is_refused_at_once() {
        let error = refusal("s3://audio", "http://127.0.0.1:1", "/nowhere/key").await;
        assert!(matches!(error, ProbeError::Open(FilesError::Key(_))), "{error}");
    }
}
