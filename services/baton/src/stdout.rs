//! Standard output. A closed pipe (`baton events tail | head`) is no failure; every other write that fails is one.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::OnceLock;

/// The first write that failed. A server goes on when its messages can't be written, and says so at its end.
static FAILED: OnceLock<StdoutError> = OnceLock::new();

#[derive(Debug, Clone, thiserror::Error)]
#[error("standard output can't be written: {text}")]
pub(crate) struct StdoutError {
    kind: io::ErrorKind,
    text: String,
}

impl StdoutError {
    /// Whoever read it has read enough.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.kind == io::ErrorKind::BrokenPipe
    }
}

impl From<io::Error> for StdoutError {
    fn from(error: io::Error) -> Self {
        Self { kind: error.kind(), text: error.to_string() }
    }
}

/// Prints a line.
pub(crate) fn try_print_line(text: &str) -> Result<(), StdoutError> {
    noted(write(&format!("{text}\n")))
}

/// Prints a line; a failure is ignored until the end, because a server does not end when its messages are not read.
pub(crate) fn print_line(line: &str) {
    let _ = try_print_line(line);
}

/// Remembers the first failure.
pub(crate) fn noted(written: io::Result<()>) -> Result<(), StdoutError> {
    written.map_err(StdoutError::from).inspect_err(|error| {
        let _ = FAILED.set(error.clone());
    })
}

/// Whether all was written so far.
pub(crate) fn outcome() -> Result<(), StdoutError> {
    FAILED.get().map_or(Ok(()), |error| Err(error.clone()))
}

/// Not through [`std::io::Stdout`], which takes an output that was not opened for writing for one that is closed on purpose.
fn write(text: &str) -> io::Result<()> {
    let out = io::stdout().lock();
    File::from(out.as_fd().try_clone_to_owned()?).write_all(text.as_bytes())
}
