//! What has happened: one list, written to the ledger in full and sent to the controller in part.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{ExitId, LegId, PlaybackId, RecordingId, RoomId};
use super::model::{EndCause, ExitOutcome, FinishedRecording, PlaybackEnd, Side, Treatment};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// Counts the lines of the ledger, over all runs.
    pub sequence: i64,
    /// Counts the events of this run; 0 for what is no event.
    pub event_sequence: i64,
    /// The run.
    pub boot_id: Arc<str>,
    /// When.
    pub occurred_at_us: i64,
    /// The tenant concerned; empty where none is.
    pub tenant: String,
    /// What.
    pub what: What,
}

/// What can happen. The protos have the comments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "each is an event or a ledger action of the same name in the protos, with its comments there"
)]
pub enum What {
    Booted,
    ControlTaken { epoch: i64, controller: String },
    CallPlaced { leg_id: LegId, address: String, called: String },
    LegDialed { leg_id: LegId, address: String, caller_id: String },
    LegRinging { leg_id: LegId },
    LegAnswered { leg_id: LegId },
    LegEnded { leg_id: LegId, cause: EndCause, side: Side },
    LegMoved { leg_id: LegId, room_id: Option<RoomId>, from_room_id: Option<RoomId> },
    LegMuted { leg_id: LegId, muted: bool, side: Side },
    RoomEnsured { room_id: RoomId, treatment: Treatment },
    RoomDestroyed { room_id: RoomId },
    PlaybackStarted { playback_id: PlaybackId, at: Place, announcement: String },
    PlaybackFinished { playback_id: PlaybackId, at: Place, announcement: String, end: PlaybackEnd },
    PlaybackFailed { playback_id: PlaybackId, at: Place, message: String },
    RecordingStarted { recording_id: RecordingId, room_id: Option<RoomId>, started_at_us: i64 },
    RecordingFinished { recording: FinishedRecording },
    RecordingFailed { recording_id: RecordingId, room_id: Option<RoomId>, message: String },
    RecordingDeleted { recording_id: RecordingId },
    ExitStarted { exit_id: ExitId, leg_id: LegId, mailbox: String },
    ExitEnded { exit_id: ExitId, leg_id: LegId, outcome: ExitOutcome, recording_id: Option<RecordingId> },
    CommandRefused { command: String, message: String },
}

/// The room or the leg where an announcement is heard; one of the two is set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// By all in this room.
    pub room_id: Option<RoomId>,
    /// By this leg.
    pub leg_id: Option<LegId>,
}

impl What {
    /// Whether the controller is told. What its own commands do at once (rooms, deletions) is only in the ledger.
    pub fn is_event(&self) -> bool {
        !matches!(
            self,
            Self::Booted
                | Self::ControlTaken { .. }
                | Self::LegDialed { .. }
                | Self::RoomEnsured { .. }
                | Self::RoomDestroyed { .. }
                | Self::PlaybackStarted { .. }
                | Self::RecordingDeleted { .. }
                | Self::ExitStarted { .. }
                | Self::CommandRefused { .. }
        )
    }
}
