//! Baton, started for a demonstration: as `baton up` does it, in a temporary folder on free ports of this machine.
//!
//! In real time the switch is a process of its own. In simulated time it has to be in this process, because the clock is.
//! A whole day is played without sound, and nothing in it is done every few seconds: each moment at which something is done costs
//! some real time, whoever does it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use baton_runtime::Clock;
use baton_runtime::auth::{Caller, SigningKey};
use baton_runtime::client::GrpcChannel;
use baton_runtime::clock::SimDriver;
use baton_runtime::config::{Config, Millis};
use baton_runtime::lifecycle::{self, Lifecycle};
use baton_runtime::server::Listener;
use baton_switch::{Switch, SwitchFailure, SwitchHandle, SwitchSettings};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::stage::DemoContext;
use crate::folder;
use crate::up::seed;
use crate::up::stack::{Stack, StackSetup};
use crate::up::switch_process::{SwitchSetup, SwitchSupervisor};

/// How often something is looked at where each look costs real time and nothing is lost.
const SELDOM_MS: u64 = 3_600_000;
const GRACE: Duration = Duration::from_secs(5);
const FREE_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The running system.
pub(super) struct House {
    clock: Clock,
    key: SigningKey,
    channel: GrpcChannel,
    lifecycle: Lifecycle,
    switch: SwitchOf,
    time: Option<JoinHandle<()>>,
    /// Removed at the end.
    folder: TempDir,
}

enum SwitchOf {
    Process(SwitchSupervisor),
    Here { stop: CancellationToken, serving: JoinHandle<Result<(), SwitchFailure>>, handle: SwitchHandle },
}

/// What differs from one demonstration to another.
struct HouseSetup {
    config: Config,
    clock: Clock,
    /// What moves a simulated clock.
    time: Option<JoinHandle<()>>,
    sound: bool,
}

impl House {
    /// Starts everything, with the demo tenant in it.
    pub(super) async fn open(fast: bool) -> anyhow::Result<Self> {
        let (clock, time) =
            if fast { simulated(Clock::real().now_us(), SimDriver::run) } else { (Clock::real(), None) };
        let house = Self::start(HouseSetup { config: Config::default(), clock, time, sound: true }).await?;
        seed::make(&house.channel, &house.key, &house.clock).await.context("making the demo tenant")?;
        Ok(house)
    }

    /// Starts everything for a whole day in simulated time, with no tenant in it. The runtime must have one thread.
    pub(super) async fn open_for_a_day(starts_at_us: i64, lease: Millis) -> anyhow::Result<Self> {
        let mut config = Config::default();
        config.routing.rescan_interval_ms = Millis::try_from(60_000).map_err(anyhow::Error::msg)?;
        config.presence.lease_ms = lease;
        Self::open_for_long(starts_at_us, config).await
    }

    /// Starts everything for weeks in simulated time, with the demo tenant in it. The runtime must have one thread.
    pub(super) async fn open_for_weeks(starts_at_us: i64, mut config: Config) -> anyhow::Result<Self> {
        let seldom = Millis::try_from(SELDOM_MS).map_err(anyhow::Error::msg)?;
        config.routing.rescan_interval_ms = seldom;
        config.presence.lease_ms = seldom;
        let house = Self::open_for_long(starts_at_us, config).await?;
        seed::make(&house.channel, &house.key, &house.clock).await.context("making the demo tenant")?;
        Ok(house)
    }

    async fn open_for_long(starts_at_us: i64, mut config: Config) -> anyhow::Result<Self> {
        let seldom = Millis::try_from(SELDOM_MS).map_err(anyhow::Error::msg)?;
        config.transfer.compare_interval_ms = seldom;
        config.telephony.resync_interval_ms = seldom;
        let (clock, time) = simulated(starts_at_us, SimDriver::run_on_one_thread);
        Self::start(HouseSetup { config, clock, time, sound: false }).await
    }

