//! Warnings that a stranger can cause are not theirs to multiply: of each place in the code so many are logged in a while, then one line
//! says how many more there were.
//!
//! It is decided by the place, and not by the text: the text has what the stranger chose.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::callsite::Identifier;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::clock::Clock;
use crate::lifecycle;

/// Of one place, in one period.
const AT_ONCE: u64 = 10;
const PERIOD: Duration = Duration::from_secs(10);

/// Lets warnings and errors pass, of each place as many as may. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampling(Arc<Mutex<HashMap<Identifier, CallSite>>>);

#[derive(Debug)]
struct CallSite {
    metadata: &'static Metadata<'static>,
    /// In this period.
    came: u64,
}

/// What was left out of one place in one period.
#[derive(Debug, PartialEq, Eq)]
struct LeftOut {
    target: &'static str,
    line: u32,
    count: u64,
}

impl Sampling {
    /// Tells what was left out, after each period, for as long as the process lives. Without a runtime nobody is told.
    pub(super) fn tell(self) {
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        lifecycle::spawn(async move {
            loop {
                // Real time: a log is read by people.
                Clock::real().sleep(PERIOD).await;
                for LeftOut { target, line, count } in self.take() {
                    tracing::warn!(
                        log.target = target,
                        log.line = line,
                        count,
                        "more lines like an earlier one were left out"
                    );
                }
            }
        });
    }

    pub(super) fn of<L>(&self, lines: L) -> Sampled<L> {
        Sampled { lines, sampling: self.clone() }
    }

    fn lets_pass(&self, metadata: &'static Metadata<'static>) -> bool {
        // What is logged below that is wanted by whoever set the level.
        if *metadata.level() > Level::WARN {
            return true;
        }
        let mut places = self.0.lock();
        let place = places.entry(metadata.callsite()).or_insert(CallSite { metadata, came: 0 });
        place.came += 1;
        place.came <= AT_ONCE
    }

    /// Ends the period; what was left out in it.
    fn take(&self) -> Vec<LeftOut> {
        let places = std::mem::take(&mut *self.0.lock());
        let left_out = |place: &CallSite| LeftOut {
            target: place.metadata.target(),
            line: place.metadata.line().unwrap_or_default(),
            count: place.came.saturating_sub(AT_ONCE),
        };
        places.values().map(left_out).filter(|it| it.count > 0).collect()
    }
}

/// The lines of another layer, without those that are too many. It is no filter of the library's: these decide before they see the
/// event, and one that decides afterwards disturbs the others.
pub(super) struct Sampled<L> {
    lines: L,
    sampling: Sampling,
}

impl<S: Subscriber, L: Layer<S>> Layer<S> for Sampled<L> {
    fn on_layer(&mut self, subscriber: &mut S) {
        self.lines.on_layer(subscriber);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.lines.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        self.lines.on_record(id, record, context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if self.sampling.lets_pass(event.metadata()) {
            self.lines.on_event(event, context);
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.lines.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.lines.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.lines.on_close(id, context);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::{EnvFilter, Layer as _, fmt};

    use super::*;
    use crate::server::CapturedLog;

    #[test]
    fn s15_of_each_place_some_warnings_are_logged_and_the_rest_is_counted() {
        let (log, sampling) = (CapturedLog::default(), Sampling::default());
        let writer = log.clone();
        let lines = sampling.of(fmt::layer().with_writer(move || writer.clone()));
        let filtered = lines.with_filter(EnvFilter::new("info"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(filtered), || {
            for n in 0..5_000 {
                tracing::warn!(n, "a stranger's frame");
                tracing::info!("wanted");
            }
            tracing::error!("another place");
            let lines = |text: &str| log.text().lines().filter(|line| line.contains(text)).count() as u64;
            assert_eq!((lines("frame"), lines("wanted"), lines("another")), (AT_ONCE, 5_000, 1));
            let left_out = sampling.take();
            assert_eq!(left_out.iter().map(|it| (it.target, it.count)).collect::<Vec<_>>(), [(module_path!(), 4_990)]);
            for _ in 0..AT_ONCE {
                tracing::warn!("later");
            }
            assert_eq!((lines("later"), sampling.take()), (AT_ONCE, Vec::new()));
        });
    }
}
