//! Periodic ticks, on any clock.

use std::time::Duration;

use super::{Clock, micros};

/// Ticks on a fixed grid: a late tick does not move the next one, and ticks that were missed are skipped, not made up for.
#[derive(Debug)]
pub struct Interval {
    clock: Clock,
    period_us: i64,
    next_us: i64,
}

impl Interval {
    /// The shortest period is a millisecond: shorter ones would be busy waiting.
    pub(super) fn new(clock: Clock, period: Duration) -> Self {
        let period_us = micros(period).max(1_000);
        let next_us = clock.now_us().saturating_add(period_us);
        Self { clock, period_us, next_us }
    }

    /// Waits for the next tick and returns when it was due. Dropping the future loses no tick.
    pub async fn tick(&mut self) -> i64 {
        self.clock.sleep_until(self.next_us).await;
        let due_us = self.next_us;
        let missed = (self.clock.now_us() - due_us).max(0) / self.period_us;
        self.next_us = due_us + (missed + 1) * self.period_us;
        due_us
    }
}
