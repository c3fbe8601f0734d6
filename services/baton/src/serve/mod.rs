//! `baton serve`: one of the services in a process of its own, beside the others, on a `PostgreSQL` and a NATS of the site.
//!
//! It is what `up` runs, with other surroundings: nothing is kept in a folder (but by recording, which keeps audio), tables are checked
//! and not changed, and no call is ended when the process ends, because the others go on.

mod gateway;
pub(crate) mod needs;
mod readiness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use baton_bus::{Bus, JetStreamBus};
use baton_runtime::auth::{
    AdmissionApi, AdmissionList, Issuers, OwnedAdmissions, SigningKey, Verifier, follow_admissions,
};
use baton_runtime::config::{Config, StorageUrl};
use baton_runtime::disk_space::DiskSpace;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::server::{BoundServer, Listener, ServerBuilder, ServerLimits};
use baton_runtime::tls::ServerTls;
use baton_runtime::{Clock, ServiceName, process, telemetry};
use baton_service::RunningService;
use baton_store::Databases;
use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::failure::{AlreadyReported, UsageError};
use crate::folder;
use crate::services::listeners::{address, ended, of_service, serve_until_drained};
use crate::services::server_databases::{Migrating, on_server};
use crate::services::{PeerAddresses, ProcessContext, ServicesIdentity, stream};
use crate::stdout::print_line;
use crate::up::stdin;
use crate::version::VERSION;

/// Time for running requests at the end, on top of the listener's drain time.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Which service: presence, recording, routing, telephony, transfer or gateway.
    service: ServiceName,
    /// Where it listens; port 0 takes a free one [default: `server.internal_listen` of the configuration; for the gateway `server.listen`].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where it is asked for its health [default: `server.health_listen` of the configuration].
    #[arg(long, value_name = "ADDRESS")]
    health_listen: Option<SocketAddr>,
    /// Configuration file; what it does not set has its default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What is logged to standard error, for example info [default: telemetry.log of the configuration, warn].
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// End when standard input is closed: for programs that start Baton.
    #[arg(long)]
    exit_with_stdin: bool,
}

impl ServeArgs {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config.as_deref())?;
        let listen = if self.service == ServiceName::Gateway {
            &mut config.server.listen
        } else {
            &mut config.server.internal_listen
        };
        *listen = self.listen.unwrap_or(*listen);
        config.server.health_listen = self.health_listen.unwrap_or(config.server.health_listen);
        if let Some(log) = &self.log {
            config.telemetry.log.clone_from(log);
        }
        needs::check(self.service, &config)?;
        Ok(config)
    }
}

/// Serves until a signal, closed standard input or a failure ends it.
pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    process::keep_files_private();
    let (service, config) = (args.service, args.config()?);
    let _telemetry = telemetry::init(&config.telemetry, &format!("baton-{service}"))?;
    process::raise_file_limit();
    // Signals stop `whole`; the service runs on until balancers have seen that it leaves.
    let (whole, lifecycle) = (Lifecycle::new(), Lifecycle::new());
    whole.stop_on_signals()?;
    if args.exit_with_stdin {
        stdin::stop_when_closed(whole.clone());
    }
    let drain = config.server.drain_ms.duration();
    let drain_delay = Duration::from_millis(config.server.drain_delay_ms.into());
    let mut starting = Box::pin(start(service, config, &lifecycle));
    let started = tokio::select! {
        started = &mut starting => started,
        () = whole.stopping() => {
            lifecycle.stop();
            starting.await
        }
    };
    if let Ok(leave) = &started {
        tokio::select! {
            () = whole.stopping() => {}
            () = lifecycle.stopping() => {}
        }
        leave.cancel();
        let (clock, stopping) = (Clock::real(), lifecycle.soft());
        let seen = stopping.run_until_cancelled(clock.sleep(drain_delay));
        whole.hard().run_until_cancelled(seen).await;
    }
    let ended = whole.hard().run_until_cancelled(lifecycle.shutdown(drain + GRACE)).await;
    let report = match ended {
        Some(report) => report,
        None => lifecycle.shutdown(Duration::ZERO).await,
    };
    if let Err(error) = started
        && !whole.soft().is_cancelled()
    {
        return Err(error);
    }
    if report.crashed { Err(AlreadyReported.into()) } else { Ok(()) }
}

