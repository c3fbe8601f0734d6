//! B202: warm: a call is made to the chosen agent, the customer is on hold while the two agents talk.

use baton_api::common::v1::TransferPhase;
use baton_testkit::{PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, BEN, CUSTOMER, MUSIC, RINGING, tells};
use crate::harness::{Office, Scenario, shared, talk_for};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b202_the_customer_is_on_hold_while_the_two_agents_talk]
}

async fn b202_the_customer_is_on_hold_while_the_two_agents_talk(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::AnswersAfter(800)).await?;
    let call = office.talking(&ada).await?;
    let adas_leg = office.leg(&ada).await?;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    let bens_leg = office.leg(&ben).await?;
    office.hear_each_other(&[(&adas_leg, ADA), (&bens_leg, BEN)]).await?;
    talk_for(800).await;
    office.hears(&call.leg_id, &[MUSIC]).await?;
    tells("the recipient", &office.phones.heard(&bens_leg).await?, &[&[ADA]])?;
    tells("the customer", &office.phones.heard(&call.leg_id).await?, &[&[ADA], &[MUSIC]])?;

    let initiator = office.phones.heard(&adas_leg).await?;
    tells("the initiator", &initiator, &[&[CUSTOMER], &[RINGING], &[BEN]])?;
    office.events_tell(&call, &["transfer.started", "interaction.customer_held", "transfer.consulting"]).await?;
    Ok(())
}
