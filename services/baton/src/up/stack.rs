//! All services in one process, on one public and one internal listener.
//!
//! Each service has its own file, and reaches the others over the internal listener through generated clients, with a token
//! of its own: as if they were far apart. The listeners are open before any service starts, so that each can be told where
//! its peers are; the databases are opened at the same time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use baton_bus::{Bus, BusError, EventApi, EventLog};
use baton_presence::Presence;
use baton_recording::Running as Recording;
use baton_routing::Routing;
use baton_runtime::Clock;
use baton_runtime::auth::SigningKey;
use baton_runtime::client::{ChannelError, GrpcChannel, InternalChannel, ServiceIdentity};
use baton_runtime::config::Config;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::server::{BoundServer, Limits, Listener, ServerBuilder};
use baton_telephony::Telephony;
use baton_telephony::switch::simulated::SimulatedSwitch;
use baton_transfer::Running as Transfer;
use tokio_util::sync::CancellationToken;

use super::forward::SimulatorForward;

/// How often it is looked whether the calls have ended, at the end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the services are started with.
pub(crate) struct StackPlan {
    pub(crate) config: Config,
    pub(crate) folder: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) key: SigningKey,
    pub(crate) lifecycle: Lifecycle,
    /// Where the switch is, `http://…`.
    pub(crate) switch: String,
    pub(crate) public: Listener,
    pub(crate) internal: Listener,
}

/// A service could not be started. The service's own error says what to do.
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

/// The running services.
pub(crate) struct Stack {
    public: String,
    transfer: Transfer,
    telephony: Telephony,
}

struct Services {
    bus: Bus,
    transfer: Transfer,
    presence: Presence,
    routing: Routing,
    recording: Recording,
    telephony: Telephony,
}

impl Stack {
    /// Starts all services; they serve when this returns. They end with the lifecycle.
    pub(crate) async fn start(plan: StackPlan) -> Result<Self, StackError> {
        let services = Services::start(&plan).await?;
        let switch = GrpcChannel::anonymous(&plan.switch, plan.clock.clone())?;
        let StackPlan { config, clock, key, lifecycle, public, internal, .. } = plan;
        let builder = || ServerBuilder::new(clock.clone(), key.verifier()).limits(Limits::from(&config.server));
        let events = EventApi::new(services.bus.clone(), lifecycle.soft());
        let public = services
            .add_public(builder())
            .add_service(events.into_server())
            .add_service(SimulatorForward::server(switch))
            .on(public);
        let internal = services.add_internal(builder()).on(internal);
        let address = format!("http://{}", public.local_addr());
        serve(&lifecycle, public, internal);
        Ok(Self { public: address, transfer: services.transfer, telephony: services.telephony })
    }

    /// Where clients connect, `http://…`.
    pub(crate) fn address(&self) -> String {
        self.public.clone()
    }

    /// Ends the calls that are live, and waits until nothing of them is left: on the switch, to be reported, or to be archived.
    pub(crate) async fn end_calls(&self) -> anyhow::Result<()> {
        while !self.is_quiet().await? {
            Clock::real().sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn is_quiet(&self) -> anyhow::Result<bool> {
        let is_over = self.transfer.end_all().await? == 0 && self.telephony.live_interactions() == 0;
        Ok(is_over && self.telephony.uploads().await? == 0)
    }
}

/// The internal listener goes on until the public one has drained: calls under way still need the peers.
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

/// Without a listener the rest is of no use.
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

/// What a service is given, whichever it is.
struct Makings<'a> {
    plan: &'a StackPlan,
    internal: String,
    bus: Bus,
}

impl Makings<'_> {
    /// The peers, as this service calls them.
    fn peers(&self, service: &str) -> Result<InternalChannel, ChannelError> {
        self.channel(&self.internal, service)
    }

    fn channel(&self, address: &str, service: &str) -> Result<InternalChannel, ChannelError> {
        GrpcChannel::internal(address, ServiceIdentity::new(self.plan.key.clone(), service), self.clock())
    }

    fn database(&self, service: &str) -> PathBuf {
        self.plan.folder.join(format!("{service}.db"))
    }

    fn clock(&self) -> Clock {
        self.plan.clock.clone()
    }

    fn lifecycle(&self) -> Lifecycle {
        self.plan.lifecycle.clone()
    }

    async fn transfer(&self) -> Result<Transfer, StackError> {
        let deps = baton_transfer::Deps {
            database: self.database("transfer"),
            clock: self.clock(),
            config: self.plan.config.transfer.clone(),
            lifecycle: self.lifecycle(),
            bus: self.bus.clone(),
            peers: self.peers("transfer")?,
        };
        Ok(baton_transfer::start(deps).await?)
    }

    async fn presence(&self) -> Result<Presence, StackError> {
        let deps = baton_presence::Deps {
            db_file: self.database("presence"),
            config: self.plan.config.presence.clone(),
            clock: self.clock(),
            lifecycle: self.lifecycle(),
            bus: self.bus.clone(),
            transfer: self.peers("presence")?,
        };
        Ok(Presence::start(deps).await?)
    }

    async fn routing(&self) -> Result<Routing, StackError> {
        let peers = self.peers("routing")?;
        let deps = baton_routing::Deps {
            db_file: self.database("routing"),
            config: self.plan.config.routing.clone(),
            clock: self.clock(),
            lifecycle: self.lifecycle(),
            presence: peers.clone(),
            transfer: peers,
        };
        Ok(Routing::start(deps).await?)
    }

    async fn recording(&self) -> Result<Recording, StackError> {
        let deps = baton_recording::Deps {
            data_dir: self.plan.folder.clone(),
            config: self.plan.config.recording.clone(),
            clock: self.clock(),
            lifecycle: self.lifecycle(),
            bus: self.bus.clone(),
            transfer: self.peers("recording")?,
        };
        Ok(baton_recording::start(deps).await?)
    }

    async fn telephony(&self) -> Result<Telephony, StackError> {
        let peers = self.peers("telephony")?;
        let switch = self.channel(&self.plan.switch, "telephony")?;
        let deps = baton_telephony::Deps {
            database: self.database("telephony"),
            clock: self.clock(),
            lifecycle: self.lifecycle(),
            switch: Arc::new(SimulatedSwitch::new(&switch)),
            resync_interval: self.plan.config.telephony.resync_interval_ms.duration(),
            transfer: peers.clone(),
            recording: peers,
        };
        Ok(baton_telephony::start(deps).await?)
    }
}

impl Services {
    async fn start(plan: &StackPlan) -> Result<Self, StackError> {
        let bus = open_events(&plan.folder, &plan.clock, &plan.lifecycle).await?;
        let internal = format!("http://{}", plan.internal.local_addr());
        let makings = Makings { plan, internal, bus: bus.clone() };
        let (transfer, presence, routing, recording, telephony) = tokio::try_join!(
            makings.transfer(),
            makings.presence(),
            makings.routing(),
            makings.recording(),
            makings.telephony(),
        )?;
        Ok(Self { bus, transfer, presence, routing, recording, telephony })
    }

    /// What clients call.
    fn add_public(&self, server: ServerBuilder) -> ServerBuilder {
        let server = server
            .add_service(self.transfer.transfers())
            .add_service(self.transfer.interactions())
            .add_service(self.transfer.policies())
            .add_service(self.recording.public_service());
        self.routing.add_public(self.presence.add_public(server))
    }

    /// What services call.
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
