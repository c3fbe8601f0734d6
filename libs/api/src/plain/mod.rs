//! What the contract says, in plain words for people: values, events as sentences, and why they happened.

mod names;
pub mod sentence;
mod why;
pub mod word;

pub use names::{Mentioned, Names};
pub use why::why;
