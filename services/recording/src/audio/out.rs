//! The way to one listener.

use std::time::Duration;

use baton_runtime::clock::Clock;
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

/// How much one message carries.
pub(crate) const CHUNK_BYTES: usize = 64 * 1_024;
/// How long a listener may take for one message. Who stops reading and keeps the connection would keep a place for ever; who
/// only listens along takes fifteen messages in this time.
const IDLE_LIMIT: Duration = Duration::from_mins(1);

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    /// The listener takes nothing any more.
    #[error("nothing was read for {} s", IDLE_LIMIT.as_secs())]
    Idle,
    /// The listener is gone.
    #[error("nobody listens any more")]
    Gone,
}

/// Bytes on their way to a listener, in messages of [`CHUNK_BYTES`] but for the last.
#[derive(Debug)]
pub(crate) struct Out {
    buffer: BytesMut,
    to: mpsc::Sender<Bytes>,
    clock: Clock,
}

impl Out {
    /// To this queue.
    pub(crate) fn new(to: mpsc::Sender<Bytes>, clock: Clock) -> Self {
        Self { buffer: BytesMut::new(), to, clock }
    }

    /// Gives what fills a message, and keeps the rest.
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> Result<(), NotTaken> {
        self.buffer.extend_from_slice(bytes);
        while self.buffer.len() >= CHUNK_BYTES {
            let chunk = self.buffer.split_to(CHUNK_BYTES).freeze();
            self.give(chunk).await?;
        }
        Ok(())
    }

    /// Gives the rest.
    pub(crate) async fn flush(mut self) -> Result<(), NotTaken> {
        let rest = self.buffer.split().freeze();
        if rest.is_empty() { Ok(()) } else { self.give(rest).await }
    }

    async fn give(&self, chunk: Bytes) -> Result<(), NotTaken> {
        let taken = self.clock.timeout(IDLE_LIMIT, self.to.send(chunk)).await;
        taken.map_err(|_| NotTaken::Idle)?.map_err(|_| NotTaken::Gone)
    }
}
