//! Starts the service: its database, its tasks, and its API.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_api::telephony::v1::telephony_service_server::TelephonyServiceServer;
use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_runtime::Clock;
use baton_runtime::client::InternalChannel;
use baton_runtime::clock::micros;
use baton_runtime::lifecycle::Lifecycle;
use baton_store::{Db, MigrateError, OpenError};
use baton_words::SwitchId;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::grpc::TelephonyApi;
use crate::interaction::InteractionContext;
use crate::link::{Link, LinkRequests, LinkState, LogicalClock};
use crate::name_registry::NameRegistry;
use crate::orphan::OrphanResolver;
use crate::plan_acceptor::PlanAcceptor;
use crate::report::ReportContext;
use crate::store::{self, MIGRATOR, PersistError, StoreWrite, WriteJournal};
use crate::switch::SwitchPort;
use crate::upload::Uploader;

/// The last version of an ended interaction is kept this long.
const TOMBSTONE: Duration = Duration::from_hours(1);
/// Each run removes at most 256 interactions, which is about 90,000 an hour.
const PRUNE_INTERVAL: Duration = Duration::from_secs(10);

/// What the service is started with.
pub struct TelephonyContext {
    /// The database file; created if it does not exist.
    pub database: PathBuf,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
    /// For example [`crate::switch::simulated::SimulatedSwitch`].
    pub switch: Arc<dyn SwitchPort>,
    /// The name of that switch.
    pub switch_id: SwitchId,
    /// Between two snapshots of the switch while nothing happens.
    pub resync_interval: Duration,
    pub transfer: InternalChannel,
    pub recording: InternalChannel,
}

/// The service could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database can't be opened.
    #[error("telephony's database")]
    Open(#[from] OpenError),
    /// Its schema can't be migrated.
    #[error("telephony's database")]
    Migrate(#[from] MigrateError),
    /// Its contents can't be read.
    #[error("what telephony has kept can't be read")]
    Persist(#[from] PersistError),
}

pub struct Telephony {
    plan_acceptor: Arc<PlanAcceptor>,
    link: watch::Receiver<LinkState>,
    names: Arc<NameRegistry>,
    db: Db,
}

impl Telephony {
    /// The API for the internal listener.
    pub fn service(&self) -> TelephonyServiceServer<TelephonyApi> {
        TelephonyServiceServer::new(TelephonyApi::new(Arc::clone(&self.plan_acceptor)))
    }

    /// For readiness.
    pub fn link(&self) -> watch::Receiver<LinkState> {
        self.link.clone()
    }

    /// The number of interactions with something on the switch, or with facts to report.
    pub fn live_interactions(&self) -> usize {
        self.names.len()
    }

    /// The number of closed segments that are not in the archive yet.
    pub async fn uploads(&self) -> Result<usize, PersistError> {
        store::uploads(&self.db).await
    }

    /// To be closed when everything has stopped.
    pub fn db(&self) -> &Db {
        &self.db
    }
}

/// Stored interactions go on at once; the switch is connected in the background.
pub async fn start(context: TelephonyContext) -> Result<Telephony, StartError> {
    let db = Db::open(&context.database).await?;
    context.lifecycle.stop_when("the disk of the telephony service", db.failed());
    db.migrate(&MIGRATOR).await?;
    let uploads = Arc::<Notify>::default();
    let stopping = context.lifecycle.soft();
    let (journal, writing) = WriteJournal::new(db.clone(), context.clock.clone(), Arc::clone(&uploads), stopping);
    context.lifecycle.spawn("telephony journal", writing);
    let report = ReportContext {
        intake: IntakeServiceClient::new(context.transfer.clone()),
        journal,
        clock: context.clock.clone(),
        lifecycle: context.lifecycle.clone(),
    };
    let names = Arc::<NameRegistry>::default();
    let (state, link) = watch::channel(LinkState::Down);
    let interaction_context = Arc::new(InteractionContext {
        switch: Arc::clone(&context.switch),
        report: report.clone(),
        link: link.clone(),
        link_requests: LinkRequests::default(),
        logical_clock: LogicalClock::default(),
        names: Arc::clone(&names),
    });
    let plan_acceptor =
        Arc::new(PlanAcceptor::new(db.clone(), context.switch_id.clone(), Arc::clone(&interaction_context)));
    plan_acceptor.restore().await?;

    spawn_link(&context, &interaction_context, state, store::epoch(&db).await?);
    let uploader = Uploader::new(db.clone(), context.switch, &context.recording, report.clone(), uploads);
    context.lifecycle.spawn("bring segments", uploader.run());
    context.lifecycle.spawn("prune tombstones", prune(report));
    Ok(Telephony { plan_acceptor, link, names, db })
}

fn spawn_link(
    context: &TelephonyContext,
    interaction_context: &Arc<InteractionContext>,
    state: watch::Sender<LinkState>,
    epoch: i64,
) {
    let orphans = OrphanResolver {
        switch: Arc::clone(&context.switch),
        switch_id: context.switch_id.clone(),
        context: interaction_context.report.clone(),
        names: Arc::clone(&interaction_context.names),
        asking: Mutex::new(HashSet::new()),
    };
    let link = Link {
        switch: Arc::clone(&context.switch),
        context: interaction_context.report.clone(),
        names: Arc::clone(&interaction_context.names),
        orphans: Arc::new(orphans),
        link_requests: interaction_context.link_requests.clone(),
        logical_clock: interaction_context.logical_clock.clone(),
        state,
        epoch,
        resync_interval: context.resync_interval,
        generation: 0,
    };
    context.lifecycle.spawn("switch link", link.run());
}

async fn prune(context: ReportContext) {
    let stopping = context.lifecycle.soft();
    let mut ticks = context.clock.interval(PRUNE_INTERVAL);
    while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
        context.journal.post(StoreWrite::Prune { before_us: context.clock.now_us() - micros(TOMBSTONE) }).await;
    }
}
