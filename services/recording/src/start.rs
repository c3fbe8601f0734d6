//! Starting the service: its database, its storage, its background tasks, and the gRPC services to mount.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_api::recording::v1::archive_service_server::ArchiveServiceServer;
use baton_api::recording::v1::recording_service_server::RecordingServiceServer;
use baton_bus::{Bus, Consumer, EventMatcherError, Janitor, Relay};
use baton_runtime::client::InternalChannel;
use baton_runtime::clock::{Clock, micros};
use baton_runtime::config::RecordingConfig;
use baton_runtime::lifecycle::Lifecycle;
use baton_store::{Db, MigrateError, OpenError};

use crate::audio::files::{Files, FilesError};
use crate::core::RecordingCore;
use crate::grpc::{ArchiveApi, RecordingApi};
use crate::projection::{self, RecordingProjection};
use crate::retention::Sweeper;
use crate::store::MIGRATOR;

const DAY: Duration = Duration::from_hours(24);

/// The dependencies of the service.
#[derive(Debug)]
pub struct RecordingContext {
    /// Holds the database, and the audio unless the configuration names another folder.
    pub data_dir: PathBuf,
    pub config: RecordingConfig,
    pub clock: Clock,
    /// Runs the background tasks.
    pub lifecycle: Lifecycle,
    pub bus: Bus,
    /// The internal listener of the transfer service.
    pub transfer: InternalChannel,
}

/// Why the service could not start. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A mistake of Baton's.
    #[error("the service's own event filter is no filter")]
    EventMatcher(#[from] EventMatcherError),
}

#[derive(Debug, Clone)]
pub struct RecordingService {
    core: Arc<RecordingCore>,
}

/// Opens the database and the storage, and starts the background tasks, which end with the lifecycle.
pub async fn start(deps: RecordingContext) -> Result<RecordingService, StartError> {
    let db = Db::open(deps.data_dir.join("recording.db")).await?;
    deps.lifecycle.stop_when("the disk of the recording service", db.failed());
    db.migrate(&MIGRATOR).await?;
    let folder = deps.config.storage_dir.clone().unwrap_or_else(|| deps.data_dir.join("recordings"));
    let files = Files::open(&folder)?;
    let core = RecordingCore::new(db, files, deps.clock.clone(), deps.lifecycle.clone(), deps.transfer.clone());
    let core = Arc::new(core);
    run_tasks(&core, deps)?;
    Ok(RecordingService { core })
}

fn run_tasks(core: &Arc<RecordingCore>, deps: RecordingContext) -> Result<(), StartError> {
    let RecordingContext { config, clock, lifecycle, bus, .. } = deps;
    let stop = lifecycle.soft();
    let retention_us = retention_us(config.retention_days);
    let consumer = Consumer::new(crate::AREA, bus.clone(), core.db.clone(), clock.clone(), projection::filter()?);
    lifecycle.spawn("recording-events", consumer.run(RecordingProjection { retention_us }, stop.clone()));
    let relay = Relay::new(core.db.clone(), bus, clock.clone());
    lifecycle.spawn("recording-relay", relay.run(stop.clone()));
    lifecycle.spawn("recording-janitor", Janitor::new(core.db.clone(), clock).run(stop.clone()));
    let sweeper = Sweeper::new(Arc::clone(core), retention_us);
    lifecycle.spawn("recording-retention", sweeper.run(config.retention_scan_ms.duration(), stop));
    Ok(())
}

/// How long audio is kept; for ever if `days` is 0.
fn retention_us(days: u32) -> i64 {
    if days == 0 { i64::MAX } else { micros(DAY * days) }
}

impl RecordingService {
    /// For the public listener.
    pub fn public_service(&self) -> RecordingServiceServer<RecordingApi> {
        RecordingServiceServer::new(RecordingApi::new(Arc::clone(&self.core)))
    }

    /// For the internal listener.
    pub fn internal_service(&self) -> ArchiveServiceServer<ArchiveApi> {
        ArchiveServiceServer::new(ArchiveApi::new(Arc::clone(&self.core)))
    }

    /// For readiness checks and for tools that read dead letters.
    pub fn db(&self) -> &Db {
        &self.core.db
    }
}
