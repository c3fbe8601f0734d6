//! The skeleton of a service: a [`ServiceContext`] in, a [`RunningService`] out.
//!
//! A service is one function, `start(context) -> Result<impl RunningService, StartError>`. It [opens](ServiceContext::open) its database,
//! [publishes](ServiceContext::publish_from) its events from there, starts its own tasks with the lifecycle, and is then mounted on the
//! public and the internal listener of its process.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_bus::{Bus, BusError, Relay, copy_cursor};
use baton_runtime::client::{Backoff, Peers, UnknownPeer};
use baton_runtime::clock::micros;
use baton_runtime::disk_space::{BytesByTenant, DiskSpace};
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::server::ServerBuilder;
use baton_runtime::{Clock, ServiceName};
use baton_store::{
    Databases, Db, MigrateError, Migrations, OpenError, StoreError, TenantBytes, bytes_by_tenant, inbox, outbox,
    requests,
};
use tokio::sync::Mutex;

/// Between two rounds of deleting what a database keeps only for a while.
const PRUNE_INTERVAL: Duration = Duration::from_mins(10);
/// Between two counts of what tenants have stored.
const COUNT_INTERVAL: Duration = Duration::from_mins(1);
/// How long a service waits at its start for a database that is away. Then it ends, and whoever has started it sees that.
const LONGEST_START: Duration = Duration::from_mins(1);
/// Between two looks whether another process has ended.
const ALONE_PERIOD: Duration = Duration::from_millis(500);
const DAY: Duration = Duration::from_hours(24);
/// Longer than the outbox, so that an event that is published again is always recognised. Dead letters go at the same time:
/// a month is enough to look at them, and they have personal data in them.
const INBOX_DAYS: u32 = 31;

/// What every service is started with; `C` is its section of the configuration.
#[derive(Debug, Clone)]
pub struct ServiceContext<C> {
    /// What the service is called: its database is `presence.db`, for example.
    pub name: ServiceName,
    /// The data folder of the process; it exists.
    pub folder: PathBuf,
    /// Where the service's database is.
    pub databases: Databases,
    pub config: C,
    pub clock: Clock,
    /// Runs the service's tasks.
    pub lifecycle: Lifecycle,
    /// How long what belongs to a call is kept after its end.
    pub calls_kept: Duration,
    /// Where the service says how much tenants have stored.
    pub space: DiskSpace,
    /// Where events go, and where they come from.
    pub bus: Bus,
    /// The other services.
    pub peers: Peers,
}

