//! What the engine wants done outside: it does no I/O itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::happening::Happening;
use super::ids::{LegId, RecordingId};
use super::model::PhoneRecord;

/// Something to be done, in this order.
#[derive(Debug)]
pub enum Effect {
    /// To be written to the ledger, and sent to the controller if it is an event.
    Happened(Arc<Happening>),
    /// A file of sound begins.
    TrackOpened {
        /// Which.
        key: TrackKey,
        /// What it is.
        about: TrackAbout,
    },
    /// More of it.
    TrackAppended {
        /// Which.
        key: TrackKey,
        /// The next samples.
        samples: Vec<i16>,
    },
    /// It is complete. Of a recording the engine wants to hear that: [`super::Engine::recording_written`].
    TrackClosed {
        /// Which.
        key: TrackKey,
        /// The time after its last sample.
        ended_at_us: i64,
    },
    /// It is to be deleted.
    TrackDeleted {
        /// Which.
        key: TrackKey,
    },
    /// A phone was made or changed.
    PhonePut(PhoneRecord),
    /// A phone was removed.
    PhoneDeleted {
        /// Whose.
        tenant: String,
        /// Which.
        address: String,
    },
    /// A controller took the switch; it keeps it over a restart.
    ControlTaken {
        /// The epoch.
        epoch: i64,
        /// Who.
        controller: String,
    },
}

/// One file of sound.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackKey {
    /// A recording.
    Recording(RecordingId),
    /// What a phone heard on a leg.
    Heard(LegId),
}

/// What a file of sound is: kept beside it, so that it can be told after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackAbout {
    /// Whose it is.
    pub tenant: String,
    /// The room that is recorded, or the phone that hears; empty for a voicemail.
    pub of: String,
    /// The time of its first sample.
    pub started_at_us: i64,
}
