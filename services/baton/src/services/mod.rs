//! Baton's services, as a process starts them: all of them (`up`), or one (`serve`). Here is all that does not depend on which.
//!
//! A service is started with what the process has for all of them ([`ProcessContext`]), in its own name, and with a channel to each of the
//! services that it calls. It neither knows nor cares whether they are in the same process.

pub(crate) mod listeners;
pub(crate) mod server_databases;
pub(crate) mod stream;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_bus::{Bus, BusError};
use baton_presence::Presence;
use baton_recording::RecordingService;
use baton_routing::Routing;
use baton_runtime::auth::{AdmissionList, SigningKey, VisitorTokens};
use baton_runtime::client::{ChannelError, GrpcChannel, InternalChannel, Peers, ServiceIdentity, UnknownPeer};
use baton_runtime::config::{Config, ConfigError, PeersConfig};
use baton_runtime::disk_space::DiskSpace;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::{Clock, InProcess, ServiceName};
use baton_service::{ServiceContext, StartError};
use baton_store::{Databases, Migrations};
use baton_telephony::Telephony;
use baton_telephony::switch::simulated::SimulatedSwitch;
use baton_transfer::TransferRuntime;
use futures::future::{BoxFuture, FutureExt as _, TryFutureExt as _};

/// The tables of a service's database; the gateway has none.
pub(crate) fn migrations(service: ServiceName) -> &'static Migrations {
    match service {
        ServiceName::Presence => &baton_presence::MIGRATIONS,
        ServiceName::Recording => &baton_recording::MIGRATIONS,
        ServiceName::Routing => &baton_routing::MIGRATIONS,
        ServiceName::Telephony => &baton_telephony::MIGRATIONS,
        ServiceName::Transfer => &baton_transfer::MIGRATIONS,
        ServiceName::Gateway => &Migrations::NONE,
    }
}

