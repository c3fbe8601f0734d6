//! B502: the last choice of user and outcome is remembered per initiator and offered first; both can be edited.

use baton_api::common::v1::ivr_element::Element;
use baton_api::common::v1::{IvrReturn, TransferKind, TransferPhase, target};
use baton_api::presence::v1::TargetFilter;
use baton_api::routing::v1::Queue;
use baton_api::transfer::v1::ListTransferTargetsRequest;
use baton_testkit::{AgentDesk, Call, PhoneBehaviour, TestTenant, To};

use super::b302_queue::{french, speaker};
use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b502_the_last_choice_is_offered_first_to_whoever_made_it,
        b502_a_number_outside_a_flow_and_a_queue_are_offered_first_too_and_once,
    ]
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

async fn b502_a_number_outside_a_flow_and_a_queue_are_offered_first_too_and_once(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let answers = || PhoneBehaviour::AnswersAfter(100);
    let _ben = speaker(&mut office, "Ben", 1, answers()).await?;
    office.tenant.allow("+3247").await?;
    let gives_back = || vec![Element::Return(IvrReturn {})];
    let flow = office.tenant.ivr_flow(gives_back(), true).await?;
    let other = office.tenant.ivr_flow(gives_back(), true).await?;
    let queue = office.tenant.queue(Queue { name: "Billing".to_owned(), ..french(1) }).await?;
    let call = office.talking(&ada).await?;
    let id = call.interaction_id.as_str();

    let typed = office.tenant.outsider(answers()).await?;
    let taxis = office.tenant.outsider(answers()).await?;
    let configured = office.tenant.external_number("Taxis", &taxis, false).await?;
    for (to, name) in [(To::Number(&typed), typed.as_str()), (To::External(&configured), "Taxis")] {
        ada.start(id, TransferKind::Warm, to).await?;
        office.until_phase(&call, TransferPhase::Consulting).await?;
        ada.cancel(id).await?;
        office.until_phase(&call, TransferPhase::Cancelled).await?;
        let shown = paged(&ada, &call, TransferKind::Warm).await?;
        let rest: &[&str] = if name == "Taxis" { &["Ben", "Billing"] } else { &["Ben", "Billing", "Taxis"] };
        anyhow::ensure!(shown == [&[name], rest].concat(), "{shown:?}");
    }

    for chosen in [&flow, &other] {
        ada.start(id, TransferKind::RoundTrip, To::IvrFlow(chosen)).await?;
        office.until_phase(&call, TransferPhase::Completed).await?;
        let shown = ada.choices(id, TransferKind::RoundTrip, TargetFilter::default()).await?;
        let first = shown.first().and_then(|it| it.target.clone()).and_then(|it| it.target).and_then(|it| it.target);
        anyhow::ensure!(first == Some(target::Target::IvrFlowId(chosen.clone())) && shown.len() == 2, "{shown:?}");
        anyhow::ensure!(paged(&ada, &call, TransferKind::RoundTrip).await?.len() == 2, "both flows come once");
    }

    ada.start(id, TransferKind::Cold, To::Queue(&queue)).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.until_free(&ada).await?;
    let next = office.talking(&ada).await?;
    let shown = paged(&ada, &next, TransferKind::Cold).await?;
    anyhow::ensure!(shown.first().is_some_and(|it| it == "Billing"), "{shown:?}");
    anyhow::ensure!(shown.iter().filter(|it| *it == "Billing").count() == 1, "{shown:?}");
    Ok(())
}

/// The names of all targets, read in pages of one; only the first is marked as chosen last.
async fn paged(ada: &AgentDesk, call: &Call, kind: TransferKind) -> anyhow::Result<Vec<String>> {
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListTransferTargetsRequest {
            interaction_id: call.interaction_id.clone(),
            kind: kind.into(),
            page_size: 1,
            page_token,
            ..ListTransferTargetsRequest::default()
        };
        let page = ada.transfers().list_transfer_targets(request).await?.into_inner();
        anyhow::ensure!(page.targets.len() <= 1, "{page:?}");
        for found in page.targets {
            anyhow::ensure!(found.chosen_last == names.is_empty(), "{found:?} after {names:?}");
            names.push(found.target.unwrap_or_default().name);
        }
        if page.next_page_token.is_empty() {
            return Ok(names);
        }
        page_token = page.next_page_token;
    }
}
