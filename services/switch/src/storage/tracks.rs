//! Files of sound.
//!
//! Each is a WAV file with a small JSON file beside it that describes it (the sidecar). Until the file is complete, the header says
//! "no samples" and the sidecar has no length; a file that is found so at the start was torn when the switch was killed, and is
//! repaired from its length. A file is opened anew for each piece: at a few hundred pieces a second that costs nothing,
//! and a thousand calls don't need a thousand open files.
//!
//! A recording is on the disk before its sidecar says that it is complete. Files of what phones heard, and sidecars of incomplete
//! files, are not synced: a power cut may cost them. A sidecar that can't be parsed is renamed, so that it does not prevent the start.
//! A file that is shorter than its sidecar says counts as torn.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::engine::ids::RoomId;
use crate::engine::model::FinishedRecording;
use crate::engine::tones::SAMPLE_US;
use crate::engine::{HeardRecord, TrackAbout, TrackKey, WrittenTrack};

use super::error::StorageError;
use super::json_lines::{replace, replace_lazily};
use super::wav;

/// The content of the JSON file.
#[derive(Debug, Serialize, Deserialize)]
struct Sidecar {
    key: TrackKey,
    about: TrackAbout,
    complete: Option<Complete>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Complete {
    ended_at_us: i64,
    sample_count: i64,
    sha256: String,
    torn: bool,
}

#[derive(Debug, Clone)]
pub struct TrackFolder {
    recordings: PathBuf,
    heard: PathBuf,
}

impl TrackFolder {
    pub(crate) fn open(root: &Path) -> Result<Self, StorageError> {
        let folder = Self { recordings: root.join("recordings"), heard: root.join("heard") };
        for path in [&folder.recordings, &folder.heard] {
            fs::create_dir_all(path).map_err(StorageError::io("create the folder", path))?;
        }
        Ok(folder)
    }

    /// The path of a track's file. Ids have a closed alphabet, so an id is a file name.
    pub fn wav(&self, key: &TrackKey) -> PathBuf {
        self.path(key, "wav")
    }

    pub(crate) fn begin(&self, key: TrackKey, about: TrackAbout) -> Result<(), StorageError> {
        let path = self.wav(&key);
        fs::write(&path, wav::header(0)).map_err(StorageError::io("create", &path))?;
        self.save(&Sidecar { key, about, complete: None })
    }

    pub(crate) fn append(&self, key: &TrackKey, samples: &[i16]) -> Result<(), StorageError> {
        let path = self.wav(key);
        let mut file = OpenOptions::new().append(true).open(&path).map_err(StorageError::io("open", &path))?;
        file.write_all(&baton_audio::wav::bytes(samples)).map_err(StorageError::io("write to", &path))
    }

    pub(crate) fn complete(&self, key: &TrackKey, ended_at_us: i64) -> Result<WrittenTrack, StorageError> {
        let mut sidecar = load(&self.path(key, "json"))?;
        let complete = self.finish(key, |_| ended_at_us, false)?;
        sidecar.complete = Some(complete.clone());
        self.save(&sidecar)?;
        Ok(WrittenTrack { sample_count: complete.sample_count, sha256: complete.sha256 })
    }

