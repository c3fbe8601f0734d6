//! `baton up`: all services in one process, the switch beside it, everything in one data folder.
//!
//! The order matters. First comes everything that can be refused: configuration, folder, listeners, [databases]. Then the
//! [switch](switch_process) starts, which may be one that an earlier, killed `up` has left with its calls, then the
//! [services](stack). On the first start the [demo tenant](seed) is created. The end has the reverse order: the calls end while
//! the services and the switch still run, then the services end, the switch last. Only an end that was asked for does that: a start that
//! is refused, and a failure inside, leave the switch and its calls as they are, for the next start.

pub(crate) mod databases;
mod readiness;
pub(crate) mod seed;
pub(crate) mod stack;
pub(crate) mod stdin;
mod switch_owner;
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
use baton_store::Databases;
use clap::Args;

use crate::failure::{AlreadyReported, InternalFailure, UsageError};
use crate::folder::{self, DataFolder};
use crate::services::listeners::accepts_own_key;
use crate::services::server_databases::{Migrating, on_server};
use databases::DatabaseSet;
use seed::DemoTenant;
use stack::{Stack, StackSetup};
use switch_process::{Origin, SwitchSetup, SwitchSupervisor};

/// Time for running requests at the end, on top of the listeners' drain time.
const GRACE: Duration = Duration::from_secs(5);
/// Ending a call takes a few commits, and archiving the last of its audio.
const END_CALLS_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection where everything is on one machine, the database server perhaps too.
const PATIENCE: Duration = Duration::from_secs(1);
/// After a failure inside, nothing can be finished that needs what failed: the next start is worth more.
const FAILURE_GRACE: Duration = Duration::from_secs(1);

/// Why `up` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// A signal, or the program that started us has gone.
    Asked,
    /// A task panicked, a disk failed or a listener broke.
    Failed,
    /// Not everything could be started.
    Refused,
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Data folder; made if it is not there [default: data.dir of the configuration, ./baton-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where clients connect; port 0 takes a free one [default: server.listen of the configuration, 127.0.0.1:7400].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
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
        if let Some(log) = &self.log {
            config.telemetry.log.clone_from(log);
        }
        match config.tls.refusal_of_up(config.server.listen) {
            Some(refusal) => Err(UsageError::new(refusal).into()),
            None => Ok(config),
        }
    }
}

