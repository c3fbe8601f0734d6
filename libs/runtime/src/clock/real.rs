//! The real clock: the system's time when the process began, and from then on time as it passes (F5).
//!
//! Whoever waits does so by the time that passes: a system whose time is set by an hour ends no ringing, no lease and no wait, and lengthens
//! none. The system's own time is asked again only by who compares with others' ([`wall_us`]: tokens), and by the next start.
//!
//! A process may stand still: stopped by a signal, or starved. What the sockets hold is heard when it goes on, but its timers have fired first. So
//! a thread beats ten times a second; a beat that is missing for [`STALL`] means that the process stood still, and for [`HEARING`] after it
//! whoever judges by silence ([`heard_us`]) still sees the time from before (R2), and timers wait.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::micros;

const BEAT: Duration = Duration::from_millis(100);
/// Longer than a busy machine keeps a thread waiting, shorter than anybody's patience.
const STALL: Duration = Duration::from_millis(500);
/// How long the sockets are listened to after the process stood still.
const HEARING: Duration = Duration::from_secs(1);
/// The system's time was set if it is so far from ours.
const SET_BY: Duration = Duration::from_secs(5);

/// Microseconds since the epoch, by the time that passes.
pub(super) fn now_us() -> i64 {
    TIME.now_us()
}

/// The system's time: microseconds since the epoch. It may jump.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
pub(super) fn wall_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros)
}

/// The time up to which everything that was sent to this process has been heard.
pub(super) fn heard_us() -> i64 {
    TIME.pulse.heard_us(TIME.now_us())
}

/// Waits until [`heard_us`] is at least so late.
pub(super) async fn sleep_until(deadline_us: i64) {
    while heard_us() < deadline_us {
        // Where the time is over and what lay in the sockets is still being heard, it is looked again a little later.
        let left_us = u64::try_from(deadline_us.saturating_sub(now_us())).ok().filter(|it| *it > 0);
        #[expect(clippy::disallowed_methods, reason = "the real clock waits in real time")]
        tokio::time::sleep(left_us.map_or(BEAT, Duration::from_micros)).await;
    }
}

static TIME: LazyLock<Time> = LazyLock::new(Time::begin);

struct Time {
    began: Instant,
    began_us: i64,
    pulse: Pulse,
}

impl Time {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
    fn begin() -> Self {
        // If there is no thread to be had, nothing else works either, and a stall is not noticed.
        let _ = std::thread::Builder::new().name("clock".to_owned()).spawn(beat);
        let began_us = wall_us();
        Self { began: Instant::now(), began_us, pulse: Pulse::new(began_us) }
    }

    fn now_us(&self) -> i64 {
        self.began_us.saturating_add(micros(self.began.elapsed()))
    }
}

fn beat() {
    let mut set_by_us = 0;
    loop {
        #[expect(
            clippy::disallowed_methods,
            reason = "a thread of its own, because those of the runtime may be what stands still"
        )]
        std::thread::sleep(BEAT);
        let now_us = TIME.now_us();
        TIME.pulse.beat(now_us);
        let by_us = wall_us() - now_us;
        if by_us.abs_diff(set_by_us) > SET_BY.as_micros() as u64 {
            set_by_us = by_us;
            let seconds = by_us / 1_000_000;
            tracing::warn!(
                seconds,
                "the system's time was set; calls, leases and events go on by the time before until the next start"
            );
        }
    }
}

/// When the process last stood still.
/// Times in microseconds since the epoch.
#[derive(Debug)]
struct Pulse {
    last_beat: AtomicI64,
    /// Until when everything had been heard when it last stood still.
    stalled: AtomicI64,
    /// When what came meanwhile has been heard.
    heard: AtomicI64,
}

impl Pulse {
    fn new(now_us: i64) -> Self {
        Self { last_beat: now_us.into(), stalled: i64::MIN.into(), heard: i64::MIN.into() }
    }

    fn beat(&self, now_us: i64) {
        let last_us = self.last_beat.swap(now_us, Ordering::AcqRel);
        if now_us - last_us > micros(STALL) {
            // While it is still being listened, the first stall is where everything had been heard.
            if self.heard.load(Ordering::Acquire) <= last_us {
                self.stalled.store(last_us, Ordering::Release);
            }
            self.heard.store(now_us + micros(HEARING), Ordering::Release);
        }
    }

    fn heard_us(&self, now_us: i64) -> i64 {
        // Whoever is faster than the thread after a stall notices it.
        if now_us - self.last_beat.load(Ordering::Acquire) > micros(STALL) {
            self.beat(now_us);
        }
        if now_us < self.heard.load(Ordering::Acquire) { self.stalled.load(Ordering::Acquire) } else { now_us }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000;

    #[test]
    fn r2_after_a_stall_the_time_before_it_counts_until_the_sockets_are_heard() {
        let pulse = Pulse::new(0);
        pulse.beat(100 * MS);
        assert_eq!(pulse.heard_us(150 * MS), 150 * MS);
        assert_eq!(pulse.heard_us(20_000 * MS), 100 * MS, "whoever is faster than the thread");
        pulse.beat(20_001 * MS);
        assert_eq!(pulse.heard_us(20_500 * MS), 100 * MS);
        pulse.beat(20_501 * MS);
        pulse.beat(20_999 * MS);
        assert_eq!(pulse.heard_us(21_000 * MS), 21_000 * MS);
    }

    #[test]
    fn r2_a_second_stall_while_the_first_is_being_heard_is_the_same_one() {
        let pulse = Pulse::new(0);
        pulse.beat(2_000 * MS);
        pulse.beat(2_900 * MS);
        assert_eq!(pulse.heard_us(3_500 * MS), 0);
        pulse.beat(3_900 * MS);
        pulse.beat(4_400 * MS);
        assert_eq!(pulse.heard_us(4_499 * MS), 0, "from the second on");
        assert_eq!(pulse.heard_us(4_500 * MS), 4_500 * MS);
    }

    /// The system's time is far from ours, as after it was set.
    #[test]
    fn f5_the_clock_goes_on_by_the_time_that_passes() {
        let (began_us, mut set) = (7, Time::begin());
        set.began_us = began_us;
        let now_us = set.now_us();
        assert!((began_us..began_us + micros(SET_BY)).contains(&now_us), "{now_us}");
        let (before, after) = (super::now_us(), super::now_us());
        assert!(before <= after && (wall_us() - after).abs() < micros(SET_BY));
    }
}
