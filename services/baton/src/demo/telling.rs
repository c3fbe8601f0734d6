//! Printing the play: a timeline for people, one object a line for programs. A progress line only where a person sees it.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_api::event::v1::Event;
use baton_runtime::Clock;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::switchboard::{self, Hearing};
use crate::client::output;
use crate::stdout;

/// Something that happened, to be told in the order of time.
#[derive(Debug, Clone)]
pub(super) enum TimelineEntry {
    Act(String),
    Event(Box<Event>, String),
    Hearings(Vec<Hearing>),
}

/// What was checked at the end, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) passed: bool,
    pub(super) found: String,
}

/// Tells the play.
#[derive(Clone)]
pub(super) struct Telling {
    json: bool,
    clock: Clock,
    started_us: i64,
    acts: Arc<parking_lot::Mutex<Vec<(i64, TimelineEntry)>>>,
    progress: Option<ProgressBar>,
}

impl Telling {
    pub(super) fn new(json: bool, clock: Clock) -> Self {
        let seen = std::io::stderr().is_terminal() && !clock.is_simulated();
        let progress = seen.then(|| {
            let progress = ProgressBar::new_spinner();
            progress.enable_steady_tick(Duration::from_millis(100));
            progress
        });
        Self { json, started_us: clock.now_us(), clock, acts: Arc::default(), progress }
    }

    /// What somebody does.
    pub(super) fn act(&self, text: &str) {
        self.acts().push((self.clock.now_us(), TimelineEntry::Act(text.to_owned())));
    }

    /// What has been done since the last time that this was asked.
    pub(super) fn take_acts(&self) -> Vec<(i64, TimelineEntry)> {
        std::mem::take(&mut *self.acts())
    }

    fn acts(&self) -> parking_lot::MutexGuard<'_, Vec<(i64, TimelineEntry)>> {
        self.acts.lock()
    }

    /// What goes on at the moment, for whoever watches.
    pub(super) fn now(&self, text: &str) {
        if let Some(progress) = &self.progress {
            progress.set_message(format!("{text} …"));
        }
    }

    /// Tells one thing, if it is of the play: of what was set up before, the last may be published later.
    pub(super) fn tell(&self, at_us: i64, entry: &TimelineEntry) {
        let Some(ms) = since(self.started_us, at_us) else { return };
        if self.json {
            self.line(&value(ms, entry).to_string());
        } else {
            let (mark, text) = match entry {
                TimelineEntry::Act(text) => ('>', text.clone()),
                TimelineEntry::Event(_, sentence) => (' ', sentence.clone()),
                TimelineEntry::Hearings(hearings) => ('~', switchboard::sentence(hearings)),
            };
            self.line(&format!("{:>3}.{:02} s {mark} {text}", ms / 1_000, ms % 1_000 / 10));
        }
    }

    /// The table of checks.
    pub(super) fn checks(&self, checks: &[Check]) {
        if self.json {
            for check in checks {
                let (name, passed, found) = (&check.name, check.passed, &check.found);
                self.line(&json!({ "type": "check", "name": name, "passed": passed, "found": found }).to_string());
            }
            return;
        }
        let row = |it: &Check| {
            let mark = if it.passed { "ok" } else { "FAILED" };
            vec![mark.to_owned(), it.name.clone(), it.found.clone()]
        };
        self.line("");
        let columns = ["", "check", "found"].map(output::Column::always);
        self.line(&output::table(&columns, checks.iter().map(row), output::Layout::default()));
    }

    /// Where the audio is.
    pub(super) fn files(&self, files: &[PathBuf], is_simulated: bool) {
        if self.json {
            for file in files {
                self.line(&json!({ "type": "file", "path": file }).to_string());
            }
            return;
        }
        self.line("");
        self.line("Listen to it (the customer speaks 440 Hz, Ada 1000 Hz, Ben 1700 Hz; hold music is 600 Hz, ringing 350 Hz):");
        for file in files {
            self.line(&format!("  {}", file.display()));
        }
        if is_simulated {
            self.line("Time was simulated; the sound was not.");
        }
    }

    /// Nothing more comes.
    pub(super) fn end(&self) {
        if let Some(progress) = &self.progress {
            progress.finish_and_clear();
        }
    }

    /// Also when nobody reads any more, the play goes on to its end, where everything is put away.
    fn line(&self, text: &str) {
        let _ = match &self.progress {
            Some(progress) => progress.suspend(|| stdout::try_print_line(text)),
            None => stdout::try_print_line(text),
        };
    }
}

/// How long after the beginning, ms; nothing is told of what was before it.
fn since(started_us: i64, at_us: i64) -> Option<i64> {
    (at_us >= started_us).then(|| (at_us - started_us) / 1_000)
}

fn value(ms: i64, entry: &TimelineEntry) -> Value {
    match entry {
        TimelineEntry::Act(text) => json!({ "type": "act", "ms": ms, "text": text }),
        TimelineEntry::Hearings(hearings) => {
            json!({ "type": "hears", "ms": ms, "text": switchboard::sentence(hearings), "rooms": switchboard::value(hearings) })
        }
        TimelineEntry::Event(event, text) => json!({
            "type": "event", "ms": ms, "text": text, "event": event.name(), "subject": event.subject,
            "sequence": event.sequence, "event_id": event.event_id,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_begins_with_the_play() {
        assert_eq!(since(1_000_000, 1_000_000), Some(0));
        assert_eq!(since(1_000_000, 1_020_999), Some(20));
        assert_eq!(since(1_000_000, 999_999), None);
    }
}
