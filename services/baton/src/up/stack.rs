//! All services in one process, on one public and one internal listener.
//!
//! Each service has a database file of its own, and calls the others over the internal listener through generated clients, with
//! a token of its own, as if they ran on different machines. The listeners are bound before any service starts, so that each
//! knows the address of its peers. The services start, and open their databases, concurrently.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use baton_bus::{Bus, BusError, EventApi, EventLog};
use baton_presence::Presence;
use baton_recording::RecordingService;
use baton_routing::Routing;
use baton_runtime::Clock;
use baton_runtime::auth::{SigningKey, TenantStates};
use baton_runtime::client::{ChannelError, GrpcChannel, InternalChannel, ServiceIdentity};
use baton_runtime::config::Config;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::server::{BoundServer, Listener, Readiness, ServerBuilder, ServerLimits};
use baton_telephony::Telephony;
use baton_telephony::switch::simulated::SimulatedSwitch;
use baton_transfer::TransferRuntime;
use tokio_util::sync::CancellationToken;

use super::forward::SimulatorForward;

/// Between two checks whether all calls have ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

pub(crate) struct StackSetup {
    pub(crate) config: Config,
    pub(crate) folder: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) key: SigningKey,
    pub(crate) lifecycle: Lifecycle,
    /// The switch's address, `http://…`.
    pub(crate) switch: String,
    pub(crate) public: Listener,
    pub(crate) internal: Listener,
}

