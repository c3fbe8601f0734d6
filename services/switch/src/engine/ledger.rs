//! The ledger: everything that happened on the switch, in one list. Those entries that are events are sent to the controller, too.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::flows::CollectedDatum;
use super::ids::{ExitId, LegId, PlaybackId, RecordingId, RoomId};
use super::model::{EndCause, ExitReport, FinishedRecording, PlaybackEnd, RoomTreatment, Side};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Counts the entries of the ledger, over all runs.
    pub sequence: i64,
    /// Counts the events of this run; 0 if the entry is not an event.
    pub event_sequence: i64,
    /// The run of the switch.
    pub boot_id: Arc<str>,
    pub occurred_at_us: i64,
    /// The tenant concerned; empty where none is.
    pub tenant: String,
    #[serde(rename = "what")]
    pub action: LedgerAction,
}

/// Each is an event or a ledger action of the same name in the protos, with its comments there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum LedgerAction {
    Booted,
    ControlTaken {
        epoch: i64,
        controller: String,
    },
    CallPlaced {
        leg_id: LegId,
        address: String,
        called: String,
    },
    LegDialed {
        leg_id: LegId,
        address: String,
        caller_id: String,
    },
    LegRinging {
        leg_id: LegId,
    },
    LegAnswered {
        leg_id: LegId,
    },
    LegEnded {
        leg_id: LegId,
        cause: EndCause,
        side: Side,
    },
    LegMoved {
        leg_id: LegId,
        room_id: Option<RoomId>,
        from_room_id: Option<RoomId>,
    },
    LegMuted {
        leg_id: LegId,
        muted: bool,
        side: Side,
    },
    RoomEnsured {
        room_id: RoomId,
        treatment: RoomTreatment,
    },
    RoomDestroyed {
        room_id: RoomId,
    },
    PlaybackStarted {
        playback_id: PlaybackId,
        at: PlaybackLocation,
        announcement: String,
    },
    PlaybackFinished {
        playback_id: PlaybackId,
        at: PlaybackLocation,
        announcement: String,
        end: PlaybackEnd,
    },
    PlaybackFailed {
        playback_id: PlaybackId,
        at: PlaybackLocation,
        message: String,
    },
    RecordingStarted {
        recording_id: RecordingId,
        room_id: Option<RoomId>,
        started_at_us: i64,
    },
    RecordingFinished {
        recording: FinishedRecording,
    },
    RecordingFailed {
        recording_id: RecordingId,
        room_id: Option<RoomId>,
        message: String,
    },
    RecordingDeleted {
        recording_id: RecordingId,
    },
    ExitStarted {
        exit_id: ExitId,
        leg_id: LegId,
        mailbox: String,
    },
    ExitEnded {
        exit_id: ExitId,
        leg_id: LegId,
        outcome: ExitReport,
        recording_id: Option<RecordingId>,
    },
    FlowProgressed {
        exit_id: ExitId,
        leg_id: LegId,
        key: String,
        /// Not kept in the ledger: the phone's secrets and the customer's.
        #[serde(skip)]
        data: Vec<CollectedDatum>,
    },
    FlowEnded {
        exit_id: ExitId,
        leg_id: LegId,
        outcome: ExitReport,
        element: usize,
        #[serde(skip)]
        data: Vec<CollectedDatum>,
    },
    CommandRefused {
        command: String,
        message: String,
    },
}

/// Where an announcement is heard: exactly one of the two is set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlaybackLocation {
    /// All in this room hear it.
    pub room_id: Option<RoomId>,
    /// Only this leg hears it.
    pub leg_id: Option<LegId>,
}

impl LedgerAction {
    /// Whether the controller is notified. The direct effects of its own commands (rooms, deletions) are only in the ledger.
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
