//! The file with the contexts of a user: in their configuration folder, and readable by nobody else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use baton_runtime::auth::TenantId;
use serde::{Deserialize, Serialize};

use crate::failure::{KnownFailure, UsageError};
use crate::folder;

/// A set of what else the options say: which Baton, and who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientContext {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<TenantId>,
    /// A token itself is never kept here: it would go where copies of this file go, and it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ContextFile {
    /// That of commands which name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) in_use: Option<String>,
    pub(super) contexts: BTreeMap<String, ClientContext>,
}

impl ContextFile {
    /// An empty one where there is no file yet, and where there is no place for one.
    pub(super) fn load() -> anyhow::Result<Self> {
        path().map_or_else(|| Ok(Self::default()), |path| Self::load_from(&path))
    }

    fn load_from(path: &Path) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                return Err(
                    UsageError::new(format!("the contexts in {} can't be read: {error}", path.display())).into()
                );
            }
        };
        let wrong = |error: toml::de::Error| {
            UsageError::new(format!("{} has no contexts that this version knows: {}", path.display(), error.message()))
        };
        Ok(toml::from_str(&text).map_err(wrong)?)
    }

    pub(super) fn save(&self) -> anyhow::Result<()> {
        let path =
            path().ok_or_else(|| UsageError::new("there is no place for contexts: set HOME or XDG_CONFIG_HOME"))?;
        self.save_to(&path).with_context(|| format!("{} can't be written", path.display()))
    }

    /// In one step, so that nobody reads half of it.
    fn save_to(&self, path: &Path) -> anyhow::Result<()> {
        let parent = path.parent().context("it has no folder")?;
        folder::make(parent)?;
        // Only its owner can read what this makes.
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        file.write_all(toml::to_string_pretty(self)?.as_bytes())?;
        file.persist(path)?;
        Ok(())
    }

    /// Waits for other commands that change contexts, as long as what it returns is kept: none of them may undo another's change.
    pub(super) fn lock() -> anyhow::Result<Option<File>> {
        let Some(path) = path().map(|it| it.with_extension("lock")) else { return Ok(None) };
        let locked = || -> io::Result<File> {
            folder::make(path.parent().unwrap_or(Path::new(".")))?;
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        locked().map(Some).with_context(|| format!("{} can't be written", path.display()))
    }

    pub(super) fn named(&self, name: &str) -> Result<&ClientContext, KnownFailure> {
        self.contexts.get(name).ok_or_else(|| no_such(name))
    }

    /// Returns whether it was the one in use.
    pub(super) fn remove(&mut self, name: &str) -> Result<bool, KnownFailure> {
        self.contexts.remove(name).ok_or_else(|| no_such(name))?;
        Ok(self.in_use.take_if(|it| it == name).is_some())
    }
}

fn no_such(name: &str) -> KnownFailure {
    KnownFailure::not_found(format!("there is no context {name:?}\n  `baton context list` shows those that there are."))
}

#[expect(
    clippy::disallowed_methods,
    reason = "where a user's files are belongs to the user, not to Baton's configuration"
)]
fn path() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|it| it.join(".config")))?;
    Some(config.join("baton/contexts.toml"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn n10_contexts_are_kept_and_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config/baton/contexts.toml");
        assert_eq!(ContextFile::load_from(&path).unwrap(), ContextFile::default());
        let acme = ClientContext { tenant: Some("acme".parse().unwrap()), ..ClientContext::default() };
        let mut file = ContextFile { in_use: Some("a".to_owned()), contexts: [("a".to_owned(), acme)].into() };
        file.save_to(&path).unwrap();
        assert_eq!(ContextFile::load_from(&path).unwrap(), file);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        // Whoever has opened it meanwhile to others gets it back closed.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(file.remove("b").is_err());
        assert!(file.remove("a").unwrap() && file.in_use.is_none());
        file.save_to(&path).unwrap();
        assert_eq!((ContextFile::load_from(&path).unwrap(), mode(&path)), (ContextFile::default(), 0o600));
    }

    #[test]
    fn n10_a_file_that_is_not_understood_is_named_and_not_overlooked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contexts.toml");
        for text in ["in_use = 1", "[contexts.a]\ntoken = \"secret\"", "[["] {
            std::fs::write(&path, text).unwrap();
            let error = ContextFile::load_from(&path).unwrap_err();
            assert!(error.is::<UsageError>() && error.to_string().contains("contexts.toml"), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
