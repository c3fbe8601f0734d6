//! Routing: which call goes where, and who waits for whom.
//!
//! `RoutingService` is for admins: call flows, the numbers that use them, and what may be dialled outside. `RouteService` is
//! internal: an interaction asks what happens to a call to a number or whether it may be placed, and waits here for an agent
//! of a team.
//!
//! Waiting is a projection like all others: the interaction says at each version what it waits for (`sync_wait`), somebody is
//! proposed as soon as somebody is free (`matcher`), and the answer is told again and again until the
//! interaction has it (`report`). Who gets an agent is not decided here but by their claim at presence.

mod core;
mod dial_rule;
mod flow;
mod follow;
mod grpc;
mod held;
mod line;
mod look;
mod matcher;
mod number;
mod page;
mod people;
mod prune;
mod queue;
mod report;
mod store;
mod sync_wait;

use std::path::PathBuf;
use std::sync::Arc;

use baton_api::routing::v1::route_service_server::RouteServiceServer;
use baton_api::routing::v1::routing_service_server::RoutingServiceServer;
use baton_bus::Keeper;
use baton_runtime::Clock;
use baton_runtime::client::InternalChannel;
use baton_runtime::config::RoutingConfig;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::server::ServerBuilder;
use baton_store::Db;

use crate::core::Core;
use crate::grpc::Api;
use crate::matcher::Matcher;
use crate::people::People;

/// What the service needs from outside.
pub struct Deps {
    /// Its database; made if it is not there.
    pub db_file: PathBuf,
    /// The section `[routing]`.
    pub config: RoutingConfig,
    /// Where the time comes from.
    pub clock: Clock,
    /// What its tasks run on.
    pub lifecycle: Lifecycle,
    /// The presence service (`ClaimService`), which knows the agents.
    pub presence: InternalChannel,
    /// The transfer service (`IntakeService`), which hears of proposals.
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
}

/// The running service.
#[derive(Clone)]
pub struct Routing {
    api: Api,
}

impl Routing {
    /// Opens the database and starts what runs by itself.
    pub async fn start(deps: Deps) -> Result<Self, StartError> {
        let db = Db::open(deps.db_file).await?;
        deps.lifecycle.stop_when("the disk of the routing service", db.failed());
        db.migrate(&sqlx::migrate!()).await?;
        let people = People::new(deps.presence);
        let rescan = deps.config.rescan_interval_ms.duration();
        let tasks = deps.lifecycle;
        let core = Arc::new(Core::new(db.clone(), deps.clock.clone(), tasks.clone(), people, rescan));
        let matcher = Arc::new(Matcher::new(Arc::clone(&core)));
        tasks.spawn("routing waits", Arc::clone(&matcher).run());
        tasks.spawn("routing availability", Arc::clone(&matcher).listen());
        tasks.spawn("routing reports", report::run(Arc::clone(&core), deps.transfer, tasks.clone()));
        tasks.spawn("routing pruning", prune::run(core, tasks.clone()));
        tasks.spawn("routing keeper", Keeper::new(db, deps.clock).run(tasks.soft()));
        Ok(Self { api: Api { matcher } })
    }

    /// Adds what clients call.
    #[must_use]
    pub fn add_public(&self, server: ServerBuilder) -> ServerBuilder {
        server.add_service(RoutingServiceServer::new(self.api.clone()))
    }

    /// Adds what other services call.
    #[must_use]
    pub fn add_internal(&self, server: ServerBuilder) -> ServerBuilder {
        server.add_service(RouteServiceServer::new(self.api.clone()))
    }
}
