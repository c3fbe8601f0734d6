//! `baton backup`: a copy of a data folder as it is at one moment, while Baton runs or not.
//!
//! The recordings are copied first. Then all databases are kept from being written at once, copied, and the recordings are brought
//! up to date: so every database is of the same moment, and each recording that they name is there. The manifest comes last, with
//! a checksum of each file: a folder without it is no backup, and one whose files were changed is refused by `baton restore`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use baton_runtime::auth::SigningKey;
use baton_runtime::config::{Config, StorageUrl};
use baton_runtime::process;
use baton_store::members::{self, WriteStop};
use clap::Args;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::failure::UsageError;
use crate::folder;
use crate::stdout::print_line;
use crate::up::databases;

pub(crate) const MANIFEST: &str = "backup.json";
pub(crate) const RECORDINGS: &str = "recordings";

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The folder to make; it must not be there, or be empty.
    #[arg(value_name = "DIR")]
    into: PathBuf,
    /// Data folder [default: data.dir of the configuration, ./baton-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file of the Baton that is backed up.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The content of a backup: each file's path in it, and its SHA-256.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) files: BTreeMap<String, String>,
}

pub(crate) async fn run(args: BackupArgs) -> anyhow::Result<()> {
    process::keep_files_private();
    let config = Config::load(args.config.as_deref())?;
    let data = args.data.unwrap_or(config.data.dir);
    let files = databases::files(&data);
    if files.is_empty() {
        let message =
            format!("there are no databases in {}: name the data folder of a `baton up` with --data", data.display());
        return Err(UsageError::new(message).into());
    }
    let into = args.into;
    folder::make(&into).with_context(|| format!("making {}", into.display()))?;
    if fs::read_dir(&into)?.next().is_some() {
        return Err(UsageError::new(format!("{} is not empty: name another folder", into.display())).into());
    }
    let recordings = folder::recordings(&config.recording, &data);
    let copy_recordings = || recordings.iter().try_for_each(|it| copy_tree(it, &into.join(RECORDINGS)));
    copy_recordings()?;
    let stop = WriteStop::begin(&files).await.context("waiting for the databases")?;
    let copied = copy_databases(&files, &into).and_then(|()| copy_recordings());
    stop.end().await?;
    copied?;
    let key = config.auth.key_file.unwrap_or_else(|| folder::key_file(&data));
    if key.exists() {
        copy(&key, &into.join(SigningKey::FILE_NAME))?;
    }
    for file in databases::files(&into) {
        members::checkpoint(&file).await?;
        members::inspect(&file).await.context("the copy; the database itself may be damaged")?;
    }
    let manifest = Manifest { files: checksums(&into)? };
    write_manifest(&into, &manifest).context("writing the manifest")?;
    print_line(&format!(
        "{} files are in {}. They hold the key, recordings and personal data: keep them safe.",
        manifest.files.len(),
        into.display()
    ));
    if let Some(StorageUrl::Bucket { bucket, .. }) = &config.recording.storage_url {
        print_line(&format!(
            "  The recordings are not among them: they are in the bucket {bucket}, which is saved by its own means."
        ));
    }
    print_line(&format!("  baton restore {} --data NEW-FOLDER   makes a data folder of them", into.display()));
    Ok(())
}

/// With the write-ahead log, which has what is not in the database file yet.
fn copy_databases(files: &[PathBuf], into: &Path) -> anyhow::Result<()> {
    for file in files {
        for ending in ["", "-wal"] {
            let from = PathBuf::from(format!("{}{ending}", file.display()));
            if from.exists() {
                copy(&from, &into.join(from.file_name().context("a database without a name")?))?;
            }
        }
    }
    Ok(())
}

pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
    Ok(File::open(to)?.sync_all()?)
}

/// Brings the copy of a folder up to date. A recording never changes once it is there; what is being uploaded (`name#1`) is none yet.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !from.exists() {
        return Ok(());
    }
    for file in files_under(from)? {
        let name = file.strip_prefix(from)?;
        let copy_of = to.join(name);
        if name.to_string_lossy().contains('#') || copy_of.exists() {
            continue;
        }
        fs::create_dir_all(copy_of.parent().context("a file without a folder")?)?;
        match copy(&file, &copy_of) {
            // It was deleted a moment ago.
            Err(_) if !file.exists() => {}
            copied => copied?,
        }
    }
    Ok(())
}

fn files_under(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(files_under(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// Of all files but the manifest.
pub(crate) fn checksums(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    for file in files_under(folder)? {
        let name = file.strip_prefix(folder)?.to_string_lossy().into_owned();
        // The last two come and go with whoever looks into a database.
        if name != MANIFEST && !name.ends_with("-wal") && !name.ends_with("-shm") {
            sums.insert(name, checksum(&file).with_context(|| format!("reading {}", file.display()))?);
        }
    }
    Ok(sums)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn checksum(file: &Path) -> io::Result<String> {
    let (mut file, mut sum, mut buffer) = (File::open(file)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&sum.finalize())),
            read => sum.update(&buffer[..read]),
        }
    }
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let file = folder.join(MANIFEST);
    fs::write(&file, serde_json::to_vec_pretty(manifest)?)?;
    File::open(&file)?.sync_all()?;
    Ok(File::open(folder)?.sync_all()?)
}
