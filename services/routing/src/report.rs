//! Reports the answers to waits to the transfer service, until it has acknowledged them.

use std::sync::Arc;
use std::time::Duration;

use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_api::transfer::v1::{Fact, ReportFactsRequest, fact};
use baton_runtime::client::{Backoff, InternalChannel};
use baton_runtime::lifecycle::Lifecycle;
use tonic::{Code, Status};

use crate::core::RoutingCore;
use crate::store::waits::{self, UnreportedProposal};

/// The scan finds what the notification missed.
const SCAN_EVERY: Duration = Duration::from_secs(30);
const BATCH: i64 = 200;

/// Runs until the service stops.
pub(crate) async fn run(core: Arc<RoutingCore>, transfer: InternalChannel, lifecycle: Lifecycle) {
    let client = IntakeServiceClient::new(transfer);
    let backoff = Backoff::default();
    let mut failures = 0;
    loop {
        let pause = match pass(&core, &client).await {
            Ok(()) => {
                failures = 0;
                SCAN_EVERY
            }
            Err(status) => {
                tracing::warn!(error = status.message(), "proposals could not be reported yet");
                failures += 1;
                backoff.pause(failures)
            }
        };
        tokio::select! {
            () = lifecycle.stopping() => return,
            () = core.unreported.notified(), if failures == 0 => {}
            () = core.clock.sleep(pause) => {}
        }
    }
}

/// Reports every answer that is not acknowledged. One whose report fails does not hold up the others.
async fn pass(core: &RoutingCore, client: &IntakeServiceClient<InternalChannel>) -> Result<(), Status> {
    let _busy = core.clock.busy();
    loop {
        let answers = waits::unreported(&mut core.db.read().await?, BATCH).await?;
        if answers.is_empty() {
            return Ok(());
        }
        let mut first_failure = None;
        for answer in answers {
            if let Err(status) = report(core, client.clone(), &answer).await {
                first_failure.get_or_insert(status);
            }
        }
        first_failure.map_or(Ok(()), Err)?;
    }
}

async fn report(
    core: &RoutingCore,
    mut client: IntakeServiceClient<InternalChannel>,
    answer: &UnreportedProposal,
) -> Result<(), Status> {
    let fact = Fact { observed_at_us: core.clock.now_us(), fact: Some(fact::Fact::Proposal(answer.proposal.clone())) };
    let request = ReportFactsRequest { interaction_id: answer.interaction_id.clone(), facts: vec![fact] };
    match client.report_facts(request).await {
        Ok(_) => {}
        // The interaction is gone: as good as acknowledged.
        Err(status) if status.code() == Code::NotFound => {}
        Err(status) => return Err(status),
    }
    let mut tx = core.db.begin().await?;
    waits::mark_reported(&mut tx, answer).await?;
    Ok(tx.commit().await?)
}
