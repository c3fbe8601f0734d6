//! What is recorded: which tenure, which segment, and what is left out.

use crate::{
    event::Exclusion,
    ids::{AgentId, RecordingNo, SegmentNo},
    words::RecordingMode,
};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The recording of an interaction. A *tenure* is one primary agent's time with the customer and becomes one recording; a *segment* is one
/// uninterrupted stretch of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The number's setting when the call came in.
    pub mode: RecordingMode,
    /// That setting records this call without anybody's doing.
    pub automatic: bool,
    /// Somebody started it by hand; it carries over to the next agent (B207).
    pub by_hand: bool,
    /// Somebody paused it.
    pub paused: bool,
    /// The tenure that is under way; none while no agent has the customer.
    pub tenure: Option<Tenure>,
    /// Turns that gave way while a transfer is undecided: whoever comes back goes on with theirs (B206).
    #[serde(default)]
    pub suspended: SmallVec<[SuspendedTenure; 1]>,
    /// The segment that is wanted now.
    pub current: Option<Segment>,
    /// Segments that are no longer wanted and whose end was not yet reported.
    pub closing: SmallVec<[Segment; 2]>,
    /// Recordings whose tenure is over and some of whose segments are still closing.
    pub ending: SmallVec<[RecordingNo; 2]>,
    /// The stretch that is being left out now.
    pub gap: Option<Gap>,
    /// Segments in a row that could not be written.
    pub failures: u8,
}

/// One primary agent's time with the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenure {
    /// Whose.
    pub agent: AgentId,
    /// Its recording, once something of it was recorded.
    pub recording: Option<RecordingNo>,
}

/// A tenure that has given way while a transfer is undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspendedTenure {
    /// Which.
    pub tenure: Tenure,
    /// Since when.
    pub since_us: i64,
}

/// One stretch of audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Which.
    pub no: SegmentNo,
    /// Of which recording.
    pub recording: RecordingNo,
    /// The switch has said that it writes.
    pub live: bool,
}

/// A stretch that is being left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Since when.
    pub from_us: i64,
    /// Why.
    pub reason: Exclusion,
}

impl Recording {
    /// Something is to be recorded whenever the customer talks with an agent.
    pub fn on(&self) -> bool {
        self.automatic || self.by_hand
    }

    /// The switch writes, or may still write, a segment.
    pub fn maybe_live(&self) -> bool {
        self.current.is_some() || !self.closing.is_empty()
    }
}
