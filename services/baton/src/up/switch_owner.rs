//! Whose a switch is: the bond between a data folder and the switch with its calls.
//!
//! A live switch holds a lock on a file in its folder. A copy of the folder has another file, which nobody has locked: so the card
//! in a copy, which names the switch of the original, is never followed. Whoever drives a switch holds a second lock there
//! ([`SwitchOwner`]), and has written down its data folder, by device and inode. A live switch is taken over only by that folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use baton_switch::storage::LOCK_FILE;
use serde::{Deserialize, Serialize};

/// Locked for as long as a `baton up` drives the switch; holds the [`OwnerRecord`].
const OWNER: &str = "owner.json";

#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnerError {
    #[error("the switch's folder {} can't be used: make it writable for this user", path.display())]
    Unusable { path: PathBuf, source: io::Error },
    #[error(
        "the switch in {} is driven by another `baton up`{holder}: stop that one, or name another switch.data_dir",
        path.display()
    )]
    Driven { path: PathBuf, holder: String },
    #[error(
        "the switch in {} runs{process} with the calls of the data folder {}: start `baton up` with that one, or stop the switch first, \
         which ends its calls",
        path.display(), owner.display()
    )]
    OtherFolder { path: PathBuf, process: String, owner: PathBuf },
}

/// Who has driven the switch last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OwnerRecord {
    pid: u32,
    data: PathBuf,
    device: u64,
    inode: u64,
}

impl OwnerRecord {
    fn of_this_process(data: &Path) -> io::Result<Self> {
        let found = fs::metadata(data)?;
        Ok(Self { pid: std::process::id(), data: fs::canonicalize(data)?, device: found.dev(), inode: found.ino() })
    }

    fn is_of_the_folder_of(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// The right to drive the switch of a folder, until it is dropped.
#[derive(Debug)]
pub(crate) struct SwitchOwner {
    _lock: File,
}

impl SwitchOwner {
    /// Takes the right for a data folder. Refused while another process has it, and while a live switch has another folder's calls.
    pub(crate) fn take(switch_folder: &Path, data: &Path) -> Result<Self, OwnerError> {
        let unusable = |source| OwnerError::Unusable { path: switch_folder.to_owned(), source };
        let file = switch_folder.join(OWNER);
        let mut lock = OpenOptions::new().write(true).create(true).truncate(false).open(&file).map_err(unusable)?;
        let earlier: Option<OwnerRecord> = fs::read(&file).ok().and_then(|it| serde_json::from_slice(&it).ok());
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
            Err(TryLockError::WouldBlock) => {
                let holder = earlier.map_or_else(String::new, |it| format!(" (process {})", it.pid));
                return Err(OwnerError::Driven { path: switch_folder.to_owned(), holder });
            }
        }
        let ours = OwnerRecord::of_this_process(data).map_err(unusable)?;
        if let (Some(earlier), SwitchLife::Runs(pid)) = (earlier, SwitchLife::of(switch_folder))
            && !earlier.is_of_the_folder_of(&ours)
        {
            let process = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            return Err(OwnerError::OtherFolder { path: switch_folder.to_owned(), process, owner: earlier.data });
        }
        write(&mut lock, &ours).map_err(unusable)?;
        Ok(Self { _lock: lock })
    }
}

fn write(file: &mut File, record: &OwnerRecord) -> io::Result<()> {
    let text = serde_json::to_vec(record)?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&text)
}

/// Whether a switch uses a folder now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SwitchLife {
    None,
    /// With its process id, where it has written that down.
    Runs(Option<u32>),
}

impl SwitchLife {
    pub(crate) fn of(switch_folder: &Path) -> Self {
        let file = switch_folder.join(LOCK_FILE);
        let Ok(lock) = File::open(&file) else { return Self::None };
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {
                Self::Runs(fs::read_to_string(file).ok().and_then(|it| it.trim().parse().ok()))
            }
            Ok(()) | Err(TryLockError::Error(_)) => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A switch that runs, as its folder shows it.
    fn running(folder: &Path) -> File {
        fs::write(folder.join(LOCK_FILE), "4711").unwrap();
        let lock = File::open(folder.join(LOCK_FILE)).unwrap();
        lock.try_lock().unwrap();
        lock
    }

    #[test]
    fn n1_a_second_control_plane_is_refused_with_the_process_of_the_first() {
        let [switch, data, other] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let first = SwitchOwner::take(switch.path(), data.path()).unwrap();
        let error = SwitchOwner::take(switch.path(), other.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
        drop(first);
        assert!(SwitchOwner::take(switch.path(), other.path()).is_ok(), "no switch runs: it is free");
    }

    #[test]
    fn n1_a_live_switch_is_taken_over_by_its_own_data_folder_alone() {
        let [switch, data, copy] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        drop(SwitchOwner::take(switch.path(), data.path()).unwrap());
        let _live = running(switch.path());
        let error = SwitchOwner::take(switch.path(), copy.path()).unwrap_err().to_string();
        assert!(error.contains("process 4711"), "{error}");
        assert!(SwitchOwner::take(switch.path(), data.path()).is_ok(), "a refused one has changed nothing");
    }

    #[test]
    fn n1_the_copy_of_a_live_switchs_folder_has_no_live_switch() {
        let [switch, copy] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let _live = running(switch.path());
        fs::copy(switch.path().join(LOCK_FILE), copy.path().join(LOCK_FILE)).unwrap();
        assert_eq!(SwitchLife::of(switch.path()), SwitchLife::Runs(Some(4711)));
        assert_eq!(SwitchLife::of(copy.path()), SwitchLife::None);
    }
}
