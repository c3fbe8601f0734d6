//! Trying again, with growing, jittered pauses.

use std::future::Future;
use std::time::Duration;

use baton_api::ApiError;
use tonic::Status;

use crate::clock::Clock;
use crate::ids;

/// The pauses make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a backoff begins with a pause of at least a millisecond, ends with one that is not shorter, and tries at least once"
)]
pub struct InvalidBackoff;

/// How often to try, and how long to pause in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    tries: u32,
}

impl Backoff {
    /// Pauses from `min`, doubling up to `max`, each shortened at random by up to half; `tries` calls at most.
    pub fn try_new(min: Duration, max: Duration, tries: u32) -> Result<Self, InvalidBackoff> {
        if min < Duration::from_millis(1) || max < min || tries == 0 {
            return Err(InvalidBackoff);
        }
        Ok(Self { min, max, tries })
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
    /// Five tries within about a second and a half.
    fn default() -> Self {
        Self { min: Duration::from_millis(50), max: Duration::from_secs(1), tries: 5 }
    }
}

/// Calls until it succeeds, fails for good, or the tries are used up. Only for what may be carried out twice: pushes of
/// projections, reads, and changes with one and the same request id.
pub async fn retry<T, F, C>(clock: &Clock, backoff: Backoff, mut call: C) -> Result<T, Status>
where
    C: FnMut() -> F,
    F: Future<Output = Result<T, Status>>,
{
    let mut failures = 0;
    loop {
        let status = match call().await {
            Ok(value) => return Ok(value),
            Err(status) => status,
        };
        failures += 1;
        if failures >= backoff.tries || !ApiError::of(&status).is_retryable() {
            return Err(status);
        }
        // Inside a call, nothing but time can end this pause.
        clock.park(clock.sleep(backoff.pause(failures))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulated() -> Clock {
        let (clock, driver) = Clock::simulated(0);
        crate::lifecycle::spawn(driver.run());
        clock
    }

    #[tokio::test]
    async fn trouble_that_passes_is_retried_with_growing_pauses() {
        let clock = simulated();
        let mut at_us = Vec::new();
        let result = retry(&clock, Backoff::default(), || {
            at_us.push(clock.now_us());
            let done = at_us.len() == 4;
            async move { if done { Ok(7) } else { Err(Status::unavailable("x")) } }
        })
        .await;
        assert_eq!(result.unwrap(), 7);
        let pauses: Vec<_> = at_us.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (pause, full) in pauses.iter().zip([50_000, 100_000, 200_000]) {
            assert!((full / 2..=full).contains(pause), "{pauses:?}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_not_retried() {
        let mut tries = 0;
        let result: Result<(), _> = retry(&simulated(), Backoff::default(), || {
            tries += 1;
            async { Err(Status::failed_precondition("x")) }
        })
        .await;
        assert!(result.is_err());
        assert_eq!(tries, 1);
    }

    #[tokio::test]
    async fn the_tries_have_an_end() {
        let mut tries = 0;
        let result: Result<(), _> = retry(&simulated(), Backoff::default(), || {
            tries += 1;
            async { Err(Status::unavailable("x")) }
        })
        .await;
        assert!(result.is_err());
        assert_eq!(tries, 5);
    }

    #[test]
    fn pauses_that_make_no_sense_cannot_be_built() {
        let ms = Duration::from_millis;
        assert!(Backoff::try_new(ms(1), ms(1), 1).is_ok());
        for (min, max, tries) in [(0, 1, 1), (2, 1, 1), (1, 2, 0)] {
            assert_eq!(Backoff::try_new(ms(min), ms(max), tries), Err(InvalidBackoff));
        }
    }
}
