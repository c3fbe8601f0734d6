//! All services in one process, on one listener for their clients.
//!
//! Each service has a database file of its own, and calls the others through generated clients and the same layer as if they ran on
//! different machines, but [within the process](InProcess). The services start, and open their databases, concurrently; a call to one that
//! has not started waits for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use baton_api::simulator::v1::simulator_service_server::SimulatorServiceServer;
use baton_bus::{Bus, EventApi, EventLog};
use baton_presence::Presence;
use baton_recording::RecordingService;
use baton_routing::Routing;
use baton_runtime::auth::{AdmissionList, Issuers, SigningKey};
use baton_runtime::client::GrpcChannel;
use baton_runtime::config::Config;
use baton_runtime::disk_space::DiskSpace;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::server::{BoundServer, Forwarded, Listener, Probes, Readiness, ServerBuilder, ServerLimits};
use baton_runtime::tls::ServerTls;
use baton_runtime::{Clock, InProcess};
use baton_service::RunningService;
use baton_store::Databases;
use baton_telephony::Telephony;
use baton_transfer::TransferRuntime;
use tokio_util::sync::CancellationToken;

use super::readiness::follow_switch;
use crate::services::listeners::{address, ended, of_up, serve_until_drained};
use crate::services::{PeerAddresses, ProcessContext, ServicesIdentity, StartupError};
use crate::version::VERSION;

/// Between two checks whether all calls have ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

pub(crate) struct StackSetup {
    pub(crate) config: Config,
    pub(crate) folder: PathBuf,
    pub(crate) databases: Databases,
    pub(crate) clock: Clock,
    pub(crate) key: SigningKey,
    pub(crate) lifecycle: Lifecycle,
    /// The switch's address, `http://…`.
    pub(crate) switch: String,
    pub(crate) public: Listener,
    pub(crate) health: Listener,
    /// `None` is plain text.
    pub(crate) tls: Option<ServerTls>,
}

/// The services that run, with what the owner needs of them.
pub(crate) struct Stack {
    public: String,
    health: String,
    readiness: Readiness,
    /// From then on the switch says nothing about readiness any more.
    leaving: CancellationToken,
    transfer: TransferRuntime,
    telephony: Telephony,
}

struct Services {
    transfer: TransferRuntime,
    presence: Presence,
    routing: Routing,
    recording: RecordingService,
    telephony: Telephony,
}

impl Stack {
    /// Starts all services; they serve when this returns, and end with the lifecycle.
    pub(crate) async fn start(setup: StackSetup) -> Result<Self, StartupError> {
        let issuers = Issuers::start(&setup.config.auth, &setup.clock, &setup.lifecycle)?;
        let bus = open_events(&setup.folder, &setup.clock, &setup.lifecycle).await?;
        let StackSetup { config, clock, key, lifecycle, public, health, tls, folder, databases, switch } = setup;
        let services_at = InProcess::default();
        let context = ProcessContext {
            space: DiskSpace::watch(&folder, config.data.min_free_mib, &lifecycle),
            config,
            folder,
            databases,
            clock,
            identity: ServicesIdentity::Key(key.clone()),
            lifecycle,
            bus,
            admitted: AdmissionList::default(),
            peers: PeerAddresses::InProcess(services_at.clone()),
            switch,
        };
        let services = Services::start(&context).await?;
        let ProcessContext { config, clock, lifecycle, bus, space, admitted, switch, .. } = context;
        let switch = GrpcChannel::anonymous(&switch, clock.clone())?;
        let verifier = of_up(&config, &key, issuers);
        let builder = |limits| ServerBuilder::new(clock.clone(), verifier.clone()).limits(limits);
        let events = EventApi::new(bus);
        let public = services
            .add_public(
                builder(ServerLimits::from(&config))
                    .admitting(admitted)
                    .with_space(space)
                    .web(config.server.web_origins.clone())
                    .tls(tls.clone())
                    .announcing(VERSION),
            )
            .add_service(events.into_server())
            .add_service(Forwarded::<SimulatorServiceServer<()>>::new(&switch))
            .on(public);
        let internal = services.add_internal(builder(ServerLimits::internal(&config)));
        let address = address(tls.is_some(), public.local_addr());
        let (readiness, leaving) = (public.readiness(), CancellationToken::new());
        let following = follow_switch(readiness.clone(), services.telephony.link(), leaving.clone());
        let (health, probes) = (format!("http://{}", health.local_addr()), public.probes(health));
        serve(&lifecycle, (public, probes), following, leaving.clone(), (internal, services_at));
        let Services { transfer, telephony, .. } = services;
        Ok(Self { public: address, health, readiness, leaving, transfer, telephony })
    }

    /// The public listener's, `http://…` or `https://…`.
    pub(crate) fn address(&self) -> String {
        self.public.clone()
    }

    /// Of the listener for health, `http://…`.
    pub(crate) fn health_address(&self) -> &str {
        &self.health
    }

    /// Says that the services are about to stop, and gives balancers this long to see it.
    pub(crate) async fn leave_balancers(&self, delay: Duration) {
        self.leaving.cancel();
        self.readiness.withdraw().await;
        Clock::real().sleep(delay).await;
    }

    /// Ends all live calls, and waits until nothing of them is left on the switch, to be reported or to be archived.
    pub(crate) async fn end_calls(&self) -> anyhow::Result<()> {
        while !self.is_quiet().await? {
            Clock::real().sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    async fn is_quiet(&self) -> anyhow::Result<bool> {
        let is_over = self.transfer.end_all().await? == 0 && self.telephony.live_interactions() == 0;
        Ok(is_over && self.telephony.uploads().await? == 0)
    }
}

/// The services serve each other until the public listener has drained, because requests under way still call the peers; health answers as
/// long. `following` tells health of the switch, until `leaving`.
fn serve(
    lifecycle: &Lifecycle,
    (public, probes): (BoundServer, Probes),
    following: impl Future<Output = ()> + Send + 'static,
    leaving: CancellationToken,
    (internal, at): (ServerBuilder, InProcess),
) {
    let drained = CancellationToken::new();
    let until = drained.clone();
    let serving = serve_until_drained(public, following, (lifecycle.soft(), leaving, drained));
    lifecycle.spawn("public listener", ended(lifecycle.clone(), "public", serving));
    lifecycle.spawn("health listener", probes.serve(until.clone()));
    lifecycle.spawn("services", internal.serve_in_process(at, until));
}

impl Services {
    async fn start(context: &ProcessContext) -> Result<Self, StartupError> {
        let (transfer, presence, routing, recording, telephony) = tokio::try_join!(
            context.transfer()?,
            context.presence()?,
            context.routing()?,
            context.recording()?,
            context.telephony()?,
        )?;
        Ok(Self { transfer, presence, routing, recording, telephony })
    }

    fn all(&self) -> [&dyn RunningService; 5] {
        [&self.transfer, &self.presence, &self.routing, &self.recording, &self.telephony]
    }

    fn add_public(&self, server: ServerBuilder) -> ServerBuilder {
        self.all().into_iter().fold(server, |server, service| service.add_public(server))
    }

    fn add_internal(&self, server: ServerBuilder) -> ServerBuilder {
        self.all().into_iter().fold(server, |server, service| service.add_internal(server))
    }
}

async fn open_events(folder: &Path, clock: &Clock, lifecycle: &Lifecycle) -> Result<Bus, StartupError> {
    let log = EventLog::open(folder.join("events.db"), clock.clone()).await?;
    lifecycle.stop_when("the disk of the event log", log.failed());
    log.keep_retention(lifecycle);
    Ok(log.into())
}
