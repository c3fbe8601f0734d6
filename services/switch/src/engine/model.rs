//! The objects on the switch, and the closed lists of their states.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ids::{LegId, PlaybackId, RecordingId, RoomId};
use super::timers::TimerKey;
use super::tones::Tone;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchLegState {
    Ringing,
    Up,
    /// Answered, and out of the controller's hands: in voicemail, or in an IVR flow.
    Exited,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegDirection {
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

/// How a leg has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedLeg {
    pub cause: EndCause,
    pub at_us: i64,
}

/// The side that acted on a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The person at the phone.
    Phone,
    /// A command of the controller.
    Controller,
    /// The switch itself.
    Switch,
}

/// What the members of a room hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomTreatment {
    /// Each other.
    Conversation,
    /// Music, and no members.
    HoldMusic,
    /// Ringing, and no members.
    Ringback,
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
pub enum ExitReport {
    /// The leg is gone.
    Left,
    /// The leg is under control again.
    Returned,
    /// The same, as an IVR flow came to its end.
    FlowEnded,
    /// The same, as an IVR flow hands the leg on.
    Transferred,
    /// The same, as the controller took it back.
    Recalled,
    /// The same, as an IVR flow went on for too long.
    Failed,
}

#[derive(Debug)]
pub struct SwitchRoom {
    /// Only this tenant's legs may be in it.
    pub tenant: String,
    pub treatment: RoomTreatment,
    pub members: BTreeSet<LegId>,
    pub(crate) playing: Vec<Playing>,
    pub(crate) recordings: Vec<RecordingId>,
}

/// Where an announcement is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayTarget {
    Room(RoomId),
    Leg(LegId),
}

/// An announcement that is being played.
#[derive(Debug)]
pub struct ActivePlayback {
    /// The tenant of the room or leg.
    pub tenant: String,
    pub target: PlayTarget,
    pub announcement: &'static str,
    pub started_at_us: i64,
    pub(crate) timer: TimerKey,
}

/// The sound of an announcement, kept where it is mixed.
#[derive(Debug)]
pub(crate) struct Playing {
    pub(crate) playback: PlaybackId,
    pub(crate) tone: Tone,
}

/// A leg that has left the controller's hands and is in a mailbox (an *exit*).
#[derive(Debug)]
pub(crate) struct VoicemailExit {
    pub(crate) tenant: String,
    pub(crate) leg: LegId,
    /// The first frame of the greeting.
    pub(crate) first_frame: i64,
    pub(crate) max_message_us: i64,
    /// Set once the greeting is over.
    pub(crate) recording: Option<RecordingId>,
    pub(crate) timers: Vec<TimerKey>,
}

/// Where the sound of a recording comes from: a whole room, or one leg's own voice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AudioSource {
    Room(RoomId),
    Voice(LegId),
}

/// A recording whose file is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedRecording {
    pub recording_id: RecordingId,
    pub tenant: String,
    /// The room that was recorded; none for a voicemail.
    pub room_id: Option<RoomId>,
    /// The time of its first sample.
    pub started_at_us: i64,
    /// The time after its last sample.
    pub ended_at_us: i64,
    pub sample_count: i64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// The switch was killed while it recorded this, and repaired the file later.
    pub torn: bool,
}

/// What a phone does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerBehaviour {
    AnswersAfter {
        delay_ms: i64,
    },
    /// Rings until the caller gives up.
    NeverAnswers,
    Busy,
    /// Rings for so long, then refuses.
    Declines {
        delay_ms: i64,
    },
    /// Rings until a request of the simulator answers or declines.
    Manual,
    /// As a phone that does not exist.
    Unreachable,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneRecord {
    pub tenant: String,
    /// An address or a number.
    pub address: String,
    /// The tone it speaks.
    pub tone_hz: u32,
    pub behaviour: AnswerBehaviour,
}
