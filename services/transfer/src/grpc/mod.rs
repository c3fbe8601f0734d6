//! The service's APIs. Each handler parses its request into types, hands it to the handler, and makes the answer; nothing is decided here.

mod chat;
mod choices;
mod commands;
mod explain;
mod forget;
mod intake;
mod interactions;
mod messages;
mod options;
mod outside;
mod parse;
mod place;
mod policies;
mod queue;
mod refused;
mod tenants;
mod transfers;
mod watch;

use crate::{TransferPeers, command_handler::CommandHandler};
use baton_runtime::{auth::VisitorTokens, disk_space::DiskSpace, quota::Quota};
use baton_words::SwitchId;
use std::sync::Arc;

/// `baton.transfer.v1.TransferService`.
#[derive(Clone)]
pub(crate) struct TransferApi {
    pub(crate) handler: Arc<CommandHandler>,
    pub(crate) peers: TransferPeers,
    pub(crate) watchers: Arc<Quota>,
}

/// `baton.transfer.v1.InteractionService`.
#[derive(Clone)]
pub(crate) struct InteractionApi {
    pub(crate) handler: Arc<CommandHandler>,
    pub(crate) peers: TransferPeers,
    pub(crate) watchers: Arc<Quota>,
    /// Where agents' calls go out.
    pub(crate) outgoing_switch: SwitchId,
}

/// `baton.transfer.v1.ChatService`.
#[derive(Clone)]
pub(crate) struct ChatApi {
    pub(crate) handler: Arc<CommandHandler>,
    pub(crate) peers: TransferPeers,
    pub(crate) watchers: Arc<Quota>,
    pub(crate) visitors: VisitorTokens,
}

/// `baton.transfer.v1.PolicyService`.
#[derive(Clone)]
pub(crate) struct PolicyApi {
    pub(crate) handler: Arc<CommandHandler>,
}

/// `baton.tenant.v1.TenantService`.
#[derive(Clone)]
pub(crate) struct TenantApi {
    pub(crate) handler: Arc<CommandHandler>,
    /// What tenants have stored.
    pub(crate) space: DiskSpace,
}

/// `baton.transfer.v1.IntakeService`.
#[derive(Clone)]
pub(crate) struct IntakeApi {
    pub(crate) handler: Arc<CommandHandler>,
    pub(crate) peers: TransferPeers,
}
