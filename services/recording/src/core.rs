//! The dependencies of every operation of the service.

use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_runtime::ServiceName;
use baton_runtime::client::{InternalChannel, UnknownPeer};
use baton_runtime::clock::Clock;
use baton_runtime::config::RecordingConfig;
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::quota::Quota;
use baton_service::ServiceContext;
use baton_store::Db;
use tokio::sync::Semaphore;

use crate::audio::files::Files;
use crate::start;

/// Uploads at once; more wait. Each holds at most two parts of 5 MiB in memory.
pub(crate) const MAX_UPLOADS: usize = 16;
/// Downloads at once, of all tenants and of one; more are refused.
const MAX_DOWNLOADS: usize = 64;
const MAX_DOWNLOADS_OF_TENANT: usize = 16;

/// What is kept of what customers say after the beep.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VoicemailRules {
    /// Shorter messages are not kept.
    pub(crate) shortest_ms: i64,
    /// How long a message is kept after it was left.
    pub(crate) kept_us: i64,
}

#[derive(Debug)]
pub(crate) struct RecordingCore {
    pub(crate) db: Db,
    pub(crate) files: Files,
    pub(crate) clock: Clock,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) uploads: Semaphore,
    pub(crate) downloads: Quota,
    pub(crate) voicemail: VoicemailRules,
    transfer: InternalChannel,
}

impl RecordingCore {
    pub(crate) fn new(db: Db, files: Files, context: &ServiceContext<RecordingConfig>) -> Result<Self, UnknownPeer> {
        let transfer = context.peers.to(ServiceName::Transfer)?;
        Ok(Self {
            db,
            files,
            clock: context.clock.clone(),
            lifecycle: context.lifecycle.clone(),
            uploads: Semaphore::new(MAX_UPLOADS),
            downloads: Quota::new(MAX_DOWNLOADS, MAX_DOWNLOADS_OF_TENANT),
            voicemail: VoicemailRules {
                shortest_ms: context.config.shortest_message_ms,
                kept_us: start::days_us(context.config.messages_kept_days),
            },
            transfer,
        })
    }

    pub(crate) fn intake(&self) -> IntakeServiceClient<InternalChannel> {
        IntakeServiceClient::new(self.transfer.clone())
    }
}
