//! What tests share: a target to test against, a tenant of one's own in it, the people in it, and ears.
//!
//! - [`target`] starts the built binary on a data folder of its own, kills it, and starts it again.
//! - [`world`] is one fresh tenant: its agents, teams, numbers and calls. Scenarios run side by side, each in a world of its own.
//! - [`desk`] is an agent's desk: everything that an agent can do; [`session`] is its line to presence, with heartbeats.
//! - [`phones`] is the other end of the simulated switch: who calls, answers, declines, hangs up, and what they heard.
//! - [`sound`] and [`tones`] tell who is heard in a piece of sound, and when.
//! - [`record`] is what is left afterwards: events and recordings.
//! - [`wait`] waits for a condition with a bound, and says what it saw instead.
//!
//! Everything here is a client like any other: it uses the public gRPC API and the simulator's, and nothing of the services'
//! insides. What a test concludes rests on what the phones heard, what the recordings hold, and the events.

pub mod desk;
mod names;
pub mod phones;
mod process;
pub mod record;
pub mod session;
pub mod sound;
pub mod target;
pub mod tones;
pub mod wait;
pub mod world;

pub use desk::{Desk, To};
pub use phones::{Behaviour, Phones};
pub use session::Session;
pub use sound::Sound;
pub use target::{Embedded, Target};
pub use wait::{BOUND, eventually};
pub use world::{Call, Endpoints, World};
