//! The presence service over real connections and a real database, in simulated time that stands still unless a test lets
//! it pass.

mod claims;
mod directory;
mod edits;
mod events;
mod large;
mod pickers;
mod queue;
mod sessions;
mod streams;
mod unary_sessions;
mod world;
