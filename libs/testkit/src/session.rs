//! An agent's session: heartbeats go up, notices come down.

use std::time::Duration;

use anyhow::{Context as _, bail};
use baton_api::presence::v1 as presence;
use baton_api::presence::v1::connect_request::{Goodbye, Heartbeat, Hello, Message as Up};
use baton_api::presence::v1::connect_response::Message as Down;
use baton_api::presence::v1::presence_service_client::PresenceServiceClient;
use baton_runtime::Clock;
use baton_runtime::client::GrpcChannel;
use baton_runtime::lifecycle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::wait::{BOUND, eventually};

/// Messages that may wait to be sent.
const QUEUE: usize = 16;

/// An open session. Dropping it breaks the connection without a goodbye, as a client that dies.
#[derive(Debug)]
pub struct OpenSession {
    task: JoinHandle<()>,
    commands: mpsc::Sender<SessionCommand>,
    latest: watch::Receiver<Latest>,
    /// So long after the last heartbeat the session expires.
    pub lease: Duration,
}

/// The latest notices from presence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latest {
    pub inbox: Vec<presence::InboxItem>,
    /// The agent's own presence.
    pub presence: presence::Presence,
    /// The server has ended the stream.
    pub ended: bool,
}

#[derive(Debug, Clone, Copy)]
enum SessionCommand {
    Silence,
    Goodbye,
}

impl OpenSession {
    /// Connects in this state.
    pub async fn open(
        mut client: PresenceServiceClient<GrpcChannel>,
        state: presence::AgentState,
    ) -> anyhow::Result<Self> {
        let (up, messages) = mpsc::channel(QUEUE);
        let hello = Hello { client: "testkit".to_owned(), state: state.into() };
        up.send(message(Up::Hello(hello))).await?;
        let mut down = client.connect(ReceiverStream::new(messages)).await.context("connecting")?.into_inner();
        let first = down.message().await.context("connecting")?.and_then(|it| it.message);
        let Some(Down::Welcome(welcome)) = first else { bail!("no welcome came, but {first:?}") };
        let lease = Duration::from_millis(welcome.lease_ms.unsigned_abs());
        let (to, latest) = watch::channel(Latest::default());
        let (commands, from_owner) = mpsc::channel(1);
        let stream = SessionStream { up, down, to, lease };
        Ok(Self { task: lifecycle::spawn(stream.keep(from_owner)), commands, latest, lease })
    }

    pub fn latest(&self) -> Latest {
        self.latest.borrow().clone()
    }

    /// Waits until the latest notices are as expected.
    pub async fn until(&self, what: &str, is_it: impl Fn(&Latest) -> bool) -> anyhow::Result<Latest> {
        eventually(what, BOUND, async || {
            let latest = self.latest();
            if is_it(&latest) { Ok(latest) } else { Err(format!("{latest:?}")) }
        })
        .await
    }

    /// Sends no more heartbeats and keeps the connection, as a client that hangs (B605).
    pub async fn fall_silent(&self) -> anyhow::Result<()> {
        Ok(self.commands.send(SessionCommand::Silence).await?)
    }

    /// Ends the session in order.
    pub async fn goodbye(mut self) -> anyhow::Result<()> {
        self.commands.send(SessionCommand::Goodbye).await?;
        (&mut self.task).await.context("the session's task failed")
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn message(message: Up) -> presence::ConnectRequest {
    presence::ConnectRequest { message: Some(message) }
}

/// Both directions of the stream.
struct SessionStream {
    up: mpsc::Sender<presence::ConnectRequest>,
    down: Streaming<presence::ConnectResponse>,
    to: watch::Sender<Latest>,
    lease: Duration,
}

impl SessionStream {
    async fn keep(mut self, mut commands: mpsc::Receiver<SessionCommand>) {
        let mut beat = Clock::real().interval(self.lease / 4);
        let mut is_silent = false;
        loop {
            tokio::select! {
                _ = beat.tick(), if !is_silent => {
                    // An error means that the server is gone, which `down` shows, too.
                    let _ = self.up.send(message(Up::Heartbeat(Heartbeat {}))).await;
                }
                command = commands.recv() => match command {
                    Some(SessionCommand::Silence) => is_silent = true,
                    Some(SessionCommand::Goodbye) => return self.part().await,
                    None => return,
                },
                response = self.down.message() => if !self.note(response) { return },
            }
        }
    }

    /// Says goodbye and waits until the server has ended the stream.
    async fn part(mut self) {
        let _ = self.up.send(message(Up::Goodbye(Goodbye {}))).await;
        while let Ok(Some(_)) = self.down.message().await {}
    }

    /// `false` when the stream is over.
    fn note(&self, response: Result<Option<presence::ConnectResponse>, Status>) -> bool {
        let Ok(Some(response)) = response else {
            self.to.send_modify(|latest| latest.ended = true);
            return false;
        };
        self.to.send_modify(|latest| match response.message {
            Some(Down::Inbox(inbox)) => latest.inbox = inbox.active,
            Some(Down::Presence(presence)) => latest.presence = presence,
            Some(Down::Welcome(_)) | None => {}
        });
        true
    }
}
