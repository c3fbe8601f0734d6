//! The transfer service: the orchestrator. It owns interactions and the sagas of their transfers, and the tenants with their policies.
//!
//! Everything comes in by one [command handler](command_handler): commands, facts and deadlines. It loads the state, lets the pure core react, and commits the new
//! state, its events and the answer to the request in one transaction. What the world must look like because of it is projected and
//! [pushed](push) to telephony, presence and routing; they report what they saw as facts, by the same handler. Whatever was committed and is not
//! followed, after a crash or because another process committed it, is found by a scan and pushed: there is nothing else to recover.

mod command_handler;
mod convert;
mod elsewhere;
mod error;
mod filter;
mod grpc;
mod hub;
mod live;
mod policies;
mod prune;
mod pseudonym;
mod push;
mod recent;
mod store;
mod tenants;
mod wake;

/// Between the core and what the other services are sent and answer: for the random walk (`tests/walk`), which plays all of them in simulated time.
pub mod wire {
    pub use crate::convert::{
        facts::{of_claims, of_wait, parse as fact},
        plan::{claims, media, wait},
    };
}

use baton_api::{
    presence::v1::claim_service_client::ClaimServiceClient,
    recording::v1::archive_service_client::ArchiveServiceClient,
    routing::v1::route_service_client::RouteServiceClient,
    telephony::v1::telephony_service_client::TelephonyServiceClient,
    tenant::v1::tenant_service_server::TenantServiceServer,
    transfer::v1::{
        chat_service_server::ChatServiceServer, intake_service_server::IntakeServiceServer,
        interaction_service_server::InteractionServiceServer, policy_service_server::PolicyServiceServer,
        transfer_service_server::TransferServiceServer,
    },
};
use baton_domain::{Actor, Command, Input, Refusal};
use baton_runtime::{
    ServiceName,
    auth::{AdmissionList, VisitorTokens},
    client::{InternalChannel, Peers, UnknownPeer},
    config::TransferConfig,
    disk_space::DiskSpace,
    quota::Quota,
    server::ServerBuilder,
};
use baton_service::{RunningService, ServiceContext, StartError};
use baton_store::StoreError;
use baton_words::SwitchId;
use command_handler::CommandHandler;
use error::SubmitError;
use grpc::{ChatApi, IntakeApi, InteractionApi, PolicyApi, TenantApi, TransferApi};
use std::sync::Arc;
use tenants::Tenants;

/// Interactions that clients watch at the same time, and those of one tenant: each stream holds what it sends next.
const MAX_WATCHED: usize = 20_000;
const MAX_WATCHED_BY_TENANT: usize = 10_000;

/// The tables of its database, and how they came about.
pub static MIGRATIONS: baton_store::Migrations = baton_store::migrations!();

/// The running service: what is to be mounted.
#[derive(Clone)]
pub struct TransferRuntime {
    handler: Arc<CommandHandler>,
    peers: TransferPeers,
    outgoing_switch: SwitchId,
    space: DiskSpace,
    visitors: VisitorTokens,
}

/// The other services, as this one calls them.
#[derive(Clone)]
pub(crate) struct TransferPeers {
    pub(crate) telephony: TelephonyServiceClient<InternalChannel>,
    pub(crate) presence: ClaimServiceClient<InternalChannel>,
    pub(crate) routing: RouteServiceClient<InternalChannel>,
    pub(crate) recording: ArchiveServiceClient<InternalChannel>,
}

impl TransferPeers {
    fn new(peers: &Peers) -> Result<Self, UnknownPeer> {
        Ok(Self {
            telephony: TelephonyServiceClient::new(peers.to(ServiceName::Telephony)?),
            presence: ClaimServiceClient::new(peers.to(ServiceName::Presence)?),
            routing: RouteServiceClient::new(peers.to(ServiceName::Routing)?),
            recording: ArchiveServiceClient::new(peers.to(ServiceName::Recording)?),
        })
    }
}

/// Opens the database, takes up every live interaction, and starts the tasks. The gates learn from `accepted` which tenants there
/// are; `visitors` makes the tokens of those who chat.
///
/// # Errors
/// See [`StartError`].
pub async fn start(
    context: ServiceContext<TransferConfig>,
    accepted: AdmissionList,
    visitors: VisitorTokens,
) -> Result<TransferRuntime, StartError> {
    let db = context.open(&MIGRATIONS).await?;
    let peers = TransferPeers::new(&context.peers)?;
    let tenants = Tenants::load(db.clone(), accepted).await?;
    let (handler, notices) = CommandHandler::new(db.clone(), context.clock.clone(), tenants, &context.config);
    context.publish_from(&db);
    let (lifecycle, soft) = (&context.lifecycle, context.lifecycle.soft());
    lifecycle.spawn("transfer watch", elsewhere::run(handler.clone(), soft.clone()));
    lifecycle.spawn("transfer wake", wake::run(handler.clone(), soft.clone()));
    let pusher = push::Pusher::new(handler.clone(), peers.clone(), context.config.compare_interval_ms.duration());
    lifecycle.spawn("transfer push", pusher.run(notices, soft));
    handler.take_up(|_| None).await?;
    prune::start(&handler, &context.lifecycle, context.calls_kept);
    context.count_stored("calls", &db, store::stored::STATEMENT);
    Ok(TransferRuntime {
        handler,
        peers,
        outgoing_switch: context.config.outgoing_switch_id,
        space: context.space,
        visitors,
    })
}

impl RunningService for TransferRuntime {
    fn add_public(&self, server: ServerBuilder) -> ServerBuilder {
        let (handler, peers) = (self.handler.clone(), self.peers.clone());
        let watchers = Arc::new(Quota::new(MAX_WATCHED, MAX_WATCHED_BY_TENANT));
        let chats = ChatApi {
            handler: handler.clone(),
            peers: peers.clone(),
            watchers: watchers.clone(),
            visitors: self.visitors.clone(),
        };
        let interactions = InteractionApi {
            handler: handler.clone(),
            peers: peers.clone(),
            watchers: watchers.clone(),
            outgoing_switch: self.outgoing_switch.clone(),
        };
        let transfers = TransferApi { handler: handler.clone(), peers, watchers };
        server
            .add_service(TransferServiceServer::new(transfers))
            .add_service(InteractionServiceServer::new(interactions))
            .add_service(ChatServiceServer::new(chats))
            .add_service(PolicyServiceServer::new(PolicyApi { handler: handler.clone() }))
            .add_service(TenantServiceServer::new(TenantApi { handler, space: self.space.clone() }))
    }

    fn add_internal(&self, server: ServerBuilder) -> ServerBuilder {
        let intake = IntakeApi { handler: self.handler.clone(), peers: self.peers.clone() };
        server.add_service(IntakeServiceServer::new(intake))
    }
}

impl TransferRuntime {
    /// Ends every interaction that is live, for everybody in it: for an end of the switch that somebody wants. Returns how many are not
    /// over yet so that every service knows.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_all(&self) -> Result<usize, StoreError> {
        let unacknowledged = store::interactions::unacknowledged(&self.handler.db).await?;
        for (id, _) in &unacknowledged {
            if self.handler.load(*id).await?.is_some_and(|interaction| !interaction.ended()) {
                let end = Input::Command(Actor::System, Command::End);
                let ended = self.handler.submit(*id, vec![end]).await;
                if let Err(error) = ended
                    && !matches!(error, SubmitError::Refused(Refusal::Ended))
                {
                    tracing::warn!(interaction.id = %id, %error, "a call could not be ended");
                }
            }
        }
        Ok(unacknowledged.len())
    }
}
