//! The recording service: the recording settings of numbers, and the archive of recordings.
//!
//! It records nothing itself: the transfer service decides what is recorded, and telephony has the switch write it. A
//! recording is all that is kept of one *tenure*: one primary agent's time with the customer. This service learns of it from
//! two independent sources: *events* (a tenure began, a segment was closed, a stretch was left out) and *audio* (a finished
//! segment, which telephony sends until it is stored). Either may come first, and each may come twice. After each the
//! recording's state is [computed anew](settle::settle), and when the last audio of a finished tenure is stored and checked,
//! `recording.stored` is written in the same transaction (R4).
//!
//! A *message* is what a customer said after the beep of a voicemail box. Telephony brings it like a segment, with everything that is to be
//! known of it, so it waits for no event: [`ops::store_message`] keeps it and publishes that it was left, or that none was.
//!
//! - [`audio`]: the storage, uploads, downloads.
//! - [`projection`]: events to rows. [`state`], [`settle`]: rows to a state. [`events`]: what is published.
//! - [`ops`]: the operations of the API, one file each. [`grpc`]: the services, thin.
//! - [`retention`]: the deletion of old recordings.

mod audio;
mod core;
mod events;
mod grpc;
mod ops;
mod projection;
mod retention;
mod settle;
mod start;
mod state;
mod store;
mod time;

pub use audio::bucket::AccessKeyError;
pub use audio::files::FilesError;
pub use audio::probe::{ProbeError, probe};
pub use grpc::{ArchiveApi, RecordingApi, VoicemailApi};
pub use start::{RecordingService, start};
pub use store::MIGRATIONS;

/// This service's name on its events.
const AREA: &str = "recording";
