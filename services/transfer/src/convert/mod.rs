//! Between the pure core and the contract: words, views, projections, facts, events.

pub(crate) mod events;
pub(crate) mod facts;
pub(crate) mod plan;
pub(crate) mod view;
pub(crate) mod words;

pub(crate) use words::{actor, not_found, refusal_status, version_conflict};
