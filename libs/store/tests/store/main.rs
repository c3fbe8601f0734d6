//! What the store promises, on real files: one binary, a module per subject.

mod change;
mod durable;
mod inbox;
mod outbox;
mod requests;
mod schema;
mod stored;
mod support;
mod upkeep;
mod writer;
