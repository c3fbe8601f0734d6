//! The versions of projections that this process has applied last. One that is newer is no repetition, and need not be looked up as one.
//!
//! It is a hint: without it, or with a wrong one, the database decides the same and takes a little longer.

use std::collections::HashMap;

use parking_lot::Mutex;

/// With so many interactions all are forgotten: some of them have ended elsewhere.
const MOST: usize = 20_000;

/// By interaction.
#[derive(Debug, Default)]
pub(crate) struct AppliedVersions(Mutex<HashMap<String, i64>>);

impl AppliedVersions {
    /// An older version of the interaction's projection is the last one that was applied here.
    pub(crate) fn is_new(&self, interaction_id: &str, version: i64) -> bool {
        self.0.lock().get(interaction_id).is_some_and(|applied| *applied < version)
    }

    /// After the last one of an interaction there are no more.
    pub(crate) fn note(&self, interaction_id: &str, version: i64, is_last: bool) {
        let mut applied = self.0.lock();
        if is_last {
            applied.remove(interaction_id);
            return;
        }
        if applied.len() >= MOST {
            applied.clear();
        }
        applied.insert(interaction_id.to_owned(), version);
    }
}
