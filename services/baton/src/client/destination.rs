//! The file, device or pipe that downloaded audio is written to.
//!
//! A file appears only when it is complete: the audio is written to a draft beside it, with a unique name, which is renamed at
//! the end. A device or a pipe must not be replaced; it is written to as the audio arrives.

use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;
use tempfile::NamedTempFile;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use crate::client::refusal;
use crate::client::session::ClientSession;
use crate::failure::UsageError;
use crate::stdout;

/// As for any new file, subject to the process's mask; `tempfile` alone would make it accessible to its owner only.
const MODE: u32 = 0o666;

/// The argument that means standard output.
const STDOUT: &str = "-";

/// Whether the audio goes to standard output; refused where JSON or YAML would be there, too.
pub(super) fn is_stdout(session: &ClientSession, out: Option<&Path>) -> anyhow::Result<bool> {
    let is_stdout = out == Some(Path::new(STDOUT));
    if is_stdout && session.out.is_for_programs() {
        let text = "with --out - the audio is on standard output, where JSON or YAML can't be, too";
        return Err(UsageError::new(text).into());
    }
    Ok(is_stdout)
}

#[derive(Debug)]
pub(super) struct Destination {
    path: PathBuf,
    out: File,
    is_stdout: bool,
    /// Removed on drop unless it was renamed.
    draft: Option<NamedTempFile>,
}

impl Destination {
    pub(super) async fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new(STDOUT) {
            return Self::stdout().context("standard output");
        }
        let opened = match tokio::fs::metadata(path).await {
            Ok(there) if there.is_dir() => {
                let message = format!("{} is a folder; name a file in it with --out", path.display());
                return Err(UsageError::new(message).into());
            }
            // The target of a link is replaced, so that the link stays.
            Ok(there) if there.is_file() => match tokio::fs::canonicalize(path).await {
                Ok(path) => Self::with_draft(path),
                Err(error) => Err(error),
            },
            Ok(_) => Self::direct(path.to_owned()).await,
            Err(error) if error.kind() == ErrorKind::NotFound => Self::with_draft(path.to_owned()),
            Err(error) => Err(error),
        };
        opened.with_context(|| path.display().to_string())
    }

    fn with_draft(path: PathBuf) -> std::io::Result<Self> {
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut draft = tempfile::Builder::new();
        draft.prefix("audio-").suffix(".wav.part").permissions(Permissions::from_mode(MODE));
        let draft = draft.tempfile_in(folder).map_err(|error| without_draft(error.kind()))?;
        let out = File::from_std(draft.as_file().try_clone()?);
        Ok(Self { path, out, is_stdout: false, draft: Some(draft) })
    }

    fn stdout() -> std::io::Result<Self> {
        let out = std::io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self { path: "standard output".into(), out: File::from_std(out.into()), is_stdout: true, draft: None })
    }

    async fn direct(path: PathBuf) -> std::io::Result<Self> {
        let out = OpenOptions::new().write(true).open(&path).await?;
        Ok(Self { path, out, is_stdout: false, draft: None })
    }

    /// Writes all chunks; returns how many bytes they had.
    pub(super) async fn fill(
        mut self,
        mut chunks: impl Stream<Item = Result<Bytes, Status>> + Unpin,
    ) -> anyhow::Result<u64> {
        let name = self.path.display().to_string();
        let mut bytes = 0;
        while let Some(part) = chunks.next().await {
            let part = part.map_err(|status| refusal::of(&status))?;
            written(self.is_stdout, self.out.write_all(&part).await, &name)?;
            bytes += part.len() as u64;
        }
        written(self.is_stdout, self.out.flush().await, &name)?;
        if let Some(draft) = self.draft {
            // Some disks say only now that they are full.
            written(false, self.out.sync_all().await, &name)?;
            draft.persist(&self.path).map_err(|it| it.error).context(name)?;
        }
        Ok(bytes)
    }
}

/// Whose pipe is closed has heard enough; a file that can't be written is a failure whatever the reason.
fn written(is_stdout: bool, written: io::Result<()>, name: &str) -> anyhow::Result<()> {
    if is_stdout { Ok(stdout::noted(written)?) } else { written.with_context(|| name.to_owned()) }
}

/// The error without the name of the draft, which means nothing to the user.
fn without_draft(kind: ErrorKind) -> std::io::Error {
    match kind {
        ErrorKind::NotFound => std::io::Error::new(kind, "there is no such folder"),
        kind => kind.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::symlink;

    use super::*;

    type Chunk = Result<Bytes, Status>;

    fn audio(text: &'static str) -> Bytes {
        text.into()
    }

    async fn save(path: &Path, chunks: Vec<Chunk>) -> Result<u64, String> {
        let saved = async { Destination::open(path).await?.fill(tokio_stream::iter(chunks)).await };
        saved.await.map_err(|error| format!("{error:#}"))
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_complete_download_replaces_an_existing_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.wav");
        fs::write(&file, "a longer one, of before").unwrap();
        assert_eq!(save(&file, vec![Ok(audio("so")), Ok(audio("und"))]).await, Ok(5));
        assert_eq!(fs::read_to_string(&file).unwrap(), "sound");
        assert_eq!(names(folder.path()), ["x.wav"]);
    }

    #[tokio::test]
    async fn a_broken_download_leaves_the_file_as_it_was_and_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.wav");
        let broken = || vec![Ok(audio("so")), Err(Status::unavailable("gone"))];
        assert!(save(&file, broken()).await.is_err());
        assert!(names(folder.path()).is_empty());
        fs::write(&file, "before").unwrap();
        assert!(save(&file, broken()).await.is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        assert_eq!(names(folder.path()), ["x.wav"]);
    }

    #[tokio::test]
    async fn two_downloads_to_one_file_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.wav");
        let (one, other) = (Destination::open(&file).await.unwrap(), Destination::open(&file).await.unwrap());
        one.fill(tokio_stream::iter([Ok(audio("the first"))])).await.unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "the first");
        other.fill(tokio_stream::iter([Ok(audio("second"))])).await.unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "second");
    }

    #[tokio::test]
    async fn a_folder_is_refused_before_the_download() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Destination::open(folder.path()).await.unwrap_err();
        assert!(refused.is::<UsageError>(), "{refused:#}");
        assert!(refused.to_string().contains("name a file"), "{refused:#}");
        assert!(names(folder.path()).is_empty());
    }

    #[tokio::test]
    async fn an_error_names_the_file_as_given() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("none/x.wav");
        let refused = format!("{:#}", Destination::open(&file).await.unwrap_err());
        assert!(refused.starts_with(&file.display().to_string()) && !refused.contains(".part"), "{refused}");
        assert!(refused.contains("no such folder"), "{refused}");
    }

    #[tokio::test]
    async fn a_pipe_is_written_to_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let pipe = folder.path().join("pipe");
        symlink(format!("/dev/fd/{}", writer.as_raw_fd()), &pipe).unwrap();
        assert_eq!(save(&pipe, vec![Ok(audio("so")), Ok(audio("und"))]).await, Ok(5));
        assert!(pipe.is_symlink());
        assert_eq!(names(folder.path()), ["pipe"]);
        drop(writer);
        let mut heard = String::new();
        reader.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "sound");
    }

    #[tokio::test]
    async fn a_link_to_a_file_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("x.wav"), folder.path().join("link"));
        fs::write(&file, "before").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(save(&link, vec![Ok(audio("sound"))]).await, Ok(5));
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "sound");
    }
}
