//! One client's connection: heartbeats come up, the inbox and the presence go down.
//!
//! The connection is not the session. When it breaks, the session goes on until its lease is over, so that an agent whose client
//! connects again at once was never offline; only a goodbye ends the session at once. A client is always sent the newest state:
//! one that reads slowly sees fewer steps, and messages that it has not read don't keep its heartbeats from being heard.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use baton_api::ApiError;
use baton_api::presence::v1::connect_request::{self, Hello};
use baton_api::presence::v1::connect_response::{self, Welcome};
use baton_api::presence::v1::{ConnectRequest, ConnectResponse};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::agent_feed::{self, AgentFeed, FeedUpdate};
use super::parse;
use crate::core::PresenceCore;
use crate::ops::session::{self, SessionWanted};
use crate::sessions::{AgentKey, AgentSession, SessionEnd};

/// Messages that may wait for a client: the welcome, and one update.
pub(super) const BUFFER: usize = 4;
/// A client that sends no hello within this time is refused.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

type Out = mpsc::Sender<Result<ConnectResponse, Status>>;

/// Serves one connection until it ends.
pub(super) async fn serve(core: &Arc<PresenceCore>, key: AgentKey, mut inbound: Streaming<ConnectRequest>, out: Out) {
    let result = match begin(core, key, &mut inbound, &out).await {
        Ok(connection) => {
            let session = Arc::clone(&connection.session);
            let result = connection.run(core, &mut inbound, &out).await;
            session.leave();
            result
        }
        Err(status) => Err(status),
    };
    if let Err(status) = result {
        // This fails if the client is gone.
        let _ = out.try_send(Err(status));
    }
}

async fn begin(
    core: &Arc<PresenceCore>,
    key: AgentKey,
    inbound: &mut Streaming<ConnectRequest>,
    out: &Out,
) -> Result<SessionConnection, Status> {
    let first = core.clock.timeout(HELLO_WITHIN, inbound.message()).await;
    let first = first.map_err(|_| no_hello())??;
    let Some(connect_request::Message::Hello(hello)) = first.and_then(|it| it.message) else {
        return Err(no_hello());
    };
    let Hello { client, state } = hello;
    parse::text("hello.client", &client)?;
    let wanted = SessionWanted { requested: parse::initial_state(state)?, opening: None };
    let session = session::open(core, key.clone(), wanted).await?;
    tracing::debug!(session.id = %session.id, client, "an agent's client connected");
    let welcome = Welcome { session_id: session.id.to_string(), lease_ms: core.lease_us / 1_000 };
    let _ = out.try_send(Ok(message(connect_response::Message::Welcome(welcome))));
    Ok(SessionConnection { session, feed: AgentFeed::of(core, &key)? })
}

struct SessionConnection {
    session: Arc<AgentSession>,
    feed: AgentFeed,
}

impl SessionConnection {
    async fn run(
        mut self,
        core: &PresenceCore,
        inbound: &mut Streaming<ConnectRequest>,
        out: &Out,
    ) -> Result<(), Status> {
        let mut is_readable = true;
        loop {
            tokio::select! {
                () = out.closed() => return Ok(()),
                () = self.session.over.cancelled() => return Err(agent_feed::session_over()),
                received = inbound.message(), if is_readable => match received {
                    Ok(Some(received)) => {
                        if self.receive(core, &received)?.is_break() {
                            // A service that stops leaves the session as it is, and the edge ends the stream.
                            tokio::select! {
                                () = out.closed() => {}
                                () = self.session.over.cancelled() => {}
                            }
                            return Ok(());
                        }
                    }
                    // The client sends no more, and may still read until the lease is over.
                    Ok(None) => is_readable = false,
                    // The connection broke. The session ends when its lease is over.
                    Err(_) => return Ok(()),
                },
                changed = self.feed.changed() => changed?,
                permits = out.reserve_many(AgentFeed::UPDATE), if self.feed.has_changed => {
                    let Ok(permits) = permits else { return Ok(()) };
                    for (permit, update) in permits.zip(self.feed.take()) {
                        permit.send(Ok(message(update.into())));
                    }
                }
            }
        }
    }

    fn receive(&self, core: &PresenceCore, received: &ConnectRequest) -> Result<ControlFlow<()>, Status> {
        match &received.message {
            Some(connect_request::Message::Hello(_)) => {
                Err(ApiError::invalid_argument("hello", "comes first, and once in a connection").into())
            }
            Some(connect_request::Message::Goodbye(_)) => {
                self.session.end_with(SessionEnd::Goodbye);
                Ok(ControlFlow::Break(()))
            }
            // A message that only newer services know is a sign of life, too.
            Some(connect_request::Message::Heartbeat(_)) | None => {
                self.session.renew(core.clock.now_us() + core.lease_us);
                Ok(ControlFlow::Continue(()))
            }
        }
    }
}

impl From<FeedUpdate> for connect_response::Message {
    fn from(update: FeedUpdate) -> Self {
        match update {
            FeedUpdate::Inbox(inbox) => Self::Inbox(inbox),
            FeedUpdate::Presence(presence) => Self::Presence(presence),
        }
    }
}

fn message(message: connect_response::Message) -> ConnectResponse {
    ConnectResponse { message: Some(message) }
}

fn no_hello() -> Status {
    let seconds = HELLO_WITHIN.as_secs();
    ApiError::invalid_argument("hello", format!("must be the first message, within {seconds} s")).into()
}