    pub(crate) fn delete(&self, key: &TrackKey) -> Result<(), StorageError> {
        for path in [self.wav(key), self.path(key, "json")] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(StorageError::io("delete", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The recordings of earlier runs; torn ones are repaired.
    pub(crate) fn recordings(&self) -> Result<Vec<FinishedRecording>, StorageError> {
        let all = self.load_all(&self.recordings)?;
        Ok(all.into_iter().filter_map(|(sidecar, complete)| recording(sidecar, complete)).collect())
    }

    /// What phones heard in earlier runs; torn files are repaired.
    pub(crate) fn heard(&self) -> Result<Vec<HeardRecord>, StorageError> {
        let all = self.load_all(&self.heard)?;
        Ok(all.into_iter().filter_map(|(sidecar, complete)| heard(sidecar, &complete)).collect())
    }

    fn load_all(&self, folder: &Path) -> Result<Vec<(Sidecar, Complete)>, StorageError> {
        let mut all = Vec::new();
        for entry in fs::read_dir(folder).map_err(StorageError::io("list", folder))? {
            let path = entry.map_err(StorageError::io("list", folder))?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                match self.load_or_repair(&path) {
                    Err(StorageError::Damaged { path, source }) => rename_damaged(&path, &source)?,
                    loaded => all.extend(loaded?),
                }
            }
        }
        Ok(all)
    }

    /// `None` if the WAV file is gone: the switch was killed while it deleted the track.
    fn load_or_repair(&self, path: &Path) -> Result<Option<(Sidecar, Complete)>, StorageError> {
        let mut sidecar = load(path)?;
        if let Some(complete) = sidecar.complete.clone() {
            let length = fs::metadata(self.wav(&sidecar.key)).map(|it| it.len());
            if length.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                tracing::warn!(file = %path.display(), "a file of sound is gone; what was known of it goes, too");
                self.delete(&sidecar.key)?;
                return Ok(None);
            }
            if length.map_err(StorageError::io("look at", path))? >= wav::length(complete.sample_count) {
                return Ok(Some((sidecar, complete)));
            }
        }
        let started_at_us = sidecar.about.started_at_us;
        let complete = self.finish(&sidecar.key, |samples| started_at_us + samples * SAMPLE_US, true)?;
        tracing::warn!(samples = complete.sample_count, "repaired a file that was torn when the switch died");
        sidecar.complete = Some(complete.clone());
        self.save(&sidecar)?;
        Ok(Some((sidecar, complete)))
    }

    /// Writes the true length into the header.
    fn finish(&self, key: &TrackKey, ended: impl FnOnce(i64) -> i64, torn: bool) -> Result<Complete, StorageError> {
        let path = self.wav(key);
        let seal = || {
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            let samples = wav::samples_in(file.metadata()?.len());
            file.set_len(wav::length(samples))?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&wav::header(samples))?;
            if matches!(key, TrackKey::Recording(_)) {
                file.sync_all()?;
            }
            Ok(samples)
        };
        let sample_count = seal().map_err(StorageError::io("complete", &path))?;
        let sha256 = match key {
            TrackKey::Recording(_) => checksum(&path)?,
            TrackKey::Heard(_) => String::new(),
        };
        Ok(Complete { ended_at_us: ended(sample_count), sample_count, sha256, torn })
    }

    fn path(&self, key: &TrackKey, extension: &str) -> PathBuf {
        match key {
            TrackKey::Recording(id) => self.recordings.join(format!("{id}.{extension}")),
            TrackKey::Heard(id) => self.heard.join(format!("{id}.{extension}")),
        }
    }

    fn save(&self, sidecar: &Sidecar) -> Result<(), StorageError> {
        let path = self.path(&sidecar.key, "json");
        let text = serde_json::to_vec(sidecar);
        let text = text.map_err(|source| StorageError::Damaged { path: path.clone(), source })?;
        match (&sidecar.key, &sidecar.complete) {
            (TrackKey::Recording(_), Some(_)) => replace(&path, &text),
            _ => replace_lazily(&path, &text),
        }
    }
}

/// The WAV file stays where it is: a person may still need it.
fn rename_damaged(path: &Path, source: &serde_json::Error) -> Result<(), StorageError> {
    let damaged = path.with_extension("json.damaged");
    fs::rename(path, &damaged).map_err(StorageError::io("set aside", path))?;
    tracing::error!(file = %damaged.display(), error = %source, "what a file of sound is can't be read; it was set aside");
    Ok(())
}

fn load(path: &Path) -> Result<Sidecar, StorageError> {
    let text = fs::read(path).map_err(StorageError::io("read", path))?;
    serde_json::from_slice(&text).map_err(|source| StorageError::Damaged { path: path.to_owned(), source })
}

fn checksum(path: &Path) -> Result<String, StorageError> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 64 << 10];
    let mut file = File::open(path).map_err(StorageError::io("open", path))?;
    loop {
        match file.read(&mut piece).map_err(StorageError::io("read", path))? {
            0 => break,
            length => hasher.update(&piece[..length]),
        }
    }
    let digest = hasher.finalize();
    let mut text = String::with_capacity(2 * digest.len());
    for byte in digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]) {
        text.extend(char::from_digit(byte.into(), 16));
    }
    Ok(text)
}

fn recording(sidecar: Sidecar, complete: Complete) -> Option<FinishedRecording> {
    let TrackKey::Recording(recording_id) = sidecar.key else { return None };
    Some(FinishedRecording {
        recording_id,
        tenant: sidecar.about.tenant,
        room_id: RoomId::parse(&sidecar.about.of).ok(),
        started_at_us: sidecar.about.started_at_us,
        ended_at_us: complete.ended_at_us,
        sample_count: complete.sample_count,
        sha256: complete.sha256,
        torn: complete.torn,
    })
}

fn heard(sidecar: Sidecar, complete: &Complete) -> Option<HeardRecord> {
    let TrackKey::Heard(leg_id) = sidecar.key else { return None };
    Some(HeardRecord {
        leg_id,
        tenant: sidecar.about.tenant,
        address: sidecar.about.of,
        started_at_us: sidecar.about.started_at_us,
        sample_count: complete.sample_count,
        ended_at_us: Some(complete.ended_at_us),
        truncated: false,
    })
}
