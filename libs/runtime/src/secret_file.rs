//! Who can read the files with keys and passwords.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// Why a file with a secret is not used. Whoever shows it writes the setting before it.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    #[error("{} can't be read: {source}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("{} can be read by others: run chmod 600 {}", file.display(), file.display())]
    Exposed { file: PathBuf },
}

/// The text of a file that only those can read who have to.
pub fn read(file: &Path) -> Result<String, SecretFileError> {
    let unreadable = |source| SecretFileError::Unreadable { file: file.to_owned(), source };
    if is_exposed(&fs::metadata(file).map_err(unreadable)?) {
        return Err(SecretFileError::Exposed { file: file.to_owned() });
    }
    fs::read_to_string(file).map_err(unreadable)
}

/// Whether others can read a file than those who have to. Of a file of root's its group are among these, for a process that is not root: a container
/// gets its secrets so.
pub fn is_exposed(file: &Metadata) -> bool {
    exposes((file.uid(), file.mode()), geteuid().as_raw())
}

fn exposes((owner, mode): (u32, u32), reader: u32) -> bool {
    let is_given_by_root = owner == 0 && reader != 0;
    let others = if is_given_by_root { 0o037 } else { 0o077 };
    mode & others != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_may_read_what_root_gives_and_nobody_else_anything() {
        const READER: u32 = 65_532;
        for (owner, mode) in [(READER, 0o600), (READER, 0o400), (0, 0o400), (0, 0o440), (0, 0o100_640)] {
            assert!(!exposes((owner, mode), READER), "{owner} {mode:o}");
        }
        for (owner, mode) in [(READER, 0o640), (1, 0o440), (0, 0o444), (0, 0o460), (0, 0o404)] {
            assert!(exposes((owner, mode), READER), "{owner} {mode:o}");
        }
        assert!(exposes((0, 0o640), 0), "its own file, for root");
    }
}
