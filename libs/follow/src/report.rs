//! Facts go to the transfer service until it has committed them. Facts are projections, too: a repeated one changes nothing, and a lost report
//! is only a late one.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_api::transfer::v1::{Fact, ReportFactsRequest};
use baton_api::{ApiError, ErrorKind};
use baton_runtime::Clock;
use baton_runtime::client::{Backoff, InternalChannel};
use baton_runtime::lifecycle::Lifecycle;
use baton_store::{Db, Reader, StoreError, Tx, change};
use tokio::sync::Notify;

/// The scan finds what the notification missed.
const SCAN_EVERY: Duration = Duration::from_secs(30);
const BATCH: i64 = 200;

/// What became of a report.
#[derive(Debug)]
pub enum ReportOutcome {
    /// The facts are committed.
    Committed,
    /// The interaction is gone, or one of the facts makes no sense to the transfer service: the same report will never be taken.
    Refused(ApiError),
    /// Not now, or there was no clear answer.
    Failed(ApiError),
}

/// Reports facts of one interaction, once.
pub async fn send(
    intake: &IntakeServiceClient<InternalChannel>,
    interaction_id: String,
    facts: Vec<Fact>,
) -> ReportOutcome {
    match intake.clone().report_facts(ReportFactsRequest { interaction_id, facts }).await {
        Ok(_) => ReportOutcome::Committed,
        Err(status) => {
            let error = ApiError::of(&status);
            match error.kind {
                ErrorKind::NotFound | ErrorKind::InvalidArgument => ReportOutcome::Refused(error),
                _ => ReportOutcome::Failed(error),
            }
        }
    }
}

/// Something that was observed and is not acknowledged, as it lies in a service's database.
pub trait Unacknowledged: Sized + Send + Sync {
    /// At most `most`, those of one interaction together.
    fn read(reader: &mut Reader, most: i64) -> impl Future<Output = Result<Vec<Self>, StoreError>> + Send;

    fn interaction_id(&self) -> &str;

    fn fact(&self, now_us: i64) -> Fact;

    fn acknowledge(&self, tx: &mut Tx) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Reports everything of a database that is not acknowledged.
#[derive(Debug)]
pub struct ReportLoop {
    pub db: Db,
    pub clock: Clock,
    pub intake: IntakeServiceClient<InternalChannel>,
    /// Notified when there is something new.
    pub observed: Arc<Notify>,
}

impl ReportLoop {
    /// Runs until the service stops.
    pub async fn run<T: Unacknowledged>(self, lifecycle: Lifecycle) {
        let backoff = Backoff::default();
        let mut failures = 0;
        loop {
            let pause = match self.pass::<T>().await {
                Ok(()) => {
                    failures = 0;
                    SCAN_EVERY
                }
                Err(reason) => {
                    tracing::warn!(reason, "what was observed could not be reported yet");
                    failures += 1;
                    backoff.pause(failures)
                }
            };
            tokio::select! {
                () = lifecycle.stopping() => return,
                () = self.observed.notified(), if failures == 0 => {}
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    /// Reports everything. An interaction whose report fails does not hold up the others.
    async fn pass<T: Unacknowledged>(&self) -> Result<(), String> {
        let _busy = self.clock.busy();
        loop {
            let unacknowledged = self.read::<T>().await.map_err(|error| error.to_string())?;
            if unacknowledged.is_empty() {
                return Ok(());
            }
            let mut by_interaction: BTreeMap<String, Vec<T>> = BTreeMap::new();
            for it in unacknowledged {
                by_interaction.entry(it.interaction_id().to_owned()).or_default().push(it);
            }
            let mut first_failure = None;
            for observed in by_interaction.into_values() {
                if let Err(reason) = self.report(&observed).await {
                    first_failure.get_or_insert(reason);
                }
            }
            first_failure.map_or(Ok(()), Err)?;
        }
    }

    async fn read<T: Unacknowledged>(&self) -> Result<Vec<T>, StoreError> {
        T::read(&mut self.db.read().await?, BATCH).await
    }

    /// After a refusal each fact is reported by itself, so that only one that makes no sense is given up.
    async fn report<T: Unacknowledged>(&self, observed: &[T]) -> Result<(), String> {
        match self.send(observed).await {
            ReportOutcome::Failed(error) => return Err(error.to_string()),
            ReportOutcome::Refused(error) if error.kind == ErrorKind::InvalidArgument && observed.len() > 1 => {
                for it in observed {
                    Box::pin(self.report(std::slice::from_ref(it))).await?;
                }
                return Ok(());
            }
            ReportOutcome::Refused(error) if error.kind == ErrorKind::InvalidArgument => {
                tracing::error!(%error, "the transfer service will never take what was observed; it is given up");
            }
            // An interaction that is gone is as good as acknowledged.
            ReportOutcome::Refused(_) | ReportOutcome::Committed => {}
        }
        self.acknowledge(observed).await.map_err(|error| error.to_string())
    }

    async fn send<T: Unacknowledged>(&self, observed: &[T]) -> ReportOutcome {
        let Some(first) = observed.first() else { return ReportOutcome::Committed };
        let facts = observed.iter().map(|it| it.fact(self.clock.now_us())).collect();
        send(&self.intake, first.interaction_id().to_owned(), facts).await
    }

    async fn acknowledge<T: Unacknowledged>(&self, observed: &[T]) -> Result<(), StoreError> {
        self.db
            .change(change!(|tx| {
                for it in observed {
                    it.acknowledge(tx).await?;
                }
                Ok(())
            }))
            .await
    }
}