/// Says which service could not be started; its source says why and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StackError {
    #[error("the event log")]
    Events(#[from] BusError),
    #[error("the transfer service")]
    Transfer(#[from] baton_transfer::StartError),
    #[error("the presence service")]
    Presence(#[from] baton_presence::StartError),
    #[error("the routing service")]
    Routing(#[from] baton_routing::StartError),
    #[error("the recording service")]
    Recording(#[from] baton_recording::StartError),
    #[error("the telephony service")]
    Telephony(#[from] baton_telephony::StartError),
    #[error("telephony.switch_address")]
    Channel(#[from] ChannelError),
}

/// The services that run, with what the owner needs of them.
pub(crate) struct Stack {
    public: String,
    readiness: Readiness,
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
        let tenants = TenantStates::default();
        let services = Services::start(&setup, tenants.clone()).await?;
        let switch = GrpcChannel::anonymous(&setup.switch, setup.clock.clone())?;
        let StackSetup { config, clock, key, lifecycle, public, internal, .. } = setup;
        let builder = || ServerBuilder::new(clock.clone(), key.verifier()).limits(ServerLimits::from(&config));
        let events = EventApi::new(services.bus.clone());
        let public = services
            .add_public(builder().tenants(tenants).web(config.server.web_origins.clone()))
            .add_service(events.into_server())
            .add_service(SimulatorForward::server(switch))
            .on(public);
        let internal = services.add_internal(builder()).on(internal);
        let address = format!("http://{}", public.local_addr());
        let readiness = public.readiness();
        serve(&lifecycle, public, internal);
        Ok(Self { public: address, readiness, transfer: services.transfer, telephony: services.telephony })
    }

    /// The public listener's, `http://…`.
    pub(crate) fn address(&self) -> String {
        self.public.clone()
    }

    /// Says that the services are about to stop, and gives balancers this long to see it.
    pub(crate) async fn leave_balancers(&self, delay: Duration) {
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

/// The internal listener serves until the public one has drained, because requests under way still call the peers.
fn serve(lifecycle: &Lifecycle, public: BoundServer, internal: BoundServer) {
    let drained = CancellationToken::new();
    let (soft, until) = (lifecycle.soft(), drained.clone());
    let serving = async move {
        let served = public.serve(soft).await;
        drained.cancel();
        served
    };
    lifecycle.spawn("public listener", ended(lifecycle.clone(), "public", serving));
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

/// What every service is started with.
struct ServiceContext<'a> {
    setup: &'a StackSetup,
    internal: String,
    bus: Bus,
    tenants: TenantStates,
}

impl ServiceContext<'_> {
    /// The channel on which this service calls its peers.
    fn peers(&self, service: &str) -> Result<InternalChannel, ChannelError> {
        self.channel(&self.internal, service)
    }

    fn channel(&self, address: &str, service: &str) -> Result<InternalChannel, ChannelError> {
        GrpcChannel::internal(address, ServiceIdentity::new(self.setup.key.clone(), service), self.clock())
    }

    fn database(&self, service: &str) -> PathBuf {
        self.setup.folder.join(format!("{service}.db"))
    }

    fn clock(&self) -> Clock {
        self.setup.clock.clone()
    }

    fn lifecycle(&self) -> Lifecycle {
        self.setup.lifecycle.clone()
    }

    async fn transfer(&self) -> Result<TransferRuntime, StackError> {
        let context = baton_transfer::TransferContext {
            database: self.database("transfer"),
            clock: self.clock(),
            config: self.setup.config.transfer.clone(),
            lifecycle: self.lifecycle(),
            bus: self.bus.clone(),
            tenants: self.tenants.clone(),
            peers: self.peers("transfer")?,
        };
        Ok(baton_transfer::start(context).await?)
    }

    async fn presence(&self) -> Result<Presence, StackError> {
        let context = baton_presence::PresenceContext {
            db_file: self.database("presence"),
            config: self.setup.config.presence.clone(),
            clock: self.clock(),
            lifecycle: self.lifecycle(),
            bus: self.bus.clone(),
            transfer: self.peers("presence")?,
        };
        Ok(Presence::start(context).await?)
    }

    async fn routing(&self) -> Result<Routing, StackError> {
        let peers = self.peers("routing")?;
        let context = baton_routing::RoutingContext {
            db_file: self.database("routing"),
            config: self.setup.config.routing.clone(),
            clock: self.clock(),
            lifecycle: self.lifecycle(),
            bus: self.bus.clone(),
            presence: peers.clone(),
            transfer: peers,
        };
        Ok(Routing::start(context).await?)
    }

    async fn recording(&self) -> Result<RecordingService, StackError> {
        let context = baton_recording::RecordingContext {
            data_dir: self.setup.folder.clone(),
            config: self.setup.config.recording.clone(),
            clock: self.clock(),
            lifecycle: self.lifecycle(),
            bus: self.bus.clone(),
            transfer: self.peers("recording")?,
        };
        Ok(baton_recording::start(context).await?)
    }

    async fn telephony(&self) -> Result<Telephony, StackError> {
        let peers = self.peers("telephony")?;
        let switch = self.channel(&self.setup.switch, "telephony")?;
        let context = baton_telephony::TelephonyContext {
            database: self.database("telephony"),
            clock: self.clock(),
            lifecycle: self.lifecycle(),
            switch: Arc::new(SimulatedSwitch::new(&switch)),
            switch_id: self.setup.config.telephony.switch_id.clone(),
            resync_interval: self.setup.config.telephony.resync_interval_ms.duration(),
            transfer: peers.clone(),
            recording: peers,
        };
        Ok(baton_telephony::start(context).await?)
    }
}

impl Services {
    async fn start(setup: &StackSetup, tenants: TenantStates) -> Result<Self, StackError> {
        let bus = open_events(&setup.folder, &setup.clock, &setup.lifecycle).await?;
        let internal = format!("http://{}", setup.internal.local_addr());
        let context = ServiceContext { setup, internal, bus: bus.clone(), tenants };
        let (transfer, presence, routing, recording, telephony) = tokio::try_join!(
            context.transfer(),
            context.presence(),
            context.routing(),
            context.recording(),
            context.telephony(),
        )?;
        Ok(Self { bus, transfer, presence, routing, recording, telephony })
    }

    fn add_public(&self, server: ServerBuilder) -> ServerBuilder {
        let server = server
            .add_service(self.transfer.transfers())
            .add_service(self.transfer.interactions())
            .add_service(self.transfer.policies())
            .add_service(self.transfer.tenants())
            .add_service(self.recording.public_service());
        self.routing.add_public(self.presence.add_public(server))
    }

    fn add_internal(&self, server: ServerBuilder) -> ServerBuilder {
        let server = server
            .add_service(self.transfer.intake())
            .add_service(self.recording.internal_service())
            .add_service(self.telephony.service());
        self.routing.add_internal(self.presence.add_internal(server))
    }
}

async fn open_events(folder: &Path, clock: &Clock, lifecycle: &Lifecycle) -> Result<Bus, StackError> {
    let log = EventLog::open(folder.join("events.db"), clock.clone()).await?;
    lifecycle.stop_when("the disk of the event log", log.failed());
    lifecycle.spawn("event log retention", log.clone().run_retention(lifecycle.soft()));
    Ok(log.into())
}
