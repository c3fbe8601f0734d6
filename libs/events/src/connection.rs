//! The connection, which is made again by itself, what is said about it, and the few questions that are asked on it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::RequestErrorKind;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Info, RawMessageErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr, ServerError};
use tokio::sync::watch;

use crate::{FeedError, Login, NatsOptions};

/// For an answer. Longer than the servers take to agree on a new leader, mostly.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries to connect: the first ones are soon, and no server is overrun by those that lost it together.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// What the connection says without being asked.
#[derive(Debug, Default)]
struct LinkNotices {
    is_away: bool,
    /// How often the connection broke: what was asked before that is not answered any more.
    breaks: u64,
    /// The server's last words about a permission: it says them beside the request, which stays without an answer.
    denied: Option<String>,
}

/// A connection to the servers of one cluster.
#[derive(Debug)]
pub(crate) struct NatsLink {
    pub(crate) client: Client,
    context: jetstream::Context,
    servers: String,
    notices: Arc<watch::Sender<LinkNotices>>,
}

impl NatsLink {
    /// Connects now: whoever starts a program wants to know that its options are right.
    pub(crate) async fn connect(options: &NatsOptions) -> Result<Self, FeedError> {
        let notices = Arc::new(watch::Sender::new(LinkNotices::default()));
        let connecting = settings(options, &notices).await?.connect(addresses(options)?).await;
        let client = connecting.map_err(|error| match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                FeedError::Denied { doing: "connecting", text: error.kind().to_string() }
            }
            ConnectErrorKind::ServerParse => FeedError::Options { option: "servers", why: error.kind().to_string() },
            kind => FeedError::Away { servers: options.shown(), why: kind.to_string() },
        })?;
        let context = jetstream::new(client.clone());
        Ok(Self { client, context, servers: options.shown(), notices })
    }

    /// Waits while NATS is away, and a moment at most: then it is asked, whatever was said about the connection.
    pub(crate) async fn connected(&self) {
        if self.client.connection_state() != State::Connected {
            let mut notices = self.notices.subscribe();
            tokio::select! {
                _ = notices.wait_for(|it| !it.is_away) => {}
                () = pause(MAX_RECONNECT_DELAY) => {}
            }
        }
    }

    pub(crate) fn breaks(&self) -> u64 {
        self.notices.borrow().breaks
    }

    /// Resolves when the connection has broken since it had broken so often.
    pub(crate) async fn broken_since(&self, breaks: u64) {
        let _ = self.notices.subscribe().wait_for(|it| it.breaks > breaks).await;
    }

    /// What the stream's leader says of it.
    pub(crate) async fn info(&self, stream: &str) -> Result<Info, FeedError> {
        const DOING: &str = "reading what the stream is";
        let asked = self.context.request(format!("STREAM.INFO.{stream}"), &());
        match self.while_connected(asked).await? {
            Ok(Response::Ok(info)) => Ok(info),
            Ok(Response::Err { error }) => Err(refused(DOING, stream, error)),
            Err(error) if error.kind() == RequestErrorKind::NoResponders => Err(FeedError::NoJetStream),
            Err(_) => Err(self.unanswered(DOING)),
        }
    }

    /// The sequence number of the first message on a subject from one on, as the stream's leader has it.
    pub(crate) async fn next_on(&self, stream: &str, subject: &str, from: u64) -> Result<Option<u64>, FeedError> {
        const DOING: &str = "looking for the next message";
        let stream_of = self.stream(stream).await?;
        let asked = stream_of.raw_message_builder().next_by_subject(subject).sequence(from).send();
        match self.while_connected(asked).await? {
            Ok(message) => Ok(Some(message.sequence)),
            Err(error) => match error.kind() {
                RawMessageErrorKind::NoMessageFound => Ok(None),
                RawMessageErrorKind::JetStream(error) => Err(refused(DOING, stream, error)),
                _ => Err(self.unanswered(DOING)),
            },
        }
    }

    /// Asks nothing of the server.
    pub(crate) async fn stream(&self, name: &str) -> Result<jetstream::stream::Stream<()>, FeedError> {
        let no_name = |_| FeedError::NoStream { stream: name.to_owned() };
        self.context.get_stream_no_info(name).await.map_err(no_name)
    }

    /// Awaits an answer on this connection: on the next one it does not come.
    pub(crate) async fn while_connected<F: Future>(&self, answer: F) -> Result<F::Output, FeedError> {
        let breaks = self.breaks();
        tokio::select! {
            biased;
            answer = answer => Ok(answer),
            () = self.broken_since(breaks) => {
                Err(FeedError::Away { servers: self.servers.clone(), why: "the connection broke".to_owned() })
            }
        }
    }

    /// A request without an answer: the server may have said beside it that it is not permitted.
    pub(crate) fn unanswered(&self, doing: &'static str) -> FeedError {
        let mut denied = None;
        self.notices.send_modify(|it| denied = it.denied.take());
        match denied {
            Some(text) => FeedError::Denied { doing, text },
            None => FeedError::Unanswered { doing },
        }
    }
}

