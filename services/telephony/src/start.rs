//! Putting the service together.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton_api::telephony::v1::telephony_service_server::TelephonyServiceServer;
use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_runtime::Clock;
use baton_runtime::client::InternalChannel;
use baton_runtime::clock::micros;
use baton_runtime::lifecycle::Lifecycle;
use baton_store::{Db, MigrateError, OpenError};
use tokio::sync::{Notify, watch};

use crate::book::Book;
use crate::grpc::TelephonyApi;
use crate::interaction::Ways;
use crate::link::{Link, LinkOrders, LinkState, Moments};
use crate::registry::Registry;
use crate::report::ReportWays;
use crate::store::{self, Journal, KeepError, MIGRATOR, Write};
use crate::stray::StrayWays;
use crate::switch::Switch;
use crate::upload::Uploader;

/// How long the last version of an ended interaction is kept.
const TOMBSTONE: Duration = Duration::from_hours(1);
/// A few at a time: so often, it keeps up with 90,000 an hour.
const PRUNE_INTERVAL: Duration = Duration::from_secs(10);

/// What the service is given.
pub struct Deps {
    /// Its database file; made if it is not there.
    pub database: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Where its tasks run, and what stops them.
    pub lifecycle: Lifecycle,
    /// The switch, for example [`crate::switch::simulated::SimulatedSwitch`].
    pub switch: Arc<dyn Switch>,
    /// How often the switch is looked at although nothing happens.
    pub resync_interval: Duration,
    /// To the transfer service.
    pub transfer: InternalChannel,
    /// To the recording service.
    pub recording: InternalChannel,
}

/// The service could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database can't be opened.
    #[error("telephony's database")]
    Open(#[from] OpenError),
    /// Its tables can't be brought up to date.
    #[error("telephony's database")]
    Migrate(#[from] MigrateError),
    /// What is in it can't be read.
    #[error("what telephony has kept can't be read")]
    Keep(#[from] KeepError),
}

/// The running service.
pub struct Telephony {
    registry: Arc<Registry>,
    link: watch::Receiver<LinkState>,
    book: Arc<Book>,
    db: Db,
}

impl Telephony {
    /// What is mounted on the internal listener.
    pub fn service(&self) -> TelephonyServiceServer<TelephonyApi> {
        TelephonyServiceServer::new(TelephonyApi::new(Arc::clone(&self.registry)))
    }

    /// Whether the switch is connected: for readiness.
    pub fn link(&self) -> watch::Receiver<LinkState> {
        self.link.clone()
    }

    /// How many interactions have something on the switch, or something to report.
    pub fn live_interactions(&self) -> usize {
        self.book.len()
    }

    /// How many closed segments are still to be brought to the archive.
    ///
    /// # Errors
    /// The database's.
    pub async fn uploads(&self) -> Result<usize, KeepError> {
        store::uploads(&self.db).await
    }

    /// Its database, to be closed when everything has stopped.
    pub fn db(&self) -> &Db {
        &self.db
    }
}

/// Starts the service: what was on disk goes on at once, the switch is connected in the background.
pub async fn start(deps: Deps) -> Result<Telephony, StartError> {
    let db = Db::open(&deps.database).await?;
    deps.lifecycle.stop_when("the disk of the telephony service", db.failed());
    db.migrate(&MIGRATOR).await?;
    let uploads = Arc::<Notify>::default();
    let stopping = deps.lifecycle.soft();
    let (journal, writing) = Journal::new(db.clone(), deps.clock.clone(), Arc::clone(&uploads), stopping);
    deps.lifecycle.spawn("telephony journal", writing);
    let report = ReportWays {
        intake: IntakeServiceClient::new(deps.transfer.clone()),
        journal,
        clock: deps.clock.clone(),
        lifecycle: deps.lifecycle.clone(),
    };
    let book = Arc::<Book>::default();
    let (state, link) = watch::channel(LinkState::Down);
    let ways = Arc::new(Ways {
        switch: Arc::clone(&deps.switch),
        report: report.clone(),
        link: link.clone(),
        orders: LinkOrders::default(),
        moments: Moments::default(),
        book: Arc::clone(&book),
    });
    let registry = Arc::new(Registry::new(db.clone(), Arc::clone(&ways)));
    registry.restore().await?;

    spawn_link(&deps, &ways, state, store::epoch(&db).await?);
    let uploader = Uploader::new(db.clone(), deps.switch, &deps.recording, report.clone(), uploads);
    deps.lifecycle.spawn("bring segments", uploader.run());
    deps.lifecycle.spawn("prune tombstones", prune(report));
    Ok(Telephony { registry, link, book, db })
}

fn spawn_link(deps: &Deps, ways: &Arc<Ways>, state: watch::Sender<LinkState>, epoch: i64) {
    let strays = StrayWays {
        switch: Arc::clone(&deps.switch),
        ways: ways.report.clone(),
        book: Arc::clone(&ways.book),
        asking: Mutex::new(HashSet::new()),
    };
    let link = Link {
        switch: Arc::clone(&deps.switch),
        ways: ways.report.clone(),
        book: Arc::clone(&ways.book),
        strays: Arc::new(strays),
        orders: ways.orders.clone(),
        moments: ways.moments.clone(),
        state,
        epoch,
        resync_interval: deps.resync_interval,
        generation: 0,
    };
    deps.lifecycle.spawn("switch link", link.run());
}

async fn prune(ways: ReportWays) {
    let stopping = ways.lifecycle.soft();
    let mut ticks = ways.clock.interval(PRUNE_INTERVAL);
    while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
        ways.journal.post(Write::Prune { before_us: ways.clock.now_us() - micros(TOMBSTONE) }).await;
    }
}
