//! Databases for tests: files in the test's folder, or schemas of its own on a server.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::{Databases, Db, PostgresOptions};

/// The environment variable that has the URL of a `PostgreSQL` database; without it tests use files.
const SERVER: &str = "BATON_TEST_POSTGRES";

/// Where the databases of a test are whose folder this is. The same folder has the same databases.
pub fn databases(folder: &Path) -> Databases {
    #[expect(clippy::disallowed_methods, reason = "of tests alone: which of the two databases they run on")]
    match std::env::var(SERVER) {
        Ok(url) if !url.is_empty() => {
            let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
            let prefix = digest.iter().take(6).fold("t".to_owned(), |text, byte| format!("{text}{byte:02x}"));
            Databases::Postgres(PostgresOptions { url, prefix, max_connections: 8 })
        }
        _ => Databases::Folder(folder.to_owned()),
    }
}

/// One of them, without tables.
pub async fn open(folder: &Path, name: &str) -> Db {
    databases(folder).open(name).await.expect("opened")
}
