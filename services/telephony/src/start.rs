//! Starts the service: its database, its tasks, and its API.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use baton_api::telephony::v1::telephony_service_server::TelephonyServiceServer;
use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_runtime::ServiceName;
use baton_runtime::clock::micros;
use baton_runtime::config::TelephonyConfig;
use baton_runtime::server::ServerBuilder;
use baton_service::{RunningService, ServiceContext, StartError};
use baton_store::Db;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::grpc::TelephonyApi;
use crate::interaction::InteractionContext;
use crate::link::{Link, LinkRequests, LinkState, LogicalClock};
use crate::name_registry::NameRegistry;
use crate::orphan::OrphanResolver;
use crate::plan_acceptor::PlanAcceptor;
use crate::report::ReportContext;
use crate::store::{self, Kept, MIGRATIONS, PersistError, StoreWrite, WriteJournal};
use crate::switch::SwitchPort;
use crate::upload::Uploader;

/// The last version of an ended interaction is kept this long.
const TOMBSTONE: Duration = Duration::from_hours(1);
/// Each run removes at most 256 interactions, which is about 90,000 an hour.
const PRUNE_INTERVAL: Duration = Duration::from_secs(10);

/// The running service.
pub struct Telephony {
    plan_acceptor: Arc<PlanAcceptor>,
    link: watch::Receiver<LinkState>,
    names: Arc<NameRegistry>,
    db: Db,
}

impl RunningService for Telephony {
    fn add_internal(&self, server: ServerBuilder) -> ServerBuilder {
        server.add_service(TelephonyServiceServer::new(TelephonyApi::new(Arc::clone(&self.plan_acceptor))))
    }
}

impl Telephony {
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

/// Starts to drive the switch, for example a [`crate::switch::simulated::SimulatedSwitch`]. Stored interactions go on at once; the switch
/// is connected in the background.
pub async fn start(
    context: ServiceContext<TelephonyConfig>,
    switch: Arc<dyn SwitchPort>,
) -> Result<Telephony, StartError> {
    let db = context.open(&MIGRATIONS).await?;
    context.be_alone(&db).await?;
    let uploads = Arc::<Notify>::default();
    let (clock, stopping) = (context.clock.clone(), context.lifecycle.soft());
    let (journal, writing) = WriteJournal::new(db.clone(), clock.clone(), Arc::clone(&uploads), stopping);
    context.lifecycle.spawn("telephony journal", writing);
    let archive = context.peers.to(ServiceName::Recording)?;
    let report = ReportContext {
        intake: IntakeServiceClient::new(context.peers.to(ServiceName::Transfer)?),
        journal,
        clock,
        lifecycle: context.lifecycle.clone(),
    };
    let names = Arc::<NameRegistry>::default();
    let (state, link) = watch::channel(LinkState::Down);
    let interaction_context = Arc::new(InteractionContext {
        switch: Arc::clone(&switch),
        report: report.clone(),
        link: link.clone(),
        link_requests: LinkRequests::default(),
        logical_clock: LogicalClock::default(),
        names: Arc::clone(&names),
        phones: Arc::default(),
    });
    let switch_id = context.config.switch_id.clone();
    let plan_acceptor = Arc::new(PlanAcceptor::new(db.clone(), switch_id, Arc::clone(&interaction_context)));
    plan_acceptor.restore().await.map_err(StartError::other)?;

    let epoch = store::kept(&db, Kept::Epoch).await.map_err(StartError::other)?;
    spawn_link(&context.config, &interaction_context, &db, (state, epoch));
    let uploader = Uploader::new(db.clone(), switch, &archive, report.clone(), uploads);
    context.lifecycle.spawn("telephony uploads", uploader.run());
    prune(&report);
    Ok(Telephony { plan_acceptor, link, names, db })
}

fn spawn_link(
    config: &TelephonyConfig,
    context: &Arc<InteractionContext>,
    db: &Db,
    (state, epoch): (watch::Sender<LinkState>, i64),
) {
    let orphans = OrphanResolver {
        db: db.clone(),
        switch: Arc::clone(&context.switch),
        switch_id: config.switch_id.clone(),
        context: context.report.clone(),
        names: Arc::clone(&context.names),
        asking: Mutex::new(HashSet::new()),
    };
    let link = Link {
        switch: Arc::clone(&context.switch),
        context: context.report.clone(),
        names: Arc::clone(&context.names),
        phones: Arc::clone(&context.phones),
        orphans: Arc::new(orphans),
        link_requests: context.link_requests.clone(),
        logical_clock: context.logical_clock.clone(),
        state,
        epoch,
        resync_interval: config.resync_interval_ms.duration(),
        generation: 0,
    };
    context.report.lifecycle.spawn("telephony link", link.run());
}

fn prune(context: &ReportContext) {
    let journal = context.journal.clone();
    context.lifecycle.every("telephony pruning", (&context.clock, PRUNE_INTERVAL), move |now_us| {
        let (journal, before_us) = (journal.clone(), now_us - micros(TOMBSTONE));
        async move {
            journal.post(StoreWrite::Prune { before_us }).await;
            Ok::<_, Infallible>(())
        }
    });
}
