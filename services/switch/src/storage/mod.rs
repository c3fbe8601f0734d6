//! The data folder of the switch: the state that outlives it.
//!
//! ```text
//! recordings/<id>.wav, .json   recordings, written as they go
//! heard/<leg>.wav, .json       what phones heard
//! ledger.jsonl, ledger.1.jsonl everything that happened
//! phones.jsonl                 the phones
//! control.json                 the latest controller
//! lock                         held while a switch uses the folder, so that no two do; its process id
//! ```

mod error;
mod json_lines;
mod tracks;
mod wav;
mod writer;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::{Leftovers, PhoneRecord};

pub use error::StorageError;
pub use tracks::TrackFolder;
pub(crate) use wav::header as wav_header;
pub(crate) use writer::{FolderWriter, Job, RecordingWritten};

use json_lines::{JsonLinesFile, read_tail, replace};

/// In the data folder. A lock on it says that a live switch uses this very folder, not a copy of it.
pub const LOCK_FILE: &str = "lock";

/// So much of the end of the ledger is read at the start.
const LEDGER_TAIL_BYTES: u64 = 8 << 20;
const LEDGER_LONGEST_BYTES: u64 = 64 << 20;
/// At the start the phones' file is written anew, so in between it may grow.
const PHONES_LONGEST_BYTES: u64 = 1 << 30;

/// The data folder, open and locked.
#[derive(Debug)]
pub struct SwitchFolder {
    root: PathBuf,
    tracks: TrackFolder,
    ledger: JsonLinesFile,
    phones: JsonLinesFile,
    /// Held for as long as the switch runs.
    _lock: File,
}

/// The content of `control.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct ControlRecord {
    epoch: i64,
    controller: String,
}

/// A line of `phones.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PhoneLine {
    Put(PhoneRecord),
    Deleted { tenant: String, address: String },
}

impl SwitchFolder {
    /// Opens or creates the folder, and reads the state that earlier runs have left in it.
    pub fn open(root: &Path) -> Result<(Self, Leftovers), StorageError> {
        fs::create_dir_all(root).map_err(StorageError::io("create the folder", root))?;
        let lock = lock(root)?;
        let tracks = TrackFolder::open(root)?;
        let control = read_control(&root.join("control.json"))?;
        let phones_path = root.join("phones.jsonl");
        let phones = read_phones(&phones_path)?;
        rewrite_phones(&phones_path, &phones)?;
        let ledger_path = root.join("ledger.jsonl");
        let leftovers = Leftovers {
            epoch: control.epoch,
            controller: control.controller,
            phones,
            finished: tracks.recordings()?,
            heard: tracks.heard()?,
            ledger: read_tail(&ledger_path, LEDGER_TAIL_BYTES)?,
        };
        let folder = Self {
            root: root.to_owned(),
            tracks,
            ledger: JsonLinesFile::open(ledger_path, LEDGER_LONGEST_BYTES)?,
            phones: JsonLinesFile::open(phones_path, PHONES_LONGEST_BYTES)?,
            _lock: lock,
        };
        Ok((folder, leftovers))
    }

    pub fn tracks(&self) -> &TrackFolder {
        &self.tracks
    }

    pub(crate) fn save_control(&self, epoch: i64, controller: String) -> Result<(), StorageError> {
        let path = self.root.join("control.json");
        let text = serde_json::to_vec(&ControlRecord { epoch, controller });
        replace(&path, &text.map_err(|source| StorageError::Damaged { path: path.clone(), source })?)
    }
}

fn lock(root: &Path) -> Result<File, StorageError> {
    let path = root.join(LOCK_FILE);
    // The file is the holder's until the lock is ours: it must not be emptied before.
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let mut file = file.map_err(StorageError::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StorageError::InUse(root.to_owned())),
        Err(TryLockError::Error(source)) => return Err(StorageError::io("lock", &path)(source)),
    }
    write_holder(&mut file).map_err(StorageError::io("write", &path))?;
    Ok(file)
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(std::process::id().to_string().as_bytes())
}

fn read_control(path: &Path) -> Result<ControlRecord, StorageError> {
    match fs::read(path) {
        Ok(text) => {
            serde_json::from_slice(&text).map_err(|source| StorageError::Damaged { path: path.to_owned(), source })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(ControlRecord::default()),
        Err(error) => Err(StorageError::io("read", path)(error)),
    }
}

fn read_phones(path: &Path) -> Result<Vec<PhoneRecord>, StorageError> {
    let mut phones = BTreeMap::new();
    for line in read_tail(path, PHONES_LONGEST_BYTES)? {
        match line {
            PhoneLine::Put(phone) => {
                phones.insert((phone.tenant.clone(), phone.address.clone()), phone);
            }
            PhoneLine::Deleted { tenant, address } => {
                phones.remove(&(tenant, address));
            }
        }
    }
    Ok(phones.into_values().collect())
}

fn rewrite_phones(path: &Path, phones: &[PhoneRecord]) -> Result<(), StorageError> {
    let mut text = Vec::new();
    for phone in phones {
        let line = serde_json::to_vec(&PhoneLine::Put(phone.clone()));
        text.extend(line.map_err(|source| StorageError::Damaged { path: path.to_owned(), source })?);
        text.push(b'\n');
    }
    replace(path, &text)
}
