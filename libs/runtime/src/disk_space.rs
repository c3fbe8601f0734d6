//! Whether the disk that the data is on has little space left, and how much of it each tenant takes: what can wait is refused while the
//! disk is nearly full, and to a tenant who has stored as much as it may, so that calls have the rest (S2).

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use crate::clock::Clock;
use crate::lifecycle::Lifecycle;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(5);
const MIB: u64 = 1024 * 1024;

/// Bytes by tenant.
pub type BytesByTenant = HashMap<String, u64>;

/// All clones are the same. The default has space for ever.
#[derive(Clone, Debug, Default)]
pub struct DiskSpace(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_low: AtomicBool,
    /// What each service counted last, by what it counted.
    stored: RwLock<HashMap<String, BytesByTenant>>,
}

impl DiskSpace {
    /// Looks now and then how much is free in the folder, for as long as the lifecycle lasts. `least_mib` 0: there is always enough.
    pub fn watch(folder: &Path, least_mib: u64, lifecycle: &Lifecycle) -> Self {
        let this = Self::default();
        if least_mib == 0 {
            return this;
        }
        this.look(folder, least_mib);
        let (watched, folder) = (this.clone(), folder.to_owned());
        // A disk fills in real time, also where calls are simulated.
        lifecycle.every("free space", (&Clock::real(), PERIOD), move |_| {
            watched.look(&folder, least_mib);
            async { Ok::<_, std::convert::Infallible>(()) }
        });
        this
    }

    /// Less is free than there has to be.
    pub fn is_low(&self) -> bool {
        self.0.is_low.load(Ordering::Relaxed)
    }

    /// Takes in what a service has counted: how many bytes of this sort each tenant has stored. It takes the place of what was counted before.
    pub fn counted(&self, sort: &str, bytes: BytesByTenant) {
        self.0.stored.write().insert(sort.to_owned(), bytes);
    }

    /// In bytes: what the tenant has stored, of all sorts, as it was counted last.
    pub fn stored(&self, tenant: &str) -> u64 {
        self.0.stored.read().values().filter_map(|of| of.get(tenant)).sum()
    }

    fn look(&self, folder: &Path, least_mib: u64) {
        let free_mib = match rustix::fs::statvfs(folder) {
            Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize) / MIB,
            // What can't be asked is not known to be full.
            Err(error) => return tracing::warn!(%error, "how much space is free can't be read"),
        };
        self.found(free_mib, least_mib);
    }

    /// Logged when it is news.
    fn found(&self, free_mib: u64, least_mib: u64) {
        let is_low = free_mib < least_mib;
        match (self.0.is_low.swap(is_low, Ordering::Relaxed), is_low) {
            (false, true) => tracing::error!(
                free_mib,
                least_mib,
                "the disk is nearly full: calls go on, and what would store more is refused; make space, or lower data.min_free_mib"
            ),
            (true, false) => tracing::warn!(free_mib, "there is space on the disk again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn s2_a_disk_is_low_while_less_is_free_than_there_has_to_be() {
        let (folder, lifecycle) = (tempfile::tempdir().unwrap(), Lifecycle::new());
        let space = |least_mib| DiskSpace::watch(folder.path(), least_mib, &lifecycle).is_low();
        assert_eq!([space(0), space(1), space(u64::MAX)], [false, false, true]);
        let space = DiskSpace::default();
        let is_low = [5, 4, 3, 4, 5].map(|free_mib| {
            space.found(free_mib, 4);
            space.is_low()
        });
        assert_eq!(is_low, [false, false, true, false, false]);
        lifecycle.stop();
    }

    #[test]
    fn s2_what_a_tenant_has_stored_is_the_sum_of_what_was_counted_last() {
        let space = DiskSpace::default();
        let of = |acme, rival| [("acme".to_owned(), acme), ("rival".to_owned(), rival)].into();
        space.counted("calls", of(5, 1));
        space.counted("audio", of(70, 2));
        space.counted("calls", of(6, 0));
        assert_eq!(["acme", "rival", "nobody"].map(|tenant| space.stored(tenant)), [76, 2, 0]);
    }
}
