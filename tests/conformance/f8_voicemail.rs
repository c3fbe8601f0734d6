//! F8: a message in voicemail is a thing of its own. It was left or it was not, as events say, and its owner lists, plays and deletes it.

use anyhow::Context as _;
use baton_api::common::v1::{Reason, TransferPhase};
use baton_api::event::v1::event_data::Data;
use baton_api::recording::v1::DeleteMessageRequest;
use baton_api::transfer::v1::interaction;
use baton_testkit::tenant::voicemail;
use baton_testkit::{BOUND, Call, TestTenant, eventually};
use tonic::Code;

use crate::harness::ears::{BEEP, CUSTOMER, GREETING};
use crate::harness::{Office, Scenario, shared, talk_for};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        f8_a_message_is_announced_listed_played_and_deleted,
        f8_who_hangs_up_before_the_beep_left_no_message,
        f8_a_message_in_a_call_flows_box_is_the_supervisors,
    ]
}

async fn f8_a_message_is_announced_listed_played_and_deleted(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.tenant.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    ada.start_cold(&call.interaction_id, &ben).await?;
    office.until_phase(&call, TransferPhase::Diverted).await?;
    speaks_for(&office, &call, 1_500).await?;
    let ended = office.customer_hangs_up(&call).await?;
    anyhow::ensure!(ended.end_reason() == Reason::Voicemail, "it ended with {:?}", ended.end_reason());

    let events = office.events_tell(&call, &["transfer.diverted", "voicemail.message_left"]).await?;
    let left = events.iter().find_map(|event| match event.data.as_ref()?.data.as_ref()? {
        Data::VoicemailMessageLeft(it) => Some(it.clone()),
        _ => None,
    });
    let left = left.context("the event has no data")?;
    anyhow::ensure!(left.mailbox == ben.id() && (1_000..4_000).contains(&left.duration_ms), "the event says {left:?}");
    let known = left.customer.clone().unwrap_or_default();
    anyhow::ensure!(known.address.is_empty() && !known.key.is_empty(), "the bus says who called: {known:?}");

    let boxes = ben.voicemail();
    let message = boxes.until_message(&call).await?;
    let is_it = message.message_id == left.message_id && message.duration_ms == left.duration_ms;
    anyhow::ensure!(is_it && message.heard_time.is_none(), "listed is {message:?}");
    let spoken = boxes.sound_of(&message.message_id).await?.heard_ms(CUSTOMER);
    anyhow::ensure!((1_000..4_000).contains(&spoken), "the message has {spoken} ms of the customer");
    office.until_events(&call, "voicemail.message_heard", 1).await?;
    anyhow::ensure!(ada.voicemail().messages().await?.is_empty(), "another agent has it, too");

    let delete = || DeleteMessageRequest { request_id: "d".to_owned(), message_id: message.message_id.clone() };
    let refused = ada.voicemail().client().delete_message(delete()).await.err().map(|it| it.code());
    anyhow::ensure!(refused == Some(Code::NotFound), "another agent's deletion: {refused:?}");
    boxes.client().delete_message(delete()).await?;
    anyhow::ensure!(boxes.messages().await?.is_empty(), "it is still listed");
    office.until_events(&call, "voicemail.message_deleted", 1).await
}

async fn f8_who_hangs_up_before_the_beep_left_no_message(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.tenant.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    ada.start_cold(&call.interaction_id, &ben).await?;
    let hears_greeting = |sound: &baton_testkit::Sound| sound.hears(GREETING);
    office.phones.until_hears(&call.leg_id, 200, "the greeting", hears_greeting).await?;
    let ended = office.customer_hangs_up(&call).await?;
    anyhow::ensure!(ended.end_reason() == Reason::Voicemail, "it ended with {:?}", ended.end_reason());

    office.until_events(&call, "voicemail.no_message", 1).await?;
    let types = office.tenant.event_types(&call).await?;
    anyhow::ensure!(!types.iter().any(|it| it == "voicemail.message_left"), "both are told: {types:?}");
    anyhow::ensure!(ben.voicemail().messages().await?.is_empty(), "an empty message is listed");
    Ok(())
}

async fn f8_a_message_in_a_call_flows_box_is_the_supervisors(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let number = office.tenant.number(vec![voicemail("sales")]).await?;
    let call = office.tenant.call(&number).await?;
    let in_voicemail = async || {
        let view = office.tenant.interaction(&call.interaction_id).await.map_err(|error| format!("{error:#}"))?;
        if view.state() == interaction::State::InVoicemail { Ok(()) } else { Err(format!("{:?}", view.state())) }
    };
    eventually("the call is shown in voicemail", BOUND, in_voicemail).await?;
    speaks_for(&office, &call, 1_500).await?;
    office.customer_hangs_up(&call).await?;
    let boxes = office.tenant.voicemail()?;
    let message = boxes.until_message(&call).await?;
    anyhow::ensure!(message.mailbox == "sales" && message.number == number, "listed is {message:?}");
    let address = message.customer.unwrap_or_default().address;
    anyhow::ensure!(!address.is_empty(), "the supervisor can't call back");
    anyhow::ensure!(boxes.sound_of(&message.message_id).await?.hears(CUSTOMER), "it has not the customer's voice");
    anyhow::ensure!(ada.voicemail().messages().await?.is_empty(), "an agent has it, too");
    Ok(())
}

/// The customer hears greeting and beep, and speaks then.
async fn speaks_for(office: &Office, call: &Call, ms: u64) -> anyhow::Result<()> {
    let beeped = |sound: &baton_testkit::Sound| sound.hears(GREETING) && sound.hears(BEEP);
    office.phones.until_hears(&call.leg_id, 1_800, "greeting and beep", beeped).await?;
    talk_for(ms).await;
    Ok(())
}
