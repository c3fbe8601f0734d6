//! What a switch starts with: its limits, and what earlier runs have left.

use std::sync::Arc;

use super::happening::Happening;
use super::heard::HeardRecord;
use super::model::{FinishedRecording, PhoneRecord};

/// How much of everything there may be.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Live legs.
    pub legs: usize,
    /// Rooms.
    pub rooms: usize,
    /// Announcements at once in one room or on one leg.
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
    /// How long after its end a voicemail message is kept. The controller never learns of one, so nobody else deletes it.
    pub message_keep_us: i64,
}

impl Default for Limits {
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
            messages: 1_000,
            message_keep_us: 24 * 60 * MINUTE_US,
        }
    }
}

/// What is known when the switch starts.
#[derive(Debug)]
pub struct Start {
    /// This run.
    pub boot_id: Arc<str>,
    /// The time.
    pub now_us: i64,
    /// How much of everything there may be.
    pub limits: Limits,
    /// `false`: nothing is mixed; calls, times and events are as always.
    pub sound: bool,
    /// What earlier runs have left.
    pub left: Leftovers,
}

/// What earlier runs have left in the data folder.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// The latest controller.
    pub epoch: i64,
    /// Its name.
    pub controller: String,
    /// Phones.
    pub phones: Vec<PhoneRecord>,
    /// Recordings that are complete, or were repaired.
    pub finished: Vec<FinishedRecording>,
    /// What phones heard.
    pub heard: Vec<HeardRecord>,
    /// The latest lines of the ledger: the ids in them are used.
    pub ledger: Vec<Happening>,
}
