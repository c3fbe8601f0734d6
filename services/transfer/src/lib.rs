//! The transfer service: the orchestrator. It owns interactions and the sagas of their transfers, and the tenants with their policies.
//!
//! Everything comes in by one [command handler](command_handler): commands, facts and deadlines. It loads the state, lets the pure core react, and commits the new
//! state, its events and the answer to the request in one transaction. What the world must look like because of it is projected and
//! [pushed](push) to telephony, presence and routing; they report what they saw as facts, by the same handler. After a crash every live
//! interaction is loaded and pushed again: there is nothing else to recover.

mod alarm;
mod command_handler;
mod convert;
mod error;
mod filter;
mod grpc;
mod hub;
mod live;
mod policies;
mod pseudonym;
mod push;
mod recent;
mod store;
mod tenants;
mod wake;

pub use grpc::{IntakeApi, InteractionApi, PolicyApi, TenantApi, TransferApi};

use baton_api::{
    presence::v1::claim_service_client::ClaimServiceClient,
    recording::v1::archive_service_client::ArchiveServiceClient,
    routing::v1::route_service_client::RouteServiceClient,
    telephony::v1::telephony_service_client::TelephonyServiceClient,
    tenant::v1::tenant_service_server::TenantServiceServer,
    transfer::v1::{
        intake_service_server::IntakeServiceServer, interaction_service_server::InteractionServiceServer,
        policy_service_server::PolicyServiceServer, transfer_service_server::TransferServiceServer,
    },
};
use baton_bus::{Bus, Janitor, Relay};
use baton_domain::{Actor, Command, Input, Refusal};
use baton_runtime::{
    auth::TenantStates, client::InternalChannel, clock::Clock, config::TransferConfig, lifecycle::Lifecycle,
    quota::Quota,
};
use baton_store::{Db, StoreError};
use baton_words::SwitchId;
use command_handler::CommandHandler;
use error::SubmitError;
use std::{path::PathBuf, sync::Arc};
use tenants::Tenants;

/// Interactions that clients watch at the same time, and those of one tenant: each stream holds what it sends next.
const MAX_WATCHED: usize = 20_000;
const MAX_WATCHED_BY_TENANT: usize = 10_000;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// What the service needs to run.
pub struct TransferContext {
    /// Its database file.
    pub database: PathBuf,
    /// Time.
    pub clock: Clock,
    /// Its section of the configuration.
    pub config: TransferConfig,
    /// Who runs its tasks.
    pub lifecycle: Lifecycle,
    /// Where events go.
    pub bus: Bus,
    /// Where the gates learn which tenants are accepted.
    pub tenants: TenantStates,
    /// The internal listener, behind which the other services are.
    pub peers: InternalChannel,
}

/// Why it could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database can't be opened.
    #[error(transparent)]
    Open(#[from] baton_store::OpenError),
    /// The database can't be brought up to date.
    #[error(transparent)]
    Migrate(#[from] baton_store::MigrateError),
    /// What is stored can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The running service: what is to be mounted.
#[derive(Clone)]
pub struct TransferRuntime {
    handler: Arc<CommandHandler>,
    peers: TransferPeers,
    outgoing_switch: SwitchId,
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
    fn new(channel: &InternalChannel) -> Self {
        Self {
            telephony: TelephonyServiceClient::new(channel.clone()),
            presence: ClaimServiceClient::new(channel.clone()),
            routing: RouteServiceClient::new(channel.clone()),
            recording: ArchiveServiceClient::new(channel.clone()),
        }
    }
}

/// Opens the database, takes up every live interaction, and starts the tasks.
///
/// # Errors
/// See [`StartError`].
pub async fn start(deps: TransferContext) -> Result<TransferRuntime, StartError> {
    let db = Db::open(&deps.database).await?;
    deps.lifecycle.stop_when("the disk of the transfer service", db.failed());
    db.migrate(&MIGRATOR).await?;
    let peers = TransferPeers::new(&deps.peers);
    let tenants = Tenants::load(db.clone(), deps.tenants).await?;
    let (handler, tasks) = CommandHandler::new(db.clone(), deps.clock.clone(), tenants, &deps.config);
    let soft = deps.lifecycle.soft();
    deps.lifecycle.spawn("transfer.relay", Relay::new(db.clone(), deps.bus, deps.clock.clone()).run(soft.clone()));
    deps.lifecycle.spawn("transfer.janitor", Janitor::new(db, deps.clock.clone()).run(soft.clone()));
    deps.lifecycle.spawn("transfer.wake", wake::run(handler.clone(), tasks.wakes, soft.clone()));
    let pusher = push::Pusher::new(handler.clone(), peers.clone(), deps.config.compare_interval_ms.duration());
    deps.lifecycle.spawn("transfer.push", pusher.run(tasks.pushes, soft));
    handler.take_up_all().await?;
    Ok(TransferRuntime { handler, peers, outgoing_switch: deps.config.outgoing_switch_id })
}

impl TransferRuntime {
    /// The transfer API. Public.
    pub fn transfers(&self) -> TransferServiceServer<TransferApi> {
        TransferServiceServer::new(TransferApi { handler: self.handler.clone(), peers: self.peers.clone() })
    }

    /// The interaction API. Public.
    pub fn interactions(&self) -> InteractionServiceServer<InteractionApi> {
        InteractionServiceServer::new(InteractionApi {
            handler: self.handler.clone(),
            peers: self.peers.clone(),
            watchers: Arc::new(Quota::new(MAX_WATCHED, MAX_WATCHED_BY_TENANT)),
            outgoing_switch: self.outgoing_switch.clone(),
        })
    }

    /// The policy API. Public.
    pub fn policies(&self) -> PolicyServiceServer<PolicyApi> {
        PolicyServiceServer::new(PolicyApi { handler: self.handler.clone() })
    }

    /// The tenant API. Public, for the operator.
    pub fn tenants(&self) -> TenantServiceServer<TenantApi> {
        TenantServiceServer::new(TenantApi { handler: self.handler.clone() })
    }

    /// What the other services call. Internal.
    pub fn intake(&self) -> IntakeServiceServer<IntakeApi> {
        IntakeServiceServer::new(IntakeApi { handler: self.handler.clone(), peers: self.peers.clone() })
    }

    /// Ends every interaction that is live, for everybody in it: for an end of the switch that somebody wants. Returns how many are not
    /// over yet so that every service knows.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_all(&self) -> Result<usize, StoreError> {
        let unacknowledged = store::interactions::unacknowledged(&self.handler.db).await?;
        for id in &unacknowledged {
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