/// Starts the service; it serves when this returns. Cancelled, the token has health say that it leaves.
async fn start(service: ServiceName, config: Config, lifecycle: &Lifecycle) -> anyhow::Result<CancellationToken> {
    let tls = tls(service, &config).map_err(|error| UsageError::new(format!("[tls]: {error}")))?;
    // Listeners first: if they are refused, nothing else was begun.
    let is_gateway = service == ServiceName::Gateway;
    let listen = if is_gateway { config.server.listen } else { config.server.internal_listen };
    let key = if is_gateway { "server.listen" } else { "server.internal_listen" };
    let listener = Listener::bind(listen).context(key)?;
    let health = Listener::bind(config.server.health_listen).context("server.health_listen")?;
    let identity = identity(&config)?;
    let clock = Clock::real();
    let issuers = Issuers::start(&config.auth, &clock, lifecycle)?;
    let database = on_server(&config.database, config.database.patience_ms.duration(), Migrating::ByCommand);
    let database = database.map_err(|error| UsageError::new(error.to_string()))?;
    let verifier = of_service(&config, &identity, issuers);
    let context = ProcessContext {
        folder: config.data.dir.clone(),
        databases: database.map_or_else(|| Databases::Folder(config.data.dir.clone()), Databases::Postgres),
        bus: bus(&config, &clock).await?,
        space: space(service, &config, lifecycle)?,
        admitted: AdmissionList::default(),
        peers: PeerAddresses::Each(config.peers.clone()),
        switch: config.telephony.switch_address.clone(),
        clock,
        identity,
        lifecycle: lifecycle.clone(),
        config,
    };
    let own = match service {
        ServiceName::Transfer => Some(OwnedAdmissions::Tenants),
        ServiceName::Presence => Some(OwnedAdmissions::DeletedAgents),
        _ => None,
    };
    follow_admissions(&context.admitted, own, &context.peers(service)?, (&context.clock, lifecycle))?;
    let builder = builder(service, &context, (verifier, tls.clone()), own);
    // It is alive, and not ready: it may wait for its database, or for another process of the service to end.
    let health_at = health.local_addr();
    let answering = CancellationToken::new();
    let unless_started = answering.clone().drop_guard();
    let probes = builder.starting(health).await;
    lifecycle.spawn("health listener", probes.serve(answering.clone()));
    let server = mount(service, &context, builder).await?.on(listener);

    let at = address(tls.is_some(), server.local_addr());
    unless_started.disarm();
    let leaving = serve(&context, service, server, answering);
    tracing::info!(%service, address = at, health = %health_at, "serving");
    print_line(&format!("Baton's {service} listens on {at}"));
    print_line(&format!("  health        http://{health_at} (gRPC, /livez, /readyz)"));
    Ok(leaving)
}

fn tls(service: ServiceName, config: &Config) -> anyhow::Result<Option<ServerTls>> {
    Ok(if service == ServiceName::Gateway { config.tls.public()? } else { config.tls.of_service(service)? })
}

async fn bus(config: &Config, clock: &Clock) -> anyhow::Result<Bus> {
    let options = stream::options(&config.nats)?.context("nats.url is missing")?;
    Ok(JetStreamBus::open(&options, clock.clone()).await.context("[nats]")?.into())
}

/// By what services know each other. A key that were made here would be nobody else's.
fn identity(config: &Config) -> anyhow::Result<ServicesIdentity> {
    let load = |file: &PathBuf| {
        let key = SigningKey::load(file)?;
        let missing = || format!("auth.key_file: there is no {}; all services need the same key", file.display());
        Ok::<_, anyhow::Error>(key.ok_or_else(|| UsageError::new(missing()))?)
    };
    let key = config.auth.key_file.as_ref().map(load).transpose()?;
    match key {
        key if config.tls.has_internal() => Ok(ServicesIdentity::Certificates(key)),
        Some(key) => Ok(ServicesIdentity::Key(key)),
        None => anyhow::bail!("auth.key_file is missing"),
    }
}

/// Only recording has files that could fill a disk, if they are on one.
fn space(service: ServiceName, config: &Config, lifecycle: &Lifecycle) -> anyhow::Result<DiskSpace> {
    match config.recording.storage_url.as_ref().and_then(StorageUrl::folder) {
        Some(folder) if service == ServiceName::Recording => {
            folder::make(folder)
                .with_context(|| format!("recording.storage_url {} can't be used", folder.display()))?;
            Ok(DiskSpace::watch(folder, config.data.min_free_mib, lifecycle))
        }
        _ => Ok(DiskSpace::default()),
    }
}

fn builder(
    service: ServiceName,
    context: &ProcessContext,
    (verifier, tls): (Verifier, Option<ServerTls>),
    own: Option<OwnedAdmissions>,
) -> ServerBuilder {
    let config = &context.config;
    let builder = ServerBuilder::new(context.clock.clone(), verifier)
        .admitting(context.admitted.clone())
        .with_space(context.space.clone())
        .tls(tls)
        .announcing(VERSION);
    if service == ServiceName::Gateway {
        return builder.limits(ServerLimits::from(config)).web(config.server.web_origins.clone());
    }
    let builder = builder.limits(ServerLimits::behind_gateway(config));
    match own {
        Some(own) => builder.add_service(AdmissionApi::server(context.admitted.clone(), own)),
        None => builder,
    }
}

/// Starts the service, and adds what clients and other services call of it.
async fn mount(
    service: ServiceName,
    context: &ProcessContext,
    builder: ServerBuilder,
) -> anyhow::Result<ServerBuilder> {
    fn both(service: &impl RunningService, builder: ServerBuilder) -> ServerBuilder {
        service.add_internal(service.add_public(builder))
    }
    Ok(match service {
        ServiceName::Presence => both(&context.presence()?.await?, builder),
        ServiceName::Recording => both(&context.recording()?.await?, builder),
        ServiceName::Routing => both(&context.routing()?.await?, builder),
        ServiceName::Telephony => both(&context.telephony()?.await?, builder),
        ServiceName::Transfer => both(&context.transfer()?.await?, builder),
        ServiceName::Gateway => gateway::mount(context, builder)?,
    })
}

/// Serves until the lifecycle ends it; health answers as long. The returned token has health say that the process leaves.
fn serve(
    context: &ProcessContext,
    service: ServiceName,
    listener: BoundServer,
    answering: CancellationToken,
) -> CancellationToken {
    let (leaving, lifecycle) = (CancellationToken::new(), &context.lifecycle);
    let following = readiness::follow(listener.readiness(), (service, context.databases.clone()), leaving.clone());
    let serving = serve_until_drained(listener, following, (lifecycle.soft(), leaving.clone(), answering));
    lifecycle.spawn("listener", ended(lifecycle.clone(), "only", serving));
    leaving
}
