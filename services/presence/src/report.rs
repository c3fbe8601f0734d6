//! Reports to the transfer service which reservations ran out, until it has acknowledged it. (Facts are projections, too: a lost
//! report is only a late one.)

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use baton_api::common::v1::Reason;
use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_api::transfer::v1::{ClaimFact, Fact, ReportFactsRequest, claim_fact, fact};
use baton_runtime::client::{Backoff, InternalChannel};
use tonic::{Code, Status};

use crate::core::PresenceCore;
use crate::store::claims::{self, UnreportedExpiry};

/// The scan finds what the notification missed.
const SCAN_EVERY: Duration = Duration::from_secs(30);
const BATCH: i64 = 200;

/// Runs until the service stops.
pub(crate) async fn run(core: Arc<PresenceCore>, transfer: InternalChannel) {
    let client = IntakeServiceClient::new(transfer);
    let backoff = Backoff::default();
    let mut failures = 0;
    loop {
        let pause = if pass(&core, &client).await {
            failures = 0;
            SCAN_EVERY
        } else {
            failures += 1;
            backoff.pause(failures)
        };
        tokio::select! {
            () = core.lifecycle.stopping() => return,
            () = core.expired.notified(), if failures == 0 => {}
            () = core.clock.sleep(pause) => {}
        }
    }
}

/// `true` when everything is acknowledged.
async fn pass(core: &PresenceCore, client: &IntakeServiceClient<InternalChannel>) -> bool {
    let _busy = core.clock.busy();
    loop {
        match report_batch(core, client).await {
            Ok(true) => return true,
            Ok(false) => {}
            Err(status) => {
                tracing::warn!(error = status.message(), "expired claims could not be reported yet");
                return false;
            }
        }
    }
}

/// `true` when there is nothing left to report.
async fn report_batch(core: &PresenceCore, client: &IntakeServiceClient<InternalChannel>) -> Result<bool, Status> {
    let unreported = claims::unreported(&mut core.db.read().await?, BATCH).await?;
    let mut by_interaction: BTreeMap<String, Vec<UnreportedExpiry>> = BTreeMap::new();
    for claim in unreported {
        by_interaction.entry(claim.interaction_id.clone()).or_default().push(claim);
    }
    let is_empty = by_interaction.is_empty();
    let mut first_failure = None;
    for (interaction_id, claims) in by_interaction {
        // An interaction whose report fails must not hold up the reports of the others.
        if let Err(status) = report(core, client.clone(), interaction_id, &claims).await {
            first_failure.get_or_insert(status);
        }
    }
    first_failure.map_or(Ok(is_empty), Err)
}

async fn report(
    core: &PresenceCore,
    mut client: IntakeServiceClient<InternalChannel>,
    interaction_id: String,
    claims: &[UnreportedExpiry],
) -> Result<(), Status> {
    let facts = claims.iter().map(expired).collect();
    match client.report_facts(ReportFactsRequest { interaction_id, facts }).await {
        Ok(_) => {}
        // The interaction is gone: as good as acknowledged.
        Err(status) if status.code() == Code::NotFound => {}
        Err(status) => return Err(status),
    }
    let mut tx = core.db.begin().await?;
    for claim in claims {
        claims::mark_reported(&mut tx, claim).await?;
    }
    Ok(tx.commit().await?)
}

fn expired(claim: &UnreportedExpiry) -> Fact {
    Fact {
        observed_at_us: claim.expires_at_us,
        fact: Some(fact::Fact::Claim(ClaimFact {
            claim_id: claim.claim_id.clone(),
            state: claim_fact::State::Expired as i32,
            reason: Reason::Expired as i32,
        })),
    }
}
