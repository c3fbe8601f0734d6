//! The service's APIs. Each handler parses its request into types, hands it to the door, and makes the answer; nothing is decided here.

mod intake;
mod interactions;
mod orders;
mod parse;
mod place;
mod policies;
mod transfers;

use crate::{Peers, door::Door};
use baton_runtime::shares::Shares;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// `baton.transfer.v1.TransferService`.
#[derive(Clone)]
pub struct TransferApi {
    pub(crate) door: Arc<Door>,
    pub(crate) peers: Peers,
}

/// `baton.transfer.v1.InteractionService`.
#[derive(Clone)]
pub struct InteractionApi {
    pub(crate) door: Arc<Door>,
    pub(crate) peers: Peers,
    pub(crate) stopping: CancellationToken,
    pub(crate) watchers: Arc<Shares>,
}

/// `baton.transfer.v1.PolicyService`.
#[derive(Clone)]
pub struct PolicyApi {
    pub(crate) door: Arc<Door>,
}

/// `baton.transfer.v1.IntakeService`.
#[derive(Clone)]
pub struct IntakeApi {
    pub(crate) door: Arc<Door>,
    pub(crate) peers: Peers,
}
