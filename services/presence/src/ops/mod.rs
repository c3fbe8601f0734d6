//! What the service does, one file for each thing: the change itself, without the wire.

pub(crate) mod directory;
pub(crate) mod expire;
pub(crate) mod prune;
mod repeated_claims;
pub(crate) mod session;
pub(crate) mod set_state;
pub(crate) mod sync_claims;
