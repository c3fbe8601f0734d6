//! An agent's `Connect` stream: it sends heartbeats before the lease expires, and receives the inbox and the presence.

use std::time::Duration;

use baton_api::presence::v1::connect_request::{Goodbye, Heartbeat, Hello, Message as ClientMessage};
use baton_api::presence::v1::connect_response::Message as ServerMessage;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{AgentState, ConnectRequest, ConnectResponse, Inbox, Presence};
use baton_runtime::Clock;
use baton_runtime::client::GrpcChannel;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// Three, so that one may be lost.
const HEARTBEATS_PER_LEASE: u32 = 3;
/// Messages; only a heartbeat and the goodbye after it can be waiting.
const SEND_BUFFER: usize = 4;
/// Assumed until the server's welcome has the lease.
const FIRST_LEASE: Duration = Duration::from_secs(3);
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) enum AgentUpdate {
    Inbox(Inbox),
    Presence(Presence),
}

/// Open as long as the agent is connected.
#[derive(Debug)]
pub(crate) struct AgentConnection {
    clock: Clock,
    requests: mpsc::Sender<ConnectRequest>,
    responses: Streaming<ConnectResponse>,
    heartbeat_interval: Duration,
    next_heartbeat_us: i64,
}

impl AgentConnection {
    /// Connects as the agent of the channel's token.
    pub(crate) async fn open(channel: GrpcChannel, clock: Clock, state: AgentState) -> Result<Self, Status> {
        let (requests, outgoing) = mpsc::channel(SEND_BUFFER);
        let hello = Hello { client: concat!("baton/", env!("CARGO_PKG_VERSION")).to_owned(), state: state.into() };
        let _ = requests.try_send(request(ClientMessage::Hello(hello)));
        let connected = PresenceServiceClient::new(channel).connect(ReceiverStream::new(outgoing)).await?;
        let heartbeat_interval = FIRST_LEASE / HEARTBEATS_PER_LEASE;
        let next_heartbeat_us = clock.after(heartbeat_interval);
        Ok(Self { clock, requests, responses: connected.into_inner(), heartbeat_interval, next_heartbeat_us })
    }

    /// `None` when the server has ended the connection.
    pub(crate) async fn next(&mut self) -> Result<Option<AgentUpdate>, Status> {
        loop {
            let Ok(received) = self.clock.timeout_at(self.next_heartbeat_us, self.responses.message()).await else {
                self.heartbeat();
                continue;
            };
            match received? {
                None => return Ok(None),
                Some(received) => match received.message {
                    Some(ServerMessage::Welcome(welcome)) => self.welcome(welcome.lease_ms),
                    Some(ServerMessage::Inbox(inbox)) => return Ok(Some(AgentUpdate::Inbox(inbox))),
                    Some(ServerMessage::Presence(presence)) => return Ok(Some(AgentUpdate::Presence(presence))),
                    None => {}
                },
            }
        }
    }

    /// Ends the session now, not only when the lease expires.
    pub(crate) async fn goodbye(mut self) {
        let _ = self.requests.try_send(request(ClientMessage::Goodbye(Goodbye {})));
        let end = async { while let Ok(Some(_)) = self.responses.message().await {} };
        let _ = self.clock.timeout(GOODBYE_TIMEOUT, end).await;
    }

    fn welcome(&mut self, lease_ms: i64) {
        let lease = Duration::from_millis(u64::try_from(lease_ms).unwrap_or(0)).max(Duration::from_millis(3));
        self.heartbeat_interval = lease / HEARTBEATS_PER_LEASE;
        self.next_heartbeat_us = self.clock.after(self.heartbeat_interval);
    }

    fn heartbeat(&mut self) {
        // A full buffer has a heartbeat that is not sent yet.
        let _ = self.requests.try_send(request(ClientMessage::Heartbeat(Heartbeat {})));
        self.next_heartbeat_us = self.clock.after(self.heartbeat_interval);
    }
}

fn request(message: ClientMessage) -> ConnectRequest {
    ConnectRequest { message: Some(message) }
}
