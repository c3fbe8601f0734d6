//! Refusals of the switch.

use thiserror::Error;

/// A refused command has changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SwitchError {
    /// An argument that is wrong in any state of the switch.
    #[error("{field} {why}")]
    Invalid {
        /// Of the request.
        field: &'static str,
        /// Says what would be right.
        why: String,
    },
    /// An id that may be used only once was used before.
    #[error("{what} id {id} was used before; take a new one")]
    IdUsed { what: &'static str, id: String },
    /// A request id that was used for something else.
    #[error("request_id was used before with another request; send a fresh one with each new request")]
    RequestIdReused,
    /// Missing, or another tenant's.
    #[error("there is no {what} {id}")]
    NotFound { what: &'static str, id: String },
    /// It exists, but its state does not allow this.
    #[error("{what} {id} {why}")]
    WrongState { what: &'static str, id: String, why: &'static str },
    /// The caller is no longer, or not yet, the controller.
    #[error("epoch {given} does not control this switch (the latest is {latest}); take control again")]
    NotInControl {
        /// The command's epoch.
        given: i64,
        /// The latest controller's.
        latest: i64,
    },
    /// A limit of the switch is reached.
    #[error("the switch has its {limit} {what} already")]
    TooMany { what: &'static str, limit: usize },
}

impl SwitchError {
    pub fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { field, why: why.into() }
    }
}
