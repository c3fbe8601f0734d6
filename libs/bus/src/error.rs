//! Errors between an outbox and a consumer.

use baton_api::ApiError;
use baton_store::{ChangeError, MigrateError, OpenError, StoreError};

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
    /// The database below failed: the log's, or the service's own.
    #[error("the event log's database failed")]
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
            BusError::Open(_) | BusError::Migrate(_) | BusError::BadCursor { .. } => {
                Self::internal("The event log could not be opened; the service's log says why.")
            }
        }
    }
}
