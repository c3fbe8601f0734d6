//! Shared by tests: a running Baton, a fresh tenant in it, its agents and phones, and analysis of what was heard.
//!
//! - [`target`] starts the built binary on a data folder of its own, kills it, and starts it again.
//! - [`distributed`] does the same with each service as a process of its own.
//! - [`tenant`] is one fresh tenant: its agents, teams, numbers and calls. Scenarios run side by side, each in a tenant of its own.
//! - [`desk`] is an agent's desk: everything that an agent can do; [`session`] is its session with presence, with heartbeats.
//! - [`phones`] is the other end of the simulated switch: its phones call, answer, decline, hang up, and record what they heard.
//! - [`sound`] finds which parties are heard in a piece of sound, and when.
//! - [`record`] reads events and recordings, [`voicemail`] messages.
//! - [`wait`] waits for a condition with a bound, and reports what it saw instead.
//!
//! Everything here uses the public gRPC API and the simulator's, and nothing of the services' insides. Tests conclude from what the
//! phones heard, the recordings, and the events.

mod address;
pub mod chat;
pub mod desk;
pub mod distributed;
mod names;
pub mod phones;
mod process;
pub mod record;
pub mod servers;
pub mod session;
pub mod sound;
pub mod target;
pub mod tenant;
mod usage;
pub mod voicemail;
pub mod wait;

pub use desk::{AgentDesk, To};
pub use distributed::{Distributed, TestServers};
pub use phones::{PhoneBehaviour, Phones};
pub use servers::OwnServers;
pub use session::OpenSession;
pub use sound::Sound;
pub use target::{Embedded, TestTarget};
pub use tenant::{Call, Endpoints, TestTenant};
pub use wait::{BOUND, eventually};
