//! Who can read the files with keys and passwords.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use rustix::process::geteuid;

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
