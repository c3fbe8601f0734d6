//! What can go wrong with the data folder.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The data folder can't be used.
#[derive(Debug, Error)]
pub enum StorageError {
    /// Reading or writing failed.
    #[error("cannot {doing} {path}")]
    Io {
        /// What we were doing.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another switch uses the folder.
    #[error("another switch is using {0}; stop it, or choose another data folder")]
    InUse(PathBuf),
    /// A file holds what a switch would not have written.
    #[error("{path} is damaged; move it away to start without it")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl StorageError {
    /// For `map_err`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