/// Says what could not be started; its source says why and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartupError {
    #[error("the event log")]
    Events(#[from] BusError),
    #[error("the {service} service")]
    Service { service: ServiceName, source: StartError },
    #[error("an address")]
    Channel(#[from] ChannelError),
    #[error("the other services")]
    Peer(#[from] UnknownPeer),
    #[error("the issuers of tokens")]
    Issuers(#[from] ConfigError),
}

/// Where the services of a process find each other and the rest.
#[derive(Debug, Clone)]
pub(crate) enum PeerAddresses {
    /// All in this process.
    InProcess(InProcess),
    /// Each in a process of its own.
    Each(PeersConfig),
}

/// By what services know each other.
#[derive(Debug, Clone)]
pub(crate) enum ServicesIdentity {
    /// Tokens of a key that all of them have.
    Key(SigningKey),
    /// Their certificates. The key is for the simulated switch, which knows nothing else.
    Certificates(Option<SigningKey>),
}

impl ServicesIdentity {
    pub(crate) fn key(&self) -> Option<&SigningKey> {
        match self {
            Self::Key(key) => Some(key),
            Self::Certificates(key) => key.as_ref(),
        }
    }
}

/// What the services of a process have in common.
#[derive(Debug)]
pub(crate) struct ProcessContext {
    pub(crate) config: Config,
    /// The data folder, where there is one.
    pub(crate) folder: PathBuf,
    pub(crate) databases: Databases,
    pub(crate) clock: Clock,
    pub(crate) identity: ServicesIdentity,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) bus: Bus,
    pub(crate) space: DiskSpace,
    pub(crate) admitted: AdmissionList,
    pub(crate) peers: PeerAddresses,
    /// The switch's address, `http://…`.
    pub(crate) switch: String,
}

type Starting<S> = BoxFuture<'static, Result<S, StartupError>>;

impl ProcessContext {
    pub(crate) fn transfer(&self) -> Result<Starting<TransferRuntime>, StartupError> {
        let context = self.context(ServiceName::Transfer, &self.config.transfer)?;
        let visitors = VisitorTokens::new(self.identity.key().cloned());
        Ok(started(&context, baton_transfer::start(context.clone(), self.admitted.clone(), visitors)))
    }

    pub(crate) fn presence(&self) -> Result<Starting<Presence>, StartupError> {
        let context = self.context(ServiceName::Presence, &self.config.presence)?;
        Ok(started(&context, baton_presence::start(context.clone(), self.admitted.clone())))
    }

    pub(crate) fn routing(&self) -> Result<Starting<Routing>, StartupError> {
        let context = self.context(ServiceName::Routing, &self.config.routing)?;
        Ok(started(&context, baton_routing::start(context.clone(), self.admitted.clone())))
    }

    pub(crate) fn recording(&self) -> Result<Starting<RecordingService>, StartupError> {
        let context = self.context(ServiceName::Recording, &self.config.recording)?;
        Ok(started(&context, baton_recording::start(context.clone())))
    }

    pub(crate) fn telephony(&self) -> Result<Starting<Telephony>, StartupError> {
        let context = self.context(ServiceName::Telephony, &self.config.telephony)?;
        let switch = self.channel_by(self.identity.key(), &self.switch, ServiceName::Telephony)?;
        let switch = Arc::new(SimulatedSwitch::new(&switch));
        Ok(started(&context, baton_telephony::start(context.clone(), switch)))
    }

    /// What this service is started with. It calls its peers in its own name.
    fn context<C: Clone>(&self, name: ServiceName, config: &C) -> Result<ServiceContext<C>, StartupError> {
        Ok(ServiceContext {
            name,
            folder: self.folder.clone(),
            databases: self.databases.of_a_start(),
            config: config.clone(),
            clock: self.clock.clone(),
            lifecycle: self.lifecycle.clone(),
            calls_kept: Duration::from_hours(24) * self.config.data.calls_kept_days,
            space: self.space.clone(),
            bus: self.bus.clone(),
            peers: self.peers(name)?,
        })
    }

    /// The services that `caller` calls, as far as it is known where they are.
    pub(crate) fn peers(&self, caller: ServiceName) -> Result<Peers, ChannelError> {
        match &self.peers {
            PeerAddresses::InProcess(services) => {
                Ok(Peers::at_one(&GrpcChannel::in_process(services, caller, self.clock.clone())))
            }
            PeerAddresses::Each(addresses) => {
                let known = caller.calls().iter().filter_map(|callee| Some((*callee, addresses.address(*callee)?)));
                known.map(|(callee, address)| Ok((callee, self.channel(address, caller)?))).collect()
            }
        }
    }

    fn channel(&self, address: &str, caller: ServiceName) -> Result<InternalChannel, ChannelError> {
        match &self.identity {
            ServicesIdentity::Key(key) => self.channel_by(Some(key), address, caller),
            ServicesIdentity::Certificates(_) => self.channel_by(None, address, caller),
        }
    }

    /// With tokens of a key, or by the certificate alone.
    fn channel_by(
        &self,
        key: Option<&SigningKey>,
        address: &str,
        caller: ServiceName,
    ) -> Result<InternalChannel, ChannelError> {
        let (tls, clock) = (self.config.tls.internal_client(), self.clock.clone());
        match key {
            Some(key) => {
                let identity = ServiceIdentity::new(key.clone(), caller.as_str());
                GrpcChannel::internal_over(&tls, address, identity, clock)
            }
            None => GrpcChannel::anonymous_over(&tls, address, clock),
        }
    }
}

fn started<S, C>(
    context: &ServiceContext<C>,
    starting: impl Future<Output = Result<S, StartError>> + Send + 'static,
) -> Starting<S> {
    let (service, databases) = (context.name, context.databases.clone());
    let starting = starting.inspect_ok(move |_| databases.end_start());
    starting.map_err(move |source| StartupError::Service { service, source }).boxed()
}
