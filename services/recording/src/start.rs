//! Starting the service: its database, its storage, its background tasks, and the gRPC services to mount.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_api::recording::v1::archive_service_server::ArchiveServiceServer;
use baton_api::recording::v1::recording_service_server::RecordingServiceServer;
use baton_bus::{Bus, Consumer, FilterError, Keeper, Relay};
use baton_runtime::client::InternalChannel;
use baton_runtime::clock::{Clock, micros};
use baton_runtime::config::RecordingConfig;
use baton_runtime::lifecycle::Lifecycle;
use baton_store::{Db, MigrateError, OpenError};

use crate::audio::files::{Files, FilesError};
use crate::core::Core;
use crate::grpc::{ArchiveApi, RecordingApi};
use crate::projection::{self, Projection};
use crate::retention::Sweeper;
use crate::store::MIGRATOR;

const DAY: Duration = Duration::from_hours(24);

/// What the service needs to start.
#[derive(Debug)]
pub struct Deps {
    /// Where its database is kept, and its audio if the configuration does not say otherwise.
    pub data_dir: PathBuf,
    /// Its section of the configuration.
    pub config: RecordingConfig,
    /// Where the time comes from.
    pub clock: Clock,
    /// Who runs its background tasks, and says when to stop.
    pub lifecycle: Lifecycle,
    /// Where events are read and published.
    pub bus: Bus,
    /// The internal listener of the transfer service.
    pub transfer: InternalChannel,
}

/// Why the service could not start. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The tables can't be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The audio can't be kept.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A mistake of ours.
    #[error("the service's own event filter is no filter")]
    Filter(#[from] FilterError),
}

/// The service, started.
#[derive(Debug, Clone)]
pub struct Running {
    core: Arc<Core>,
}

/// Opens everything and starts the background tasks. They end with the lifecycle.
pub async fn start(deps: Deps) -> Result<Running, StartError> {
    let db = Db::open(deps.data_dir.join("recording.db")).await?;
    deps.lifecycle.stop_when("the disk of the recording service", db.failed());
    db.migrate(&MIGRATOR).await?;
    let folder = deps.config.storage_dir.clone().unwrap_or_else(|| deps.data_dir.join("recordings"));
    let files = Files::open(&folder)?;
    let core = Core::new(db, files, deps.clock.clone(), deps.lifecycle.clone(), deps.transfer.clone());
    let core = Arc::new(core);
    run_tasks(&core, deps)?;
    Ok(Running { core })
}

fn run_tasks(core: &Arc<Core>, deps: Deps) -> Result<(), StartError> {
    let Deps { config, clock, lifecycle, bus, .. } = deps;
    let stop = lifecycle.soft();
    let retention_us = retention_us(config.retention_days);
    let consumer = Consumer::new(crate::AREA, bus.clone(), core.db.clone(), clock.clone(), projection::filter()?);
    lifecycle.spawn("recording-events", consumer.run(Projection { retention_us }, stop.clone()));
    let relay = Relay::new(core.db.clone(), bus, clock.clone());
    lifecycle.spawn("recording-relay", relay.run(stop.clone()));
    lifecycle.spawn("recording-keeper", Keeper::new(core.db.clone(), clock).run(stop.clone()));
    let sweeper = Sweeper::new(Arc::clone(core), retention_us);
    lifecycle.spawn("recording-retention", sweeper.run(config.retention_scan_ms.duration(), stop));
    Ok(())
}

/// How long audio is kept; 0 days is for ever.
fn retention_us(days: u32) -> i64 {
    if days == 0 { i64::MAX } else { micros(DAY * days) }
}

impl Running {
    /// For the public listener.
    pub fn public_service(&self) -> RecordingServiceServer<RecordingApi> {
        RecordingServiceServer::new(RecordingApi::new(Arc::clone(&self.core)))
    }

    /// For the internal listener.
    pub fn internal_service(&self) -> ArchiveServiceServer<ArchiveApi> {
        ArchiveServiceServer::new(ArchiveApi::new(Arc::clone(&self.core)))
    }

    /// Its database: for readiness, and for whoever looks after dead letters.
    pub fn db(&self) -> &Db {
        &self.core.db
    }
}
