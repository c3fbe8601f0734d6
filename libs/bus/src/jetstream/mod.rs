//! The bus of a distributed Baton: one stream of NATS `JetStream`.
//!
//! The stream is its own fence. What a service publishes is one atomic batch, whose first message says which of the service's
//! messages has to be the last one until then, and whose last message says how far the service's outbox is in the stream
//! (`Baton-Cursor`). So events and cursor are one write, a relay that was overtaken writes nothing, and one that is in doubt
//! reads the last message. No lease and no window of time has a part in it; `Nats-Msg-Id` is for others.
//!
//! Positions are the stream's sequence numbers, of which a tenant's events are some. What a tenant sees of them is sealed
//! ([`crate::cursor`]), and moves by its own events only.
//!
//! Reading makes no consumers in the servers: pages are read directly, from any of the servers, and the leader is asked whether
//! that was all. Who waits at the end waits for a bell ([`rings`]), which only says that reading is worth while.
//!
//! While NATS is away, whatever asks gets [`JetStreamError::Away`] at once, and those who follow wait. The connection is made
//! again by itself, and was not needed for the start.

mod connection;
mod epoch;
mod error;
mod follow;
mod message;
mod options;
mod publish;
mod read;
mod requests;
mod rings;
mod settings;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_nats::{Client, jetstream};
use baton_runtime::clock::Clock;
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

use self::connection::Notices;
pub use self::error::JetStreamError;
pub(crate) use self::follow::FollowStart;
pub use self::options::JetStreamOptions;
use self::options::StreamNames;
use self::publish::SourceEnd;
use self::rings::Rings;
pub use self::settings::StreamSettings;
use crate::BusError;

/// The stream. Cheap to clone; all clones share one connection.
#[derive(Debug, Clone)]
pub struct JetStreamBus(Arc<StreamState>);

struct StreamState {
    client: Client,
    context: jetstream::Context,
    clock: Clock,
    names: StreamNames,
    notices: Arc<Notices>,
    /// The last message of each source as far as this process knows; what is not there is read first.
    ends: Mutex<HashMap<String, SourceEnd>>,
    rings: watch::Sender<Rings>,
}

impl fmt::Debug for StreamState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (servers, stream) = (&self.notices.servers, &self.names.stream);
        formatter.debug_struct("StreamState").field("servers", &servers).field("stream", stream).finish_non_exhaustive()
    }
}

impl JetStreamBus {
    /// Begins to connect, and does not wait for it: a service starts while NATS is down. Nothing is asked of the server yet,
    /// so a stream that is missing shows when the bus is used; [`JetStreamBus::check`] looks.
    ///
    /// # Errors
    /// An option can't be used, or a file of it can't be read.
    pub async fn open(options: &JetStreamOptions, clock: Clock) -> Result<Self, JetStreamError> {
        let names = options.names()?;
        let notices = Arc::new(Notices::new(options, &names));
        let client = connection::connect(options, &notices).await?;
        let bus = Self::over(client, names, notices, clock);
        rings::listen(&bus);
        Ok(bus)
    }

    fn over(client: Client, names: StreamNames, notices: Arc<Notices>, clock: Clock) -> Self {
        Self(Arc::new(StreamState {
            context: jetstream::new(client.clone()),
            client,
            clock,
            names,
            notices,
            ends: Mutex::default(),
            rings: watch::Sender::new(Rings::default()),
        }))
    }

    /// Distinguishes this stream from one that was made anew, also while the process runs: the server is asked each time.
    ///
    /// It is made of the stream's metadata `baton.generation` and of the time at which the server made it, so that a copy of the
    /// configuration is another stream.
    ///
    /// # Errors
    /// NATS does not answer, or there is no stream.
    pub async fn generation(&self) -> Result<Uuid, BusError> {
        Ok(self.info().await?.generation)
    }
}
