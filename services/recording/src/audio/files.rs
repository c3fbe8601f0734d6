//! The storage of audio: an object store, which is a folder of this machine or a bucket.
//!
//! A file exists whole or not at all, and is there for good before its sender is acknowledged: in a folder it is written under another name,
//! renamed when it has been checked, and on the disk (`fsync`); in a bucket it appears when all of it has come. Names are made of ids that
//! were checked before, so that no text of a caller reaches the storage as a path (X4).

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use baton_runtime::config::{RecordingConfig, StorageUrl};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::bucket::{self, AccessKeyError};
use super::upload::Upload;

/// Why the storage can't be used. That an object store is away is not among them: that shows when it is asked.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error("the recordings folder {} can't be used: make it writable for this user, or set another one (recording.storage_url)", folder.display())]
    Folder { folder: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error(transparent)]
    Key(#[from] AccessKeyError),
    /// For example, no certificate of an authority is on this machine.
    #[error("the client for recording.storage_url can't be made")]
    Client(#[source] object_store::Error),
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the audio could not be read: {}", meaning(.0))]
    Storage(#[from] object_store::Error),
    /// The file has changed since it was stored.
    #[error("the audio has {found} bytes, and {expected} were stored")]
    WrongSize { expected: u64, found: u64 },
    /// The same, and it is as long.
    #[error("it is not what was written")]
    Other,
}

/// What an error of the storage means to whoever runs it, and what to do.
pub(crate) fn meaning(error: &object_store::Error) -> &'static str {
    match error {
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            "the storage refuses it; look at recording.s3_credentials_file, the clock of this machine, and what the key may do \
             (GetObject, PutObject, DeleteObject, AbortMultipartUpload)"
        }
        object_store::Error::NotFound { .. } => {
            "it is not there; look at the bucket or folder in recording.storage_url, which has to be there"
        }
        _ => "the storage is away or out of order; look at it, and at recording.storage_url and recording.s3_endpoint",
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Files {
    store: Arc<dyn ObjectStore>,
    /// `None`: they are in a bucket.
    folder: Option<PathBuf>,
}

impl Files {
    /// The storage of this configuration; `folder` if it names none. A bucket may be away.
    pub(crate) fn of(config: &RecordingConfig, folder: &FsPath) -> Result<Self, FilesError> {
        let (bucket, prefix) = match &config.storage_url {
            None => return Self::open(folder),
            Some(StorageUrl::Folder(folder)) => return Self::open(folder),
            Some(StorageUrl::Bucket { bucket, prefix }) => (bucket, prefix),
        };
        let store = bucket::open(config, bucket)?;
        let store: Arc<dyn ObjectStore> =
            if prefix.is_empty() { Arc::new(store) } else { Arc::new(PrefixStore::new(store, prefix.as_str())) };
        Ok(Self { store, folder: None })
    }

    /// Opens a folder, or creates it.
    pub(crate) fn open(folder: &FsPath) -> Result<Self, FilesError> {
        let failed = |source| FilesError::Folder { folder: folder.to_path_buf(), source };
        std::fs::create_dir_all(folder).map_err(|error| failed(error.into()))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(error.into()))?;
        let store = store.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(store), folder: Some(folder.to_path_buf()) })
    }

    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    pub(crate) fn is_bucket(&self) -> bool {
        self.folder.is_none()
    }

    /// Where a segment is kept.
    pub(crate) fn location(tenant: &str, interaction_id: &str, segment_id: &str) -> Path {
        Path::from_iter([tenant, interaction_id, &format!("{segment_id}.wav")])
    }

    /// Begins a file: it appears when the upload is finished, and nothing is left of one that is dropped.
    pub(crate) fn begin(&self, location: &Path) -> Upload {
        Upload::new(self.clone(), location.clone())
    }

    /// Reads a file; an error if its size is not `expected`.
    pub(crate) async fn read(
        &self,
        location: &Path,
        expected: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, ReadError>>, ReadError> {
        let file = self.store.get(location).await?;
        if file.meta.size != expected {
            return Err(ReadError::WrongSize { expected, found: file.meta.size });
        }
        Ok(file.into_stream().map_err(ReadError::from).boxed())
    }

    /// Deletes a file and the leftovers of its uploads; succeeds if it does not exist.
    pub(crate) async fn delete(&self, location: &Path) -> object_store::Result<()> {
        self.tidy(location).await;
        match self.store.delete(location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes the leftovers of interrupted uploads of this file (`name#1`, `name#2`…). A bucket removes them by a rule of its own.
    pub(crate) async fn tidy(&self, location: &Path) {
        let Some(folder) = &self.folder else { return };
        let file = folder.join(location.as_ref());
        let removed = tokio::task::spawn_blocking(move || remove_leftovers(&file)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(error = %error, "leftovers of an upload could not be removed");
        }
    }
}

fn remove_leftovers(file: &FsPath) -> std::io::Result<()> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(|it| it.to_str())) else {
        return Ok(());
    };
    let prefix = format!("{name}#");
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::testing::TestStorage;

    #[test]
    fn a_location_has_the_tenant_first() {
        let location = Files::location("acme", "0192", "0192-segment-1");
        assert_eq!(location.as_ref(), "acme/0192/0192-segment-1.wav");
    }

    async fn write(files: &Files, location: &Path) {
        let mut upload = files.begin(location);
        upload.put(Bytes::from_static(b"audio")).await.unwrap();
        upload.finish().await.unwrap();
    }

    #[tokio::test]
    async fn what_a_dead_upload_left_goes_and_the_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let location = Files::location("acme", "i", "s");
        write(&files, &location).await;
        let leftover = folder.path().join("acme/i/s.wav#1");
        std::fs::write(&leftover, "torn").unwrap();

        files.tidy(&location).await;

        assert!(!leftover.exists());
        assert!(files.read(&location, 5).await.is_ok());
    }

    #[tokio::test]
    async fn a_file_is_read_as_long_as_it_was_stored() {
        for storage in TestStorage::each() {
            let location = Files::location("acme", "i", "s");
            write(&storage.files, &location).await;
            let read: Vec<Bytes> = storage.files.read(&location, 5).await.unwrap().try_collect().await.unwrap();
            assert_eq!(read.concat(), b"audio");
            let error = storage.files.read(&location, 6).await.err().unwrap();
            assert!(matches!(error, ReadError::WrongSize { found: 5, .. }), "{error}");
        }
    }

    #[tokio::test]
    async fn deleting_twice_is_deleting() {
        for storage in TestStorage::each() {
            let location = Files::location("acme", "i", "s");
            write(&storage.files, &location).await;
            storage.files.delete(&location).await.unwrap();
            storage.files.delete(&location).await.unwrap();
            assert!(storage.files.read(&location, 5).await.is_err());
            assert_eq!(storage.names().await, [""; 0]);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::NamedTempFile::new().unwrap();
        let error = Files::open(&folder.path().join("audio")).unwrap_err();
        assert!(error.to_string().contains("audio"), "{error}");
    }
}
