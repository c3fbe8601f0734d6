//! Errors between an outbox and a consumer.

use baton_api::ApiError;
use baton_store::{ChangeError, MigrateError, OpenError, StoreError};
use uuid::Uuid;

use crate::JetStreamError;

/// Why the bus could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The embedded log's file could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The embedded log's tables could not be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The source's cursor is somewhere else: another relay was first.
    #[error("another relay has published meanwhile")]
    CursorMoved,
    /// The bus has something else in the place of a cursor.
    #[error("the bus has {cursor:?} as the cursor of {source_name}, which is none")]
    BadCursor {
        /// The service whose outbox it is.
        source_name: &'static str,
        cursor: String,
    },
    /// The database was restored from a copy that is older than the stream: it numbers events anew that others have read already.
    /// Nothing is published until somebody decides.
    #[error(
        "the database of {source_name} is older than the stream: event {event_id}, the last one that it published, is not in it. \
         Nothing of it is published until you run `baton events new-epoch`, which lets it go on after what is in the stream"
    )]
    OldDatabase {
        /// The service whose database it is.
        source_name: &'static str,
        event_id: Uuid,
    },
    /// The database was restored into another server, which counts transactions anew: the stream's cursor means nothing there.
    #[error(
        "the database of {source_name} is on another PostgreSQL server than the one that published last, or was restored from an older \
         copy. Nothing of it is published until you run `baton events new-epoch`, which lets it go on after what is in the stream"
    )]
    ForeignDatabase {
        /// The service whose database it is.
        source_name: &'static str,
    },
    /// NATS failed, or the stream there.
    #[error(transparent)]
    JetStream(#[from] JetStreamError),
    /// The database below failed: the log's, or the service's own.
    #[error("a database failed, the service's or the event log's")]
    Store(#[from] StoreError),
}

impl ChangeError for BusError {
    fn is_overtaken(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_overtaken())
    }
}

impl From<sqlx::Error> for BusError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<BusError> for ApiError {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Store(error) => error.into(),
            BusError::CursorMoved => Self::unavailable("Another relay publishes the same events. Try again."),
            BusError::JetStream(error) if error.is_passing() || matches!(error, JetStreamError::Rebuilt) => {
                Self::unavailable("The event stream can't be read at the moment. Try again.")
            }
            BusError::JetStream(_) | BusError::OldDatabase { .. } | BusError::ForeignDatabase { .. } => {
                Self::internal("The event stream can't be used; the service's log says why.")
            }
            BusError::Open(_) | BusError::Migrate(_) | BusError::BadCursor { .. } => {
                Self::internal("The event log could not be opened; the service's log says why.")
            }
        }
    }
}
