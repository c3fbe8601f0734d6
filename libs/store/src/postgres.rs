//! A schema in a `PostgreSQL` database, which several processes share.
//!
//! Isolation is `READ COMMITTED`: a change locks by name what it decides about (module `change`). Each statement and each lock has a
//! limit of time, because a connection that hangs is one that others lack.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tokio::sync::watch;

use crate::OpenError;

/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(1);
/// A connection is replaced now and then: a server may have been replaced behind its name.
const MAX_LIFETIME: Duration = Duration::from_mins(30);

/// Where a service's tables are.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub url: String,
    /// How the names of the schemas begin: `baton` for `baton_presence`. Lower-case letters, digits and underscores.
    pub prefix: String,
    /// Connections of each service.
    pub max_connections: u32,
}

#[derive(Debug, Clone)]
pub struct PostgresDb {
    pub(crate) pool: PgPool,
    pub(crate) schema: Arc<str>,
    pub(crate) outbox: watch::Sender<u64>,
    /// When this process last asked which time can be trusted.
    pub(crate) looked_us: Arc<Mutex<Option<i64>>>,
}

impl PostgresDb {
    /// `schema` is of letters, digits and underscores.
    pub(crate) fn open(options: &PostgresOptions, schema: &str) -> Result<Self, OpenError> {
        let connect = PgConnectOptions::from_str(&options.url).map_err(OpenError::Url)?;
        let connect = connect.application_name(schema).options([
            ("search_path", schema),
            ("statement_timeout", "2s"),
            ("lock_timeout", "500ms"),
            ("idle_in_transaction_session_timeout", "5s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .max_lifetime(MAX_LIFETIME)
            // It would cost each change one more round trip; one that is dead fails at its first statement.
            .test_before_acquire(false)
            .connect_lazy_with(connect);
        Ok(Self { pool, schema: schema.into(), outbox: watch::Sender::new(0), looked_us: Arc::default() })
    }
}
