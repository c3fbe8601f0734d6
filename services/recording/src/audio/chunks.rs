//! Sending a download to its caller in chunks.

use std::time::Duration;

use baton_runtime::clock::Clock;
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

pub(crate) const CHUNK_BYTES: usize = 64 * 1_024;
/// How long a caller may take for one message. Without it, a caller who stops reading and keeps the connection open would
/// keep a permit for ever. A player that reads at the speed of the sound takes fifteen messages in this time.
const IDLE_LIMIT: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// The caller has stopped reading.
    #[error("nothing was read for {} s", IDLE_LIMIT.as_secs())]
    Idle,
    /// The caller has gone.
    #[error("nobody listens any more")]
    Gone,
}

/// Collects bytes and sends them in messages of [`CHUNK_BYTES`]; only the last is shorter.
#[derive(Debug)]
pub(crate) struct ChunkSender {
    buffer: BytesMut,
    to: mpsc::Sender<Bytes>,
    clock: Clock,
}

impl ChunkSender {
    pub(crate) fn new(to: mpsc::Sender<Bytes>, clock: Clock) -> Self {
        Self { buffer: BytesMut::new(), to, clock }
    }

    /// Sends full messages, and keeps the rest.
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.buffer.extend_from_slice(bytes);
        while self.buffer.len() >= CHUNK_BYTES {
            let chunk = self.buffer.split_to(CHUNK_BYTES).freeze();
            self.send(chunk).await?;
        }
        Ok(())
    }

    /// Sends the rest.
    pub(crate) async fn flush(mut self) -> Result<(), SendError> {
        let rest = self.buffer.split().freeze();
        if rest.is_empty() { Ok(()) } else { self.send(rest).await }
    }

    async fn send(&self, chunk: Bytes) -> Result<(), SendError> {
        let sent = self.clock.timeout(IDLE_LIMIT, self.to.send(chunk)).await;
        sent.map_err(|_| SendError::Idle)?.map_err(|_| SendError::Gone)
    }
}
