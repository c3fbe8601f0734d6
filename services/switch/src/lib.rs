//! The simulated telephone switch: a program of its own that stands where a real switch (Asterisk) will stand.
//!
//! - [`engine`] is the switch itself, without any input or output: legs, rooms, announcements, recordings, and the mixing of every
//!   sample. Time is an argument, so simulated time gives the same sound as real time.
//! - [`driver`] is the task that owns the engine, gives it its time and measures how well it keeps it.
//! - [`storage`] is the data folder: WAV files, the ledger, the phones; one thread writes it, off the path of the sound.
//! - [`service`] is the two gRPC services: `SwitchService` for the telephony service and `SimulatorService` for whoever plays the
//!   people at the phones.
//!
//! Like a real switch it forgets nothing that it is asked twice (ids are good for one attempt), repeats no event, and loses all
//! calls when it is killed; what it had recorded until then is repaired at its next start.
//!
//! Adding an announcement: a line in [`engine::tones::ANNOUNCEMENTS`], with a tone at least 45 Hz from all others, and one in the
//! comment of `PlayRequest.announcement`.

pub mod driver;
pub mod engine;
mod replays;
pub mod service;
pub mod storage;
mod switch;

pub use driver::{Desk, Stats, Stopped, SwitchHandle};
pub use switch::{Switch, SwitchConfig, SwitchFailure, serve};