pub(crate) fn refused(doing: &'static str, stream: &str, error: jetstream::Error) -> FeedError {
    match error.error_code() {
        ErrorCode::STREAM_NOT_FOUND => FeedError::NoStream { stream: stream.to_owned() },
        ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => FeedError::NoJetStream,
        _ => FeedError::Refused { doing, error },
    }
}

fn addresses(options: &NatsOptions) -> Result<Vec<ServerAddr>, FeedError> {
    let unusable = |why: String| FeedError::Options { option: "servers", why };
    if options.servers.is_empty() {
        return Err(unusable("there is none".to_owned()));
    }
    let parsed = options
        .servers
        .iter()
        .map(|url| url.parse().map_err(|_| unusable(format!("one of {} is no address of a server", options.shown()))));
    parsed.collect()
}

async fn settings(
    options: &NatsOptions,
    notices: &Arc<watch::Sender<LinkNotices>>,
) -> Result<ConnectOptions, FeedError> {
    let heard = Arc::clone(notices);
    let mut settings = ConnectOptions::new()
        .name("baton-events")
        .request_timeout(Some(REQUEST_TIMEOUT))
        .reconnect_delay_callback(|tries| {
            Duration::from_millis(50).saturating_mul(1 << tries.saturating_sub(1).min(10)).min(MAX_RECONNECT_DELAY)
        })
        .event_callback(move |event| {
            heard.send_modify(|it| note(it, &event));
            std::future::ready(())
        });
    if let Some(file) = &options.ca_file {
        // It is read again for each connection, where nobody would say that it is missing.
        read(file).await?;
        settings = settings.add_root_certificates(file.clone());
    }
    if let Some(prefix) = &options.inbox_prefix {
        let fits =
            !prefix.is_empty() && prefix.split('.').all(|it| !it.is_empty()) && !prefix.contains(['*', '>', ' ']);
        if !fits {
            let why = format!("`{prefix}` has a wildcard, a space or an empty part");
            return Err(FeedError::Options { option: "inbox_prefix", why });
        }
        settings = settings.custom_inbox_prefix(prefix);
    }
    match &options.login {
        Login::Anonymous => Ok(settings),
        Login::User { name, password_file } => {
            let password = read(password_file).await?.trim_end().to_owned();
            Ok(settings.user_and_password(name.clone(), password))
        }
        Login::Credentials(file) => {
            settings.credentials_file(file).await.map_err(|source| FeedError::File { file: file.clone(), source })
        }
        Login::Nkey(file) => Ok(settings.nkey(read(file).await?.trim().to_owned())),
    }
}

async fn read(file: &Path) -> Result<String, FeedError> {
    tokio::fs::read_to_string(file).await.map_err(|source| FeedError::File { file: file.to_owned(), source })
}

pub(crate) async fn pause(duration: Duration) {
    #[expect(clippy::disallowed_methods, reason = "of programs outside Baton: there is no other clock")]
    tokio::time::sleep(duration).await;
}

fn note(notices: &mut LinkNotices, event: &Event) {
    match event {
        Event::Connected => notices.is_away = false,
        Event::Disconnected => {
            notices.is_away = true;
            notices.breaks += 1;
        }
        Event::ServerError(ServerError::Other(text)) if text.to_lowercase().contains("permissions violation") => {
            notices.denied = Some(text.clone());
        }
        _ => {}
    }
}
