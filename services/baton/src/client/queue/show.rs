//! A queue with all its settings, in the words in which `baton queue update` takes them.

use baton_api::routing::v1::Queue;
use baton_api::routing::v1::queue::{Instead, Strategy};

use super::hours;
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
        ("strategy", strategy(queue.strategy()).to_owned()),
        ("a phone rings for", word::seconds(queue.ring_ms)),
        ("a customer waits for", word::seconds(queue.max_wait_ms)),
        ("overflows into", word::or_dash(overflow.unwrap_or_default())),
        ("when nobody is signed in", instead(queue.when_unattended()).to_owned()),
        ("when all have declined", instead(queue.when_declined()).to_owned()),
        ("open", hours),
        ("holidays", joined(&queue.holidays)),
    ];
    let lines = lines.map(|(what, value)| format!("  {what:<24}  {value}\n"));
    format!("Queue {}, id {}\n{}", queue.name, queue.queue_id, lines.concat())
}

fn joined(items: &[String]) -> String {
    word::or_dash(items.join(", "))
}

pub(super) fn strategy(of: Strategy) -> &'static str {
    match of {
        Strategy::Unspecified => "-",
        Strategy::LongestIdle => "longest-idle",
        Strategy::Broadcast => "broadcast",
        Strategy::FewestCallsToday => "fewest-calls",
        Strategy::RoundRobin => "round-robin",
    }
}

fn instead(of: Instead) -> &'static str {
    match of {
        Instead::Unspecified => "-",
        Instead::Wait => "wait",
        Instead::Overflow => "overflow",
        Instead::GiveUp => "give-up",
    }
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
