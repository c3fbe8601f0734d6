//! Who watches an interaction: streams of clients, and answers that wait for the world. Holds what somebody looks at, and for a while what
//! somebody has looked at.

use crate::live::Live;
use baton_words::InteractionId;
use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{Notify, broadcast, watch};

type Seen = Option<Arc<Live>>;

/// The watched interactions, and the tenants all of whose interactions are watched.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    watchers: Mutex<Watchers>,
    tenants: Mutex<HashMap<String, broadcast::Sender<Arc<Live>>>>,
    /// Somebody has begun to watch.
    pub(crate) watched: Notify,
}

/// Changes that may wait for one who watches a tenant; whoever is slower begins anew.
const CHANGES: usize = 1_024;

#[derive(Debug, Default)]
struct Watchers {
    by_id: HashMap<InteractionId, watch::Sender<Seen>>,
    /// When there are so many, those at whom nobody looks any more are forgotten.
    sweep_at: usize,
}

/// The least number at which it is worth looking.
const SWEEP_AT_LEAST: usize = 256;

impl Hub {
    /// Tells whoever watches, unless they know a newer version.
    pub(crate) fn publish(&self, interaction: &Arc<Live>) {
        self.publish_to_tenant(interaction);
        let mut watched = self.lock_watched();
        let Some(sender) = watched.by_id.get(&interaction.id) else { return };
        if sender.receiver_count() == 0 {
            watched.by_id.remove(&interaction.id);
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
        let mut watched = self.lock_watched();
        watched.sweep();
        self.watched.notify_one();
        watched.by_id.entry(id).or_insert_with(|| watch::channel(None).0).subscribe()
    }

    /// The interactions that are watched, each with the version that was shown last; 0 if none was.
    pub(crate) fn watched_versions(&self) -> HashMap<InteractionId, u64> {
        let watched = self.lock_watched();
        let of = |sender: &watch::Sender<Seen>| sender.borrow().as_ref().map_or(0, |seen| seen.version);
        let some = watched.by_id.iter().filter(|(_, sender)| sender.receiver_count() > 0);
        some.map(|(id, sender)| (*id, of(sender))).collect()
    }

    fn publish_to_tenant(&self, interaction: &Arc<Live>) {
        let mut tenants = self.tenants.lock();
        // It fails when nobody watches any more.
        if tenants.get(&*interaction.tenant).is_some_and(|it| it.send(interaction.clone()).is_err()) {
            tenants.remove(&*interaction.tenant);
        }
    }

    /// Begins to watch a tenant. Load its interactions *after* this, so that nothing falls between.
    pub(crate) fn watch_tenant(&self, tenant: &str) -> broadcast::Receiver<Arc<Live>> {
        let mut tenants = self.tenants.lock();
        tenants.entry(tenant.to_owned()).or_insert_with(|| broadcast::channel(CHANGES).0).subscribe()
    }

    fn lock_watched(&self) -> MutexGuard<'_, Watchers> {
        self.watchers.lock()
    }
}

impl Watchers {
    /// Costs a little for each watch: the number at which it looks doubles with what is left.
    fn sweep(&mut self) {
        if self.by_id.len() >= self.sweep_at.max(SWEEP_AT_LEAST) {
            self.by_id.retain(|_, sender| sender.receiver_count() > 0);
            self.sweep_at = 2 * self.by_id.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn at_whom_nobody_looks_any_more_is_forgotten() {
        let hub = Hub::default();
        let held: Vec<_> = (0..10).map(|n| hub.watch(InteractionId(Uuid::from_u128(n)))).collect();
        for n in 10..10_000 {
            drop(hub.watch(InteractionId(Uuid::from_u128(n))));
        }
        assert!(hub.lock_watched().by_id.len() <= SWEEP_AT_LEAST, "{}", hub.lock_watched().by_id.len());
        assert!(held.iter().all(|seen| seen.has_changed().is_ok()), "those that are watched stay");
    }
}
