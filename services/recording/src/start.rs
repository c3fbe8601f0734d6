//! Starting the service: its database, its storage, its background tasks, and the gRPC services to mount.

use std::sync::Arc;
use std::time::Duration;

use baton_api::recording::v1::archive_service_server::ArchiveServiceServer;
use baton_api::recording::v1::recording_service_server::RecordingServiceServer;
use baton_api::recording::v1::voicemail_service_server::VoicemailServiceServer;
use baton_bus::Consumer;
use baton_runtime::clock::micros;
use baton_runtime::config::RecordingConfig;
use baton_runtime::server::ServerBuilder;
use baton_service::{RunningService, ServiceContext, StartError};
use baton_store::Db;

use crate::audio::files::Files;
use crate::audio::probe;
use crate::core::RecordingCore;
use crate::grpc::{ArchiveApi, RecordingApi, VoicemailApi};
use crate::projection::{self, RecordingProjection};
use crate::retention;
use crate::store::{MIGRATIONS, stored};

const DAY: Duration = Duration::from_hours(24);

/// The running service.
#[derive(Debug, Clone)]
pub struct RecordingService {
    core: Arc<RecordingCore>,
}

/// Opens the database and the storage, and starts the background tasks, which end with the lifecycle. The audio is in the data folder
/// unless the configuration names another storage.
pub async fn start(context: ServiceContext<RecordingConfig>) -> Result<RecordingService, StartError> {
    let db = context.open(&MIGRATIONS).await?;
    let files = Files::of(&context.config, &context.folder.join("recordings")).map_err(StartError::other)?;
    if files.is_bucket() {
        context.lifecycle.spawn("look at the storage", say_if_away(files.clone()));
    }
    let core = Arc::new(RecordingCore::new(db.clone(), files, &context)?);
    let retention_us = days_us(context.config.retention_days);
    let filter = projection::filter().map_err(StartError::other)?;
    let consumer = Consumer::new(crate::AREA, context.bus.clone(), db.clone(), context.clock.clone(), filter);
    let consuming = consumer.run(RecordingProjection { retention_us }, context.lifecycle.soft());
    context.lifecycle.spawn("recording events", consuming);
    context.publish_from(&db);
    context.count_stored("audio", &db, stored::STATEMENT);
    retention::start(&core, (retention_us, context.calls_kept), context.config.retention_scan_ms.duration());
    Ok(RecordingService { core })
}

/// Whether it is there or not, the service runs: audio that can't be stored is sent again.
async fn say_if_away(files: Files) {
    if let Err(error) = probe::look(&files).await {
        tracing::warn!(error = %error, cause = ?error, "audio can't be stored yet, and is sent until it can");
    }
}

/// How long audio is kept; for ever if `days` is 0.
pub(crate) fn days_us(days: u32) -> i64 {
    if days == 0 { i64::MAX } else { micros(DAY * days) }
}

impl RunningService for RecordingService {
    fn add_public(&self, server: ServerBuilder) -> ServerBuilder {
        server
            .add_service(RecordingServiceServer::new(RecordingApi::new(Arc::clone(&self.core))))
            .add_service(VoicemailServiceServer::new(VoicemailApi::new(Arc::clone(&self.core))))
    }

    fn add_internal(&self, server: ServerBuilder) -> ServerBuilder {
        server.add_service(ArchiveServiceServer::new(ArchiveApi::new(Arc::clone(&self.core))))
    }
}

impl RecordingService {
    /// For tools that read dead letters.
    pub fn db(&self) -> &Db {
        &self.core.db
    }
}
