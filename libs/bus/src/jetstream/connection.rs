//! The connection to the servers, which is made again without end, and what is said about it: one line when it is gone, and
//! one when it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ClientError, ConnectOptions, Event, ServerError};
use baton_runtime::clock::Clock;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::options::StreamNames;
use super::{JetStreamError, JetStreamOptions};

/// Between two tries to connect: the first ones are soon, and no server is overrun by those that lost it together.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(1);
/// For the first connection, before it counts as away.
const FIRST_CONNECTION: Duration = Duration::from_secs(1);
/// For an answer. Longer than the servers take to agree on a new leader, mostly.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// What the connection says without being asked.
#[derive(Debug)]
pub(super) struct Notices {
    pub(super) servers: String,
    bell: String,
    is_away: AtomicBool,
    connected: Notify,
    disconnected: Notify,
    /// The server's last words about a permission: it says them beside the request, which stays without an answer.
    denied: Mutex<Option<String>>,
    /// Why the last try to connect has failed.
    trouble: Mutex<Option<String>>,
}

impl Notices {
    pub(super) fn new(options: &JetStreamOptions, names: &StreamNames) -> Self {
        Self {
            servers: options.servers(),
            bell: names.bell.clone(),
            is_away: AtomicBool::new(false),
            connected: Notify::new(),
            disconnected: Notify::new(),
            denied: Mutex::default(),
            trouble: Mutex::default(),
        }
    }

    /// Whoever finds out first says so in the log.
    pub(super) fn away(&self) {
        if !self.is_away.swap(true, Ordering::Relaxed) {
            let why = self.trouble.lock().clone();
            tracing::warn!(
                servers = self.servers,
                why,
                "NATS does not answer; events wait, and go on by themselves when it does"
            );
        }
    }

    /// Waits a moment for the first connection; at once when it is known that there is none.
    pub(super) async fn wait_for_connection(&self, client: &Client) -> bool {
        let connected = self.connected.notified();
        let is_connected = || client.connection_state() == State::Connected;
        if is_connected() || self.is_away.load(Ordering::Relaxed) {
            return is_connected();
        }
        // A connection is up a moment after it was made: the time is the network's, not the simulated one.
        let _ = Clock::real().timeout(FIRST_CONNECTION, connected).await;
        is_connected()
    }

    /// Resolves when the connection breaks: what was asked on it will not be answered.
    pub(super) async fn disconnected(&self) {
        self.disconnected.notified().await;
    }

    /// Says so, and why.
    pub(super) fn away_error(&self) -> JetStreamError {
        self.away();
        let why = self.trouble.lock().as_ref().map_or(String::new(), |why| format!(" ({why})"));
        JetStreamError::Away { servers: self.servers.clone(), why }
    }

    pub(super) fn take_denied(&self) -> Option<String> {
        self.denied.lock().take()
    }

    fn note_denied(&self, text: &str) {
        if text.contains(&self.bell) {
            tracing::warn!(
                text,
                "this user may not hear the bell of the event stream: events arrive up to a second late; permit it"
            );
        } else {
            *self.denied.lock() = Some(text.to_owned());
        }
    }

    fn note(&self, event: &Event) {
        match event {
            Event::Connected => {
                *self.trouble.lock() = None;
                self.connected.notify_waiters();
                if self.is_away.swap(false, Ordering::Relaxed) {
                    tracing::info!(servers = self.servers, "NATS answers again");
                }
            }
            Event::Disconnected => {
                self.away();
                self.disconnected.notify_waiters();
            }
            Event::ServerError(ServerError::Other(text)) if text.to_lowercase().contains("permissions violation") => {
                self.note_denied(text);
            }
            Event::ClientError(ClientError::Other(why)) => *self.trouble.lock() = Some(why.clone()),
            other => tracing::debug!(servers = self.servers, event = %other, "the connection to NATS"),
        }
    }
}

/// Returns at once: the connection is made in the background.
pub(super) async fn connect(options: &JetStreamOptions, notices: &Arc<Notices>) -> Result<Client, JetStreamError> {
    let urls = options.addresses()?;
    let connecting = settings(options, notices).await?.retry_on_initial_connect();
    connecting.connect(urls).await.map_err(|error| unusable(&error))
}

/// Connects now, for a command that makes no sense without.
pub(super) async fn connect_now(options: &JetStreamOptions, notices: &Arc<Notices>) -> Result<Client, JetStreamError> {
    let urls = options.addresses()?;
    let connecting = settings(options, notices).await?;
    connecting.connect(urls).await.map_err(|error| match error.kind() {
        async_nats::ConnectErrorKind::Authentication | async_nats::ConnectErrorKind::AuthorizationViolation => {
            JetStreamError::Denied { doing: "connecting", text: error.kind().to_string() }
        }
        async_nats::ConnectErrorKind::ServerParse => unusable(&error),
        kind => JetStreamError::Away { servers: options.servers(), why: format!(" ({kind})") },
    })
}

async fn settings(options: &JetStreamOptions, notices: &Arc<Notices>) -> Result<ConnectOptions, JetStreamError> {
    let heard = Arc::clone(notices);
    let mut settings = ConnectOptions::new()
        .name("baton")
        .request_timeout(Some(REQUEST_TIMEOUT))
        .reconnect_delay_callback(|tries| {
            Duration::from_millis(50).saturating_mul(1 << tries.saturating_sub(1).min(10)).min(MAX_RECONNECT_DELAY)
        })
        .event_callback(move |event| {
            let heard = Arc::clone(&heard);
            async move { heard.note(&event) }
        });
    if let Some((user, password)) = options.user()? {
        settings = match password {
            Some(password) => settings.user_and_password(user, password),
            None => settings.token(user),
        };
    }
    if let Some(file) = &options.ca_file {
        // It is read again for each connection, where nobody would say that it is missing.
        tokio::fs::read(file).await.map_err(|source| JetStreamError::File { file: file.clone(), source })?;
        settings = settings.add_root_certificates(file.clone());
    }
    if let Some(file) = &options.credentials_file {
        settings = settings
            .credentials_file(file)
            .await
            .map_err(|source| JetStreamError::File { file: file.clone(), source })?;
    }
    Ok(settings)
}

fn unusable(error: &async_nats::ConnectError) -> JetStreamError {
    JetStreamError::Options { option: "url", why: error.kind().to_string() }
}
