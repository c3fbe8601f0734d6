//! What is published: each change of state says what happened, to whom, and whose doing it was.

use crate::{
    ids::{AgentId, LegNo, RecordingNo, SegmentNo, TransferNo},
    input::SegmentEnd,
    words::{Actor, Kind, Reason},
};
use smallvec::SmallVec;
use std::sync::Arc;

/// The events of one input, in order; most inputs have few.
pub type Events = SmallVec<[Event; 4]>;

/// Something that happened. The state and its events are committed together (E1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// 1, 2, 3… within the interaction, without gaps (E2).
    pub sequence: i64,
    /// Whose doing it was.
    pub actor: Actor,
    /// What.
    pub kind: EventKind,
}

/// What happened. Documented one by one in `baton.event.v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the contract documents each event and field")]
pub enum EventKind {
    Opened,
    Ended { reason: Reason },
    FlowStep { step: u32, name: &'static str },
    AgentOffered { agent: AgentId, transfer: Option<TransferNo> },
    OfferFailed { agent: AgentId, transfer: Option<TransferNo>, reason: Reason },
    AgentJoined { agent: AgentId, leg: LegNo },
    AgentLeft { agent: AgentId, reason: Reason },
    PrimaryChanged { from: Option<AgentId>, to: AgentId },
    CustomerHeld,
    CustomerResumed,
    MuteChanged { agent: AgentId, muted: bool },
    NoteAdded,
    DataChanged { set: Arc<[Arc<str>]>, removed: Arc<[Arc<str>]> },
    Announced { name: &'static str },
    CustomerLeft,
    CustomerAnswered,
    TransferStarted { transfer: TransferNo, kind: Kind },
    TransferOffered { transfer: TransferNo, recipient: AgentId },
    TransferConsulting { transfer: TransferNo, recipient: AgentId },
    TransferJoined { transfer: TransferNo },
    TransferCompleted { transfer: TransferNo, recipient: AgentId },
    TransferDiverted { transfer: TransferNo, to: Reason, reason: Reason },
    TransferFailed { transfer: TransferNo, reason: Reason },
    TransferCancelled { transfer: TransferNo, reason: Reason },
    TransferAbandoned { transfer: TransferNo },
    RecordingStarted { recording: RecordingNo, agent: AgentId, by_hand: bool },
    RecordingEnded { recording: RecordingNo },
    RecordingPaused { recording: Option<RecordingNo> },
    RecordingResumed { recording: Option<RecordingNo> },
    SegmentStarted { recording: RecordingNo, segment: SegmentNo, agents: SmallVec<[AgentId; 2]> },
    SegmentEnded { recording: RecordingNo, segment: SegmentNo, end: SegmentEnd },
    Excluded { recording: RecordingNo, from_us: i64, to_us: i64, reason: Exclusion },
}

/// Why a stretch of a tenure is not in its recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// The customer was on hold (B208).
    OnHold,
    /// Somebody paused (B608).
    Paused,
    /// Nobody had started it by hand (B207), or somebody had stopped it.
    NotStarted,
    /// The switch could not write it, several times in a row.
    NotWritten,
    /// It was another agent's tenure, and is in that recording (B206).
    OtherTenure,
}

impl Exclusion {
    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnHold => "on_hold",
            Self::Paused => "paused",
            Self::NotStarted => "not_started",
            Self::NotWritten => "not_written",
            Self::OtherTenure => "other_turn",
        }
    }
}
