//! One client's connection: heartbeats come up, the inbox and the presence go down.
//!
//! The connection is not the session. When it breaks, the session goes on until its lease is over, so that a client that
//! connects again at once was never away; only a goodbye ends it at once. What goes down is always the newest: a client that
//! reads slowly sees fewer steps, and what it has not read does not keep its heartbeats from being heard.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_api::presence::v1::connect_request::{self, Hello};
use baton_api::presence::v1::connect_response::{self, Welcome};
use baton_api::presence::v1::{ConnectRequest, ConnectResponse, Inbox, Presence};
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};

use super::parse;
use crate::convert;
use crate::core::Core;
use crate::ops::session;
use crate::record::AgentRecord;
use crate::sessions::{Session, Whose};

/// Messages that may wait for a client: the welcome, and one pair of news.
pub(super) const BUFFER: usize = 4;
/// News are sent in pairs.
const PAIR: usize = 2;
/// A client that does not say who it is for this long is not one.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

type Out = mpsc::Sender<Result<ConnectResponse, Status>>;

/// Serves one connection until it ends.
pub(super) async fn serve(core: &Arc<Core>, whose: Whose, mut inbound: Streaming<ConnectRequest>, out: Out) {
    let result = match begin(core, whose, &mut inbound, &out).await {
        Ok(connection) => connection.run(core, &mut inbound, &out).await,
        Err(status) => Err(status),
    };
    if let Err(status) = result {
        // If the client is gone, there is nobody to tell.
        let _ = out.try_send(Err(status));
    }
}

async fn begin(
    core: &Arc<Core>,
    whose: Whose,
    inbound: &mut Streaming<ConnectRequest>,
    out: &Out,
) -> Result<Connection, Status> {
    let first = core.clock.timeout(HELLO_WITHIN, inbound.message()).await;
    let first = first.map_err(|_| no_hello())??;
    let Some(connect_request::Message::Hello(hello)) = first.and_then(|it| it.message) else {
        return Err(no_hello());
    };
    let Hello { client, state } = hello;
    parse::text("hello.client", &client)?;
    let wish = parse::first_wish(state)?;
    let session = session::open(core, whose.clone(), wish).await?;
    tracing::debug!(session.id = %session.id, client, "an agent's client connected");
    let welcome = Welcome { session_id: session.id.to_string(), lease_ms: core.lease_us / 1_000 };
    let _ = out.try_send(Ok(message(connect_response::Message::Welcome(welcome))));
    let news = core.index.tenant(&whose.0).watch_agent(whose.1);
    Ok(Connection { session, news: news.ok_or_else(deleted)?, sent: (None, None) })
}

struct Connection {
    session: Arc<Session>,
    news: watch::Receiver<Arc<AgentRecord>>,
    sent: (Option<Inbox>, Option<Presence>),
}

impl Connection {
    async fn run(mut self, core: &Core, inbound: &mut Streaming<ConnectRequest>, out: &Out) -> Result<(), Status> {
        let mut is_news = true;
        let mut is_heard = true;
        loop {
            tokio::select! {
                () = core.lifecycle.stopping() => return Ok(()),
                () = self.session.over.cancelled() => return Err(lease_over()),
                received = inbound.message(), if is_heard => match received {
                    Ok(Some(received)) => {
                        if self.hear(core, &received)?.is_break() {
                            // A service that stops leaves the session as it is.
                            tokio::select! {
                                () = core.lifecycle.stopping() => {}
                                () = self.session.over.cancelled() => {}
                            }
                            return Ok(());
                        }
                    }
                    // It will not say more, and may still listen: until the lease is over.
                    Ok(None) => is_heard = false,
                    // The connection broke. The lease decides.
                    Err(_) => return Ok(()),
                },
                changed = self.news.changed(), if !is_news => {
                    changed.map_err(|_| deleted())?;
                    is_news = true;
                }
                permits = out.reserve_many(PAIR), if is_news => {
                    let Ok(permits) = permits else { return Ok(()) };
                    for (permit, news) in permits.zip(self.take_news()) {
                        permit.send(Ok(message(news)));
                    }
                    is_news = false;
                }
            }
        }
    }

    fn hear(&self, core: &Core, received: &ConnectRequest) -> Result<ControlFlow<()>, Status> {
        match &received.message {
            Some(connect_request::Message::Hello(_)) => {
                Err(ApiError::invalid_argument("hello", "comes first, and once in a connection").into())
            }
            Some(connect_request::Message::Goodbye(_)) => {
                self.session.say_goodbye();
                Ok(ControlFlow::Break(()))
            }
            // What a newer client says is a sign of life, too.
            Some(connect_request::Message::Heartbeat(_)) | None => {
                self.session.renew(core.clock.now_us() + core.lease_us);
                Ok(ControlFlow::Continue(()))
            }
        }
    }

    /// What the client does not know yet.
    fn take_news(&mut self) -> Vec<connect_response::Message> {
        let record = Arc::clone(&self.news.borrow_and_update());
        let inbox = Some(convert::inbox(&record));
        let presence = Some(convert::presence(&record));
        let mut news = Vec::with_capacity(PAIR);
        if self.sent.0 != inbox {
            self.sent.0.clone_from(&inbox);
            news.extend(inbox.map(connect_response::Message::Inbox));
        }
        if self.sent.1 != presence {
            self.sent.1.clone_from(&presence);
            news.extend(presence.map(connect_response::Message::Presence));
        }
        news
    }
}

fn message(message: connect_response::Message) -> ConnectResponse {
    ConnectResponse { message: Some(message) }
}

fn no_hello() -> Status {
    let seconds = HELLO_WITHIN.as_secs();
    ApiError::invalid_argument("hello", format!("must be the first message, within {seconds} s")).into()
}

fn lease_over() -> Status {
    let message = "No heartbeat came within the lease, so the session is over. Connect again.";
    ApiError::aborted(ErrorReason::Stale, message).into()
}

fn deleted() -> Status {
    ApiError::not_found("agent").into()
}
