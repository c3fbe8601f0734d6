//! Tells the transfer service what was observed, and repeats it until it is committed there.
//!
//! Each interaction reports by itself, in order, so that one that the transfer service has trouble with delays no other. The
//! task that reports lives only while there is something to report.

mod queue;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_api::transfer::v1::{Fact, ReportFactsRequest};
use baton_api::{ApiError, Kind as ErrorKind};
use baton_runtime::Clock;
use baton_runtime::client::{Backoff, InternalChannel};
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::telemetry::{self, TraceParent};

use crate::plan::InteractionId;
use crate::retry;
use crate::store::{Journal, Write};
use crate::thing::Key;
use queue::Queue;

const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// As many facts go into one report.
const BATCH: usize = 64;

/// What all reporters share.
#[derive(Clone, Debug)]
pub struct ReportWays {
    /// To the transfer service.
    pub intake: IntakeServiceClient<InternalChannel>,
    /// To the disk.
    pub journal: Journal,
    /// The time.
    pub clock: Clock,
    /// Where tasks run.
    pub lifecycle: Lifecycle,
}

/// One interaction's reporter.
#[derive(Debug)]
pub struct Reporter {
    interaction: InteractionId,
    ways: ReportWays,
    shared: Arc<Mutex<Shared>>,
    /// Called when everything is reported.
    drained: Arc<tokio::sync::Notify>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Queue,
    running: bool,
}

impl Reporter {
    /// Nothing to report yet.
    pub fn new(interaction: InteractionId, ways: ReportWays) -> Self {
        Self { interaction, ways, shared: Arc::default(), drained: Arc::default() }
    }

    /// Queues an observation; [`Reporter::kick`] sends it.
    pub fn put(&self, position: i64, key: Key, fact: Fact) {
        lock(&self.shared).queue.put(position, key, fact);
    }

    /// Everything is reported.
    pub fn is_drained(&self) -> bool {
        lock(&self.shared).queue.is_empty()
    }

    /// Wakes whoever waits when everything is reported.
    pub fn drained(&self) -> Arc<tokio::sync::Notify> {
        Arc::clone(&self.drained)
    }

    /// Sees to it that what is queued is sent, now; in this trace, if it follows from something.
    pub fn kick(&self, trace: Option<TraceParent>) {
        {
            let mut shared = lock(&self.shared);
            if shared.running || shared.queue.is_empty() {
                return;
            }
            shared.running = true;
        }
        let (interaction, ways) = (self.interaction.clone(), self.ways.clone());
        let task = Task { interaction, ways, shared: Arc::clone(&self.shared), singly: 0, trace };
        let drained = Arc::clone(&self.drained);
        self.ways.lifecycle.spawn("report facts", async move {
            task.run().await;
            drained.notify_one();
        });
    }
}

struct Task {
    interaction: InteractionId,
    ways: ReportWays,
    shared: Arc<Mutex<Shared>>,
    /// A report was refused: so many of its facts are sent one by one, so that only the bad one is dropped.
    singly: usize,
    /// That of what was observed first.
    trace: Option<TraceParent>,
}

/// What became of a report.
enum Told {
    /// It is committed, or its one fact never will be.
    Done,
    /// One of its facts is bad.
    OneIsBad,
    /// Nobody knows, or not now.
    NotYet,
}

impl Task {
    async fn run(mut self) {
        let backoff = retry::endless(SHORTEST_PAUSE, LONGEST_PAUSE);
        let stopping = self.ways.lifecycle.soft();
        let mut failures = 0;
        while let Some(batch) = self.next_batch() {
            let count = batch.len();
            match self.report(batch).await {
                Told::Done => {
                    failures = 0;
                    self.singly = self.singly.saturating_sub(count);
                    continue;
                }
                Told::OneIsBad => {
                    self.singly = count;
                    continue;
                }
                Told::NotYet => failures += 1,
            }
            let pause = self.ways.clock.sleep(Backoff::pause(&backoff, failures));
            if stopping.run_until_cancelled(pause).await.is_none() {
                lock(&self.shared).running = false;
                return;
            }
        }
    }

    /// What is to be sent; `None` ends the task, in the same moment in which nothing is left.
    fn next_batch(&self) -> Option<Vec<(i64, Fact)>> {
        let mut shared = lock(&self.shared);
        let batch = shared.queue.batch(if self.singly > 0 { 1 } else { BATCH });
        if batch.is_empty() {
            shared.running = false;
            return None;
        }
        Some(batch)
    }

    async fn report(&mut self, batch: Vec<(i64, Fact)>) -> Told {
        let _busy = self.ways.clock.busy();
        let (positions, facts): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let request = ReportFactsRequest { interaction_id: self.interaction.to_string(), facts };
        let span = tracing::info_span!(parent: None, "report", interaction.id = %self.interaction);
        let told = telemetry::follow(self.trace, span, self.ways.intake.report_facts(request)).await;
        if let Err(status) = told {
            let error = ApiError::of(&status);
            match error.kind {
                ErrorKind::InvalidArgument if positions.len() > 1 => return Told::OneIsBad,
                ErrorKind::NotFound | ErrorKind::InvalidArgument => {
                    tracing::warn!(interaction.id = %self.interaction, %error, "the transfer service will never take what was observed");
                }
                _ => {
                    tracing::debug!(interaction.id = %self.interaction, %error, "the transfer service does not take facts now");
                    return Told::NotYet;
                }
            }
        }
        lock(&self.shared).queue.done(&positions);
        self.ways.journal.post(Write::Acked { interaction: self.interaction.clone(), positions }).await;
        Told::Done
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // No code that holds the lock can leave the queue half changed.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
