//! An agent's connection: heartbeats go up before the lease is over, the inbox and the presence come down.

use std::time::Duration;

use baton_api::presence::v1::connect_request::{Goodbye, Heartbeat, Hello, Message as Say};
use baton_api::presence::v1::connect_response::Message as Hear;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_api::presence::v1::{AgentState, ConnectRequest, ConnectResponse, Inbox, Presence};
use baton_runtime::Clock;
use baton_runtime::client::GrpcChannel;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

/// Heartbeats in a lease: one may be lost.
const BEATS: u32 = 3;
/// Nothing else is ever said than a heartbeat or the goodbye after it.
const BUFFER: usize = 4;
/// Before the server has said how long the lease is.
const FIRST_LEASE: Duration = Duration::from_secs(3);
const GOODBYE_WITHIN: Duration = Duration::from_secs(2);

/// What an agent hears of.
#[derive(Debug)]
pub(crate) enum News {
    Inbox(Inbox),
    Presence(Presence),
}

/// An agent who is there.
#[derive(Debug)]
pub(crate) struct Desk {
    clock: Clock,
    say: mpsc::Sender<ConnectRequest>,
    hear: Streaming<ConnectResponse>,
    beat: Duration,
    next_beat_us: i64,
}

impl Desk {
    /// Connects as the agent of the channel's token.
    pub(crate) async fn open(channel: GrpcChannel, clock: Clock, state: AgentState) -> Result<Self, Status> {
        let (say, said) = mpsc::channel(BUFFER);
        let hello = Hello { client: concat!("baton/", env!("CARGO_PKG_VERSION")).to_owned(), state: state.into() };
        let _ = say.try_send(message(Say::Hello(hello)));
        let connected = PresenceServiceClient::new(channel).connect(ReceiverStream::new(said)).await?;
        let beat = FIRST_LEASE / BEATS;
        let next_beat_us = clock.after(beat);
        Ok(Self { clock, say, hear: connected.into_inner(), beat, next_beat_us })
    }

    /// The next news; `None` when the server has ended the connection.
    pub(crate) async fn next(&mut self) -> Result<Option<News>, Status> {
        loop {
            let Ok(heard) = self.clock.timeout_at(self.next_beat_us, self.hear.message()).await else {
                self.heartbeat();
                continue;
            };
            match heard? {
                None => return Ok(None),
                Some(heard) => match heard.message {
                    Some(Hear::Welcome(welcome)) => self.welcome(welcome.lease_ms),
                    Some(Hear::Inbox(inbox)) => return Ok(Some(News::Inbox(inbox))),
                    Some(Hear::Presence(presence)) => return Ok(Some(News::Presence(presence))),
                    None => {}
                },
            }
        }
    }

    /// Leaves at once. Without it the agent would be there until the lease is over.
    pub(crate) async fn goodbye(mut self) {
        let _ = self.say.try_send(message(Say::Goodbye(Goodbye {})));
        let end = async { while let Ok(Some(_)) = self.hear.message().await {} };
        let _ = self.clock.timeout(GOODBYE_WITHIN, end).await;
    }

    fn welcome(&mut self, lease_ms: i64) {
        let lease = Duration::from_millis(u64::try_from(lease_ms).unwrap_or(0)).max(Duration::from_millis(3));
        self.beat = lease / BEATS;
        self.next_beat_us = self.clock.after(self.beat);
    }

    fn heartbeat(&mut self) {
        // A full buffer has one that was not sent yet.
        let _ = self.say.try_send(message(Say::Heartbeat(Heartbeat {})));
        self.next_beat_us = self.clock.after(self.beat);
    }
}

fn message(say: Say) -> ConnectRequest {
    ConnectRequest { message: Some(say) }
}
