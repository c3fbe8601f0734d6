//! The simulated telephone switch: a program of its own that stands where a real switch (Asterisk) will stand.
//!
//! - [`engine`] is the switch itself, without any input or output: legs, rooms, announcements, recordings, and the mixing of every
//!   sample. Time is an argument, so simulated time gives the same sound as real time.
//! - [`driver`] is the task that owns the engine, advances it with the clock and measures how late frames are.
//! - [`storage`] is the data folder: WAV files, the ledger, the phones; one thread writes it, so that the disk never delays the sound.
//! - [`service`] is the two gRPC services: `SwitchService` for the telephony service and `SimulatorService` for the client that plays
//!   the people at the phones.
//!
//! As on a real switch, an id is good for one attempt, no event is sent twice, and a killed switch loses all its calls. Recordings
//! that were being written then are repaired at the next start.
//!
//! To add an announcement: a line in [`engine::tones::ANNOUNCEMENTS`], with a tone at least 45 Hz from all others, and one in the
//! comment of `PlayRequest.announcement`.

pub mod driver;
pub mod engine;
mod replays;
pub mod service;
pub mod storage;
mod switch;

pub use driver::{Stats, Stopped, SwitchHandle, SwitchState};
pub use switch::{Switch, SwitchFailure, SwitchSettings, serve};
