//! The recording service: what is recorded on a number, and what was.
//!
//! It records nothing itself: the transfer service decides what is recorded, and telephony has the switch write it. What
//! arrives here comes on two ways that know nothing of each other: *events* (a turn began, a segment was closed, a stretch
//! was left out) and *audio* (a finished segment, sent by telephony until it is stored). Either may be first, and each may
//! come twice. Whatever comes, the recording's state is [computed anew](settle::settle), and when the last audio of a
//! finished turn is stored and checked, `recording.stored` says so in the same transaction (R4).
//!
//! - [`audio`]: WAV files, the storage, taking in, giving out.
//! - [`projection`]: events to rows. [`state`], [`settle`]: rows to a state.
//! - [`ops`]: what callers want, one file each. [`grpc`]: the two services, thin.
//! - [`retention`]: what is deleted by itself.

mod audio;
mod core;
mod grpc;
mod ops;
mod projection;
mod retention;
mod settle;
mod start;
mod state;
mod store;
mod time;

pub use audio::files::FilesError;
pub use grpc::{ArchiveApi, RecordingApi};
pub use start::{Deps, Running, StartError, start};

/// This service's name on its events.
const AREA: &str = "recording";
