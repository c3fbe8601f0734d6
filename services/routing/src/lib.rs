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
mod estimate;
mod events;
mod flow;
mod grpc;
mod hold_off;
mod hours;
pub mod in_memory;
mod ivr_flow;
mod match_pass;
mod matcher;
mod number;
mod page;
mod pool_rules;
mod presence;
mod prune;
mod queue;
mod queue_worker;
mod statistics;
mod store;
mod strategy;
mod sync_wait;
mod team_queue;
mod upsert;
mod worker_task;

use std::sync::Arc;

use baton_api::routing::v1::route_service_server::RouteServiceServer;
use baton_api::routing::v1::routing_service_server::RoutingServiceServer;
use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_follow::report::ReportLoop;
use baton_runtime::ServiceName;
use baton_runtime::auth::AdmissionList;
use baton_runtime::config::RoutingConfig;
use baton_runtime::server::ServerBuilder;
use baton_service::{RunningService, ServiceContext, StartError};
use baton_store::Migrations;

use crate::core::RoutingCore;
use crate::grpc::RoutingApi;
use crate::matcher::Matcher;
use crate::presence::PresenceClient;
use crate::store::waits::UnreportedProposal;

/// The tables of its database, and how they came about.
pub static MIGRATIONS: Migrations = baton_store::migrations!();

/// The running service.
#[derive(Clone)]
pub struct Routing {
    api: RoutingApi,
}

/// Opens the database and starts the background tasks. What tenants may use of the telephone network is asked of `admitted`.
pub async fn start(context: ServiceContext<RoutingConfig>, admitted: AdmissionList) -> Result<Routing, StartError> {
    let db = context.open(&MIGRATIONS).await?;
    context.be_alone(&db).await?;
    store::flows::renew_keys(&db).await?;
    store::ivr_flows::renew_keys(&db).await?;
    store::queues::renew_keys(&db).await?;
    let (clock, tasks) = (context.clock.clone(), context.lifecycle.clone());
    let presence = PresenceClient::new(context.peers.to(ServiceName::Presence)?);
    let rescan = context.config.rescan_interval_ms.duration();
    let core = Arc::new(RoutingCore::new((db.clone(), clock.clone(), tasks.clone()), presence, admitted, rescan));
    let matcher = Arc::new(Matcher::new(Arc::clone(&core)));
    tasks.spawn("routing waits", Arc::clone(&matcher).run());
    tasks.spawn("routing availability", Arc::clone(&matcher).listen());
    let reports = ReportLoop {
        db: db.clone(),
        clock,
        intake: IntakeServiceClient::new(context.peers.to(ServiceName::Transfer)?),
        observed: Arc::clone(&core.unreported),
    };
    tasks.spawn("routing reports", reports.run::<UnreportedProposal>(tasks.clone()));
    prune::start(&core);
    context.publish_from(&db);
    Ok(Routing { api: RoutingApi { matcher } })
}

impl RunningService for Routing {
    fn add_public(&self, server: ServerBuilder) -> ServerBuilder {
        server.add_service(RoutingServiceServer::new(self.api.clone()))
    }

    fn add_internal(&self, server: ServerBuilder) -> ServerBuilder {
        server.add_service(RouteServiceServer::new(self.api.clone()))
    }
}
