//! Deadlines in the order of their times.

use std::collections::BTreeMap;

use super::ids::{ExitId, LegId, PlaybackId, RecordingId};

/// The action of a deadline.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    PhoneAnswers(LegId),
    PhoneDeclines(LegId),
    /// A leg has rung for as long as it may.
    RingTimeout(LegId),
    PlaybackOver(PlaybackId),
    /// The greeting and beep are over.
    MailboxListens(ExitId),
    /// A voicemail is as long as it may be.
    MailboxFull(ExitId),
    /// An announcement of an IVR flow is over, or a digit did not come in time.
    FlowGoesOn(ExitId),
    /// A recording is as long as it may be.
    RecordingLimit(RecordingId),
}

/// Names one deadline, to cancel it.
pub(crate) type TimerKey = (i64, u64);

/// Deadlines by time; of two at the same time the one that was set first.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeMap<TimerKey, Due>,
    count: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, at_us: i64, due: Due) -> TimerKey {
        self.count += 1;
        let key = (at_us, self.count);
        self.due.insert(key, due);
        key
    }

    /// Keys of deadlines that have passed are ignored.
    pub(crate) fn cancel(&mut self, keys: impl IntoIterator<Item = TimerKey>) {
        for key in keys {
            self.due.remove(&key);
        }
    }

    pub(crate) fn next_us(&self) -> Option<i64> {
        self.due.first_key_value().map(|(key, _)| key.0)
    }

    /// Takes the next deadline if it is due by `now_us`.
    pub(crate) fn pop(&mut self, now_us: i64) -> Option<Due> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now_us).then(|| entry.remove())
    }
}
