//! `WatchAgent`: the inbox and the presence of an agent, for clients whose streams go one way.

use std::sync::Arc;
use std::time::Duration;

use baton_api::presence::v1::WatchAgentResponse;
use baton_api::presence::v1::watch_agent_response::{Checkpoint, Message, Welcome};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::agent_feed::{self, AgentFeed, FeedUpdate};
use crate::core::PresenceCore;
use crate::sessions::AgentSession;

/// Messages that may wait for a client: the welcome, and one update.
pub(super) const BUFFER: usize = 4;
/// The longest silence: well below the minute after which proxies cut idle streams.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(15);

type Out = mpsc::Sender<Result<WatchAgentResponse, Status>>;

/// Serves one stream until its client or its session is gone.
pub(super) async fn serve(core: Arc<PresenceCore>, feed: AgentFeed, session: Option<Arc<AgentSession>>, out: Out) {
    // Without a session, the stream ends with its client only.
    let over = session.map(|it| it.over.clone()).unwrap_or_default();
    if let Err(status) = send_changes(&core, feed, &over, &out).await {
        // This fails if the client is gone.
        let _ = out.try_send(Err(status));
    }
}

async fn send_changes(
    core: &PresenceCore,
    mut feed: AgentFeed,
    over: &CancellationToken,
    out: &Out,
) -> Result<(), Status> {
    let _ = out.try_send(Ok(message(welcome(&mut feed))));
    let mut checkpoint_us = core.clock.after(CHECKPOINT_EVERY);
    loop {
        tokio::select! {
            () = out.closed() => return Ok(()),
            () = over.cancelled() => return Err(agent_feed::session_over()),
            changed = feed.changed() => {
                changed?;
                continue;
            }
            permits = out.reserve_many(AgentFeed::UPDATE), if feed.has_changed => {
                let Ok(permits) = permits else { return Ok(()) };
                let updates = feed.take();
                if updates.is_empty() {
                    continue;
                }
                for (permit, update) in permits.zip(updates) {
                    permit.send(Ok(message(update.into())));
                }
            }
            () = core.clock.sleep_until(checkpoint_us) => {
                // A client that has not read what waits for it needs no sign that the stream is alive.
                let _ = out.try_send(Ok(message(Message::Checkpoint(Checkpoint {}))));
            }
        }
        checkpoint_us = core.clock.after(CHECKPOINT_EVERY);
    }
}

fn welcome(feed: &mut AgentFeed) -> Message {
    let mut welcome = Welcome::default();
    for update in feed.take() {
        match update {
            FeedUpdate::Inbox(inbox) => welcome.inbox = Some(inbox),
            FeedUpdate::Presence(presence) => welcome.presence = Some(presence),
        }
    }
    Message::Welcome(welcome)
}

impl From<FeedUpdate> for Message {
    fn from(update: FeedUpdate) -> Self {
        match update {
            FeedUpdate::Inbox(inbox) => Self::Inbox(inbox),
            FeedUpdate::Presence(presence) => Self::Presence(presence),
        }
    }
}

fn message(message: Message) -> WatchAgentResponse {
    WatchAgentResponse { message: Some(message) }
}
