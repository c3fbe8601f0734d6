//! All services in one process, on one public and one internal listener.
//!
//! Each service has a database file of its own, and calls the others over the internal listener through generated clients, with
//! a token of its own, as if they ran on different machines. The listeners are bound before any service starts, so that each
//! knows the address of its peers. The services start, and open their databases, concurrently.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use baton_api::simulator::v1::simulator_service_server::SimulatorServiceServer;
use baton_bus::{Bus, BusError, EventApi, EventLog};
use baton_presence::Presence;
use baton_recording::RecordingService;
use baton_routing::Routing;
use baton_runtime::auth::{AdmissionList, Issuers, Role, SigningKey, Verifier};
use baton_runtime::client::{ChannelError, GrpcChannel, InternalChannel, Peers, ServiceIdentity};
use baton_runtime::config::{Config, ConfigError, TlsConfig};
use baton_runtime::disk_space::DiskSpace;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::server::{BoundServer, Forwarded, Listener, Probes, Readiness, ServerBuilder, ServerLimits};
use baton_runtime::tls::{ServerTls, TlsSetupError};
use baton_runtime::{Clock, ServiceName};
use baton_service::{RunningService, ServiceContext, StartError};
use baton_store::Databases;
use baton_telephony::Telephony;
use baton_telephony::switch::simulated::SimulatedSwitch;
use baton_transfer::TransferRuntime;
use futures::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use tokio_util::sync::CancellationToken;

use super::readiness::follow_switch;
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
    pub(crate) internal: Listener,
    pub(crate) health: Listener,
    pub(crate) tls: ListenerTls,
}

/// `None` is plain text.
#[derive(Debug, Default)]
pub(crate) struct ListenerTls {
    pub(crate) public: Option<ServerTls>,
    pub(crate) internal: Option<ServerTls>,
}

impl ListenerTls {
    pub(crate) fn open(config: &TlsConfig) -> Result<Self, TlsSetupError> {
        Ok(Self { public: config.public()?, internal: config.internal()? })
    }
}

