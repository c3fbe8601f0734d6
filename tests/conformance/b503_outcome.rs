//! B503: method warm or cold; an outcome from the tenant's admin-defined list is required; notes are optional and visible in the history.

use baton_api::common::v1::{TransferKind, TransferPhase};
use baton_api::error::ErrorReason;
use baton_api::event::v1::event_data::Data;
use baton_api::transfer::v1::StartTransferRequest;
use baton_testkit::tenant::fresh;
use baton_testkit::{TestTenant, To};

use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b503_an_outcome_of_the_tenants_own_list_is_required_and_stays_in_the_history]
}

async fn b503_an_outcome_of_the_tenants_own_list_is_required_and_stays_in_the_history(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let own = "[interaction]\noutcomes = [\"Höhere Stufe\", \"Sprache\"]\n";
    let mut office = Office::open_with(tenant, "user_transfer", own).await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    let id = call.interaction_id.as_str();
    for kind in [TransferKind::Cold, TransferKind::Warm] {
        for (outcome, expected) in [("", ErrorReason::OutcomeMissing), ("Escalation", ErrorReason::OutcomeUnknown)] {
            let reason = refused(ada.start_for(id, kind, &ben, outcome).await)?;
            anyhow::ensure!(reason == expected, "{kind:?} {outcome:?}: {reason:?}");
        }
    }
    let options = ada.options(id).await?;
    anyhow::ensure!(options.outcomes == ["Höhere Stufe", "Sprache"], "{options:?}");
    anyhow::ensure!(options.options.iter().all(|it| it.needs_outcome), "{options:?}");

    let request = StartTransferRequest {
        request_id: fresh(),
        interaction_id: id.to_owned(),
        kind: TransferKind::Cold.into(),
        target: Some(To::Agent(&ben).into()),
        outcome: "Sprache".to_owned(),
        message: "speaks French".to_owned(),
        ..Default::default()
    };
    ada.transfers().start_transfer(request).await?;
    let view = office.until_phase(&call, TransferPhase::Completed).await?;
    let hop = view.journey.last().cloned().unwrap_or_default();
    anyhow::ensure!((hop.chosen_outcome.as_str(), hop.message.as_str()) == ("Sprache", "speaks French"), "{hop:?}");
    let transfer = view.transfer.unwrap_or_default();
    anyhow::ensure!(transfer.outcome == "Sprache", "{transfer:?}");
    let events = office.events_tell(&call, &["transfer.started", "transfer.completed"]).await?;
    let started = events.into_iter().filter_map(|it| it.data?.data);
    let outcomes: Vec<_> = started
        .filter_map(|it| match it {
            Data::TransferStarted(it) => Some(it.outcome),
            _ => None,
        })
        .collect();
    anyhow::ensure!(outcomes == ["Sprache"], "{outcomes:?}");
    Ok(())
}
