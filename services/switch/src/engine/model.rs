//! The things on the switch, and the words for their states.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ids::{LegId, PlaybackId, RecordingId, RoomId};
use super::timers::TimerKey;
use super::tones::Tone;

/// How far a leg has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegState {
    /// Nobody has answered yet.
    Ringing,
    /// Answered.
    Up,
    /// Answered, and in an exit.
    Exited,
}

/// Who started a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The phone called.
    Inbound,
    /// The switch dialled.
    Outbound,
}

/// Why a leg has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// Hung up after it was answered.
    Normal,
    /// The phone was engaged.
    Busy,
    /// It rang for as long as it was allowed to.
    NoAnswer,
    /// The phone refused.
    Declined,
    /// No such phone.
    Unreachable,
    /// Hung up by the calling side before it was answered.
    Cancelled,
    /// The switch was stopped.
    SwitchShutdown,
}

/// Who did something to a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The person at the phone.
    Phone,
    /// A command.
    Controller,
    /// The switch itself.
    Switch,
}

/// What the members of a room hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// Each other.
    Conversation,
    /// Music, and nobody.
    HoldMusic,
    /// Ringing, and nobody.
    Ringback,
    /// Nothing.
    Silence,
}

/// Why an announcement is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaybackEnd {
    /// Played to its end.
    Completed,
    /// Stopped by a command.
    Stopped,
    /// Its leg or room went away.
    TargetGone,
}

/// How an exit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitOutcome {
    /// The leg is gone.
    Left,
    /// The leg is under control again.
    Returned,
}

/// A room.
#[derive(Debug)]
pub struct Room {
    /// Whose calls may be in it.
    pub tenant: String,
    /// What its members hear.
    pub treatment: Treatment,
    /// Who is in it.
    pub members: BTreeSet<LegId>,
    pub(crate) playing: Vec<Playing>,
    pub(crate) recordings: Vec<RecordingId>,
}

/// Where an announcement is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayTarget {
    /// By all in a room.
    Room(RoomId),
    /// By one leg.
    Leg(LegId),
}

/// An announcement that is being played.
#[derive(Debug)]
pub struct Playback {
    /// The tenant of the room or leg.
    pub tenant: String,
    /// Where it is heard.
    pub target: PlayTarget,
    /// Its name.
    pub announcement: &'static str,
    /// When it began.
    pub started_at_us: i64,
    pub(crate) timer: TimerKey,
}

/// The sound of an announcement, kept where it is mixed.
#[derive(Debug)]
pub(crate) struct Playing {
    pub(crate) playback: PlaybackId,
    pub(crate) tone: Tone,
}

/// A leg in a mailbox.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) tenant: String,
    pub(crate) leg: LegId,
    /// The first frame of the greeting.
    pub(crate) first_frame: i64,
    pub(crate) max_message_us: i64,
    /// Set once it listens.
    pub(crate) recording: Option<RecordingId>,
    pub(crate) timers: Vec<TimerKey>,
}

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Room(RoomId),
    Voice(LegId),
}

/// A recording whose file is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedRecording {
    /// Its id.
    pub recording_id: RecordingId,
    /// Whose it is.
    pub tenant: String,
    /// The room that was recorded; none for a voicemail.
    pub room_id: Option<RoomId>,
    /// The time of its first sample.
    pub started_at_us: i64,
    /// The time after its last sample.
    pub ended_at_us: i64,
    /// How many samples the file has.
    pub sample_count: i64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// The switch died while it was recorded.
    pub torn: bool,
}

/// What a phone does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// Rings, then answers.
    AnswersAfter {
        /// How long it rings.
        delay_ms: i64,
    },
    /// Rings until the caller gives up.
    NeverAnswers,
    /// Is engaged.
    Busy,
    /// Rings, then refuses.
    Declines {
        /// How long it rings.
        delay_ms: i64,
    },
    /// Rings until somebody does something.
    Manual,
    /// Does not react.
    Unreachable,
}

/// A phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneRecord {
    /// Whose it is.
    pub tenant: String,
    /// Its address or number.
    pub address: String,
    /// The tone it speaks.
    pub tone_hz: u32,
    /// What it does when it is called.
    pub behaviour: Behaviour,
}
