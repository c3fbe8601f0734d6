//! The context of a call while it is handled: its deadline, its trace, and its depth.
//!
//! The server layer sets it around the handler, and the client channel reads it. So a call that a handler makes to another
//! service passes on what is left of the caller's deadline and belongs to the same trace, without any code in the handler. A
//! spawned task does not inherit the context, because it usually outlives the call; a task that the handler awaits gets it by
//! [`carry`].

use std::time::Duration;

use http::HeaderMap;

use crate::clock::Clock;
pub(crate) use crate::context::depth;
pub use crate::context::{CallContext, carry, current, scope};
use crate::trace_parent::TraceParent;

/// How many busy guards the chain of calls up to this one holds. Ignored unless time is simulated.
pub(crate) const DEPTH_HEADER: &str = "baton-call-depth";
pub(crate) const TIMEOUT_HEADER: &str = "grpc-timeout";
/// Caps what the header says: no real chain of calls is deeper.
const MAX_DEPTH: usize = 16;

impl CallContext {
    pub(crate) fn from_headers(headers: &HeaderMap, clock: &Clock) -> Self {
        let timeout = timeout(headers);
        let depth: usize = header(headers, DEPTH_HEADER).and_then(|it| it.parse().ok()).unwrap_or(0);
        Self {
            deadline_us: timeout.map(|it| clock.after(it)),
            trace: header(headers, "traceparent").and_then(TraceParent::parse),
            depth: depth.min(MAX_DEPTH) + 1,
        }
    }
}

/// The deadline of the call that is being handled; `default` from now if the caller gave none, or outside a call. A handler
/// waits for the world until then at most.
pub fn deadline_us(clock: &Clock, default: Duration) -> i64 {
    current().and_then(|call| call.deadline_us).unwrap_or_else(|| clock.after(default))
}

/// How long the caller waits.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    header(headers, TIMEOUT_HEADER).and_then(parse_timeout)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Reads `grpc-timeout`: at most eight digits and a unit.
pub(crate) fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3_600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

/// Writes `grpc-timeout` in the finest unit that fits into eight digits.
pub(crate) fn format_timeout(timeout: Duration) -> String {
    const LIMIT: u128 = 100_000_000;
    let us = timeout.as_micros();
    if us < LIMIT {
        format!("{us}u")
    } else if us / 1_000 < LIMIT {
        format!("{}m", us / 1_000)
    } else {
        format!("{}S", (us / 1_000_000).min(LIMIT - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_survive_the_wire() {
        for ms in [0, 1, 250, 5_000, 99_999_999, 500_000_000] {
            let timeout = Duration::from_millis(ms);
            let read = parse_timeout(&format_timeout(timeout)).unwrap();
            assert!(timeout.abs_diff(read) < Duration::from_secs(1), "{timeout:?} {read:?}");
        }
    }

    #[test]
    fn a_malformed_timeout_is_none() {
        for text in ["", "S", "5", "5x", "-5S", "123456789S", "5 S", "٣S"] {
            assert_eq!(parse_timeout(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_task_belongs_to_the_call_only_if_it_carries_it() {
        let call = CallContext { depth: 3, ..CallContext::default() };
        let depths = scope(call, async {
            let carried = crate::lifecycle::spawn(carry(async { depth() }));
            let plain = crate::lifecycle::spawn(async { depth() });
            (carried.await.unwrap(), plain.await.unwrap())
        });
        assert_eq!(depths.await, (3, 0));
    }

    #[tokio::test]
    async fn the_deadline_is_that_of_the_call() {
        let clock = Clock::real();
        let call = CallContext { deadline_us: Some(7), ..CallContext::default() };
        let inside = scope(call, async { deadline_us(&clock, Duration::from_secs(5)) }).await;
        assert_eq!(inside, 7);
        assert!(deadline_us(&clock, Duration::from_secs(5)) > 7);
    }
}
