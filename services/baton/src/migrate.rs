//! `baton migrate`: the tables of all services on their `PostgreSQL` server, and the stream of events, made or brought up to date.
//!
//! Services that are processes of their own only check. So this is the one step that needs the right to change tables, and it is done before
//! the new version of any service starts: tables are first added to, and what is taken away goes one version later.

use std::path::PathBuf;

use anyhow::Context as _;
use baton_bus::JetStreamBus;
use baton_runtime::config::Config;
use baton_runtime::{ServiceName, process};
use baton_store::{Databases, MigrateError};
use clap::Args;

use crate::failure::{AlreadyReported, UsageError, chain};
use crate::services::server_databases::for_command;
use crate::services::{migrations, stream};
use crate::stdout::try_print_line;

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Configuration file; what it does not set has its default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A role of the server that may use the tables and not change them: the one by which the services connect.
    #[arg(long, value_name = "ROLE")]
    grant: Option<String>,
    /// Change nothing, and fail if something would be.
    #[arg(long, conflicts_with = "grant")]
    check: bool,
}

/// Safe to repeat, and to run twice at once.
pub(crate) async fn run(args: MigrateArgs) -> anyhow::Result<()> {
    process::keep_files_private();
    let config = Config::load(args.config.as_deref())?;
    let databases = for_command(&config.database)?.ok_or_else(|| {
        UsageError::new("database.url_file is missing: without a server, `baton up` brings its own files up to date")
    })?;
    let mut wrong = 0;
    for service in ServiceName::STORING {
        let line = match tables(&databases, service, &args).await {
            Ok(done) => done.to_owned(),
            // What is only looked at is looked at to the end.
            Err(error) if args.check => {
                wrong += 1;
                format!("WRONG: {}", chain(&error))
            }
            Err(error) => return Err(error.context(format!("the tables of {service}"))),
        };
        try_print_line(&format!("{:<11}{line}", service.as_str()))?;
    }
    wrong += usize::from(!events(&config, args.check).await?);
    match wrong {
        0 => Ok(()),
        _ => Err(AlreadyReported.into()),
    }
}

/// Whether the stream of events is as it should be.
async fn events(config: &Config, check: bool) -> anyhow::Result<bool> {
    let about = "events     ";
    let Some(nats) = stream::options(&config.nats)? else {
        try_print_line(&format!("{about}no stream: nats.url is empty"))?;
        return Ok(true);
    };
    let settings = stream::settings(&config.nats);
    if !check {
        JetStreamBus::ensure(&nats, settings).await.context("the stream of events")?;
        try_print_line(&format!("{about}the stream is as it should be"))?;
        return Ok(true);
    }
    let wrong = match JetStreamBus::check(&nats, settings).await {
        Ok(wrong) => wrong.join("; "),
        Err(error) => chain(&error.into()),
    };
    let line = if wrong.is_empty() { "the stream is as it should be".to_owned() } else { format!("WRONG: {wrong}") };
    try_print_line(&format!("{about}{line}"))?;
    Ok(wrong.is_empty())
}

async fn tables(databases: &Databases, service: ServiceName, args: &MigrateArgs) -> anyhow::Result<&'static str> {
    let (db, migrations) = (databases.open(service.as_str()).await?, migrations(service));
    let fit = db.check_schema(migrations).await;
    let done = match fit {
        Ok(()) => "fits already",
        Err(MigrateError::Older { .. }) if !args.check => {
            db.migrate(migrations).await?;
            "brought up to date"
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(role) = &args.grant {
        db.grant(role).await.with_context(|| format!("granting {role} their use"))?;
    }
    Ok(done)
}
