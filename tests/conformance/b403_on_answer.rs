//! B402: the data attached to the call travels with it. B403: *success* transfer: the initiator is released only when the target answers;
//! otherwise the initiator is told that it failed and goes on talking with the customer. B404: *release* transfer: the initiator is released at
//! once, whether or not the target answers. B405: *conversation* transfer: after the target answered, the initiator releases the call when
//! they choose. B410: only idle agents can be chosen. B411: after the transfer the initiator's state is *idle*.

use baton_api::common::v1::{Reason, TransferKind, TransferPhase};
use baton_api::error::ErrorReason;
use baton_api::presence::v1::{AgentState, TargetFilter};
use baton_api::transfer::v1::SetDataRequest;
use baton_testkit::tenant::fresh;
use baton_testkit::{AgentDesk, Call, PhoneBehaviour, TestTenant, To};

use crate::harness::ears::{ADA, BEN, CUSTOMER, MUSIC, RINGING, tells};
use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b402_attached_data_travels_with_the_call,
        b403_the_initiator_is_released_when_the_target_answers,
        b403_who_does_not_answer_leaves_the_customer_with_the_initiator,
        b404_the_initiator_is_released_at_once_whether_or_not_the_target_answers,
        b405_after_the_target_answered_the_initiator_releases_when_they_choose,
        b410_only_idle_agents_can_be_chosen,
        b411_after_the_transfer_the_initiator_is_idle,
    ]
}

async fn b402_attached_data_travels_with_the_call(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    let set = [("order".to_owned(), "4711".to_owned())].into();
    let interaction_id = call.interaction_id.clone();
    let request = SetDataRequest { request_id: fresh(), interaction_id, set, ..Default::default() };
    ada.interactions().set_data(request).await?;
    ada.start(&call.interaction_id, TransferKind::OnAnswer, To::Agent(&ben)).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    let view = ben.view(&call.interaction_id).await?;
    anyhow::ensure!(view.data.get("order").is_some_and(|it| it == "4711"), "{view:?}");
    Ok(())
}

async fn b403_the_initiator_is_released_when_the_target_answers(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let call = office.talking(&ada).await?;
    let adas_leg = office.leg(&ada).await?;
    ada.start(&call.interaction_id, TransferKind::OnAnswer, To::Agent(&ben)).await?;
    office.phones.until_ringing(ben.phone()).await?;
    office.goes_on_hearing(&call.leg_id, &[ADA], 1_000).await?;
    office.phones.answer(ben.phone()).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await?;
    office.phones.until_ended(&adas_leg).await?;
    tells("the customer", &office.phones.heard(&call.leg_id).await?, &[&[ADA], &[BEN]])
}

async fn b403_who_does_not_answer_leaves_the_customer_with_the_initiator(tenant: TestTenant) -> anyhow::Result<()> {
    let briefly = "[methods.on_answer.offer]\nring_ms = 2000\n";
    let mut office = Office::open_with(tenant, "aicc", briefly).await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::NeverAnswers).await?;
    let call = office.talking(&ada).await?;
    ada.start(&call.interaction_id, TransferKind::OnAnswer, To::Agent(&ben)).await?;
    let view = office.until_phase(&call, TransferPhase::Failed).await?;
    let reason = view.transfer.clone().unwrap_or_default().reason();
    anyhow::ensure!(reason == Reason::NoAnswer && view.primary_agent_id == ada.id(), "{view:?}");
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
    tells("the customer", &office.phones.heard(&call.leg_id).await?, &[&[ADA]])
}

async fn b404_the_initiator_is_released_at_once_whether_or_not_the_target_answers(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let call = office.talking(&ada).await?;
    let adas_leg = office.leg(&ada).await?;
    ada.start_cold(&call.interaction_id, &ben).await?;
    office.phones.until_ended(&adas_leg).await?;
    office.phones.until_ringing(ben.phone()).await?;
    office.hears(&call.leg_id, &[RINGING]).await?;
    // The target does not answer: the customer is with nobody, and goes where the fallback says.
    office.phones.decline(ben.phone()).await?;
    office.until_phase(&call, TransferPhase::Diverted).await?;
    Ok(())
}

/// Ada consults Ben.
async fn consulting(office: &mut Office) -> anyhow::Result<(AgentDesk, AgentDesk, Call)> {
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    Ok((ada, ben, call))
}

async fn b405_after_the_target_answered_the_initiator_releases_when_they_choose(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let (ada, ben, call) = consulting(&mut office).await?;
    let (adas_leg, bens_leg) = (office.leg(&ada).await?, office.leg(&ben).await?);
    office.hear_each_other(&[(&adas_leg, ADA), (&bens_leg, BEN)]).await?;
    office.goes_on_hearing(&call.leg_id, &[MUSIC], 1_000).await?;
    ada.resume(&call.interaction_id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&adas_leg, ADA), (&bens_leg, BEN)]).await?;
    ada.leave(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&bens_leg, BEN)]).await
}

async fn b410_only_idle_agents_can_be_chosen(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let cleo = office.agent("Cleo").await?;
    let off = office.tenant.agent("Dan").await?;
    ben.set_state(AgentState::Away, "").await?;
    office.talking(&cleo).await?;
    let call = office.talking(&ada).await?;
    for (to, expected) in
        [(&ben, ErrorReason::AgentUnavailable), (&cleo, ErrorReason::AgentBusy), (&off, ErrorReason::AgentOffline)]
    {
        let reason = refused(ada.start(&call.interaction_id, TransferKind::OnAnswer, To::Agent(to)).await)?;
        anyhow::ensure!(reason == expected, "{}: {reason:?}", to.name());
    }
    let found = ada.choices(&call.interaction_id, TransferKind::OnAnswer, TargetFilter::default()).await?;
    anyhow::ensure!(found.is_empty(), "{found:?}");
    ben.set_state(AgentState::Available, "").await?;
    ada.start(&call.interaction_id, TransferKind::OnAnswer, To::Agent(&ben)).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    Ok(())
}

async fn b411_after_the_transfer_the_initiator_is_idle(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let (ada, _ben, call) = consulting(&mut office).await?;
    ada.complete(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.until_free(&ada).await
}
