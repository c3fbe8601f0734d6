//! What the switch refuses, and why.

use thiserror::Error;

/// Why a command was refused. A refused command has changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SwitchError {
    /// An argument that can't be right, whatever is on the switch.
    #[error("{field} {why}")]
    Invalid {
        /// The field of the request.
        field: &'static str,
        /// What is wrong with it and what would be right.
        why: String,
    },
    /// An id that may be used only once was used before.
    #[error("{what} id {id} was used before; take a new one")]
    IdUsed {
        /// Which sort of id.
        what: &'static str,
        /// The id.
        id: String,
    },
    /// A request id that was used for something else.
    #[error("request_id was used before with another request; send a fresh one with each new request")]
    RequestIdReused,
    /// There is no such thing, or it belongs to another tenant.
    #[error("there is no {what} {id}")]
    NotFound {
        /// Which sort of thing.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// It is there, but not in a state for this.
    #[error("{what} {id} {why}")]
    WrongState {
        /// Which sort of thing.
        what: &'static str,
        /// Its id.
        id: String,
        /// What is in the way.
        why: &'static str,
    },
    /// The caller is no longer, or not yet, the controller.
    #[error("epoch {given} does not control this switch (the latest is {latest}); take control again")]
    NotInControl {
        /// What the command carried.
        given: i64,
        /// The latest controller's.
        latest: i64,
    },
    /// A limit of the switch is reached.
    #[error("the switch has its {limit} {what} already")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

impl SwitchError {
    /// An argument that can't be right.
    pub fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { field, why: why.into() }
    }
}
