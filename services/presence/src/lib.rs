//! Presence: who there is, who is there, and who is taken.
//!
//! Three gRPC services over one core. `DirectoryService` and `PresenceService` are for clients: agents and teams; sessions,
//! states, inboxes and pickers. `ClaimService` is internal: interactions claim agents, and routing asks who could be had.
//!
//! # Who owns what
//! - The database owns the directory, how agents stand and every claim. Who gets an agent is decided there, by a unique
//!   index (A1), and nowhere else.
//! - Memory (`index`) mirrors it for everything that is only read: pickers, watches, candidates. It follows
//!   each commit, in their order (`core`).
//! - Leases live in memory alone (`sessions`): a heartbeat touches no disk.
//! - Time ends three things by itself: leases (`ops::session`), reservations and wrap-ups (`ops::expire`). Each is one
//!   sleep until the right moment, with a slow scan behind it.
//!
//! The way of a change: `grpc` parses it, `ops` says what it does, `edit` writes it with its events, `core` commits it and
//! lets memory follow.

mod convert;
mod core;
mod deadline;
mod edit;
mod events;
mod grpc;
mod ids;
mod index;
mod ops;
mod order;
mod page;
mod projection;
mod record;
mod report;
mod sessions;
mod state;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use baton_api::presence::v1::claim_service_server::ClaimServiceServer;
use baton_api::presence::v1::directory_service_server::DirectoryServiceServer;
use baton_api::presence::v1::presence_service_server::PresenceServiceServer;
use baton_bus::{Bus, Keeper, Relay};
use baton_runtime::Clock;
use baton_runtime::client::InternalChannel;
use baton_runtime::clock::micros;
use baton_runtime::config::PresenceConfig;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::server::ServerBuilder;

use crate::core::{Core, CoreConfig};
use crate::grpc::Api;

/// What the service needs from outside.
pub struct Deps {
    /// Its database; made if it is not there.
    pub db_file: PathBuf,
    /// The section `[presence]`.
    pub config: PresenceConfig,
    /// Where the time comes from.
    pub clock: Clock,
    /// What its tasks run on.
    pub lifecycle: Lifecycle,
    /// Where its events go.
    pub bus: Bus,
    /// The transfer service (`IntakeService`), which hears of expired reservations.
    pub transfer: InternalChannel,
}

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] baton_store::OpenError),
    /// Its tables could not be brought up to date.
    #[error(transparent)]
    Migrate(#[from] baton_store::MigrateError),
    /// It could not be read.
    #[error("reading the agents failed")]
    Read(#[from] baton_store::StoreError),
}

/// The running service.
#[derive(Clone)]
pub struct Presence {
    api: Api,
}

impl Presence {
    /// Opens the database, reads everybody into memory, and starts what runs by itself.
    pub async fn start(deps: Deps) -> Result<Self, StartError> {
        let core = Core::open(CoreConfig {
            db_file: deps.db_file,
            clock: deps.clock.clone(),
            lifecycle: deps.lifecycle.clone(),
            lease_us: micros(deps.config.lease_ms.duration()),
        })
        .await?;
        let core = Arc::new(core);
        ops::session::grant_grace(&core);
        let tasks = deps.lifecycle;
        tasks.spawn("presence expiry", ops::expire::run(Arc::clone(&core)));
        tasks.spawn("presence reports", report::run(Arc::clone(&core), deps.transfer));
        tasks.spawn("presence pruning", ops::prune::run(Arc::clone(&core)));
        tasks.spawn("presence relay", Relay::new(core.db.clone(), deps.bus, deps.clock.clone()).run(tasks.soft()));
        tasks.spawn("presence keeper", Keeper::new(core.db.clone(), deps.clock).run(tasks.soft()));
        Ok(Self { api: Api::new(core) })
    }

    /// Adds what clients call.
    #[must_use]
    pub fn add_public(&self, server: ServerBuilder) -> ServerBuilder {
        server
            .add_service(DirectoryServiceServer::new(self.api.clone()))
            .add_service(PresenceServiceServer::new(self.api.clone()))
    }

    /// Adds what other services call.
    #[must_use]
    pub fn add_internal(&self, server: ServerBuilder) -> ServerBuilder {
        server.add_service(ClaimServiceServer::new(self.api.clone()))
    }
}
