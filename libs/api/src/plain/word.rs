//! Values of the contract as words: enum values, durations, shortened ids, and what people wrote.

use uuid::Uuid;

/// Characters of a UUID.
const UUID: usize = 36;
/// Where a UUID's last group begins. A `UUIDv7` begins with the time, so ids of one moment begin alike.
const LAST_GROUP: usize = 24;

/// The enum value's name without the prefix of its enum, as words in lower case.
pub fn of_enum(name: &str, prefix: &str) -> String {
    spaced(&name.strip_prefix(prefix).unwrap_or(name).to_lowercase())
}

/// A name of the contract (`customer_left`) as words.
pub fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// The words of one enum of the contract: `words!(AgentState, "AGENT_STATE_")`.
macro_rules! words {
    ($($function:ident: $type:ty, $prefix:literal;)+) => {
        $(#[doc = concat!("The word for a value of `", stringify!($type), "`.")]
        pub fn $function(value: i32) -> String {
            let value = <$type>::try_from(value).unwrap_or_default();
            let word = of_enum(value.as_str_name(), $prefix);
            if word == "unspecified" { String::new() } else { word }
        })+
    };
}

words! {
    agent_state: crate::presence::v1::AgentState, "AGENT_STATE_";
    obstacle: crate::presence::v1::Obstacle, "OBSTACLE_";
    medium: crate::common::v1::Medium, "MEDIUM_";
    state_cause: crate::event::v1::agent_state_changed::Cause, "CAUSE_";
    directory_part: crate::event::v1::directory_changed::What, "WHAT_";
    change: crate::event::v1::Change, "CHANGE_";
    transfer_phase: crate::common::v1::TransferPhase, "TRANSFER_PHASE_";
    recording_mode: crate::common::v1::RecordingMode, "RECORDING_MODE_";
    interaction_state: crate::transfer::v1::interaction::State, "STATE_";
    party_role: crate::transfer::v1::party::Role, "ROLE_";
    leg_state: crate::transfer::v1::party::LegState, "LEG_STATE_";
    recording_state: crate::recording::v1::recording::State, "STATE_";
    phone_leg_state: crate::simulator::v1::LegState, "LEG_STATE_";
    transfer_kind: crate::common::v1::TransferKind, "TRANSFER_KIND_";
    reason: crate::common::v1::Reason, "REASON_";
    action: crate::common::v1::Action, "ACTION_";
    actor_kind: crate::common::v1::actor::Kind, "KIND_";
    exclusion_reason: crate::common::v1::ExclusionReason, "EXCLUSION_REASON_";
    diverted_to: crate::common::v1::DivertedTo, "DIVERTED_TO_";
    flow_outcome: crate::event::v1::ivr_left::Outcome, "OUTCOME_";
    flow_step_kind: crate::event::v1::FlowStepKind, "FLOW_STEP_KIND_";
}

/// A duration in seconds, with one digit after the point.
pub fn seconds(ms: i64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

/// The last group of a UUID, and what follows it: enough to name it in a command. Another text is returned whole.
pub fn short(id: &str) -> &str {
    match (id.get(..UUID).map(Uuid::try_parse), id.get(LAST_GROUP..)) {
        (Some(Ok(_)), Some(end)) => end,
        _ => id,
    }
}

/// [`one_line`], or a dash for an empty text.
pub fn or_dash(text: impl AsRef<str>) -> String {
    match text.as_ref() {
        "" => "-".to_owned(),
        text => one_line(text),
    }
}

/// A text that people wrote, without line ends and control characters: it must not pass for our own lines.
pub fn one_line(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join(" / ")
}

/// Escapes what controls a terminal, changes the reading direction or can't be seen; keeps line ends.
pub fn harmless(text: &str) -> String {
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
pub fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_list_ends_with_and() {
        let words = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(listed(&words), "a, b and c");
        assert_eq!(listed(&words[..1]), "a");
    }
}
