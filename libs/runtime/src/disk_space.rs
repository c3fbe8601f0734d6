//! Whether the disk that the data is on has little space left: then what can wait is refused, so that calls have the rest (S2).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::lifecycle::Lifecycle;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(5);
const MIB: u64 = 1024 * 1024;

/// All clones are the same. The default has space for ever.
#[derive(Clone, Debug, Default)]
pub struct DiskSpace(Arc<AtomicBool>);

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
        self.0.load(Ordering::Relaxed)
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
        match (self.0.swap(is_low, Ordering::Relaxed), is_low) {
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
}
