//! What concerns one agent, as it changes: for every stream that an agent's client reads.
//!
//! A client is always sent the newest state: one that reads slowly sees fewer steps.

use std::sync::Arc;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::presence::v1::{Inbox, Presence};
use tokio::sync::watch;
use tonic::Status;

use crate::convert;
use crate::core::PresenceCore;
use crate::record::AgentRecord;
use crate::sessions::AgentKey;

pub(super) struct AgentFeed {
    record: watch::Receiver<Arc<AgentRecord>>,
    /// There may be something to take.
    pub(super) has_changed: bool,
    sent: (Option<Inbox>, Option<Presence>),
}

/// A part of what a client shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FeedUpdate {
    Inbox(Inbox),
    Presence(Presence),
}

impl AgentFeed {
    /// The most that [`AgentFeed::take`] returns.
    pub(super) const UPDATE: usize = 2;

    /// Begins with everything.
    pub(super) fn of(core: &PresenceCore, (tenant, agent): &AgentKey) -> Result<Self, Status> {
        let record = core.index.known(tenant).and_then(|it| it.watch_agent(*agent)).ok_or_else(deleted)?;
        Ok(Self { record, has_changed: true, sent: (None, None) })
    }

    /// Waits for a change, once the last one was taken.
    pub(super) async fn changed(&mut self) -> Result<(), Status> {
        if self.has_changed {
            return std::future::pending().await;
        }
        self.record.changed().await.map_err(|_| deleted())?;
        self.has_changed = true;
        Ok(())
    }

    /// What the client has not been sent yet.
    pub(super) fn take(&mut self) -> Vec<FeedUpdate> {
        self.has_changed = false;
        let record = Arc::clone(&self.record.borrow_and_update());
        let inbox = Some(convert::inbox(&record));
        let presence = Some(convert::presence(&record));
        let mut update = Vec::with_capacity(Self::UPDATE);
        if self.sent.0 != inbox {
            self.sent.0.clone_from(&inbox);
            update.extend(inbox.map(FeedUpdate::Inbox));
        }
        if self.sent.1 != presence {
            self.sent.1.clone_from(&presence);
            update.extend(presence.map(FeedUpdate::Presence));
        }
        update
    }
}

/// How a stream ends whose session has ended.
pub(super) fn session_over() -> Status {
    let message =
        "The session is over: its lease was not renewed, it was closed, or it gave way to newer ones. Open another.";
    ApiError::aborted(ErrorReason::Stale, message).into()
}

fn deleted() -> Status {
    ApiError::not_found("agent").into()
}
