//! `baton events republish` and `baton events new-epoch`: where the events of a service go on, when its database and what was published do
//! not fit together any more. An operator decides that; the service's relay does it.

use std::path::PathBuf;

use anyhow::Context as _;
use baton_bus::{Bus, EventLog, JetStreamBus};
use baton_runtime::config::{Config, NatsConfig};
use baton_runtime::{Clock, ServiceName, process};
use clap::Args;

use crate::failure::UsageError;
use crate::folder::DataFolder;
use crate::services::server_databases::for_command;
use crate::services::stream;
use crate::stdout::try_print_line;
use crate::up::databases;

#[derive(Debug, Args)]
pub(crate) struct StreamArgs {
    /// Whose events: presence, recording, routing or transfer.
    service: ServiceName,
    /// Configuration file; what it does not set has its default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl StreamArgs {
    fn config(&self) -> anyhow::Result<Config> {
        process::keep_files_private();
        if matches!(self.service, ServiceName::Gateway | ServiceName::Telephony) {
            let text = format!("{} publishes no events; presence, recording, routing and transfer do", self.service);
            return Err(UsageError::new(text).into());
        }
        Ok(Config::load(self.config.as_deref())?)
    }
}

/// Readers know what they have read by its id.
pub(crate) async fn republish(args: StreamArgs) -> anyhow::Result<()> {
    let config = args.config()?;
    let service = args.service.as_str();
    if let Some(bus) = connect(&config.nats, service).await? {
        bus.republish(service).await?;
        let text = format!("{service} publishes all that its database keeps once more, after what is in the stream.");
        return Ok(try_print_line(&text)?);
    }
    // A `baton up` would publish at the same time.
    let folder = DataFolder::open(&config.data.dir)?;
    let log = EventLog::open(databases::file_of(folder.path(), databases::NAMES[0]), Clock::real()).await?;
    log.republish(service).await?;
    Ok(try_print_line(&format!(
        "{service} publishes all that its database keeps once more when `baton up` starts; what is there stays."
    ))?)
}

/// For a database that is older than the stream, or that has come to another server.
pub(crate) async fn new_epoch(args: StreamArgs) -> anyhow::Result<()> {
    let config = args.config()?;
    let service = args.service.as_str();
    let bus = connect(&config.nats, service).await?.ok_or_else(|| {
        UsageError::new(
            "nats.url is empty: a data folder and its event log are backed up and restored together (`baton restore`)",
        )
    })?;
    let databases = for_command(&config.database)?;
    let databases =
        databases.ok_or_else(|| UsageError::new("database.url_file is missing: where is the service's database?"))?;
    bus.new_epoch(service, &databases.open(service).await?).await?;
    let text = format!(
        "{service} goes on after what is in the stream; what was committed since the restore is published now."
    );
    Ok(try_print_line(&text)?)
}

/// The stream, once it answers; `None` if no servers are named.
async fn connect(config: &NatsConfig, service: &str) -> anyhow::Result<Option<JetStreamBus>> {
    let Some(options) = stream::options(config)? else { return Ok(None) };
    let bus = JetStreamBus::open(&options, Clock::real()).await.context("[nats]")?;
    stream::until_connected(&Bus::from(bus.clone()), service).await?;
    Ok(Some(bus))
}
