//! Interactions as they were last seen: inputs are decided on from here, without asking the database. Another process may have changed them
//! meanwhile, so whoever commits compares the version, and whoever reads asks the database whether it has a newer one.

use crate::live::Live;
use baton_words::InteractionId;
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc};

/// From so many on those that are over are forgotten now and then; the store has them.
const SWEEP_AT_LEAST: usize = 1_000;

/// The live interactions, and some that are over.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<RecentMap>);

#[derive(Debug, Default)]
struct RecentMap {
    by_id: HashMap<InteractionId, Arc<Live>>,
    /// When there are so many, it is time: twice as many as lived last time, so that a commit costs the same however many live (T10).
    sweep_at: usize,
}

impl Recent {
    pub(crate) fn get(&self, id: InteractionId) -> Option<Arc<Live>> {
        self.entries().by_id.get(&id).cloned()
    }

    /// Remembers what was committed, unless something newer is known. Who is settled stays until the next clearing: a late older version must
    /// not take its place. False: something newer is known.
    pub(crate) fn put(&self, interaction: &Arc<Live>) -> bool {
        let mut entries = self.entries();
        if entries.by_id.len() >= entries.sweep_at.max(SWEEP_AT_LEAST) {
            entries.by_id.retain(|_, known| !known.settled());
            entries.sweep_at = 2 * entries.by_id.len();
        }
        let known = entries.by_id.entry(interaction.id).or_insert_with(|| interaction.clone());
        if known.version < interaction.version {
            *known = interaction.clone();
        }
        known.version == interaction.version
    }

    /// Forgets who is deleted.
    pub(crate) fn forget(&self, ids: &[InteractionId]) {
        let mut entries = self.entries();
        for id in ids {
            entries.by_id.remove(id);
        }
    }

    fn entries(&self) -> MutexGuard<'_, RecentMap> {
        self.0.lock()
    }
}
