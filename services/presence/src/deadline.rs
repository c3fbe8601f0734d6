//! The next moment at which something runs out by itself, for the one task that waits for it.

use baton_runtime::Clock;
use tokio::sync::watch;

/// The earliest moment that was noted, in µs since the epoch.
pub(crate) struct Deadline(watch::Sender<i64>);

/// Later than everything.
const NEVER: i64 = i64::MAX;

impl Default for Deadline {
    fn default() -> Self {
        Self(watch::Sender::new(NEVER))
    }
}

impl Deadline {
    /// Notes that something runs out at `at_us`. Only a moment before the known one wakes the waiting task.
    pub(crate) fn note(&self, at_us: i64) {
        self.0.send_if_modified(|next| {
            let is_earlier = at_us < *next;
            *next = at_us.min(*next);
            is_earlier
        });
    }

    /// Forgets the moment: the waiting task then reads what runs out next, and notes that.
    pub(crate) fn clear(&self) {
        self.0.send_replace(NEVER);
    }

    /// Waits for the moment, however often an earlier one is noted meanwhile.
    pub(crate) async fn reached(&self, clock: &Clock) {
        let mut changes = self.0.subscribe();
        loop {
            let at_us = *changes.borrow_and_update();
            tokio::select! {
                () = clock.sleep_until(at_us), if at_us != NEVER => return,
                // The sender is ours: this can't end.
                _ = changes.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_earlier_moment_replaces_a_later_one() {
        let (clock, driver) = Clock::simulated(0);
        baton_runtime::lifecycle::spawn(driver.run());
        let deadline = Deadline::default();
        deadline.note(9_000_000);
        let (early, ()) = tokio::join!(
            async {
                deadline.reached(&clock).await;
                clock.now_us()
            },
            async { deadline.note(1_000) }
        );
        assert_eq!(early, 1_000);
        deadline.clear();
        deadline.note(5_000);
        deadline.reached(&clock).await;
        assert_eq!(clock.now_us(), 5_000);
    }
}
