//! B406: *Hang-up* transfer to an IVR flow: the agent waits; when the flow has done its work it gives the call back to the same agent. B407: a
//! flow that contains a transfer element can't be used for it: refused when it is configured so, and again when it is chosen. B401: an IVR flow
//! as the target of a cold transfer.

use baton_api::common::v1::ivr_element::Element;
use baton_api::common::v1::{
    ExclusionReason, IvrCollect, IvrEnd, IvrPlay, IvrReturn, IvrTransfer, Reason, RecordingMode, TransferKind,
    TransferPhase, target::Target,
};
use baton_api::error::ErrorReason;
use baton_api::event::v1::event_data::Data;
use baton_api::transfer::v1::{Interaction, ListTransferTargetsRequest, interaction::State};
use baton_testkit::tenant::{disconnect, ring, voicemail};
use baton_testkit::{AgentDesk, Call, TestTenant, To};

use crate::harness::ears::{ADA, BEN, CUSTOMER, GREETING, MUSIC};
use crate::harness::{Office, Scenario, refused, shared};

/// The tone of the announcement that the flows play.
const PLEASE_WAIT: u32 = 3_300;

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b401_a_cold_transfer_to_a_survey_releases_the_agent_and_ends_with_it,
        b401_a_transfer_element_takes_the_customer_to_its_target,
        b406_a_card_is_entered_unrecorded_and_the_same_agent_has_the_customer_again,
        b406_the_customer_hangs_up_in_the_flow,
        b406_the_agent_leaves_meanwhile_and_the_customer_goes_to_the_next_step,
        b406_the_agent_takes_the_customer_back_and_so_does_the_time,
        b407_a_flow_with_a_transfer_is_refused_when_it_is_marked_and_when_it_is_chosen,
    ]
}

fn play() -> Element {
    Element::Play(IvrPlay { announcement: "please_wait".to_owned() })
}

fn collect(key: &str, sensitive: bool) -> Element {
    Element::Collect(IvrCollect {
        key: key.to_owned(),
        announcement: String::new(),
        min_digits: 1,
        max_digits: 16,
        terminator: "#".to_owned(),
        // Longer than any scenario waits.
        first_digit_ms: 60_000,
        between_digits_ms: 60_000,
        tries: 1,
        sensitive,
    })
}

fn gives_back() -> Element {
    Element::Return(IvrReturn {})
}

/// A customer who is in a flow, while this agent waits.
async fn away(office: &Office, call: &Call, agent: &AgentDesk, flow: &str) -> anyhow::Result<()> {
    agent.start(&call.interaction_id, TransferKind::RoundTrip, To::IvrFlow(flow)).await?;
    let view = office.until_phase(call, TransferPhase::Away).await?;
    anyhow::ensure!(view.primary_agent_id == agent.id() && view.state() == State::WithAgent, "{view:?}");
    office.hears(&office.leg(agent).await?, &[MUSIC]).await?;
    Ok(())
}

async fn b406_a_card_is_entered_unrecorded_and_the_same_agent_has_the_customer_again(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let call = office.recorded(RecordingMode::All, &ada).await?;
    let flow = office.tenant.ivr_flow(vec![play(), collect("card", true), collect("month", false), gives_back()], true);
    let flow = flow.await?;
    away(&office, &call, &ada, &flow).await?;
    office.phones.press_on(&call.leg_id, "4711471147114711#").await?;
    office.phones.press_on(&call.leg_id, "0527#").await?;
    let view = office.until_phase(&call, TransferPhase::Completed).await?;
    anyhow::ensure!(view.primary_agent_id == ada.id(), "the same agent: {view:?}");
    anyhow::ensure!(view.data.get("card").is_some_and(|it| it == "collected"), "{:?}", view.data);
    anyhow::ensure!(view.data.get("month").is_some_and(|it| it == "0527"), "{:?}", view.data);
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
    let heard = office.phones.heard(&call.leg_id).await?;
    anyhow::ensure!(heard.hears(PLEASE_WAIT), "the customer was in the flow");
    office.phones.hang_up_leg(&call.leg_id).await?;
    office.tenant.until_ended(&call).await?;
    let [recording] = office.recordings(&call).await?;
    let reasons: Vec<_> = recording.excluded.iter().map(baton_api::recording::v1::Exclusion::reason).collect();
    anyhow::ensure!(reasons == [ExclusionReason::InFlow], "one recording, and the flow is not in it: {reasons:?}");
    let told = ["transfer.started", "ivr.entered", "ivr.collected", "ivr.collected", "ivr.left", "transfer.completed"];
    let events = office.events_tell(&call, &told).await?;
    anyhow::ensure!(!format!("{events:?}").contains("47114711"), "a card is in no event");
    let data = || events.iter().filter_map(|event| event.data.as_ref()?.data.as_ref());
    let returned = data().any(|it| matches!(it, Data::TransferCompleted(it) if it.returned));
    let collected = data().filter(|it| matches!(it, Data::IvrCollected(_))).count();
    anyhow::ensure!(returned && collected == 2, "{events:?}");
    Ok(())
}

async fn b406_the_customer_hangs_up_in_the_flow(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let call = office.talking(&ada).await?;
    let flow = office.tenant.ivr_flow(vec![collect("card", true), gives_back()], true).await?;
    away(&office, &call, &ada, &flow).await?;
    let adas_leg = office.leg(&ada).await?;
    office.phones.hang_up_leg(&call.leg_id).await?;
    let view = office.tenant.until_ended(&call).await?;
    let phase = view.transfer.clone().unwrap_or_default().phase();
    anyhow::ensure!(phase == TransferPhase::Abandoned && view.end_reason() == Reason::CustomerLeft, "{view:?}");
    office.phones.until_ended(&adas_leg).await?;
    Ok(())
}

