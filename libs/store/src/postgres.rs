//! A schema in a `PostgreSQL` database, which several processes share.
//!
//! Isolation is `READ COMMITTED`: a change locks by name what it decides about (module `change`). Each statement and each lock has a
//! limit of time, because a connection that hangs is one that others lack.
//!
//! Whoever needs a connection waits for a moment at most, and few wait at the same time: a caller learns at once that the
//! server is away or that too much is asked of it, instead of waiting with everybody else. A connection that takes longer to make is made
//! all the same, for the next caller.

use std::fmt;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use parking_lot::Mutex;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Postgres, Transaction};
use tokio::sync::{Semaphore, watch};

use crate::rested::LastAnswer;
use crate::{OpenError, StoreError};

/// How long it may take to make one, and as long as a caller waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a service waits for a connection while it starts.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// So many callers for each connection may wait at the same time.
const WAITING: usize = 4;
/// A connection is replaced now and then: a server may have been replaced behind its name.
const MAX_LIFETIME: Duration = Duration::from_mins(30);

/// Where a service's tables are.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub url: String,
    /// How the names of the schemas begin: `baton` for `baton_presence`. Lower-case letters, digits and underscores.
    pub prefix: String,
    /// Connections of each service.
    pub max_connections: u32,
    /// How long a caller waits for one of them; [`PATIENCE`](Self::PATIENCE) if nothing is said.
    pub patience: Patience,
    /// Whether whoever opens a database brings its tables up to date. Otherwise somebody else does, and they are checked.
    pub migrates: bool,
}

impl PostgresOptions {
    /// A tenth of a second: a caller who can't be served learns it at once.
    pub const PATIENCE: Duration = Duration::from_millis(100);

    /// Whether the URL can be read.
    ///
    /// # Errors
    /// [`OpenError::Url`].
    pub fn check(&self) -> Result<(), OpenError> {
        self.connect().map(drop)
    }

    fn connect(&self) -> Result<PgConnectOptions, OpenError> {
        // The library takes anything with a colon in it.
        if !["postgres://", "postgresql://"].iter().any(|it| self.url.starts_with(it)) {
            return Err(OpenError::Url(sqlx::Error::Configuration("it does not begin with postgres://".into())));
        }
        PgConnectOptions::from_str(&self.url).map_err(OpenError::Url)
    }
}

/// How long callers wait for a connection: a moment. While a service starts nobody asks it for anything yet, all its connections are still to be
/// made, and a machine on which much starts at once is slow: it waits longer then, instead of ending.
#[derive(Debug, Clone)]
pub struct Patience {
    usual: Duration,
    is_starting: Arc<AtomicBool>,
}

impl From<Duration> for Patience {
    fn from(usual: Duration) -> Self {
        Self { usual, is_starting: Arc::default() }
    }
}

impl Patience {
    /// The same, for databases of a service that starts.
    pub(crate) fn of_a_start(&self) -> Self {
        Self { usual: self.usual, is_starting: Arc::new(AtomicBool::new(true)) }
    }

    pub(crate) fn end_start(&self) {
        self.is_starting.store(false, Ordering::Relaxed);
    }

    fn now(&self) -> Duration {
        if self.is_starting.load(Ordering::Relaxed) { self.usual.max(START_PATIENCE) } else { self.usual }
    }
}

/// Does not print the URL: there may be a password in it.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PostgresOptions").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Does not print how to connect: there is the password in it.
impl fmt::Debug for PostgresDb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PostgresDb").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[derive(Clone)]
pub struct PostgresDb {
    pub(crate) pool: PgPool,
    pub(crate) schema: Arc<str>,
    /// How to connect for what takes its time.
    pub(crate) without_limits: Arc<PgConnectOptions>,
    pub(crate) outbox: watch::Sender<u64>,
    /// When this process last asked which time can be trusted.
    pub(crate) looked_us: Arc<Mutex<Option<i64>>>,
    waiting: Arc<Semaphore>,
    most_waiting: usize,
    patience: Patience,
    /// How often a connection was given to somebody.
    served: Arc<AtomicU64>,
}

