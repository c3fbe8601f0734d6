//! Interactions as they were last committed, for reading. This process is the only writer of its database, and every commit passes
//! through the door: so what is here is what is stored. Changes are still made from the stored state, in their transaction.

use baton_domain::{Interaction, InteractionId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// When so many are held, those that are over are forgotten; the store has them.
const HELD: usize = 4_000;

/// The live interactions, and some that are over.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<HashMap<InteractionId, Arc<Interaction>>>);

impl Recent {
    pub(crate) fn get(&self, id: InteractionId) -> Option<Arc<Interaction>> {
        self.held().get(&id).cloned()
    }

    /// Remembers what was committed, unless something newer is known. Who is settled stays until the next clearing: a late older version must
    /// not take its place. False: something newer is known.
    pub(crate) fn put(&self, interaction: &Arc<Interaction>) -> bool {
        let mut held = self.held();
        if held.len() >= HELD {
            held.retain(|_, known| !known.settled());
        }
        let known = held.entry(interaction.id).or_insert_with(|| interaction.clone());
        if known.version < interaction.version {
            *known = interaction.clone();
        }
        known.version == interaction.version
    }

    fn held(&self) -> MutexGuard<'_, HashMap<InteractionId, Arc<Interaction>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
