//! The services' databases on a `PostgreSQL` server, whose URL is in a file.

use std::path::PathBuf;
use std::time::Duration;

use baton_runtime::config::DatabaseConfig;
use baton_runtime::secret_file::{self, SecretFileError};
use baton_store::{Databases, OpenError, PostgresOptions};

use crate::failure::UsageError;

/// A person waits, and a server that is far away takes a moment.
const PATIENCE_OF_COMMAND: Duration = Duration::from_secs(3);

/// Why it is not known where the services' databases are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UrlError {
    #[error("database.url_file {0}")]
    File(#[from] SecretFileError),
    #[error("database.url_file {}: {source}", file.display())]
    Url { file: PathBuf, source: OpenError },
}

/// Who brings the tables up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Migrating {
    /// Whoever opens a database.
    AtStart,
    /// `baton migrate`; services check that the tables fit.
    ByCommand,
}

/// The server of the configuration; `None` if it names none. `patience`: how long a caller waits for a connection.
pub(crate) fn on_server(
    config: &DatabaseConfig,
    patience: Duration,
    migrating: Migrating,
) -> Result<Option<PostgresOptions>, UrlError> {
    let Some(file) = &config.url_file else { return Ok(None) };
    let url = secret_file::read(file)?.trim().to_owned();
    let max_connections = u32::try_from(config.connections).unwrap_or(u32::MAX);
    let (prefix, migrates) = (config.schema_prefix.clone(), migrating == Migrating::AtStart);
    let options = PostgresOptions { url, prefix, max_connections, patience: patience.into(), migrates };
    options.check().map_err(|source| UrlError::Url { file: file.clone(), source })?;
    Ok(Some(options))
}

/// The databases for a command that looks at them, or changes something of all services. `None` if the configuration names no server.
pub(crate) fn for_command(config: &DatabaseConfig) -> Result<Option<Databases>, UsageError> {
    let server = on_server(config, PATIENCE_OF_COMMAND, Migrating::ByCommand);
    let server = server.map_err(|error| UsageError::new(error.to_string()))?;
    // One for what it does, and one for what that needs beside it.
    Ok(server.map(|server| Databases::Postgres(server).with_connections(2)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use baton_runtime::config::Config;

    use super::*;

    #[test]
    fn the_url_of_a_server_is_its_owners_alone_and_never_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        let config = |url_file| DatabaseConfig {
            url_file,
            schema_prefix: "baton".into(),
            connections: 3,
            ..Config::default().database
        };
        assert!(matches!(on_server(&config(None), Duration::from_secs(1), Migrating::AtStart), Ok(None)));
        let place = || on_server(&config(Some(file.clone())), Duration::from_secs(1), Migrating::AtStart);
        assert!(place().unwrap_err().to_string().ends_with("can't be read: No such file or directory (os error 2)"));
        for (url, mode, why) in [
            ("postgres://baton:secret@db/baton\n", 0o640, Some("can be read by others: run chmod 600")),
            ("baton:secret@db", 0o600, Some("write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE")),
            ("postgres://baton:secret@db/baton\n", 0o600, None),
        ] {
            fs::write(&file, url).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            match (place(), why) {
                (Err(error), Some(why)) => {
                    assert!(error.to_string().contains(why) && !format!("{error:?}").contains("secret"), "{error:?}");
                }
                (Ok(Some(it)), None) => assert_eq!(it.url, "postgres://baton:secret@db/baton"),
                (placed, _) => panic!("{placed:?}"),
            }
        }
    }
}
