//! `baton restore`: a data folder from a backup.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use baton_runtime::config::Config;
use baton_runtime::process;
use clap::Args;

use crate::backup::{self, MANIFEST, Manifest};
use crate::failure::{KnownFailure, UsageError};
use crate::folder::{self, DataFolder};
use crate::stdout::print_line;
use crate::up::databases;

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// What `baton backup` has made.
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// The data folder to make; there must be no databases in it [default: data.dir of the configuration, ./baton-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file of the Baton that will use the folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) async fn run(args: RestoreArgs) -> anyhow::Result<()> {
    process::keep_files_private();
    let config = Config::load(args.config.as_deref())?;
    let data = args.data.unwrap_or(config.data.dir);
    is_whole(&args.from)?;
    databases::DatabaseSet::check(&args.from).await?;
    let saved = args.from.join(backup::RECORDINGS);
    let recordings = folder::recordings(&config.recording, &data);
    if recordings.is_none() && saved.exists() {
        let message = "the backup has recordings, and recording.storage_url is a bucket: restore it with a folder (file:///PATH), and take them \
                       to the bucket by its own means";
        return Err(UsageError::new(message.to_owned()).into());
    }
    let folder = DataFolder::open(&data)?;
    if let Some(there) = databases::files(folder.path()).first() {
        let message =
            format!("{} is there already: restore into a new folder, or move the old one away", there.display());
        return Err(UsageError::new(message).into());
    }
    if let Some(recordings) = recordings {
        backup::copy_tree(&saved, &recordings)?;
    }
    for entry in fs::read_dir(&args.from)? {
        let (file, name) = entry.map(|it| (it.path(), it.file_name()))?;
        let name = name.to_string_lossy();
        if file.is_file() && name != MANIFEST && !name.ends_with("-wal") && !name.ends_with("-shm") {
            backup::copy(&file, &data.join(name.as_ref()))?;
        }
    }
    print_line(&format!("{} is as it was. Calls that were live then end at the next start:", data.display()));
    print_line(&format!("  baton up --data {}", data.display()));
    Ok(())
}

/// Every file is there, as it was written, and no other.
fn is_whole(backup: &Path) -> anyhow::Result<()> {
    if !backup.exists() {
        return Err(
            KnownFailure::not_found(format!("there is no {}: name the folder of a backup", backup.display())).into()
        );
    }
    let manifest = fs::read(backup.join(MANIFEST));
    let manifest =
        manifest.with_context(|| format!("{} is no whole backup: it has no {MANIFEST}", backup.display()))?;
    let manifest: Manifest = serde_json::from_slice(&manifest).with_context(|| format!("{MANIFEST} is damaged"))?;
    let there = backup::checksums(backup)?;
    let differs = |name: &&String| manifest.files.get(*name) != there.get(*name);
    if let Some(name) = manifest.files.keys().chain(there.keys()).find(differs) {
        let what = match (manifest.files.contains_key(name), there.contains_key(name)) {
            (true, true) => "is not the file that was backed up",
            (true, false) => "is missing",
            (false, _) => "does not belong to it",
        };
        bail!("the backup {} is not whole: {name} {what}; nothing was restored", backup.display());
    }
    Ok(())
}
