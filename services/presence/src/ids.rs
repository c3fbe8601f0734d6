//! Ids as types that bind to a statement as they are.

use std::fmt;

use baton_api::ApiError;
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
        #[sqlx(transparent)]
        pub(crate) struct $name(pub(crate) Uuid);

        impl $name {
            /// Reads an id that a client sent in `field`.
            pub(crate) fn parse(field: &str, text: &str) -> Result<Self, ApiError> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| ApiError::invalid_argument(field, "must be a UUID"))
            }

            /// Reads an id that a client sent in `field`, or makes a fresh one if it is empty.
            pub(crate) fn parse_or_new(field: &str, text: &str) -> Result<Self, ApiError> {
                if text.is_empty() {
                    return Ok(Self(baton_runtime::ids::new_uuid()));
                }
                Self::parse(field, text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// An agent; the subject of their token.
    AgentId
);
id!(
    /// A group of agents.
    TeamId
);
id!(
    /// A place where agents work.
    SiteId
);
/// One session of an agent's client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionId(pub(crate) Uuid);

impl SessionId {
    /// Reads an id that a client sent in `session_id`.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        Uuid::try_parse(text).map(Self).map_err(|_| ApiError::invalid_argument("session_id", "must be a UUID"))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
