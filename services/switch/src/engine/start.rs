//! The input of a start: limits, and the state that earlier runs have left.

use std::sync::Arc;

use super::heard::HeardRecord;
use super::ledger::LedgerEntry;
use super::model::{FinishedRecording, PhoneRecord};

#[derive(Debug, Clone)]
pub struct SwitchLimits {
    pub legs: usize,
    pub rooms: usize,
    /// Announcements that play at once in one room or on one leg.
    pub playing: usize,
    /// Phones of one tenant.
    pub phones: usize,
    /// Ids of each sort that are remembered after their use.
    pub used_ids: usize,
    /// The longest recording.
    pub recording_us: i64,
    /// How long an inbound call may ring.
    pub inbound_ring_us: i64,
    /// How many legs' heard sound is kept.
    pub heard_legs: usize,
    /// How long after its end a leg's heard sound is kept.
    pub heard_keep_us: i64,
    /// How much of one leg is kept.
    pub heard_us: i64,
    /// How many voicemail messages are kept.
    pub messages: usize,
    /// How long after its end a voicemail message is kept for a controller that has not collected and deleted it.
    pub message_keep_us: i64,
}

impl Default for SwitchLimits {
    fn default() -> Self {
        const MINUTE_US: i64 = 60_000_000;
        Self {
            legs: 5_000,
            rooms: 10_000,
            playing: 8,
            phones: 20_000,
            used_ids: 100_000,
            recording_us: 240 * MINUTE_US,
            inbound_ring_us: 3 * MINUTE_US,
            heard_legs: 4_000,
            heard_keep_us: 60 * MINUTE_US,
            heard_us: 30 * MINUTE_US,
            messages: 10_000,
            message_keep_us: 7 * 24 * 60 * MINUTE_US,
        }
    }
}

#[derive(Debug)]
pub struct EngineStart {
    /// The id of this run.
    pub boot_id: Arc<str>,
    pub now_us: i64,
    pub limits: SwitchLimits,
    /// `false`: nothing is mixed; calls, times and events are the same.
    pub sound: bool,
    pub left: Leftovers,
}

/// The state that earlier runs have left in the data folder.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Of the latest controller.
    pub epoch: i64,
    pub controller: String,
    pub phones: Vec<PhoneRecord>,
    /// Recordings that are complete, or were repaired.
    pub finished: Vec<FinishedRecording>,
    pub heard: Vec<HeardRecord>,
    /// The latest entries: their ids count as used.
    pub ledger: Vec<LedgerEntry>,
}
