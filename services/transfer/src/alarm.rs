//! When an interaction is to be looked at although nothing happens.

use crate::live::Live;
use baton_words::InteractionId;

/// When an interaction is to be woken, as one of its versions says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) id: InteractionId,
    pub(crate) version: u64,
    /// None: never again.
    pub(crate) at_us: Option<i64>,
}

impl Alarm {
    /// The alarm of this state.
    pub(crate) fn of(live: &Live) -> Self {
        Self { id: live.id, version: live.version, at_us: live.deadline_us() }
    }

    /// The same, but not before then.
    pub(crate) fn not_before(self, earliest_us: i64) -> Self {
        Self { at_us: self.at_us.map(|at_us| at_us.max(earliest_us)), ..self }
    }
}
