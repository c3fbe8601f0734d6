//! The storage of audio: an object store, today a folder on the local disk.
//!
//! A file exists whole or not at all: it is written under another name, renamed when it has been checked, and on the disk
//! (`fsync`) before the sender is acknowledged. Names are made of ids that were checked before, so that no text of a caller
//! reaches the file system as a path (X4).

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};

/// Object stores want parts of at least 5 MiB, but for the last.
const PART_BYTES: usize = 5 * 1_024 * 1_024;

/// Why the storage can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the recordings folder {} can't be used: make it writable for this user, or set another one", folder.display())]
pub struct FilesError {
    folder: PathBuf,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the audio could not be read")]
    Storage(#[from] object_store::Error),
    /// The file has changed since it was stored.
    #[error("the audio has {found} bytes, and {expected} were stored")]
    WrongSize { expected: u64, found: u64 },
}

#[derive(Debug, Clone)]
pub(crate) struct Files {
    store: Arc<dyn ObjectStore>,
    folder: PathBuf,
}

impl Files {
    /// Opens the folder, or creates it.
    pub(crate) fn open(folder: &FsPath) -> Result<Self, FilesError> {
        let failed = |source| FilesError { folder: folder.to_path_buf(), source };
        std::fs::create_dir_all(folder).map_err(|error| failed(error.into()))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(error.into()))?;
        let store = store.with_fsync(true).with_automatic_cleanup(true);
        Ok(Self { store: Arc::new(store), folder: folder.to_path_buf() })
    }

    /// Where a segment is kept.
    pub(crate) fn location(tenant: &str, interaction_id: &str, segment_id: &str) -> Path {
        Path::from_iter([tenant, interaction_id, &format!("{segment_id}.wav")])
    }

    /// Begins a file: it appears when the upload is finished, and nothing is left when the upload is aborted.
    pub(crate) async fn begin(&self, location: &Path) -> object_store::Result<WriteMultipart> {
        let upload = self.store.put_multipart(location).await?;
        Ok(WriteMultipart::new_with_chunk_size(upload, PART_BYTES))
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

    /// Removes the leftovers of interrupted uploads of this file (`name#1`, `name#2`…).
    pub(crate) async fn tidy(&self, location: &Path) {
        let file = self.folder.join(location.as_ref());
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

    #[test]
    fn a_location_has_the_tenant_first() {
        let location = Files::location("acme", "0192", "0192-segment-1");
        assert_eq!(location.as_ref(), "acme/0192/0192-segment-1.wav");
    }

    #[tokio::test]
    async fn what_a_dead_upload_left_goes_and_the_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let location = Files::location("acme", "i", "s");
        let mut upload = files.begin(&location).await.unwrap();
        upload.put(Bytes::from_static(b"audio"));
        upload.finish().await.unwrap();
        let leftover = folder.path().join("acme/i/s.wav#1");
        std::fs::write(&leftover, "torn").unwrap();

        files.tidy(&location).await;

        assert!(!leftover.exists());
        assert!(files.read(&location, 5).await.is_ok());
        assert!(matches!(files.read(&location, 6).await, Err(ReadError::WrongSize { found: 5, .. })));
    }

    #[tokio::test]
    async fn deleting_twice_is_deleting() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::open(folder.path()).unwrap();
        let location = Files::location("acme", "i", "s");
        let mut upload = files.begin(&location).await.unwrap();
        upload.put(Bytes::from_static(b"audio"));
        upload.finish().await.unwrap();
        files.delete(&location).await.unwrap();
        files.delete(&location).await.unwrap();
        assert!(files.read(&location, 5).await.is_err());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::NamedTempFile::new().unwrap();
        let error = Files::open(&folder.path().join("audio")).unwrap_err();
        assert!(error.to_string().contains("audio"), "{error}");
    }
}
