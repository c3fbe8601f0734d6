//! Growing, jittered pauses between tries.

use std::time::Duration;

use crate::ids;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a backoff begins with a pause of at least a millisecond, and ends with one that is not shorter")]
pub struct InvalidBackoff;

/// How long to pause between tries; the caller decides how often to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    min: Duration,
    max: Duration,
}

impl Backoff {
    /// Pauses from `min`, doubling up to `max`, each shortened at random by up to half.
    pub fn try_new(min: Duration, max: Duration) -> Result<Self, InvalidBackoff> {
        if min < Duration::from_millis(1) || max < min {
            return Err(InvalidBackoff);
        }
        Ok(Self { min, max })
    }

    /// The pause after this many failures.
    pub fn pause(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let full = self.min.saturating_mul(1 << doublings).min(self.max);
        let half_us = u64::try_from(full.as_micros() / 2).unwrap_or(u64::MAX);
        full.saturating_sub(Duration::from_micros(ids::random_below(half_us + 1)))
    }
}

impl Default for Backoff {
    /// From 50 milliseconds to a second.
    fn default() -> Self {
        Self { min: Duration::from_millis(50), max: Duration::from_secs(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_are_jittered() {
        let backoff = Backoff::default();
        for (failures, full_ms) in [(1, 50), (2, 100), (3, 200), (9, 1_000), (u32::MAX, 1_000)] {
            let pause = backoff.pause(failures);
            assert!((full_ms / 2..=full_ms).contains(&(pause.as_millis() as u64)), "{failures}: {pause:?}");
        }
        let many: std::collections::BTreeSet<_> = (0..50).map(|_| backoff.pause(9)).collect();
        assert!(many.len() > 10, "those who failed together must not try again together");
    }

    #[test]
    fn pauses_that_make_no_sense_cannot_be_built() {
        let ms = Duration::from_millis;
        assert!(Backoff::try_new(ms(1), ms(1)).is_ok());
        for (min, max) in [(0, 1), (2, 1)] {
            assert_eq!(Backoff::try_new(ms(min), ms(max)), Err(InvalidBackoff));
        }
    }
}
