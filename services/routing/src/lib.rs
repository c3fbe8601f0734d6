//! Routing: where calls go, and which interactions wait for which teams.
//!
//! `RoutingService` is for admins: call flows, the numbers that use them, and what may be dialled outside. `RouteService` is
//! internal: an interaction asks what happens to a call to a number or whether it may be placed, and waits here for an agent
//! of a team.
//!
//! Waiting is a projection like all others: the interaction says at each version what it waits for (`sync_wait`), an agent is
//! proposed as soon as one is free (`matcher`), and the answer is reported until it is acknowledged. Which interaction
//! gets an agent is not decided here but by the claim at presence.

mod core;
mod dial_rule;
mod events;
mod flow;
mod grpc;
mod hold_off;
mod match_pass;
mod matcher;
mod number;
mod page;
mod presence;
mod prune;
mod queue_worker;
mod store;
mod sync_wait;
mod team_queue;
mod upsert;
mod worker_task;

use std::path::PathBuf;
use std::sync::Arc;

use baton_api::routing::v1::route_service_server::RouteServiceServer;
use baton_api::routing::v1::routing_service_server::RoutingServiceServer;
use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_bus::{Bus, Janitor, Relay};
use baton_follow::report::ReportLoop;
use baton_runtime::Clock;
use baton_runtime::client::InternalChannel;
use baton_runtime::config::RoutingConfig;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::server::ServerBuilder;
use baton_store::Db;

use crate::core::RoutingCore;
use crate::grpc::RoutingApi;
use crate::matcher::Matcher;
use crate::presence::PresenceClient;
use crate::store::waits::UnreportedProposal;

/// What the service is started with.
pub struct RoutingContext {
    /// The database; made if it is not there.
    pub db_file: PathBuf,
    pub config: RoutingConfig,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
    pub bus: Bus,
    /// The presence service (`ClaimService`), which knows the agents.
    pub presence: InternalChannel,
    /// The transfer service (`IntakeService`): proposals are reported to it.
    pub transfer: InternalChannel,
}

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Open(#[from] baton_store::OpenError),
    #[error(transparent)]
    Migrate(#[from] baton_store::MigrateError),
}

/// The running service.
#[derive(Clone)]
pub struct Routing {
    api: RoutingApi,
}

impl Routing {
    /// Opens the database and starts the background tasks.
    pub async fn start(context: RoutingContext) -> Result<Self, StartError> {
        let db = Db::open(context.db_file).await?;
        context.lifecycle.stop_when("the disk of the routing service", db.failed());
        db.migrate(&sqlx::migrate!()).await?;
        let presence = PresenceClient::new(context.presence);
        let rescan = context.config.rescan_interval_ms.duration();
        let tasks = context.lifecycle;
        let core = Arc::new(RoutingCore::new(db.clone(), context.clock.clone(), tasks.clone(), presence, rescan));
        let matcher = Arc::new(Matcher::new(Arc::clone(&core)));
        tasks.spawn("routing waits", Arc::clone(&matcher).run());
        tasks.spawn("routing availability", Arc::clone(&matcher).listen());
        let reports = ReportLoop {
            db: db.clone(),
            clock: context.clock.clone(),
            intake: IntakeServiceClient::new(context.transfer),
            observed: Arc::clone(&core.unreported),
        };
        tasks.spawn("routing reports", reports.run::<UnreportedProposal>(tasks.clone()));
        tasks.spawn("routing pruning", prune::run(core, tasks.clone()));
        let relay = Relay::new(db.clone(), context.bus, context.clock.clone());
        tasks.spawn("routing relay", relay.run(tasks.soft()));
        tasks.spawn("routing janitor", Janitor::new(db, context.clock).run(tasks.soft()));
        Ok(Self { api: RoutingApi { matcher } })
    }

    /// Adds the service that clients call.
    #[must_use]
    pub fn add_public(&self, server: ServerBuilder) -> ServerBuilder {
        server.add_service(RoutingServiceServer::new(self.api.clone()))
    }

    /// Adds the service that other services call.
    #[must_use]
    pub fn add_internal(&self, server: ServerBuilder) -> ServerBuilder {
        server.add_service(RouteServiceServer::new(self.api.clone()))
    }
}
