//! The I/O that the engine asks for; it does none itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{LegId, RecordingId};
use super::ledger::LedgerEntry;
use super::model::PhoneRecord;

/// Effects are carried out in the order in which they come.
#[derive(Debug)]
pub enum Effect {
    /// Is written to the ledger, and sent to the controller if it is an event.
    LedgerAppended(Arc<LedgerEntry>),
    /// A file of sound begins.
    TrackOpened {
        key: TrackKey,
        about: TrackAbout,
    },
    TrackAppended {
        key: TrackKey,
        samples: Vec<i16>,
    },
    /// The file is complete. The driver confirms that of a recording by [`super::Engine::recording_written`].
    TrackClosed {
        key: TrackKey,
        /// The time after its last sample.
        ended_at_us: i64,
    },
    TrackDeleted {
        key: TrackKey,
    },
    /// A phone was made or changed.
    PhonePut(PhoneRecord),
    /// A phone was removed.
    PhoneDeleted {
        tenant: String,
        address: String,
    },
    /// A controller took control, and keeps it over a restart of the switch.
    ControlTaken {
        epoch: i64,
        controller: String,
    },
}

/// Names a file of sound.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackKey {
    Recording(RecordingId),
    /// What a phone heard on a leg.
    Heard(LegId),
}

/// Describes a file of sound. Is stored beside it, so that the file can be identified after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackAbout {
    pub tenant: String,
    /// The room that is recorded, or the phone that hears; empty for a voicemail.
    pub of: String,
    /// The time of its first sample.
    pub started_at_us: i64,
}
