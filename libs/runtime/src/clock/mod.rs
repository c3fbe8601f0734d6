//! Time as a port: nothing in Baton asks the system for the time, or sleeps, but through a [`Clock`].
//!
//! The real clock is the system's as it was at the start of the process, and goes on with the time that passes ([`real`]). The simulated one stands still while work is in flight and then jumps to the earliest
//! deadline that a task sleeps for, so that a call of ten minutes takes as long as its work does. tokio's paused clock can't
//! do this: it jumps while `SQLite`'s thread or a socket is still at work, and deadlines pass that should not.
//!
//! Work in flight holds a [`BusyGuard`]:
//! - The client channel holds one while a unary call is under way, the server layer while a handler runs. Handlers and
//!   their callers need do nothing.
//! - A background task holds one while it works (`let _busy = clock.busy();`) and drops it before it sleeps or waits.
//!   Work of a millisecond or less between two waits needs none: the clock waits for a little quiet before it jumps.
//! - **Never sleep, or wait for the world, while holding one**: time stands still until it is dropped. A handler that waits
//!   (for a fact, under its caller's deadline) does so in [`Clock::park`], which suspends the guards of its own chain of calls
//!   meanwhile. A guard held by mistake is reported in the log with the source location that took it.

mod interval;
mod real;
mod sim;

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

pub use interval::Interval;
pub use sim::SimDriver;

use crate::context;

/// The deadline came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline has passed")]
pub struct Elapsed;

/// Cheap to clone; all clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(TimeSource);

#[derive(Clone, Debug)]
enum TimeSource {
    Real,
    Sim(Arc<sim::SimClock>),
}

impl Clock {
    /// The system's clock.
    pub fn real() -> Self {
        Self(TimeSource::Real)
    }

    /// A clock that starts at `start_us`, and stands still until its driver [runs](SimDriver::run).
    pub fn simulated(start_us: i64) -> (Self, SimDriver) {
        let sim = Arc::new(sim::SimClock::new(start_us));
        (Self(TimeSource::Sim(Arc::clone(&sim))), SimDriver::new(sim))
    }

    /// Whether time is simulated. For reports and for choosing how often to poll, never for logic.
    pub fn is_simulated(&self) -> bool {
        matches!(self.0, TimeSource::Sim(_))
    }

    /// Microseconds since the Unix epoch.
    pub fn now_us(&self) -> i64 {
        match &self.0 {
            TimeSource::Real => real::now_us(),
            TimeSource::Sim(sim) => sim.now_us(),
        }
    }

    /// The system's own time, microseconds since the Unix epoch, for comparing with what others have written: a token's expiry. It jumps when the
    /// system's time is set.
    pub fn wall_us(&self) -> i64 {
        match &self.0 {
            TimeSource::Real => real::wall_us(),
            TimeSource::Sim(sim) => sim.now_us(),
        }
    }

    /// The time up to which everything that was sent to this process has been heard: now, unless it stood still a moment ago (R2). For
    /// whoever takes silence for an answer: the end of a ring time or of a lease.
    pub fn heard_us(&self) -> i64 {
        match &self.0 {
            TimeSource::Real => real::heard_us(),
            TimeSource::Sim(sim) => sim.now_us(),
        }
    }

    /// Waits until the clock shows `deadline_us` or later. Dropping the future forgets the wait.
    pub async fn sleep_until(&self, deadline_us: i64) {
        match &self.0 {
            TimeSource::Real => real::sleep_until(deadline_us).await,
            TimeSource::Sim(sim) => sim.sleep_until(deadline_us).await,
        }
    }

    /// Waits for this long.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            TimeSource::Real => real::sleep_until(self.after(duration)).await,
            TimeSource::Sim(sim) => sim.sleep_until(self.after(duration)).await,
        }
    }

    /// Awaits the future until `deadline_us` at most. A result that is ready at the deadline is still taken.
    pub async fn timeout_at<F: Future>(&self, deadline_us: i64, future: F) -> Result<F::Output, Elapsed> {
        tokio::select! {
            biased;
            output = future => Ok(output),
            () = self.sleep_until(deadline_us) => Err(Elapsed),
        }
    }

    /// Awaits the future for this long at most.
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Result<F::Output, Elapsed> {
        tokio::select! {
            biased;
            output = future => Ok(output),
            () = self.sleep(duration) => Err(Elapsed),
        }
    }

    /// A tick each `period`, the first one a period from now.
    pub fn interval(&self, period: Duration) -> Interval {
        Interval::new(self.clone(), period)
    }

    /// The time in microseconds, `duration` from now.
    pub fn after(&self, duration: Duration) -> i64 {
        self.now_us().saturating_add(micros(duration))
    }

    /// Marks work as in flight until the guard is dropped. Has no effect on a real clock.
    #[track_caller]
    pub fn busy(&self) -> BusyGuard {
        BusyGuard(match &self.0 {
            TimeSource::Real => None,
            TimeSource::Sim(sim) => Some((Arc::clone(sim), sim.enter(Location::caller()))),
        })
    }

    /// For a handler that waits for the world or for time to pass: while it awaits the future, the busy guards of this call
    /// and of the calls that led to it do not stop simulated time.
    pub async fn park<F: Future>(&self, future: F) -> F::Output {
        match &self.0 {
            TimeSource::Real => future.await,
            TimeSource::Sim(sim) => {
                let _parked = sim.park(context::depth());
                future.await
            }
        }
    }
}

/// Work in flight: simulated time stands still until this is dropped.
#[derive(Debug)]
#[must_use = "time moves on as soon as the guard is dropped"]
pub struct BusyGuard(Option<(Arc<sim::SimClock>, u64)>);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        if let Some((sim, id)) = &self.0 {
            sim.leave(*id);
        }
    }
}

/// The duration in microseconds; `i64::MAX` if it is longer.
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_real_clock_never_wakes_early() {
        let clock = Clock::real();
        let deadline_us = clock.after(Duration::from_millis(5));
        clock.sleep_until(deadline_us).await;
        assert!(clock.now_us() >= deadline_us);
    }

    #[tokio::test]
    async fn what_is_ready_at_the_deadline_is_taken() {
        let clock = Clock::real();
        assert_eq!(clock.timeout_at(0, async { 7 }).await, Ok(7));
        assert_eq!(clock.timeout_at(0, std::future::pending::<()>()).await, Err(Elapsed));
    }
}
