//! Reports facts to the transfer service, and repeats them until they are committed there.
//!
//! Each interaction reports separately, and in order, so that one whose facts are not accepted delays no other. The task
//! that reports lives only while there are facts to report.

mod queue;

use std::sync::Arc;
use std::time::Duration;

use baton_api::ErrorKind;
use baton_api::transfer::v1::Fact;
use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_follow::report::{self, ReportOutcome};
use baton_runtime::Clock;
use baton_runtime::client::{Backoff, InternalChannel};
use baton_runtime::lifecycle::Lifecycle;
use baton_runtime::telemetry::{self, TraceParent};

use crate::operation::OperationKey;
use crate::plan::InteractionId;
use crate::retry;
use crate::store::{StoreWrite, WriteJournal};
use parking_lot::Mutex;
use queue::{FactBatch, ReportQueue};

const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Facts in one report, at most.
const BATCH: usize = 64;

/// Used by all tasks of the service.
#[derive(Clone, Debug)]
pub struct ReportContext {
    pub intake: IntakeServiceClient<InternalChannel>,
    pub journal: WriteJournal,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
}

/// Reports the facts of one interaction.
#[derive(Debug)]
pub struct Reporter {
    interaction: InteractionId,
    context: ReportContext,
    state: Arc<Mutex<ReportState>>,
    /// Notified when everything is reported.
    drained: Arc<tokio::sync::Notify>,
}

#[derive(Debug, Default)]
struct ReportState {
    queue: ReportQueue,
    running: bool,
}

impl Reporter {
    pub fn new(interaction: InteractionId, context: ReportContext) -> Self {
        Self { interaction, context, state: Arc::default(), drained: Arc::default() }
    }

    /// Queues a fact; [`Reporter::kick`] sends it. `trace`: of the call that led to it.
    pub fn put(&self, position: i64, key: OperationKey, fact: Fact, trace: Option<TraceParent>) {
        self.state.lock().queue.put(position, key, fact, trace);
    }

    /// The transfer service has acknowledged all facts.
    pub fn is_drained(&self) -> bool {
        self.state.lock().queue.is_empty()
    }

    /// Notified each time when all facts are acknowledged.
    pub fn drained(&self) -> Arc<tokio::sync::Notify> {
        Arc::clone(&self.drained)
    }

    /// Starts to send the queued facts, unless that is under way.
    pub fn kick(&self) {
        {
            let mut state = self.state.lock();
            if state.running || state.queue.is_empty() {
                return;
            }
            state.running = true;
        }
        let (interaction, context) = (self.interaction.clone(), self.context.clone());
        let task = ReportTask { interaction, context, state: Arc::clone(&self.state), singly: 0 };
        let drained = Arc::clone(&self.drained);
        self.context.lifecycle.spawn("report facts", async move {
            task.run().await;
            drained.notify_one();
        });
    }
}

struct ReportTask {
    interaction: InteractionId,
    context: ReportContext,
    state: Arc<Mutex<ReportState>>,
    /// After a report was refused, this many facts are sent one by one, so that only the bad one is dropped.
    singly: usize,
}

/// The transfer service's answer to a report.
enum Acknowledgement {
    /// The facts are committed, or the only one was refused for good and dropped.
    Settled,
    /// At least one of the facts was refused for good.
    OneRefused,
    /// The facts were not committed now, or there was no clear answer.
    Pending,
}

impl ReportTask {
    async fn run(mut self) {
        let backoff = retry::endless(SHORTEST_PAUSE, LONGEST_PAUSE);
        let stopping = self.context.lifecycle.soft();
        let mut failures = 0;
        while let Some(batch) = self.next_batch() {
            let count = batch.facts.len();
            match self.report(batch).await {
                Acknowledgement::Settled => {
                    failures = 0;
                    self.singly = self.singly.saturating_sub(count);
                    continue;
                }
                Acknowledgement::OneRefused => {
                    self.singly = count;
                    continue;
                }
                Acknowledgement::Pending => failures += 1,
            }
            let pause = self.context.clock.sleep(Backoff::pause(&backoff, failures));
            if stopping.run_until_cancelled(pause).await.is_none() {
                self.state.lock().running = false;
                return;
            }
        }
    }

    /// `None` ends the task; under the same lock, a later [`Reporter::kick`] is free to start another.
    fn next_batch(&self) -> Option<FactBatch> {
        let mut state = self.state.lock();
        let batch = state.queue.batch(if self.singly > 0 { 1 } else { BATCH });
        if batch.facts.is_empty() {
            state.running = false;
            return None;
        }
        Some(batch)
    }

    async fn report(&self, batch: FactBatch) -> Acknowledgement {
        let _busy = self.context.clock.busy();
        let (positions, facts): (Vec<_>, Vec<_>) = batch.facts.into_iter().unzip();
        let span = tracing::info_span!(parent: None, "report", interaction.id = %self.interaction);
        let sending = report::send(&self.context.intake, self.interaction.to_string(), facts);
        match telemetry::follow(batch.trace, span, sending).await {
            ReportOutcome::Committed => {}
            ReportOutcome::Refused(error) if error.kind == ErrorKind::InvalidArgument && positions.len() > 1 => {
                return Acknowledgement::OneRefused;
            }
            ReportOutcome::Refused(error) => {
                tracing::warn!(interaction.id = %self.interaction, %error, "the transfer service will never take what was observed");
            }
            ReportOutcome::Failed(error) => {
                tracing::debug!(interaction.id = %self.interaction, %error, "the transfer service does not take facts now");
                return Acknowledgement::Pending;
            }
        }
        self.state.lock().queue.acknowledge(&positions);
        self.context.journal.post(StoreWrite::Acknowledged { interaction: self.interaction.clone(), positions }).await;
        Acknowledgement::Settled
    }
}