/// Runs Baton until a signal, closed standard input or a broken service ends it.
pub(crate) async fn run(args: UpArgs) -> anyhow::Result<()> {
    process::keep_files_private();
    let config = args.config()?;
    let _telemetry = telemetry::init(&config.telemetry, "baton")?;
    process::raise_file_limit();
    let is_plain = config.tls.certificate_file.is_none();
    if let Some(warning) = welcome::exposed(config.server.listen, !args.no_demo_tenant).filter(|_| is_plain) {
        tracing::warn!("{warning}");
    }
    // Signals stop `whole`; the services run on until the calls have ended.
    let (whole, services) = (Lifecycle::new(), Lifecycle::new());
    whole.stop_on_signals()?;
    if args.exit_with_stdin {
        stdin::stop_when_closed(whole.clone());
    }
    let tls = config.tls.public().map_err(|error| UsageError::new(format!("[tls]: {error}")))?;
    // Listeners first: if they are refused, nothing was written to disk.
    let public = Listener::bind(config.server.listen)?;
    let health = Listener::bind(config.server.health_listen)?;
    let mut folder = DataFolder::open(&config.data.dir)?;
    let key_file = config.auth.key_file.clone().unwrap_or_else(|| folder::key_file(folder.path()));
    let key = SigningKey::load_or_create(&key_file)?;

    let drain = config.server.drain_ms.duration();
    let drain_delay = Duration::from_millis(config.server.drain_delay_ms.into());
    let server = on_server(&config.database, PATIENCE.max(config.database.patience_ms.duration()), Migrating::AtStart);
    let server = server.map_err(|error| UsageError::new(error.to_string()))?;
    let databases = server.map_or_else(|| Databases::Folder(folder.path().to_owned()), Databases::Postgres);
    let set = match &databases {
        Databases::Folder(folder) => Some(DatabaseSet::check(folder).await?),
        // A server's databases are backed up and put back together.
        Databases::Postgres(_) | Databases::CommonFolder(_) => None,
    };
    let switch = start_switch(&args, &config, folder.path(), &key_file, &key).await?;
    let clock = Clock::real();
    let setup = StackSetup {
        switch: switch.as_ref().map_or_else(|| config.telephony.switch_address.clone(), SwitchSupervisor::address),
        folder: folder.path().to_owned(),
        databases,
        clock: clock.clone(),
        key: key.clone(),
        lifecycle: services.clone(),
        config,
        public,
        health,
        tls,
    };
    let started = Box::pin(serve(setup, set.as_ref(), &mut folder, !args.no_demo_tenant)).await;
    if let Some(switch) = switch.as_ref().filter(|it| started.is_ok() && it.origin() == Origin::Hangs) {
        welcome::print_hanging_switch(switch.pid());
    }
    let end = if started.is_ok() {
        tokio::select! {
            () = whole.stopping() => End::Asked,
            () = services.stopping() => End::Failed,
        }
    } else {
        End::Refused
    };
    let hard_stop = whole.hard();
    if let (End::Asked, Ok(stack)) = (end, &started) {
        welcome::print_end();
        hard_stop.run_until_cancelled(services.soft().run_until_cancelled(stack.leave_balancers(drain_delay))).await;
        if switch.is_some() {
            hard_stop.run_until_cancelled(end_calls(stack, &services)).await;
        }
    }
    let grace = if end == End::Asked { drain + GRACE } else { FAILURE_GRACE };
    let ended = hard_stop.run_until_cancelled(services.shutdown(grace)).await;
    let report = match ended {
        Some(report) => report,
        None => services.shutdown(Duration::ZERO).await,
    };
    if let Some(set) = set.filter(|_| end == End::Asked) {
        set.close().await;
    }
    let calls = part_with(switch, end).await;
    folder.withdraw().context("the data folder")?;
    started?;
    match end {
        End::Failed => Err(InternalFailure { calls }.into()),
        _ if report.crashed => Err(AlreadyReported.into()),
        End::Asked | End::Refused => Ok(()),
    }
}

/// Ends the switch if that was asked for, or if this start has made it and was then refused. Says what becomes of the calls.
async fn part_with(switch: Option<SwitchSupervisor>, end: End) -> String {
    let Some(switch) = switch else {
        return "The calls are as they are, on their switch.".to_owned();
    };
    if end == End::Asked || (end == End::Refused && switch.origin() == Origin::Started) {
        switch.stop().await;
        return "The switch has ended.".to_owned();
    }
    let calls = format!("The calls live on, on the switch (process {}).", switch.pid());
    switch.leave();
    calls
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
        data: folder.to_owned(),
        listen: config.switch.listen,
        key_file: key_file.to_owned(),
        config_file: args.config.clone(),
        key: key.clone(),
        outlives_us: true,
    };
    Ok(Some(SwitchSupervisor::start(setup).await?))
}

async fn serve(
    setup: StackSetup,
    set: Option<&DatabaseSet>,
    folder: &mut DataFolder,
    with_demo_tenant: bool,
) -> anyhow::Result<Stack> {
    let (key, clock) = (setup.key.clone(), setup.clock.clone());
    let (accepts_own_key, is_plain) = (accepts_own_key(&setup.config), setup.tls.is_none());
    let issuers: Vec<_> = setup.config.auth.issuers.iter().map(|it| it.issuer.clone()).collect();
    let stack = Stack::start(setup).await?;
    if let Some(set) = set {
        set.enrol().await?;
    }
    let address = stack.address();
    folder.announce(&address).context("the data folder")?;
    // What Baton does here itself, it does with its own key, and its own address is not in every certificate.
    let calls_itself = accepts_own_key && is_plain;
    let demo = if with_demo_tenant && calls_itself {
        seed::on_first_start(folder.path(), &address, &key, &clock).await.context("making the demo tenant")?
    } else {
        DemoTenant::Unwanted
    };
    tracing::info!(address, health = stack.health_address(), "serving");
    welcome::print(&address, stack.health_address(), folder.path(), &demo);
    welcome::print_issuers(&issuers, accepts_own_key);
    if !is_plain {
        welcome::print_tls();
    }
    if calls_itself {
        welcome::print_resumed_calls(&address, &key, &clock).await?;
    }
    Ok(stack)
}