async fn b406_the_agent_leaves_meanwhile_and_the_customer_goes_to_the_next_step(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let number = office.tenant.number(vec![ring(&ada), voicemail("desk")]).await?;
    let call = office.talking_on(&number, &ada).await?;
    let flow = office.tenant.ivr_flow(vec![collect("card", true), gives_back()], true).await?;
    away(&office, &call, &ada, &flow).await?;
    office.phones.hang_up(ada.phone()).await?;
    office.phones.until_idle(ada.phone()).await?;
    let left = |it: &Interaction| it.primary_agent_id.is_empty();
    let view = office.tenant.until(&call, "Ada has left", left).await?;
    let phase = view.transfer.clone().unwrap_or_default().phase();
    anyhow::ensure!(phase == TransferPhase::Away && view.state() == State::InFlow, "it goes on: {view:?}");
    office.phones.press_on(&call.leg_id, "12#").await?;
    let view = office.until_phase(&call, TransferPhase::Diverted).await?;
    let reason = view.transfer.clone().unwrap_or_default().reason();
    anyhow::ensure!(reason == Reason::InitiatorLeft, "{view:?}");
    office.phones.until_hears(&call.leg_id, 200, "the greeting", |sound| sound.hears(GREETING)).await?;
    Ok(())
}

async fn b406_the_agent_takes_the_customer_back_and_so_does_the_time(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_with(tenant, "aicc", "[methods.round_trip.away]\nmax_ms = 5_000\n").await?;
    let ada = office.agent("Ada").await?;
    let call = office.talking(&ada).await?;
    let flow = office.tenant.ivr_flow(vec![collect("card", true), gives_back()], true).await?;
    away(&office, &call, &ada, &flow).await?;
    ada.cancel(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Cancelled).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
    away(&office, &call, &ada, &flow).await?;
    let view = office.until_phase(&call, TransferPhase::Cancelled).await?;
    anyhow::ensure!(view.transfer.clone().unwrap_or_default().reason() == Reason::Timeout, "{view:?}");
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await
}

async fn b407_a_flow_with_a_transfer_is_refused_when_it_is_marked_and_when_it_is_chosen(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let call = office.talking(&ada).await?;
    let hands_on = || vec![play(), Element::Transfer(IvrTransfer { to: None })];
    let reason = refused(office.tenant.ivr_flow(hands_on(), true).await)?;
    anyhow::ensure!(reason == ErrorReason::FlowTransfersOn, "{reason:?}");
    let hands_on = office.tenant.ivr_flow(hands_on(), false).await?;
    let started = ada.start(&call.interaction_id, TransferKind::RoundTrip, To::IvrFlow(&hands_on)).await;
    let reason = refused(started)?;
    anyhow::ensure!(reason == ErrorReason::FlowTransfersOn, "{reason:?}");
    let survey = office.tenant.ivr_flow(vec![play(), Element::End(IvrEnd {})], false).await?;
    let started = ada.start(&call.interaction_id, TransferKind::RoundTrip, To::IvrFlow(&survey)).await;
    let reason = refused(started)?;
    anyhow::ensure!(reason == ErrorReason::FlowNotForRoundTrip, "{reason:?}");
    let payment = office.tenant.ivr_flow(vec![play(), gives_back()], true).await?;
    // The picker has those alone to which it can go.
    let request = ListTransferTargetsRequest {
        interaction_id: call.interaction_id.clone(),
        kind: TransferKind::RoundTrip.into(),
        ..ListTransferTargetsRequest::default()
    };
    let listed = ada.transfers().list_transfer_targets(request).await?.into_inner().targets;
    let ids: Vec<_> = listed.into_iter().filter_map(|it| it.target?.target?.target).collect();
    anyhow::ensure!(ids == [Target::IvrFlowId(payment)], "{ids:?}");
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await
}

async fn b401_a_cold_transfer_to_a_survey_releases_the_agent_and_ends_with_it(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let number = office.tenant.number(vec![ring(&ada), disconnect()]).await?;
    let call = office.talking_on(&number, &ada).await?;
    let adas_leg = office.leg(&ada).await?;
    let survey = office.tenant.ivr_flow(vec![play(), collect("grade", false), Element::End(IvrEnd {})], false).await?;
    ada.start(&call.interaction_id, TransferKind::Cold, To::IvrFlow(&survey)).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.phones.until_ended(&adas_leg).await?;
    office.phones.press_on(&call.leg_id, "5#").await?;
    let view = office.tenant.until_ended(&call).await?;
    anyhow::ensure!(view.data.get("grade").is_some_and(|it| it == "5"), "{:?}", view.data);
    anyhow::ensure!(view.end_reason() == Reason::Disconnected, "{view:?}");
    office.phones.until_ended(&call.leg_id).await?;
    Ok(())
}

async fn b401_a_transfer_element_takes_the_customer_to_its_target(tenant: TestTenant) -> anyhow::Result<()> {
    use baton_api::common::v1::ivr_transfer::To as Next;
    let mut office = Office::open(tenant, "aicc").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    let to = Some(Next::AgentId(ben.id().to_owned()));
    let menu = office.tenant.ivr_flow(vec![play(), Element::Transfer(IvrTransfer { to })], false).await?;
    ada.start(&call.interaction_id, TransferKind::Cold, To::IvrFlow(&menu)).await?;
    office.tenant.until_with(&call, &ben).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await
}
