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
//! The path of a change: `grpc` parses it, `ops` decides what it does (what an interaction claims: `decide`, a pure function), `edit` writes it with its events, `core` commits it and
//! lets memory follow.

mod applied;
mod availability;
mod convert;
mod core;
mod deadline;
mod decide;
mod edit;
mod events;
mod grpc;
mod ids;
pub mod in_memory;
mod index;
#[cfg(feature = "bench")]
pub mod measure;
mod ops;
mod page;
mod projection;
mod record;
mod sessions;
mod status;
mod store;

use std::sync::Arc;

use baton_api::presence::v1::claim_service_server::ClaimServiceServer;
use baton_api::presence::v1::directory_service_server::DirectoryServiceServer;
use baton_api::presence::v1::presence_service_server::PresenceServiceServer;
use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_follow::report::ReportLoop;
use baton_runtime::ServiceName;
use baton_runtime::auth::AdmissionList;
use baton_runtime::clock::micros;
use baton_runtime::config::PresenceConfig;
use baton_runtime::server::ServerBuilder;
use baton_service::{RunningService, ServiceContext, StartError};
use baton_store::Migrations;

use crate::core::PresenceCore;
use crate::grpc::PresenceApi;
use crate::store::claims::UnreportedClaim;

/// The tables of its database, and how they came about.
pub static MIGRATIONS: Migrations = baton_store::migrations!();

/// The running service.
#[derive(Clone)]
pub struct Presence {
    api: PresenceApi,
}

/// Opens the database, reads it into memory, and starts the background tasks. The gates learn from `admitted` which agents were deleted.
pub async fn start(context: ServiceContext<PresenceConfig>, admitted: AdmissionList) -> Result<Presence, StartError> {
    let db = context.open(&MIGRATIONS).await?;
    context.be_alone(&db).await?;
    store::names::renew(&db).await?;
    let lease_us = micros(context.config.lease_ms.duration());
    let (clock, lifecycle) = (context.clock.clone(), context.lifecycle.clone());
    let core = Arc::new(PresenceCore::read(db, clock, lifecycle, lease_us, admitted).await?);
    ops::session::grant_grace(&core);
    let tasks = context.lifecycle.clone();
    tasks.spawn("presence expiry", ops::expire::run(Arc::clone(&core)));
    let reports = ReportLoop {
        db: core.db.clone(),
        clock: context.clock.clone(),
        intake: IntakeServiceClient::new(context.peers.to(ServiceName::Transfer)?),
        observed: Arc::clone(&core.to_report),
    };
    tasks.spawn("presence reports", reports.run::<UnreportedClaim>(tasks.clone()));
    ops::prune::start(&core);
    context.publish_from(&core.db);
    Ok(Presence { api: PresenceApi::new(core) })
}

impl RunningService for Presence {
    fn add_public(&self, server: ServerBuilder) -> ServerBuilder {
        server
            .add_service(DirectoryServiceServer::new(self.api.clone()))
            .add_service(PresenceServiceServer::new(self.api.clone()))
    }

    fn add_internal(&self, server: ServerBuilder) -> ServerBuilder {
        server.add_service(ClaimServiceServer::new(self.api.clone()))
    }
}