    async fn start(house: HouseSetup) -> anyhow::Result<Self> {
        let HouseSetup { config, clock, time, sound } = house;
        // Nothing is late when it all begins.
        let _starting = clock.busy();
        let folder = tempfile::Builder::new().prefix("baton-demo-data-").tempdir()?;
        let key_file = folder::key_file(folder.path());
        let key = SigningKey::load_or_create(&key_file)?;
        let lifecycle = Lifecycle::new();
        lifecycle.stop_on_signals()?;

        let switch_folder = folder.path().join("switch");
        let (switch, switch_address) = if clock.is_simulated() {
            here(SwitchSettings { sound, ..SwitchSettings::new(FREE_PORT, switch_folder) }, &clock, &key)?
        } else {
            let (key, listen) = (key.clone(), FREE_PORT);
            let setup = SwitchSetup {
                folder: switch_folder,
                data: folder.path().to_owned(),
                listen,
                key_file,
                config_file: None,
                key,
                outlives_us: false,
            };
            let supervisor = SwitchSupervisor::start(setup).await?;
            let address = supervisor.address();
            (SwitchOf::Process(supervisor), address)
        };
        let setup = StackSetup {
            config,
            databases: baton_store::Databases::Folder(folder.path().to_owned()),
            folder: folder.path().to_owned(),
            clock: clock.clone(),
            key: key.clone(),
            lifecycle: lifecycle.clone(),
            switch: switch_address,
            public: Listener::bind(FREE_PORT)?,
            health: Listener::bind(FREE_PORT)?,
            tls: None,
        };
        let stack = Stack::start(setup).await?;
        let channel = GrpcChannel::anonymous(&stack.address(), clock.clone())?;
        Ok(Self { clock, key, channel, lifecycle, switch, time, folder })
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// A channel in this caller's name.
    pub(super) fn channel(&self, caller: &Caller, valid_for: Duration) -> anyhow::Result<GrpcChannel> {
        Ok(self.channel.with_token(&self.key.mint(caller, self.clock.wall_us(), valid_for)?)?)
    }

    /// The switch, if it is in this process.
    pub(super) fn switch(&self) -> Option<SwitchHandle> {
        match &self.switch {
            SwitchOf::Process(_) => None,
            SwitchOf::Here { handle, .. } => Some(handle.clone()),
        }
    }

    /// Cancelled when somebody wants it to end.
    pub(super) fn stopping(&self) -> CancellationToken {
        self.lifecycle.soft()
    }

    /// The data folder.
    pub(super) fn data(&self) -> &Path {
        self.folder.path()
    }

    /// What the people of the play use.
    pub(super) fn stage(&self) -> DemoContext {
        DemoContext::new(self.channel.clone(), self.key.clone(), self.clock.clone(), self.lifecycle.soft())
    }

    /// Ends everything in order.
    pub(super) async fn close(self) {
        self.lifecycle.shutdown(GRACE).await;
        match self.switch {
            SwitchOf::Process(supervisor) => supervisor.stop().await,
            SwitchOf::Here { stop, serving, handle } => {
                drop(handle);
                stop.cancel();
                match serving.await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "the switch did not end well"),
                    Err(error) => tracing::warn!(%error, "the switch did not end well"),
                }
            }
        }
        if let Some(time) = self.time {
            time.abort();
        }
    }
}

fn simulated<F>(starts_at_us: i64, run: impl FnOnce(SimDriver) -> F) -> (Clock, Option<JoinHandle<()>>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (clock, driver) = Clock::simulated(starts_at_us);
    (clock, Some(lifecycle::spawn(run(driver))))
}

fn here(setup: SwitchSettings, clock: &Clock, key: &SigningKey) -> anyhow::Result<(SwitchOf, String)> {
    let switch = Switch::open(setup, clock.clone(), key.verifier())?;
    let address = format!("http://{}", switch.local_addr());
    let (stop, handle) = (CancellationToken::new(), switch.handle());
    let serving = lifecycle::spawn(switch.serve(stop.clone()));
    Ok((SwitchOf::Here { stop, serving, handle }, address))
}