impl PostgresDb {
    /// `schema` is of letters, digits and underscores.
    pub(crate) fn open(options: &PostgresOptions, schema: &str) -> Result<Self, OpenError> {
        let without_limits = options.connect()?.application_name(schema).options([("search_path", schema)]);
        let connect = without_limits.clone().options([
            ("statement_timeout", "2s"),
            ("lock_timeout", "500ms"),
            ("idle_in_transaction_session_timeout", "5s"),
        ]);
        let last_answer = LastAnswer::default();
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            // Nobody waits so long: see `acquire`.
            .acquire_timeout(CONNECT_TIMEOUT + START_PATIENCE.max(options.patience.usual))
            .max_lifetime(MAX_LIFETIME)
            // It would cost each change one more round trip.
            .test_before_acquire(false)
            .before_acquire(move |connection, rest| {
                let last_answer = last_answer.clone();
                Box::pin(async move { Ok(last_answer.is_usable(connection, &rest).await) })
            })
            .connect_lazy_with(connect);
        let most_waiting = WAITING * options.max_connections as usize;
        Ok(Self {
            pool,
            schema: schema.into(),
            without_limits: Arc::new(without_limits),
            outbox: watch::Sender::new(0),
            looked_us: Arc::default(),
            waiting: Arc::new(Semaphore::new(most_waiting)),
            most_waiting,
            patience: options.patience.clone(),
            served: Arc::default(),
        })
    }

    /// Begins a transaction. A connection that the server ended a moment ago is left.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let stale = self.pool.num_idle();
        for _ in 0..stale {
            match Transaction::begin(self.acquire().await?, None).await.map_err(StoreError::from) {
                Err(StoreError::Away(error)) => tracing::debug!(%error, "a connection is dead; taking another one"),
                result => return result,
            }
        }
        Ok(Transaction::begin(self.acquire().await?, None).await?)
    }

    /// A connection, soon or not at all.
    ///
    /// # Errors
    /// [`Away`](StoreError::Away) if there is none because none can be made, [`Busy`](StoreError::Busy) if all are in use.
    #[expect(
        clippy::disallowed_methods,
        reason = "the store comes before the runtime; the task ends by itself, soon; a server's time is real, whatever a test's is"
    )]
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let served = self.served.load(Ordering::Relaxed);
        let mut acquiring = Box::pin(self.pool.acquire());
        if let Some(at_once) = acquiring.as_mut().now_or_never() {
            let idle = at_once?;
            self.served.fetch_add(1, Ordering::Relaxed);
            return Ok(idle);
        }
        let Ok(permit) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return Err(StoreError::Busy(sqlx::Error::PoolTimedOut));
        };
        let patience = self.patience.now();
        let acquiring = tokio::spawn(async move {
            let _permit = permit;
            let longest = CONNECT_TIMEOUT.max(patience);
            tokio::time::timeout(longest, acquiring).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
        });
        match tokio::time::timeout(patience, acquiring).await {
            Ok(Ok(Ok(connection))) => {
                self.served.fetch_add(1, Ordering::Relaxed);
                Ok(connection)
            }
            Ok(Ok(Err(error))) if !matches!(error, sqlx::Error::PoolTimedOut) => Err(error.into()),
            Ok(_) | Err(_) if self.has_none_since(served) => Err(StoreError::Away(sqlx::Error::PoolTimedOut)),
            Ok(_) | Err(_) => Err(StoreError::Busy(sqlx::Error::PoolTimedOut)),
        }
    }

    /// Whether there is no connection: nobody got one since, and no more are in use than are being made or tried out for those who wait.
    /// What rests is not in use: while the server is away it is dead.
    fn has_none_since(&self, served: u64) -> bool {
        let waiting = self.most_waiting - self.waiting.available_permits();
        let in_use = (self.pool.size() as usize).saturating_sub(self.pool.num_idle());
        self.served.load(Ordering::Relaxed) == served && in_use <= waiting
    }
}
