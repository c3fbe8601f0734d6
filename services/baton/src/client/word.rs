//! Values as text: times, lengths, enum values, shortened ids.

use std::str::FromStr;
use std::time::Duration;

use baton_runtime::Clock;
use jiff::{SignedDuration, Timestamp};
use prost_types::Timestamp as WireTime;
use uuid::Uuid;

/// Characters of a UUID.
const UUID: usize = 36;
/// Where a UUID's last group begins. A `UUIDv7` begins with the time, so ids of one moment begin alike.
const LAST_GROUP: usize = 24;

/// The enum value's name without the prefix of its enum, as words in lower case.
pub(crate) fn of_enum(name: &str, prefix: &str) -> String {
    spaced(&name.strip_prefix(prefix).unwrap_or(name).to_lowercase())
}

/// A name of the contract (`customer_left`) as words.
pub(crate) fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// The words of one enum of the contract: `words!(AgentState, "AGENT_STATE_")`.
macro_rules! words {
    ($($function:ident: $type:ty, $prefix:literal;)+) => {
        $(#[doc = concat!("The word for a value of `", stringify!($type), "`.")]
        pub(crate) fn $function(value: i32) -> String {
            let value = <$type>::try_from(value).unwrap_or_default();
            let word = $crate::client::word::of_enum(value.as_str_name(), $prefix);
            if word == "unspecified" { String::new() } else { word }
        })+
    };
}

words! {
    agent_state: baton_api::presence::v1::AgentState, "AGENT_STATE_";
    state_cause: baton_api::event::v1::agent_state_changed::Cause, "CAUSE_";
    directory_part: baton_api::event::v1::directory_changed::What, "WHAT_";
    change: baton_api::event::v1::Change, "CHANGE_";
    transfer_kind: baton_api::common::v1::TransferKind, "TRANSFER_KIND_";
    transfer_phase: baton_api::common::v1::TransferPhase, "TRANSFER_PHASE_";
    reason: baton_api::common::v1::Reason, "REASON_";
    action: baton_api::common::v1::Action, "ACTION_";
    actor_kind: baton_api::common::v1::actor::Kind, "KIND_";
    recording_mode: baton_api::common::v1::RecordingMode, "RECORDING_MODE_";
    interaction_state: baton_api::transfer::v1::interaction::State, "STATE_";
    party_role: baton_api::transfer::v1::party::Role, "ROLE_";
    leg_state: baton_api::transfer::v1::party::LegState, "LEG_STATE_";
    recording_state: baton_api::recording::v1::recording::State, "STATE_";
    exclusion_reason: baton_api::common::v1::ExclusionReason, "EXCLUSION_REASON_";
    diverted_to: baton_api::common::v1::DivertedTo, "DIVERTED_TO_";
    flow_step_kind: baton_api::event::v1::FlowStepKind, "FLOW_STEP_KIND_";
    phone_leg_state: baton_api::simulator::v1::LegState, "LEG_STATE_";
}

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

/// A duration in seconds, with one digit after the point.
pub(crate) fn seconds(ms: i64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

/// The last group of a UUID, and what follows it: enough to name it in a command. Another text is returned whole.
pub(crate) fn short(id: &str) -> &str {
    match (id.get(..UUID).map(Uuid::try_parse), id.get(LAST_GROUP..)) {
        (Some(Ok(_)), Some(end)) => end,
        _ => id,
    }
}

/// [`one_line`], or a dash for an empty text.
pub(crate) fn or_dash(text: impl AsRef<str>) -> String {
    match text.as_ref() {
        "" => "-".to_owned(),
        text => one_line(text),
    }
}

/// A text that people wrote, without line ends and control characters: it must not pass for our own lines.
pub(crate) fn one_line(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join(" / ")
}

/// Escapes what controls a terminal, changes the reading direction or can't be seen; keeps line ends.
pub(crate) fn harmless(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

fn visible(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for it in line.chars() {
        match it {
            '\t' => text.push(' '),
            it if it.is_control() || is_invisible(it) => text.extend(it.escape_unicode()),
            it => text.push(it),
        }
    }
    text
}

/// Unicode's default-ignorable characters (bidirectional controls, joiners, fillers, variation selectors, tags), line and
/// paragraph separators, and the blank of Braille: with one of them two texts look alike, or one reads as what it is not.
fn is_invisible(it: char) -> bool {
    matches!(it,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// `a, b and c`
pub(crate) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
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
    fn only_uuids_are_shortened() {
        assert_eq!(short("01a2148f-18af-7236-b77a-cbecbbe40be4"), "cbecbbe40be4");
        assert_eq!(short("01a2148f-18af-7236-b77a-cbecbbe40be4-recording-1"), "cbecbbe40be4-recording-1");
        assert_eq!(short("a supervisor with quite a long name, José"), "a supervisor with quite a long name, José");
        assert_eq!(short(""), "");
    }

    #[test]
    fn peoples_text_is_one_line_without_control_characters() {
        assert_eq!(one_line("paid\r\nrecording\tis off\n"), "paid / recording is off");
        assert_eq!(one_line("\u{1b}[2J\r\u{9b}1m\u{7f}"), r"\u{1b}[2J\u{d}\u{9b}1m\u{7f}");
        assert_eq!(one_line("\u{202e}neB\u{2066}"), r"\u{202e}neB\u{2066}");
        assert_eq!(one_line("José, Зоя \u{5d0}"), "José, Зоя \u{5d0}");
        assert_eq!(harmless("a = 1\n\tb\u{1b}"), "a = 1\n b\\u{1b}");
        assert_eq!(or_dash("\u{7}a\nb"), "\\u{7}a / b");
    }

    #[test]
    fn s14_what_cannot_be_seen_is_shown() {
        for hidden in "\u{200b}\u{200d}\u{200e}\u{2060}\u{feff}\u{3164}\u{ad}\u{61c}\u{fe0f}\u{e0041}\u{2800}".chars() {
            let shown = harmless(&format!("A{hidden}da"));
            assert_eq!(shown, format!("A{}da", hidden.escape_unicode()));
        }
        assert_eq!(harmless("Ünïcode, Ελληνικά, 漢字, אבג"), "Ünïcode, Ελληνικά, 漢字, אבג");
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
        assert_eq!(seconds(12_340), "12.3 s");
    }

    #[test]
    fn a_list_ends_with_and() {
        let words = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(listed(&words), "a, b and c");
        assert_eq!(listed(&words[..1]), "a");
    }
}
