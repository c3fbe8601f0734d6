//! B105: warm, recipient does not answer or is offline: the transfer does not go through, the initiator is told why, the customer
//! *stays on hold*.

use baton_api::common::v1::{Reason, TransferPhase};
use baton_api::error::ErrorReason;
use baton_testkit::{AgentDesk, Call, PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, MUSIC, tells};
use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b105_nobody_answers_and_the_customer_stays_on_hold,
        b105_recipient_offline_and_the_customer_stays_on_hold,
        b105_recipient_declines_and_the_customer_stays_on_hold,
    ]
}

async fn b105_nobody_answers_and_the_customer_stays_on_hold(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::NeverAnswers).await?;
    let call = office.talking(&ada).await?;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.hears(&call.leg_id, &[MUSIC]).await?;
    failed_and_on_hold(&office, &call, &ada, Reason::NoAnswer).await?;
    office.phones.until_idle(ben.phone()).await
}

async fn b105_recipient_offline_and_the_customer_stays_on_hold(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.tenant.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    let reason = refused(ada.start_warm(&call.interaction_id, &ben).await)?;
    anyhow::ensure!(reason == ErrorReason::AgentOffline, "the initiator is told {reason:?}");
    failed_and_on_hold(&office, &call, &ada, Reason::Offline).await
}

async fn b105_recipient_declines_and_the_customer_stays_on_hold(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let call = office.talking(&ada).await?;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.phones.until_ringing(ben.phone()).await?;
    ben.decline(&call.interaction_id).await?;
    failed_and_on_hold(&office, &call, &ada, Reason::Declined).await?;
    office.phones.until_idle(ben.phone()).await?;
    office.until_free(&ben).await
}

/// The initiator sees why, and the customer goes on hearing music.
async fn failed_and_on_hold(office: &Office, call: &Call, initiator: &AgentDesk, why: Reason) -> anyhow::Result<()> {
    office.until_phase(call, TransferPhase::Failed).await?;
    let view = initiator.view(&call.interaction_id).await?;
    let reason = view.transfer.as_ref().map(baton_api::transfer::v1::Transfer::reason);
    anyhow::ensure!(reason == Some(why), "the initiator is told {reason:?}");
    anyhow::ensure!(view.customer_on_hold && view.primary_agent_id == initiator.id(), "not on hold for the initiator");
    office.events_tell(call, &["transfer.started", "transfer.failed"]).await?;
    office.goes_on_hearing(&call.leg_id, &[MUSIC], 1_500).await?;
    let heard = office.phones.heard(&call.leg_id).await?;
    tells("the customer", &heard, &[&[ADA], &[MUSIC]])
}
