//! The data folder: readable by its owner only, used by one `baton up` at a time. A notice in it gives clients the address of
//! that `baton up`.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use baton_runtime::auth::SigningKey;
use baton_runtime::config::RecordingConfig;
use serde::{Deserialize, Serialize};

/// Locked for as long as Baton runs; holds the [`Notice`].
const RUNNING: &str = "up.json";
/// Bytes. A notice is one line; a longer file is not a notice.
const MAX_NOTICE_LEN: u64 = 4096;

#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error(
        "the data folder {} can't be used: make it writable for this user, or choose another one with --data",
        path.display()
    )]
    Unusable { path: PathBuf, source: io::Error },
    #[error(
        "the data folder {} is in use by another `baton up`{holder}: stop that one, or choose another folder with --data",
        path.display()
    )]
    InUse { path: PathBuf, holder: String },
}

/// Where the running Baton listens, for clients that know the folder only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub(crate) address: String,
    pub(crate) pid: u32,
}

/// Locked until it is dropped.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    running: File,
}

impl DataFolder {
    /// Creates the folder if needed, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, FolderError> {
        let unusable = |source| FolderError::Unusable { path: path.to_owned(), source };
        make(path).map_err(unusable)?;
        let file = path.join(RUNNING);
        let running = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(file);
        let running = running.map_err(unusable)?;
        match running.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), running }),
            Err(TryLockError::WouldBlock) => {
                let holder = notice(path).map_or_else(String::new, |it| format!(" (process {})", it.pid));
                Err(FolderError::InUse { path: path.to_owned(), holder })
            }
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the notice.
    pub(crate) fn announce(&mut self, address: &str) -> io::Result<()> {
        let notice = Notice { address: address.to_owned(), pid: std::process::id() };
        self.write(&serde_json::to_vec(&notice)?)
    }

    /// Empties the notice: Baton no longer listens.
    pub(crate) fn withdraw(&mut self) -> io::Result<()> {
        self.write(b"")
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.running.set_len(0)?;
        self.running.rewind()?;
        self.running.write_all(text)
    }
}

/// `None` if no Baton runs in this folder, or it does not listen yet.
pub(crate) fn notice(path: &Path) -> Option<Notice> {
    let mut text = String::new();
    File::open(path.join(RUNNING)).ok()?.take(MAX_NOTICE_LEN).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

pub(crate) fn key_file(path: &Path) -> PathBuf {
    path.join(SigningKey::FILE_NAME)
}

/// Where audio is, with this data folder; `None` if it is in a bucket.
pub(crate) fn recordings(config: &RecordingConfig, data: &Path) -> Option<PathBuf> {
    match &config.storage_url {
        None => Some(data.join("recordings")),
        Some(url) => url.folder().cloned(),
    }
}

/// Creates a folder that only its owner can access.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    // An existing folder may be inaccessible to us; that must be found before anything is started.
    fs::metadata(path).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_refused_with_the_pid_of_the_first() {
        let temporary = tempfile::tempdir().unwrap();
        let mut first = DataFolder::open(temporary.path()).unwrap();
        first.announce("http://127.0.0.1:1").unwrap();
        let error = DataFolder::open(temporary.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
        drop(first);
        assert!(DataFolder::open(temporary.path()).is_ok());
    }

    #[test]
    fn the_notice_is_there_only_while_baton_listens() {
        let temporary = tempfile::tempdir().unwrap();
        let mut folder = DataFolder::open(temporary.path()).unwrap();
        assert_eq!(notice(temporary.path()), None);
        folder.announce("http://127.0.0.1:12345").unwrap();
        assert_eq!(notice(temporary.path()).unwrap().address, "http://127.0.0.1:12345");
        folder.announce("http://127.0.0.1:1").unwrap();
        assert_eq!(notice(temporary.path()).unwrap().address, "http://127.0.0.1:1");
        folder.withdraw().unwrap();
        assert_eq!(notice(temporary.path()), None);
    }

    #[test]
    fn a_new_folder_is_accessible_to_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("a/b");
        let _folder = DataFolder::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