/// Why a service could not start. The messages of the database say what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database can't be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// What is stored can't be read.
    #[error("what is stored can't be read")]
    Read(#[from] StoreError),
    /// It is not known where another service is.
    #[error(transparent)]
    Peer(#[from] UnknownPeer),
    /// The process was asked to end before the service had started.
    #[error("it was asked to end before it had started")]
    Stopped,
    /// Something that only this service has, for example the folder of the recordings.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

impl StartError {
    /// An error of something that only this service has.
    pub fn other(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Other(Box::new(error))
    }
}

/// A running service, as the listeners of its process mount it.
pub trait RunningService {
    /// Adds what clients call.
    #[must_use]
    fn add_public(&self, server: ServerBuilder) -> ServerBuilder {
        server
    }

    /// Adds what other services call.
    #[must_use]
    fn add_internal(&self, server: ServerBuilder) -> ServerBuilder {
        server
    }
}

impl<C> ServiceContext<C> {
    /// Opens the service's database, with the tables that it needs. When its disk fails, everything stops.
    pub async fn open(&self, migrations: &Migrations) -> Result<Db, StartError> {
        let db = self.databases.open(self.name.as_str()).await?;
        self.lifecycle.stop_when(self.task("disk"), db.failed());
        self.prepare(&db, migrations).await?;
        Ok(db)
    }

    /// Waits until no other process of this service runs, and stops everything if one does later: for a service of which there can be only
    /// one, because it keeps its state in memory.
    pub async fn be_alone(&self, db: &Db) -> Result<(), StartError> {
        let (clock, stop, mut is_reported) = (Clock::real(), self.lifecycle.soft(), false);
        loop {
            match db.try_alone().await {
                Ok(Some(lock)) => {
                    self.lifecycle.stop_when(self.task("alone"), lock.lost());
                    return Ok(());
                }
                Ok(None) if !is_reported => {
                    tracing::warn!(service = %self.name, "another process of this service runs; waiting for it to end");
                    is_reported = true;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(service = %self.name, %error, "waiting for the database"),
            }
            if stop.run_until_cancelled(clock.sleep(ALONE_PERIOD)).await.is_none() {
                return Err(StartError::Stopped);
            }
        }
    }

    /// Waits for a server that is away: it may be started at the same moment.
    async fn prepare(&self, db: &Db, migrations: &Migrations) -> Result<(), StartError> {
        // Where calls are simulated there is no server.
        let (clock, stop, mut failures) = (Clock::real(), self.lifecycle.soft(), 0);
        let until_us = clock.now_us() + micros(LONGEST_START);
        loop {
            match self.databases.prepare(db, migrations).await {
                Err(MigrateError::Store { source, .. }) if source.is_retryable() && clock.now_us() < until_us => {
                    failures += 1;
                    tracing::warn!(service = %self.name, error = %source, "waiting for the database");
                    if stop.run_until_cancelled(clock.sleep(Backoff::default().pause(failures))).await.is_none() {
                        return Err(StartError::Stopped);
                    }
                }
                prepared => return Ok(prepared?),
            }
        }
    }

    /// Publishes the events that the service commits, counts them, and deletes what is kept only for a while.
    pub fn publish_from(&self, db: &Db) {
        let relay = Relay::new(self.name.as_str(), db.clone(), self.bus.clone(), self.clock.clone());
        self.lifecycle.spawn(self.task("relay"), relay.run(self.lifecycle.soft()));
        let (name, pruned, bus) = (self.name.as_str(), db.clone(), self.bus.clone());
        self.lifecycle.every(self.task("janitor"), (&self.clock, PRUNE_INTERVAL), move |now_us| {
            let (db, bus) = (pruned.clone(), bus.clone());
            async move { prune(name, &db, &bus, now_us).await }
        });
        let counted: Arc<Mutex<TenantBytes>> = Arc::default();
        let clock = self.clock.clone();
        self.count("events and answers", db, move |db| {
            let (counted, now_us) = (Arc::clone(&counted), clock.now_us());
            async move { counted.lock().await.count(&db, now_us, now_us - micros(outbox::KEPT)).await }
        });
    }

    /// Counts now and then how many bytes of a sort each tenant has stored: the statement's rows are tenants and bytes.
    pub fn count_stored(&self, sort: &'static str, db: &Db, statement: &'static str) {
        self.count(sort, db, move |db| async move { bytes_by_tenant(&db, statement).await });
    }

    fn count<F>(&self, sort: &'static str, db: &Db, count: impl Fn(Db) -> F + Send + 'static)
    where
        F: Future<Output = Result<BytesByTenant, StoreError>> + Send + 'static,
    {
        let (db, space, sort) = (db.clone(), self.space.clone(), self.task(sort));
        // A disk fills in real time, also where calls are simulated.
        self.lifecycle.every(format!("{sort} count"), (&Clock::real(), COUNT_INTERVAL), move |_| {
            let (counting, space, sort) = (count(db.clone()), space.clone(), sort.clone());
            async move {
                space.counted(&sort, counting.await?);
                Ok::<_, StoreError>(())
            }
        });
    }

    /// The name of one of the service's tasks: `presence relay`.
    pub fn task(&self, what: &str) -> String {
        format!("{} {what}", self.name)
    }
}

/// Deletes in small transactions, so that no caller waits long for the writer.
async fn prune(name: &'static str, db: &Db, bus: &Bus, now_us: i64) -> Result<(), BusError> {
    let now_us = db.trusted_us(now_us).await?;
    while requests::prune(db, now_us).await? > 0 {}
    while inbox::prune(db, now_us - micros(DAY * INBOX_DAYS)).await? > 0 {}
    // Last: the bus may be away.
    let published = copy_cursor(name, db, bus).await?;
    while outbox::prune(db, now_us - micros(outbox::KEPT), &published).await? > 0 {}
    Ok(db.give_back().await?)
}
