//! A queue with all its settings, in the words in which `baton queue update` takes them.

use baton_api::routing::v1::Queue;
use baton_api::routing::v1::queue::{Instead, Strategy};
use clap::ValueEnum;

use super::{InsteadArg, StrategyArg, hours};
use crate::client::word;

/// `teams` and `overflow` are display names.
pub(super) fn text(queue: &Queue, teams: &[String], overflow: Option<&str>) -> String {
    let skills = queue.required_skills.iter().map(|it| format!("{}={}", it.name, it.level));
    let zone = if queue.time_zone.is_empty() { "UTC" } else { &queue.time_zone };
    let hours = match hours::shown(&queue.opening_hours) {
        hours if hours.is_empty() => "always".to_owned(),
        hours => format!("{} ({zone})", hours.join("; ")),
    };
    let lines = [
        ("skills", joined(&skills.collect::<Vec<_>>())),
        ("teams", joined(teams)),
        ("priority", queue.priority.to_string()),
        ("strategy", strategy(queue.strategy())),
        ("a phone rings for", word::seconds(queue.ring_ms)),
        ("a customer waits for", word::seconds(queue.max_wait_ms)),
        ("overflows into", word::or_dash(overflow.unwrap_or_default())),
        ("when nobody is signed in", instead(queue.when_unattended())),
        ("when all have declined", instead(queue.when_declined())),
        ("open", hours),
        ("holidays", joined(&queue.holidays)),
    ];
    let lines = lines.map(|(what, value)| format!("  {what:<24}  {value}\n"));
    format!("Queue {}, id {}\n{}", queue.name, queue.queue_id, lines.concat())
}

fn joined(items: &[String]) -> String {
    word::or_dash(items.join(", "))
}

/// The word of the option that gives this; `-` if none does.
fn given_by<A: ValueEnum>(gives: impl Fn(&A) -> bool) -> String {
    let argument = A::value_variants().iter().find(|it| gives(it));
    argument.and_then(A::to_possible_value).map_or_else(|| "-".to_owned(), |it| it.get_name().to_owned())
}

pub(super) fn strategy(of: Strategy) -> String {
    given_by(|it: &StrategyArg| it.wire() == of)
}

fn instead(of: Instead) -> String {
    given_by(|it: &InsteadArg| it.wire() == of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_settings_are_shown_as_they_are_given() {
        let hours: hours::HoursText = "mon-tue 09:00-17:30".parse().unwrap();
        let queue = Queue {
            name: "Billing".to_owned(),
            strategy: Strategy::FewestCallsToday.into(),
            when_unattended: Instead::GiveUp.into(),
            max_wait_ms: 300_000,
            time_zone: "Europe/Brussels".to_owned(),
            opening_hours: hours.0,
            ..Queue::default()
        };
        let text = text(&queue, &["Support".to_owned()], Some("Second level"));
        for part in ["fewest-calls", "give-up", "mon tue 09:00-17:30 (Europe/Brussels)", "Support", "Second level"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
