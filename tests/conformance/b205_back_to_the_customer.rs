//! B205: recipient not available: the initiator resumes the call with the customer.

use baton_api::common::v1::{Reason, TransferPhase};
use baton_api::error::ErrorReason;
use baton_testkit::{PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, CUSTOMER, MUSIC, tells};
use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b205_nobody_answers_and_the_initiator_resumes_the_call,
        b205_recipient_offline_and_the_initiator_goes_on_with_the_call,
    ]
}

async fn b205_nobody_answers_and_the_initiator_resumes_the_call(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::NeverAnswers).await?;
    let call = office.talking(&ada).await?;
    let adas_leg = office.leg(&ada).await?;
    ada.start_warm(&call.interaction_id, &ben).await?;
    let view = office.until_phase(&call, TransferPhase::Failed).await?;
    let why = view.transfer.unwrap_or_default().reason();
    anyhow::ensure!(why == Reason::NoAnswer, "the initiator is told {why:?}");

    ada.resume(&call.interaction_id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&adas_leg, ADA)]).await?;
    let heard = office.phones.heard(&call.leg_id).await?;
    tells("the customer", &heard, &[&[ADA], &[MUSIC], &[ADA]])
}

async fn b205_recipient_offline_and_the_initiator_goes_on_with_the_call(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.tenant.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    let reason = refused(ada.start_warm(&call.interaction_id, &ben).await)?;
    anyhow::ensure!(reason == ErrorReason::AgentOffline, "refused as {reason:?}");
    office.goes_on_hearing(&call.leg_id, &[ADA], 700).await?;
    tells("the customer", &office.phones.heard(&call.leg_id).await?, &[&[ADA]])
}
