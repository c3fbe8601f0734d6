//! The transfer service: the orchestrator. It owns interactions and the sagas of their transfers.
//!
//! Everything comes in by one [door]: commands, facts and deadlines. The door loads the state, lets the pure core react, and commits the new
//! state, its events and the answer to the request in one transaction. What the world must look like because of it is projected and
//! [pushed](push) to telephony, presence and routing; they report what they saw as facts, by the same door. After a crash every live
//! interaction is loaded and pushed again: there is nothing else to recover.

mod alarm;
mod convert;
mod door;
mod error;
mod grpc;
mod hub;
mod policies;
mod push;
mod recent;
mod store;
mod wake;

pub use grpc::{IntakeApi, InteractionApi, PolicyApi, TransferApi};

use baton_api::{
    presence::v1::claim_service_client::ClaimServiceClient,
    recording::v1::archive_service_client::ArchiveServiceClient,
    routing::v1::route_service_client::RouteServiceClient,
    telephony::v1::telephony_service_client::TelephonyServiceClient,
    transfer::v1::{
        intake_service_server::IntakeServiceServer, interaction_service_server::InteractionServiceServer,
        policy_service_server::PolicyServiceServer, transfer_service_server::TransferServiceServer,
    },
};
use baton_bus::{Bus, Keeper, Relay};
use baton_domain::{Command, Input, Refusal, words::Actor};
use baton_runtime::{
    client::InternalChannel, clock::Clock, config::TransferConfig, lifecycle::Lifecycle, shares::Shares,
};
use baton_store::{Db, StoreError};
use door::Door;
use error::DoorError;
use std::{path::PathBuf, sync::Arc};

/// Interactions that clients watch at the same time, and those of one tenant: each stream holds what it sends next.
const MAX_WATCHED: usize = 20_000;
const MAX_WATCHED_BY_TENANT: usize = 10_000;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// What the service needs to run.
pub struct Deps {
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
pub struct Running {
    door: Arc<Door>,
    peers: Peers,
    lifecycle: Lifecycle,
}

/// The other services, as this one calls them.
#[derive(Clone)]
pub(crate) struct Peers {
    pub(crate) telephony: TelephonyServiceClient<InternalChannel>,
    pub(crate) presence: ClaimServiceClient<InternalChannel>,
    pub(crate) routing: RouteServiceClient<InternalChannel>,
    pub(crate) recording: ArchiveServiceClient<InternalChannel>,
}

impl Peers {
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
pub async fn start(deps: Deps) -> Result<Running, StartError> {
    let db = Db::open(&deps.database).await?;
    deps.lifecycle.stop_when("the disk of the transfer service", db.failed());
    db.migrate(&MIGRATOR).await?;
    let peers = Peers::new(&deps.peers);
    let (door, tasks) = Door::new(db.clone(), deps.clock.clone(), &deps.config);
    let soft = deps.lifecycle.soft();
    deps.lifecycle.spawn("transfer.relay", Relay::new(db.clone(), deps.bus, deps.clock.clone()).run(soft.clone()));
    deps.lifecycle.spawn("transfer.keeper", Keeper::new(db, deps.clock.clone()).run(soft.clone()));
    deps.lifecycle.spawn("transfer.wake", wake::run(door.clone(), tasks.wakes, soft.clone()));
    let pusher = push::Pusher::new(door.clone(), peers.clone(), deps.config.repush_interval_ms.duration());
    deps.lifecycle.spawn("transfer.push", pusher.run(tasks.pushes, soft));
    door.take_up_all().await?;
    Ok(Running { door, peers, lifecycle: deps.lifecycle })
}

impl Running {
    /// The transfer API. Public.
    pub fn transfers(&self) -> TransferServiceServer<TransferApi> {
        TransferServiceServer::new(TransferApi { door: self.door.clone(), peers: self.peers.clone() })
    }

    /// The interaction API. Public.
    pub fn interactions(&self) -> InteractionServiceServer<InteractionApi> {
        InteractionServiceServer::new(InteractionApi {
            door: self.door.clone(),
            peers: self.peers.clone(),
            stopping: self.lifecycle.soft(),
            watchers: Arc::new(Shares::new(MAX_WATCHED, MAX_WATCHED_BY_TENANT)),
        })
    }

    /// The policy API. Public.
    pub fn policies(&self) -> PolicyServiceServer<PolicyApi> {
        PolicyServiceServer::new(PolicyApi { door: self.door.clone() })
    }

    /// What the other services call. Internal.
    pub fn intake(&self) -> IntakeServiceServer<IntakeApi> {
        IntakeServiceServer::new(IntakeApi { door: self.door.clone(), peers: self.peers.clone() })
    }

    /// Ends every interaction that is live, for everybody in it: for an end of the switch that somebody wants. Returns how many are not
    /// over yet so that every service knows.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_all(&self) -> Result<usize, StoreError> {
        let untold = store::interactions::untold(&self.door.db).await?;
        for id in &untold {
            if self.door.load(*id).await?.is_some_and(|interaction| !interaction.ended()) {
                let end = Input::Command(Actor::System, Command::End);
                let ended = self.door.submit(*id, vec![end]).await;
                if let Err(error) = ended
                    && !matches!(error, DoorError::Refused(Refusal::Ended))
                {
                    tracing::warn!(interaction.id = %id, %error, "a call could not be ended");
                }
            }
        }
        Ok(untold.len())
    }
}
