//! Baton, started for a demonstration: as `baton up` does it, in a temporary folder on free ports of this machine.
//!
//! In real time the switch is a process of its own. In simulated time it has to be in this process, because the clock is.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use baton_runtime::Clock;
use baton_runtime::auth::SigningKey;
use baton_runtime::client::GrpcChannel;
use baton_runtime::clock::SimDriver;
use baton_runtime::config::Config;
use baton_runtime::lifecycle::{self, Lifecycle};
use baton_runtime::server::Listener;
use baton_switch::{Switch, SwitchFailure, SwitchSettings};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::stage::DemoContext;
use crate::folder;
use crate::up::seed;
use crate::up::stack::{Stack, StackSetup};
use crate::up::switch_process::{SwitchSetup, SwitchSupervisor};

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
    _folder: TempDir,
}

enum SwitchOf {
    Process(SwitchSupervisor),
    Here { stop: CancellationToken, serving: JoinHandle<Result<(), SwitchFailure>> },
}

impl House {
    /// Starts everything, with the demo tenant in it.
    pub(super) async fn open(fast: bool) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("baton-demo-data-").tempdir()?;
        let key_file = folder::key_file(folder.path());
        let key = SigningKey::load_or_create(&key_file)?;
        let (clock, time) = clock(fast);
        let lifecycle = Lifecycle::new();
        lifecycle.stop_on_signals()?;

        let switch_folder = folder.path().join("switch");
        let (switch, switch_address) = if fast {
            here(SwitchSettings::new(FREE_PORT, switch_folder), &clock, &key)?
        } else {
            let (key, listen) = (key.clone(), FREE_PORT);
            let setup =
                SwitchSetup { folder: switch_folder, listen, key_file, config_file: None, key, outlives_us: false };
            let supervisor = SwitchSupervisor::start(setup).await?;
            let address = supervisor.address();
            (SwitchOf::Process(supervisor), address)
        };
        let setup = StackSetup {
            config: Config::default(),
            folder: folder.path().to_owned(),
            clock: clock.clone(),
            key: key.clone(),
            lifecycle: lifecycle.clone(),
            switch: switch_address,
            public: Listener::bind(FREE_PORT)?,
            internal: Listener::bind(FREE_PORT)?,
        };
        let stack = Stack::start(setup).await?;
        let channel = GrpcChannel::anonymous(&stack.address(), clock.clone())?;
        seed::make(&channel, &key, &clock).await.context("making the demo tenant")?;
        Ok(Self { clock, key, channel, lifecycle, switch, time, _folder: folder })
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock.clone()
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
            SwitchOf::Here { stop, serving } => {
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

fn clock(fast: bool) -> (Clock, Option<JoinHandle<()>>) {
    if !fast {
        return (Clock::real(), None);
    }
    let (clock, driver): (Clock, SimDriver) = Clock::simulated(Clock::real().now_us());
    (clock, Some(lifecycle::spawn(driver.run())))
}

fn here(setup: SwitchSettings, clock: &Clock, key: &SigningKey) -> anyhow::Result<(SwitchOf, String)> {
    let switch = Switch::open(setup, clock.clone(), key.verifier())?;
    let address = format!("http://{}", switch.local_addr());
    let stop = CancellationToken::new();
    let serving = lifecycle::spawn(switch.serve(stop.clone()));
    Ok((SwitchOf::Here { stop, serving }, address))
}
