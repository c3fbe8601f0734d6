//! The rules of [`INVARIANTS`](crate::invariants::INVARIANTS), by what they are about.

pub(crate) mod agents;
pub(crate) mod causes;
pub(crate) mod customer;
pub(crate) mod deadlines;
pub(crate) mod events;
pub(crate) mod facts;
pub(crate) mod permits;
pub(crate) mod recording;
pub(crate) mod transfer;
