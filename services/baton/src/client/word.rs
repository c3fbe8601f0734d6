//! Values as text: times, lengths, enum values, shortened ids.

use std::str::FromStr;
use std::time::Duration;

pub(crate) use baton_api::plain::word::*;
use baton_runtime::Clock;
use jiff::{SignedDuration, Timestamp};
use prost_types::Timestamp as WireTime;

/// The heading of a column of times, which are UTC as in the contract.
pub(super) const SINCE: &str = "since (utc)";

/// A time as people type it: RFC 3339, or an age such as `10m`.
pub(crate) fn moment_or_age(text: &str) -> Result<WireTime, String> {
    let moment = text.parse::<Timestamp>().ok().or_else(|| {
        let age = text.parse::<SignedDuration>().ok().filter(SignedDuration::is_positive)?;
        Timestamp::from_microsecond(Clock::real().now_us()).ok()?.checked_sub(age).ok()
    });
    let moment = moment.ok_or("not a time like 2026-11-28T09:00:00Z and not an age like 10m or 2h")?;
    Ok(WireTime { seconds: moment.as_second(), nanos: moment.subsec_nanosecond() })
}

/// Whether it was then or later; true where no time is asked for.
pub(crate) fn is_since(at: Option<&WireTime>, since: Option<&WireTime>) -> bool {
    since.is_none_or(|since| at.is_some_and(|at| micros(at) >= micros(since)))
}

/// Date and time, UTC, with that label; empty for none.
pub(crate) fn moment(at: Option<&WireTime>) -> String {
    match time(at) {
        none if none.is_empty() => none,
        at => format!("{at} UTC"),
    }
}

/// Date and time, UTC; empty for none.
pub(crate) fn time(time: Option<&WireTime>) -> String {
    instant(time).map_or_else(String::new, |it| it.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Date and time with milliseconds, UTC; empty for none.
pub(crate) fn exact_time(time: Option<&WireTime>) -> String {
    instant(time).map_or_else(String::new, |it| it.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
}

fn instant(time: Option<&WireTime>) -> Option<Timestamp> {
    time.and_then(|it| Timestamp::new(it.seconds, it.nanos).ok())
}

/// Microseconds since the epoch.
pub(crate) fn micros(time: &WireTime) -> i64 {
    time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos) / 1_000)
}

/// Beginnings of numbers that are granted.
pub(crate) fn granted(prefixes: &[String]) -> String {
    match prefixes {
        [all] if all == "+" => "any".to_owned(),
        prefixes => or_dash(prefixes.join(", ")),
    }
}

/// How many calls there may be at the same time; 0 for no limit.
pub(crate) fn call_limit(calls: i32) -> String {
    if calls == 0 { "no limit".to_owned() } else { format!("at most {calls}") }
}

/// How often a tenant may call and change; 0 for what the configuration says.
pub(crate) fn rates(calls: i32, changes: i32) -> String {
    let rate = |limit: i32, what| (limit > 0).then(|| format!("at most {limit} {what} a second"));
    let own: Vec<_> = [rate(calls, "calls of the API"), rate(changes, "changes")].into_iter().flatten().collect();
    if own.is_empty() { "as configured".to_owned() } else { own.join(", ") }
}

/// How much a tenant may store; 0 for what the configuration says.
pub(crate) fn storage_limit(mib: i32) -> String {
    if mib == 0 { "as configured".to_owned() } else { format!("at most {mib} MiB") }
}

/// Parses a whole number of at least 0.
pub(crate) fn parse_count<N: FromStr>(text: &str) -> Result<N, String> {
    let digits = !text.is_empty() && text.chars().all(|it| it.is_ascii_digit());
    let count = digits.then(|| text.parse().ok()).flatten();
    count.ok_or_else(|| "is no whole number, or too large; write for example 5 or 300".to_owned())
}

/// Parses a whole number in these bounds.
pub(crate) fn parse_between<const MIN: i64, const MAX: i64, N: TryFrom<i64>>(text: &str) -> Result<N, String> {
    let count = text.parse::<i64>().ok().filter(|it| (MIN..=MAX).contains(it)).and_then(|it| N::try_from(it).ok());
    count.ok_or_else(|| format!("is no whole number from {MIN} to {MAX}; write for example {}", MIN.midpoint(MAX)))
}

/// Parses `90s`, `30m`, `1h` or `7d`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write for example 90s, 30m, 1h or 7d");
    let (digits, unit) = text.split_at(text.find(|it: char| !it.is_ascii_digit()).ok_or_else(wrong)?);
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    count.checked_mul(seconds).filter(|it| *it > 0).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use baton_runtime::ids;

    use super::*;

    #[test]
    fn durations_are_parsed() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1h"), Ok(Duration::from_hours(1)));
        for wrong in ["", "h", "1", "0s", "1x", "-1s", "1 h", "99999999999999999999s", "9999999999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn n9_a_number_that_is_none_is_told_in_words_with_an_example() {
        assert_eq!(parse_count::<i64>("300"), Ok(300));
        for wrong in ["", "abc", "-1", "+1", "1.5", "0x1", "99999999999999999999"] {
            let why = parse_count::<i64>(wrong).unwrap_err();
            assert!(why.contains("for example 5"), "{wrong}: {why}");
        }
        assert_eq!(parse_between::<1, 500, i32>("500"), Ok(500));
        for wrong in ["0", "501", "abc", ""] {
            assert!(parse_between::<1, 500, i32>(wrong).unwrap_err().contains("from 1 to 500"), "{wrong}");
        }
    }

    #[test]
    fn shortened_ids_of_one_moment_differ() {
        let ids: BTreeSet<String> = (0..100).map(|_| ids::new_uuid().to_string()).collect();
        let shortened: BTreeSet<&str> = ids.iter().map(|it| short(it)).collect();
        assert_eq!(shortened.len(), 100);
    }

    #[test]
    fn enum_values_read_as_words() {
        assert_eq!(agent_state(5), "not responding");
        assert_eq!(reason(0), "");
        assert_eq!(reason(9_999), "");
    }

    #[test]
    fn times_are_formatted() {
        let time = WireTime { seconds: 86_399, nanos: 250_000_000 };
        assert_eq!(exact_time(Some(&time)), "1970-01-01 23:59:59.250");
        assert_eq!(super::time(None), "");
        assert_eq!(moment(Some(&time)), "1970-01-01 23:59:59 UTC");
        assert_eq!(moment(None), "");
        assert_eq!(micros(&time), 86_399_250_000);
    }
}
