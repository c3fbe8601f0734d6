//! What the service does, without the wire: one file for each change.

pub(crate) mod agents;
pub(crate) mod expire;
pub(crate) mod prune;
pub(crate) mod session;
pub(crate) mod set_state;
pub(crate) mod sites;
pub(crate) mod sync_claims;
pub(crate) mod teams;
