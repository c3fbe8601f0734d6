//! Presence: which agents and teams there are, who is online, and who is occupied.
//!
//! Three gRPC services over one core. `DirectoryService` and `PresenceService` are for clients: agents and teams; sessions,
//! states, inboxes and pickers. `ClaimService` is internal: interactions claim agents, and routing asks who is available.
//!
//! # Who owns what
//! - The database owns the directory, the agents' status and every claim. It decides which interaction gets an agent, by a
//!   unique index (A1); nothing else does.
//! - Memory (`index`) mirrors it for everything that is only read: pickers, watches, candidates. It follows the commits, in
//!   their order (`core`).
//! - Leases live in memory alone (`sessions`): a heartbeat touches no disk.
//! - Time ends three things by itself: leases (`ops::session`), reservations and wrap-ups (`ops::expire`). Each is one
//!   sleep until the right moment, with a slow scan behind it.
//!
//! The path of a change: `grpc` parses it, `ops` decides what it does, `edit` writes it with its events, `core` commits it and
//! lets memory follow.

mod commit_order;
mod convert;
mod core;
mod deadline;
mod edit;
mod events;
mod grpc;
mod ids;
mod index;
mod ops;
mod page;
mod projection;
mod record;
mod sessions;
mod status;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use baton_api::presence::v1::claim_service_server::ClaimServiceServer;
use baton_api::presence::v1::directory_service_server::DirectoryServiceServer;
use baton_api::presence::v1::presence_service_server::PresenceServiceServer;
use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_bus::{Bus, Janitor, Relay};
use baton_follow::report::ReportLoop;
use baton_runtime::Clock;
use baton_runtime::client::InternalChannel;
use baton_runtime::clock::micros;
use baton_runtime::config::PresenceConfig;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::server::ServerBuilder;

use crate::core::{PresenceCore, PresenceCoreConfig};
use crate::grpc::PresenceApi;
use crate::store::claims::UnreportedExpiry;

/// What the service is started with.
pub struct PresenceContext {
    /// The database; made if it is not there.
    pub db_file: PathBuf,
    pub config: PresenceConfig,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
    pub bus: Bus,
    /// The transfer service (`IntakeService`): expired reservations are reported to it.
    pub transfer: InternalChannel,
}

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Open(#[from] baton_store::OpenError),
    #[error(transparent)]
    Migrate(#[from] baton_store::MigrateError),
    #[error("reading the agents failed")]
    Read(#[from] baton_store::StoreError),
}

/// The running service.
#[derive(Clone)]
pub struct Presence {
    api: PresenceApi,
}

impl Presence {
    /// Opens the database, reads it into memory, and starts the background tasks.
    pub async fn start(context: PresenceContext) -> Result<Self, StartError> {
        let core = PresenceCore::open(PresenceCoreConfig {
            db_file: context.db_file,
            clock: context.clock.clone(),
            lifecycle: context.lifecycle.clone(),
            lease_us: micros(context.config.lease_ms.duration()),
        })
        .await?;
        let core = Arc::new(core);
        ops::session::grant_grace(&core);
        let tasks = context.lifecycle;
        tasks.spawn("presence expiry", ops::expire::run(Arc::clone(&core)));
        let reports = ReportLoop {
            db: core.db.clone(),
            clock: context.clock.clone(),
            intake: IntakeServiceClient::new(context.transfer),
            observed: Arc::clone(&core.expired),
        };
        tasks.spawn("presence reports", reports.run::<UnreportedExpiry>(tasks.clone()));
        tasks.spawn("presence pruning", ops::prune::run(Arc::clone(&core)));
        tasks
            .spawn("presence relay", Relay::new(core.db.clone(), context.bus, context.clock.clone()).run(tasks.soft()));
        tasks.spawn("presence janitor", Janitor::new(core.db.clone(), context.clock).run(tasks.soft()));
        Ok(Self { api: PresenceApi::new(core) })
    }

    /// Adds the services that clients call.
    #[must_use]
    pub fn add_public(&self, server: ServerBuilder) -> ServerBuilder {
        server
            .add_service(DirectoryServiceServer::new(self.api.clone()))
            .add_service(PresenceServiceServer::new(self.api.clone()))
    }

    /// Adds the service that other services call.
    #[must_use]
    pub fn add_internal(&self, server: ServerBuilder) -> ServerBuilder {
        server.add_service(ClaimServiceServer::new(self.api.clone()))
    }
}
