//! Between the pure core and the contract: words, views, refusals, projections, facts, events.

pub(crate) mod cause;
pub(crate) mod events;
pub(crate) mod facts;
pub(crate) mod ivr;
pub(crate) mod plan;
mod refusal;
pub(crate) mod view;
pub(crate) mod words;

pub(crate) use refusal::{refusal_status, unavailable, version_conflict};
pub(crate) use words::{actor, not_found};
