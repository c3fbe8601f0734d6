//! B102: cold, recipient offline or does not answer: the customer goes to the recipient's personal voicemail; if the call flow says
//! skip voicemail (or they have none and there is a call flow), to the next step of the call flow; with neither, the call is
//! disconnected. Three distinct endings, each an event.

use baton_api::common::v1::{DivertedTo, Reason, TransferPhase};
use baton_api::event::v1::event_data::Data;
use baton_api::simulator::v1::{LedgerAction, LedgerEntry};
use baton_testkit::tenant::{ring, voicemail};
use baton_testkit::{AgentDesk, BOUND, Call, PhoneBehaviour, TestTenant, eventually};

use crate::harness::ears::{ADA, BEEP, CLEO, CUSTOMER, GREETING, RINGING, tells};
use crate::harness::{Office, Scenario, shared, talk_for};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b102_nobody_answers_and_the_customer_leaves_a_message,
        b102_recipient_offline_and_the_customer_leaves_a_message,
        b102_skip_voicemail_and_the_customer_goes_to_the_next_step,
        b102_no_voicemail_and_the_customer_goes_to_the_next_step,
        b102_neither_and_the_call_is_disconnected,
    ]
}

async fn b102_nobody_answers_and_the_customer_leaves_a_message(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::NeverAnswers).await?;
    let call = office.talking(&ada).await?;
    ada.start_cold(&call.interaction_id, &ben).await?;
    office.phones.until_ringing(ben.phone()).await?;
    diverted(&office, &call, DivertedTo::Voicemail, Reason::NoAnswer).await?;
    office.phones.until_idle(ben.phone()).await?;
    leaves_a_message(&office, &call, &ben).await?;
    let heard = office.phones.heard(&call.leg_id).await?;
    tells("the customer", &heard, &[&[ADA], &[RINGING], &[GREETING], &[BEEP]])
}

async fn b102_recipient_offline_and_the_customer_leaves_a_message(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.tenant.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    ada.start_cold(&call.interaction_id, &ben).await?;
    diverted(&office, &call, DivertedTo::Voicemail, Reason::Offline).await?;
    leaves_a_message(&office, &call, &ben).await?;
    office.phones.until_idle(ada.phone()).await?;
    office.until_free(&ada).await
}

async fn b102_skip_voicemail_and_the_customer_goes_to_the_next_step(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::NeverAnswers).await?;
    let cleo = office.agent("Cleo").await?;
    let number = office.tenant.number_with(vec![ring(&ada), ring(&cleo)], true).await?;
    let call = office.talking_on(&number, &ada).await?;
    ada.start_cold(&call.interaction_id, &ben).await?;
    diverted(&office, &call, DivertedTo::NextStep, Reason::NoAnswer).await?;
    office.tenant.until_with(&call, &cleo).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&cleo).await?, CLEO)]).await
}

async fn b102_no_voicemail_and_the_customer_goes_to_the_next_step(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.tenant.agent_with("Ben", PhoneBehaviour::AnswersAfter(100), false).await?;
    let number = office.tenant.number(vec![ring(&ada), voicemail("sales")]).await?;
    let call = office.talking_on(&number, &ada).await?;
    ada.start_cold(&call.interaction_id, &ben).await?;
    diverted(&office, &call, DivertedTo::NextStep, Reason::Offline).await?;
    let exit = until_in_voicemail(&office, &call).await?;
    anyhow::ensure!(exit.detail == "sales", "the message went to the box {}", exit.detail);
    Ok(())
}

async fn b102_neither_and_the_call_is_disconnected(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.tenant.agent_with("Ben", PhoneBehaviour::NeverAnswers, false).await?;
    office.connect(&ben).await?;
    let call = office.talking(&ada).await?;
    ada.start_cold(&call.interaction_id, &ben).await?;
    diverted(&office, &call, DivertedTo::Disconnect, Reason::NoAnswer).await?;
    let ended = office.tenant.until_ended(&call).await?;
    anyhow::ensure!(ended.end_reason() == Reason::Disconnected, "it ended with {:?}", ended.end_reason());
    office.phones.until_ended(&call.leg_id).await?;
    Ok(())
}

/// That the transfer ended so, and the event says where to and why.
async fn diverted(office: &Office, call: &Call, to: DivertedTo, why: Reason) -> anyhow::Result<()> {
    let view = office.until_phase(call, TransferPhase::Diverted).await?;
    let transfer = view.transfer.unwrap_or_default();
    anyhow::ensure!(transfer.reason() == why, "the transfer says {:?}", transfer.reason());
    let events = office.events_tell(call, &["transfer.started", "transfer.diverted"]).await?;
    let diverted = events.iter().find_map(|event| match event.data.as_ref()?.data.as_ref()? {
        Data::TransferDiverted(data) => Some((data.to(), data.reason())),
        _ => None,
    });
    anyhow::ensure!(diverted == Some((to, why)), "the event says {diverted:?}");
    Ok(())
}

/// The customer hears greeting and beep, speaks, and hangs up: the message is in the recipient's own box.
async fn leaves_a_message(office: &Office, call: &Call, recipient: &AgentDesk) -> anyhow::Result<()> {
    let exit = until_in_voicemail(office, call).await?;
    anyhow::ensure!(exit.detail == recipient.id(), "the message went to the box {}", exit.detail);
    let beeped = |sound: &baton_testkit::Sound| sound.hears(GREETING) && sound.hears(BEEP);
    office.phones.until_hears(&call.leg_id, 1_800, "greeting and beep", beeped).await?;
    talk_for(1_500).await;
    let ended = office.customer_hangs_up(call).await?;
    anyhow::ensure!(ended.end_reason() == Reason::Voicemail, "it ended with {:?}", ended.end_reason());
    let message = recipient.voicemail().until_message(call).await?;
    anyhow::ensure!(message.message_id == exit.subject_id, "the message is {}", message.message_id);
    let spoken = recipient.voicemail().sound_of(&message.message_id).await?.heard_ms(CUSTOMER);
    anyhow::ensure!((1_000..4_000).contains(&spoken), "the message has {spoken} ms of the customer");
    Ok(())
}

pub(super) async fn until_in_voicemail(office: &Office, call: &Call) -> anyhow::Result<LedgerEntry> {
    eventually("the customer is in voicemail", BOUND, async || {
        let ledger = office.phones.ledger().await.map_err(|status| status.to_string())?;
        let exit = |it: &LedgerEntry| it.action() == LedgerAction::ExitStarted && it.leg_id == call.leg_id;
        ledger.into_iter().find(exit).ok_or_else(|| "no exit".to_owned())
    })
    .await
}
