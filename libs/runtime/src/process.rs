//! Operating system limits that a server process sets before it does anything else.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// Makes files and folders that are created from now on readable by their owner only: databases and recordings hold personal
/// data, and the data folder may be open to everybody.
pub fn keep_files_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Raises the limit of open files to the maximum. A connection is an open file, and the usual limit is too low for a server.
pub fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

pub(crate) fn file_limit() -> usize {
    let current = getrlimit(Resource::Nofile).current;
    current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn new_files_and_folders_are_readable_by_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        umask(Mode::WGRP | Mode::WOTH);
        keep_files_private();
        let (file, inner) = (folder.path().join("file"), folder.path().join("folder"));
        std::fs::write(&file, "").unwrap();
        std::fs::create_dir(&inner).unwrap();
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file), mode(inner)), (0o600, 0o700));
    }

    #[test]
    fn the_limit_of_files_is_raised_as_far_as_it_goes() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: Some(200), maximum }).unwrap();
        assert_eq!(file_limit(), 200);
        raise_file_limit();
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
    }
}
