//! Who watches an interaction: streams of clients, and answers that wait for the world. Holds only what somebody looks at.

use baton_domain::{Interaction, InteractionId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

type Seen = Option<Arc<Interaction>>;

/// The watched interactions.
#[derive(Debug, Default)]
pub(crate) struct Hub(Mutex<HashMap<InteractionId, watch::Sender<Seen>>>);

impl Hub {
    /// Tells whoever watches, unless they know a newer version.
    pub(crate) fn publish(&self, interaction: &Arc<Interaction>) {
        let mut watched = self.watched();
        let Some(sender) = watched.get(&interaction.id) else { return };
        if sender.receiver_count() == 0 {
            watched.remove(&interaction.id);
            return;
        }
        sender.send_if_modified(|seen| {
            let newer = seen.as_ref().is_none_or(|seen| seen.version < interaction.version);
            if newer {
                *seen = Some(interaction.clone());
            }
            newer
        });
    }

    /// Begins to watch. Load the interaction *after* this, and publish it, so that nothing falls between.
    pub(crate) fn watch(&self, id: InteractionId) -> watch::Receiver<Seen> {
        let mut watched = self.watched();
        watched.entry(id).or_insert_with(|| watch::channel(None).0).subscribe()
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<InteractionId, watch::Sender<Seen>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
