//! The routing service over real connections and a real database, in simulated time that stands still unless a test lets it
//! pass.

mod configuration;
mod dialling;
mod edits;
mod events;
mod ivr;
mod pages;
mod waits;
mod world;
