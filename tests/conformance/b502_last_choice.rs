//! B502: the last choice of user and outcome is remembered per initiator and offered first; both can be edited.

use baton_api::common::v1::{TransferKind, TransferPhase, target};
use baton_api::presence::v1::TargetFilter;
use baton_testkit::{AgentDesk, Call, TestTenant};

use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b502_the_last_choice_is_offered_first_to_whoever_made_it]
}

async fn b502_the_last_choice_is_offered_first_to_whoever_made_it(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "user_transfer").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let cleo = office.agent("Cleo").await?;
    let call = office.talking(&ada).await?;
    let id = call.interaction_id.as_str();
    let options = ada.options(id).await?;
    anyhow::ensure!(options.last_choice.is_none(), "nothing was chosen yet: {options:?}");
    anyhow::ensure!(options.outcomes.iter().any(|it| it == "Escalation") && options.options.len() == 2, "{options:?}");

    ada.start_for(id, TransferKind::Warm, &cleo, "Escalation").await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    cleo.cancel(id).await?;
    is_first(&ada, &call, &cleo, "Escalation").await?;

    // Another choice takes its place.
    ada.start_for(id, TransferKind::Cold, &ben, "Language").await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    ada.disposition(id, "Other", "").await?;
    office.until_free(&ada).await?;
    let next = office.talking(&ada).await?;
    is_first(&ada, &next, &ben, "Language").await?;
    let options = ben.options(id).await?;
    anyhow::ensure!(options.last_choice.is_none(), "Ben has chosen nobody: {options:?}");
    Ok(())
}

async fn is_first(ada: &AgentDesk, call: &Call, to: &AgentDesk, outcome: &str) -> anyhow::Result<()> {
    let last = ada.options(&call.interaction_id).await?.last_choice.unwrap_or_default();
    let target = last.target.and_then(|it| it.target);
    anyhow::ensure!(target == Some(target::Target::AgentId(to.id().to_owned())), "{target:?}");
    anyhow::ensure!(
        (last.name.as_str(), last.outcome.as_str()) == (to.name(), outcome),
        "{}: {}",
        last.name,
        last.outcome
    );
    let found = ada.choices(&call.interaction_id, TransferKind::Warm, TargetFilter::default()).await?;
    let marked: Vec<_> = found.iter().map(|it| it.chosen_last).collect();
    anyhow::ensure!(marked.first() == Some(&true) && marked.iter().filter(|it| **it).count() == 1, "{found:?}");
    Ok(())
}
