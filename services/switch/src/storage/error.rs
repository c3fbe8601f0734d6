//! Errors of the data folder.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

#[derive(Debug, Error)]
pub enum StorageError {
    #[error("cannot {doing} {path}")]
    Io {
        /// A verb for the message, as "open".
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Another switch uses the folder.
    #[error("another switch is using {0}; stop it, or choose another data folder")]
    InUse(PathBuf),
    /// The content of a file can't be parsed.
    #[error("{path} is damaged; move it away to start without it")]
    Damaged { path: PathBuf, source: serde_json::Error },
}

impl StorageError {
    /// For `map_err`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
