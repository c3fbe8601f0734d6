//! Append-only files of one JSON object a line.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StorageError;

/// A file that lines are appended to; when it is too long it becomes `<name>.1`, and the one before that is gone.
#[derive(Debug)]
pub(crate) struct JsonLinesFile {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
    longest: u64,
}

impl JsonLinesFile {
    /// Opens the file, or makes it. `longest` in bytes.
    pub(crate) fn open(path: PathBuf, longest: u64) -> Result<Self, StorageError> {
        end_last_line(&path)?;
        let (file, length) = open_to_append(&path)?;
        Ok(Self { path, file, length, longest })
    }

    /// Appends a line; it is in the file after the next [`JsonLinesFile::flush`].
    pub(crate) fn append(&mut self, entry: &impl Serialize) -> Result<(), StorageError> {
        let mut line = serde_json::to_vec(entry).map_err(|source| self.damaged(source))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(StorageError::io("write to", &self.path))?;
        self.length += line.len() as u64;
        if self.length > self.longest { self.rotate() } else { Ok(()) }
    }

    /// Hands all lines to the operating system: they outlive the process.
    pub(crate) fn flush(&mut self) -> Result<(), StorageError> {
        self.file.flush().map_err(StorageError::io("write to", &self.path))
    }

    fn rotate(&mut self) -> Result<(), StorageError> {
        self.flush()?;
        std::fs::rename(&self.path, before(&self.path)).map_err(StorageError::io("rename", &self.path))?;
        (self.file, self.length) = open_to_append(&self.path)?;
        Ok(())
    }

    fn damaged(&self, source: serde_json::Error) -> StorageError {
        StorageError::Damaged { path: self.path.clone(), source }
    }
}

/// The last lines of a file, as many as are in `most_bytes`. Lines that can't be read are left out: the last one may be torn.
pub(crate) fn read_tail<T: DeserializeOwned>(path: &Path, most_bytes: u64) -> Result<Vec<T>, StorageError> {
    let current = tail_of(path, most_bytes)?;
    let earlier = tail_of(&before(path), most_bytes.saturating_sub(current.len() as u64))?;
    let lines = earlier.split(|b| *b == b'\n').chain(current.split(|b| *b == b'\n'));
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Replaces a file so that there is always the whole old one or the whole new one, also after a power cut: the new content is on the
/// disk before the rename.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), StorageError> {
    let new = path.with_extension("new");
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(content)?;
        file.sync_data()
    };
    write().map_err(StorageError::io("write", &new))?;
    std::fs::rename(&new, path).map_err(StorageError::io("replace", path))
}

/// The same without waiting for the disk: only a power cut may cost the file.
pub(crate) fn replace_lazily(path: &Path, content: &[u8]) -> Result<(), StorageError> {
    let new = path.with_extension("new");
    std::fs::write(&new, content).map_err(StorageError::io("write", &new))?;
    std::fs::rename(&new, path).map_err(StorageError::io("replace", path))
}

fn before(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

fn open_to_append(path: &Path) -> Result<(BufWriter<File>, u64), StorageError> {
    let open = OpenOptions::new().create(true).append(true).open(path);
    let file = open.map_err(StorageError::io("open", path))?;
    let length = file.metadata().map_err(StorageError::io("look at", path))?.len();
    Ok((BufWriter::new(file), length))
}

/// A line that was torn when the switch was killed must not spoil the next one.
fn end_last_line(path: &Path) -> Result<(), StorageError> {
    if tail_of(path, 1)?.first().is_some_and(|byte| *byte != b'\n') {
        let mut file = OpenOptions::new().append(true).open(path).map_err(StorageError::io("open", path))?;
        file.write_all(b"\n").map_err(StorageError::io("write to", path))?;
    }
    Ok(())
}

fn tail_of(path: &Path, most_bytes: u64) -> Result<Vec<u8>, StorageError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StorageError::io("open", path)(error)),
    };
    let read = |file: &mut File| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(most_bytes)))?;
        let mut bytes = Vec::new();
        file.take(most_bytes).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read(&mut file).map_err(StorageError::io("read", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("lines.jsonl");
        (folder, path)
    }

    #[test]
    fn a_torn_last_line_costs_only_itself() {
        let (_folder, path) = temporary();
        std::fs::write(&path, "1\n2\n[3,").expect("write");
        let mut file = JsonLinesFile::open(path.clone(), 1_000).expect("open");
        file.append(&4).and_then(|()| file.flush()).expect("append");
        assert_eq!(read_tail::<i32>(&path, 1_000).expect("read"), [1, 2, 4]);
    }

    #[test]
    fn a_long_file_is_rotated_and_still_read_in_order() {
        let (_folder, path) = temporary();
        let mut file = JsonLinesFile::open(path.clone(), 20).expect("open");
        for n in 10..22 {
            file.append(&n).expect("append");
        }
        file.flush().expect("flush");
        assert_eq!(read_tail::<i32>(&path, 1_000).expect("read"), (10..22).collect::<Vec<_>>());
        assert_eq!(read_tail::<i32>(&path, 12).expect("read"), (18..22).collect::<Vec<_>>());
    }
}
