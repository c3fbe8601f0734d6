//! What a `PostgreSQL` server says of itself: for those who find out why something does not work.

use crate::{Db, StoreError};

/// A server as it is now.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ServerFacts {
    /// 150004 for 15.4.
    pub version: i32,
    /// How texts of this database are ordered: `C`.
    pub collation: String,
    pub encoding: String,
    /// `off`: a power cut loses what was committed last.
    pub synchronous_commit: String,
    /// Of all clients of the server.
    pub max_connections: i32,
    /// It is a copy of another one, and takes no changes.
    pub is_standby: bool,
    /// The role by which this program connects may do anything.
    pub is_superuser: bool,
    /// By the server's clock, microseconds since the epoch.
    pub now_us: i64,
}

impl Db {
    /// `None` for a file.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn server_facts(&self) -> Result<Option<ServerFacts>, StoreError> {
        let Self::Postgres(db) = self else { return Ok(None) };
        let mut connection = db.acquire().await?;
        let facts = sqlx::query_as(
            "SELECT current_setting('server_version_num')::int AS version, d.datcollate AS collation,
                    pg_encoding_to_char(d.encoding)::text AS encoding,
                    current_setting('synchronous_commit') AS synchronous_commit,
                    current_setting('max_connections')::int AS max_connections, pg_is_in_recovery() AS is_standby,
                    r.rolsuper AS is_superuser,
                    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us
             FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user",
        );
        Ok(Some(facts.fetch_one(&mut *connection).await?))
    }
}
