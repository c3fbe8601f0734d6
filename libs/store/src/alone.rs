//! The right to be the only process of a service, for services that keep in memory what two of them would keep differently.
//!
//! On a server it is a lock of a session that says something each second. A process that is gone or stands still loses it with its
//! session, after ten seconds at most, and another one that waits for it gets it. Of files nobody can have two: their folder is locked.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};

use crate::{Db, StoreError};

/// Between two signs of life.
const PERIOD: Duration = Duration::from_secs(1);
/// How long the server waits for one (`idle_session_timeout`, since version 14).
const SILENCE: &str = "10s";

/// The right is another process's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another process of this service has taken over, because nothing was heard of this one for a while")]
pub struct NotAlone;

/// Held until it is dropped or lost.
#[derive(Debug)]
pub struct AloneLock(Option<Session>);

struct Session {
    connection: PgConnection,
    options: PgConnectOptions,
    key: i64,
}

/// Does not print how to connect.
impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Db {
    /// The right, if no other process has it; `None` if one has.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn try_alone(&self) -> Result<Option<AloneLock>, StoreError> {
        let Self::Postgres(db) = self else { return Ok(Some(AloneLock(None))) };
        let options = (*db.without_limits).clone().options([("idle_session_timeout", SILENCE)]);
        let digest = Sha256::digest(format!("alone {}", db.schema));
        let key = i64::from_be_bytes(std::array::from_fn(|at| digest[at]));
        let connection = lock(&options, key).await?;
        Ok(connection.map(|connection| AloneLock(Some(Session { connection, options, key }))))
    }
}

impl AloneLock {
    /// Resolves when another process has it. While the server is away nobody has, and it is taken again.
    pub async fn lost(self) -> NotAlone {
        let Some(mut session) = self.0 else { return std::future::pending().await };
        loop {
            pause().await;
            if sqlx::query("SELECT 1").execute(&mut session.connection).await.is_ok() {
                continue;
            }
            match lock(&session.options, session.key).await {
                Ok(Some(connection)) => session.connection = connection,
                Ok(None) => return NotAlone,
                Err(error) => tracing::debug!(%error, "the database is away; nobody is alone"),
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a server's time is real, whatever a test's is")]
async fn pause() {
    tokio::time::sleep(PERIOD).await;
}

async fn lock(options: &PgConnectOptions, key: i64) -> Result<Option<PgConnection>, StoreError> {
    let mut connection = options.connect().await?;
    let locked: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(key).fetch_one(&mut connection).await?;
    Ok(locked.then_some(connection))
}
