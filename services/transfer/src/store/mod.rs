//! What is stored, one table a file.

pub(crate) mod customer;
pub(crate) mod events;
pub(crate) mod interactions;
pub(crate) mod listing;
pub(crate) mod notes;
pub(crate) mod old;
pub(crate) mod policies;
pub(crate) mod stored;
pub(crate) mod tenants;
pub(crate) mod transfers;
