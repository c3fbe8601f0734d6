//! The limits of one listener.

use std::time::Duration;

use crate::config::{Config, RateLimits};

/// A client sends its first call at once; this allows for a person who has to look for a token.
const FIRST_TOKEN: Duration = Duration::from_secs(15);
const MIB: usize = 1024 * 1024;
/// In bytes, of requests that nobody has read yet. A request is some kilobytes.
const RECEIVE_WINDOW: u32 = 256 * 1024;
/// Of one call of those. Never the whole of the connection's: one call that is read slowly must not stop the others.
const RECEIVE_WINDOW_OF_CALL: u32 = 64 * 1024;

/// Calls and streams of all clients, on one connection.
const STREAMS_OF_GATEWAY: u32 = 65_536;

/// What one listener lets its peers have. Those that count are per connection, per peer (an IPv4 address, or an IPv6 network of 64
/// bits), or per tenant; Baton's own services have none but the connection's.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    pub connections: usize,
    pub connections_of_peer: usize,
    pub connections_of_tenant: usize,
    /// A connection on which no token was accepted in this time is closed.
    pub first_token: Duration,
    /// A connection without a call for this long is asked to go, and so is one that is as old as `age`; calls under way go on.
    pub idle: Duration,
    pub age: Duration,
    /// Calls under way; more wait.
    pub concurrency_per_connection: usize,
    /// Streams and calls together.
    pub streams_per_connection: u32,
    /// Calls that need no token (health, reflection), while they are under way.
    pub open_calls_of_connection: usize,
    pub open_calls_of_peer: usize,
    /// Calls that are handled at once; more wait. A stream is handled until it has begun.
    pub calls_at_once_of_tenant: usize,
    /// The calls of a connection are handled in turn with other connections'; otherwise in the order in which they come.
    pub calls_in_turn: bool,
    /// The time in which a message that has begun has to be complete.
    pub receive: Duration,
    /// A connection whose peer has not read the next 16 KiB (or all, if less waits for it) in this time is closed.
    pub send: Duration,
    /// In bytes: answers that wait to be read, and requests that are not complete.
    pub queued_of_connection: usize,
    pub queued_of_tenant: usize,
    pub queued: usize,
    /// In bytes, of requests on one connection that no handler has read, and of those of one call.
    pub receive_window: u32,
    pub receive_window_of_call: u32,
    pub rates: RateLimits,
    /// What a tenant may store that has no limit of its own; 0 for as much as there is.
    pub tenant_mib: u32,
    /// How long calls may take to finish when the server stops.
    pub drain: Duration,
    /// How long a stream goes on after its token has expired.
    pub stream_grace: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_of_peer: 2_000,
            connections_of_tenant: 5_000,
            first_token: FIRST_TOKEN,
            idle: Duration::from_mins(10),
            age: Duration::from_hours(1),
            concurrency_per_connection: 1024,
            streams_per_connection: 4096,
            open_calls_of_connection: 256,
            open_calls_of_peer: 1024,
            calls_at_once_of_tenant: 512,
            calls_in_turn: true,
            receive: Duration::from_secs(10),
            send: Duration::from_secs(30),
            queued_of_connection: 8 * MIB,
            queued_of_tenant: 32 * MIB,
            queued: 128 * MIB,
            receive_window: RECEIVE_WINDOW,
            receive_window_of_call: RECEIVE_WINDOW_OF_CALL,
            rates: RateLimits::default(),
            tenant_mib: 0,
            drain: Duration::from_secs(10),
            stream_grace: Duration::from_mins(1),
        }
    }
}

/// Of the public listener.
impl From<&Config> for ServerLimits {
    fn from(config: &Config) -> Self {
        let (server, limits) = (&config.server, &config.limits);
        Self {
            connections: server.connections,
            connections_of_peer: server.connections_per_peer,
            connections_of_tenant: server.connections_per_tenant,
            first_token: server.first_token_ms.duration(),
            idle: server.idle_ms.duration(),
            age: server.age_ms.duration(),
            concurrency_per_connection: server.concurrency_per_connection,
            streams_per_connection: server.streams_per_connection,
            open_calls_of_connection: limits.open_calls_per_connection,
            open_calls_of_peer: limits.open_calls_per_peer,
            calls_at_once_of_tenant: limits.calls_at_once_per_tenant,
            receive: limits.receive_ms.duration(),
            send: limits.send_ms.duration(),
            queued_of_connection: limits.queued_bytes_per_connection,
            queued_of_tenant: limits.queued_bytes_per_tenant,
            queued: limits.queued_bytes,
            rates: config.rates,
            tenant_mib: config.data.tenant_mib,
            drain: server.drain_ms.duration(),
            stream_grace: config.auth.stream_grace_ms.duration(),
            ..Self::default()
        }
    }
}

impl ServerLimits {
    /// Of the listener between the services: each is one peer with few connections, and all tenants' calls are on them.
    #[must_use]
    pub fn internal(config: &Config) -> Self {
        Self {
            connections_of_peer: config.server.connections,
            calls_in_turn: false,
            receive_window: 4 * RECEIVE_WINDOW,
            receive_window_of_call: 4 * RECEIVE_WINDOW,
            ..Self::from(config)
        }
    }

    /// Of a service's listener behind the gateway, whose connections have many clients' calls on them: it has counted what is theirs, and
    /// deals with those who don't read.
    #[must_use]
    pub fn behind_gateway(config: &Config) -> Self {
        let whole = Self::internal(config);
        Self {
            connections_of_tenant: whole.connections,
            concurrency_per_connection: STREAMS_OF_GATEWAY as usize,
            streams_per_connection: STREAMS_OF_GATEWAY,
            send: whole.age,
            queued_of_connection: whole.queued,
            ..whole
        }
    }

    /// Of the listener for health alone: few who ask, and the newest of them is served whatever the others do.
    pub(super) fn of_probes() -> Self {
        Self {
            connections: 64,
            connections_of_peer: 64,
            first_token: Duration::from_mins(1),
            streams_per_connection: 16,
            open_calls_of_connection: 16,
            open_calls_of_peer: 64,
            ..Self::default()
        }
    }
}