/// Says what could not be started; its source says why and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StackError {
    #[error("the event log")]
    Events(#[from] BusError),
    #[error("the {service} service")]
    Service { service: &'static str, source: StartError },
    #[error("telephony.switch_address")]
    Channel(#[from] ChannelError),
    #[error("the issuers of tokens")]
    Issuers(#[from] ConfigError),
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
    bus: Bus,
    transfer: TransferRuntime,
    presence: Presence,
    routing: Routing,
    recording: RecordingService,
    telephony: Telephony,
}

impl Stack {
    /// Starts all services; they serve when this returns, and end with the lifecycle.
    pub(crate) async fn start(setup: StackSetup) -> Result<Self, StackError> {
        let admitted = AdmissionList::default();
        let issuers = Issuers::start(&setup.config.auth, &setup.clock, &setup.lifecycle)?;
        let space = DiskSpace::watch(&setup.folder, setup.config.data.min_free_mib, &setup.lifecycle);
        let services = Services::start(&setup, &admitted, &space).await?;
        let switch = GrpcChannel::anonymous(&setup.switch, setup.clock.clone())?;
        let StackSetup { config, clock, key, lifecycle, public, internal, health, tls, .. } = setup;
        let verifiers = Verifiers::new(&config, &key, issuers);
        let builder = |verifier, limits| ServerBuilder::new(clock.clone(), verifier).limits(limits);
        let events = EventApi::new(services.bus.clone());
        let public = services
            .add_public(
                builder(verifiers.public, ServerLimits::from(&config))
                    .admitting(admitted)
                    .with_space(space)
                    .web(config.server.web_origins.clone())
                    .tls(tls.public.clone())
                    .announcing(VERSION),
            )
            .add_service(events.into_server())
            .add_service(Forwarded::<SimulatorServiceServer<()>>::new(&switch))
            .on(public);
        let internal = services
            .add_internal(builder(verifiers.internal, ServerLimits::internal(&config)).tls(tls.internal))
            .on(internal);
        let address = address(tls.public.is_some(), public.local_addr());
        let (readiness, leaving) = (public.readiness(), CancellationToken::new());
        let following = follow_switch(readiness.clone(), services.telephony.link(), leaving.clone());
        let (health, probes) = (format!("http://{}", health.local_addr()), public.probes(health));
        serve(&lifecycle, (public, internal, probes), following, leaving.clone());
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

fn address(is_tls: bool, listener: SocketAddr) -> String {
    format!("{}://{listener}", if is_tls { "https" } else { "http" })
}

/// Whose tokens each listener accepts.
struct Verifiers {
    public: Verifier,
    /// Baton's services sign their own tokens.
    internal: Verifier,
}

impl Verifiers {
    fn new(config: &Config, key: &SigningKey, issuers: Issuers) -> Self {
        let own = key.verifier().with_longest(Duration::from_hours(24) * config.auth.max_token_days);
        let internal = own.clone().with_issuers(issuers.granting(Role::Service));
        let public = if accepts_own_key(config) { own.with_issuers(issuers) } else { Verifier::of_issuers(issuers) };
        Self { public, internal }
    }
}

/// Whether clients may come with tokens of the data folder's key. Here they may unless there are issuers, or the configuration says otherwise.
pub(crate) fn accepts_own_key(config: &Config) -> bool {
    config.auth.development_key.is_accepted(true, !config.auth.issuers.is_empty())
}

/// The internal listener serves until the public one has drained, because requests under way still call the peers; health answers as
/// long. `following` tells health of the switch, until `leaving`.
fn serve(
    lifecycle: &Lifecycle,
    (public, internal, probes): (BoundServer, BoundServer, Probes),
    following: impl Future<Output = ()> + Send + 'static,
    leaving: CancellationToken,
) {
    let drained = CancellationToken::new();
    let (soft, until) = (lifecycle.soft(), drained.clone());
    let serving = async move {
        let serving = async {
            let served = public.serve(soft).await;
            leaving.cancel();
            served
        };
        // In this order: serving begins with saying so.
        let (served, ()) = futures::future::join(serving, following).await;
        drained.cancel();
        served
    };
    lifecycle.spawn("public listener", ended(lifecycle.clone(), "public", serving));
    lifecycle.spawn("health listener", probes.serve(until.clone()));
    lifecycle.spawn("internal listener", ended(lifecycle.clone(), "internal", internal.serve(until)));
}

/// Stops everything when a listener ends.
async fn ended<E: std::error::Error>(
    lifecycle: Lifecycle,
    listener: &'static str,
    serving: impl Future<Output = Result<(), E>>,
) {
    if let Err(error) = serving.await {
        tracing::error!(%error, listener, "a listener broke; stopping");
    }
    lifecycle.stop();
}

impl Services {
    async fn start(setup: &StackSetup, admitted: &AdmissionList, space: &DiskSpace) -> Result<Self, StackError> {
        let bus = open_events(&setup.folder, &setup.clock, &setup.lifecycle).await?;
        let common = (&bus, space);
        let config = &setup.config;
        let switch = Arc::new(SimulatedSwitch::new(&setup.channel(&setup.switch, "telephony")?));
        let (transfer, presence, routing, recording, telephony) = tokio::try_join!(
            started(
                "transfer",
                baton_transfer::start(
                    setup.context(ServiceName::Transfer, common, &config.transfer)?,
                    admitted.clone()
                )
            ),
            started(
                "presence",
                baton_presence::start(
                    setup.context(ServiceName::Presence, common, &config.presence)?,
                    admitted.clone()
                )
            ),
            started(
                "routing",
                baton_routing::start(setup.context(ServiceName::Routing, common, &config.routing)?, admitted.clone())
            ),
            started(
                "recording",
                baton_recording::start(setup.context(ServiceName::Recording, common, &config.recording)?)
            ),
            started(
                "telephony",
                baton_telephony::start(setup.context(ServiceName::Telephony, common, &config.telephony)?, switch)
            ),
        )?;
        Ok(Self { bus, transfer, presence, routing, recording, telephony })
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

fn started<S>(
    service: &'static str,
    starting: impl Future<Output = Result<S, StartError>> + Send + 'static,
) -> BoxFuture<'static, Result<S, StackError>> {
    starting.map_err(move |source| StackError::Service { service, source }).boxed()
}

impl StackSetup {
    /// What this service is started with. It calls its peers in its own name.
    fn context<C: Clone>(
        &self,
        name: ServiceName,
        (bus, space): (&Bus, &DiskSpace),
        config: &C,
    ) -> Result<ServiceContext<C>, ChannelError> {
        Ok(ServiceContext {
            name,
            folder: self.folder.clone(),
            databases: self.databases.clone(),
            config: config.clone(),
            clock: self.clock.clone(),
            lifecycle: self.lifecycle.clone(),
            calls_kept: Duration::from_hours(24) * self.config.data.calls_kept_days,
            space: space.clone(),
            bus: bus.clone(),
            peers: Peers::at_one(
                &self.channel(&address(self.tls.internal.is_some(), self.internal.local_addr()), name.as_str())?,
            ),
        })
    }

    fn channel(&self, address: &str, service: &str) -> Result<InternalChannel, ChannelError> {
        let identity = ServiceIdentity::new(self.key.clone(), service);
        GrpcChannel::internal_over(&self.config.tls.internal_client(), address, identity, self.clock.clone())
    }
}

async fn open_events(folder: &Path, clock: &Clock, lifecycle: &Lifecycle) -> Result<Bus, StackError> {
    let log = EventLog::open(folder.join("events.db"), clock.clone()).await?;
    lifecycle.stop_when("the disk of the event log", log.failed());
    log.keep_retention(lifecycle);
    Ok(log.into())
}
