//! `baton up`: all services in one process, the switch beside it, everything in one data folder.
//!
//! The order matters. First comes everything that can be refused: configuration, folder, listeners. Then the
//! [switch](switch_process) starts, which may be one that an earlier, killed `up` has left with its calls, then the
//! [services](stack). On the first start the [demo tenant](seed) is created. The end has the reverse order: the calls end while
//! the services and the switch still run, then the services end, the switch last.

pub(crate) mod forward;
pub(crate) mod seed;
pub(crate) mod stack;
pub(crate) mod stdin;
pub(crate) mod switch_process;
mod welcome;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use baton_runtime::auth::SigningKey;
use baton_runtime::config::Config;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::server::Listener;
use baton_runtime::{Clock, process, telemetry};
use clap::Args;

use crate::failure::AlreadyReported;
use crate::folder::{self, DataFolder};
use stack::{Stack, StackSetup};
use switch_process::{SwitchSetup, SwitchSupervisor};

/// Time for running requests at the end, on top of the listeners' drain time.
const GRACE: Duration = Duration::from_secs(5);
/// Ending a call takes a few commits, and archiving the last of its audio.
const END_CALLS_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Data folder; made if it is not there [default: data.dir of the configuration, ./baton-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where clients connect; port 0 takes a free one [default: server.listen of the configuration, 127.0.0.1:7400].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where the services connect to each other [default: `server.internal_listen` of the configuration, 127.0.0.1:0].
    #[arg(long, value_name = "ADDRESS")]
    internal_listen: Option<SocketAddr>,
    /// Configuration file; what it does not set has its default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What is logged to standard error, for example info [default: telemetry.log of the configuration, warn].
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// Don't make the demo tenant on the first start.
    #[arg(long)]
    no_demo_tenant: bool,
    /// End when standard input is closed: for programs that start Baton.
    #[arg(long)]
    exit_with_stdin: bool,
}

impl UpArgs {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Some(data) = &self.data {
            config.data.dir.clone_from(data);
        }
        config.server.listen = self.listen.unwrap_or(config.server.listen);
        config.server.internal_listen = self.internal_listen.unwrap_or(config.server.internal_listen);
        if let Some(log) = &self.log {
            config.telemetry.log.clone_from(log);
        }
        Ok(config)
    }
}

/// Runs Baton until a signal, closed standard input or a broken service ends it.
pub(crate) async fn run(args: UpArgs) -> anyhow::Result<()> {
    process::keep_files_private();
    let config = args.config()?;
    let _telemetry = telemetry::init(&config.telemetry, "baton")?;
    process::raise_file_limit();
    // Signals stop `whole`; the services run on until the calls have ended.
    let (whole, services) = (Lifecycle::new(), Lifecycle::new());
    whole.stop_on_signals()?;
    if args.exit_with_stdin {
        stdin::stop_when_closed(whole.clone());
    }
    // Listeners first: if they are refused, nothing was written to disk.
    let public = Listener::bind(config.server.listen)?;
    let internal = Listener::bind(config.server.internal_listen)?;
    let health = Listener::bind(config.server.health_listen)?;
    let mut folder = DataFolder::open(&config.data.dir)?;
    let key_file = config.auth.key_file.clone().unwrap_or_else(|| folder::key_file(folder.path()));
    let key = SigningKey::load_or_create(&key_file)?;

    let drain = config.server.drain_ms.duration();
    let drain_delay = Duration::from_millis(config.server.drain_delay_ms.into());
    let switch = start_switch(&args, &config, folder.path(), &key_file, &key).await?;
    let clock = Clock::real();
    let setup = StackSetup {
        switch: switch.as_ref().map_or_else(|| config.telephony.switch_address.clone(), SwitchSupervisor::address),
        folder: folder.path().to_owned(),
        clock: clock.clone(),
        key: key.clone(),
        lifecycle: services.clone(),
        config,
        public,
        internal,
        health,
    };
    let started = Box::pin(serve(setup, &mut folder, !args.no_demo_tenant)).await;
    if started.is_ok() {
        tokio::select! {
            () = whole.stopping() => welcome::print_end(),
            () = services.stopping() => {}
        }
    }
    let hard_stop = whole.hard();
    if let Ok(stack) = &started {
        hard_stop.run_until_cancelled(services.soft().run_until_cancelled(stack.leave_balancers(drain_delay))).await;
    }
    if let (Some(_), Ok(stack)) = (&switch, &started) {
        hard_stop.run_until_cancelled(end_calls(stack, &services)).await;
    }
    let ended = hard_stop.run_until_cancelled(services.shutdown(drain + GRACE)).await;
    let report = match ended {
        Some(report) => report,
        None => services.shutdown(Duration::ZERO).await,
    };
    if let Some(switch) = switch {
        switch.stop().await;
    }
    folder.withdraw().context("the data folder")?;
    started?;
    if report.crashed { Err(AlreadyReported.into()) } else { Ok(()) }
}

/// Our switch ends with us, so the calls must end in order before.
async fn end_calls(stack: &Stack, services: &Lifecycle) {
    let clock = Clock::real();
    let ending = Box::pin(clock.timeout(END_CALLS_TIMEOUT, stack.end_calls()));
    // Services that are stopping already can't end calls.
    match services.soft().run_until_cancelled(ending).await {
        Some(Err(_)) => {
            tracing::warn!("not everything of the calls was closed in time; the next start goes on with it");
        }
        Some(Ok(Err(error))) => tracing::warn!(%error, "the calls could not be closed; the next start goes on with it"),
        Some(Ok(Ok(()))) | None => {}
    }
}

/// `None` if the configuration names a switch that is not ours.
async fn start_switch(
    args: &UpArgs,
    config: &Config,
    folder: &Path,
    key_file: &Path,
    key: &SigningKey,
) -> anyhow::Result<Option<SwitchSupervisor>> {
    if !config.telephony.switch_address.is_empty() {
        return Ok(None);
    }
    let setup = SwitchSetup {
        folder: config.switch.data_dir.clone().unwrap_or_else(|| folder.join("switch")),
        listen: config.switch.listen,
        key_file: key_file.to_owned(),
        config_file: args.config.clone(),
        key: key.clone(),
        outlives_us: true,
    };
    Ok(Some(SwitchSupervisor::start(setup).await?))
}

async fn serve(setup: StackSetup, folder: &mut DataFolder, with_demo_tenant: bool) -> anyhow::Result<Stack> {
    let (key, clock) = (setup.key.clone(), setup.clock.clone());
    let stack = Stack::start(setup).await?;
    let address = stack.address();
    folder.announce(&address).context("the data folder")?;
    if with_demo_tenant {
        seed::on_first_start(folder.path(), &address, &key, &clock).await.context("making the demo tenant")?;
    }
    tracing::info!(address, health = stack.health_address(), "serving");
    welcome::print(&address, stack.health_address(), folder.path(), with_demo_tenant);
    welcome::print_resumed_calls(&address, &key, &clock).await?;
    Ok(stack)
}
