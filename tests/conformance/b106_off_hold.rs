//! B106: the initiator may take the customer off hold at any time during the process (while it rings, after the failure) and talk to
//! them. If the recipient answers meanwhile, they join (ours; by policy).

use baton_api::common::v1::TransferPhase;
use baton_testkit::{PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, BEN, CUSTOMER, MUSIC, tells};
use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b106_off_hold_while_it_rings_and_the_recipient_joins, b106_off_hold_after_the_failure,]
}

async fn b106_off_hold_while_it_rings_and_the_recipient_joins(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let call = office.talking(&ada).await?;
    let adas_leg = office.leg(&ada).await?;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.hears(&call.leg_id, &[MUSIC]).await?;

    ada.resume(&call.interaction_id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&adas_leg, ADA)]).await?;
    office.phones.until_ringing(ben.phone()).await?;

    office.phones.answer(ben.phone()).await?;
    office.until_phase(&call, TransferPhase::Joined).await?;
    let bens_leg = office.leg(&ben).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&adas_leg, ADA), (&bens_leg, BEN)]).await?;

    ada.leave(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&bens_leg, BEN)]).await?;
    let heard = office.phones.heard(&call.leg_id).await?;
    tells("the customer", &heard, &[&[ADA], &[MUSIC], &[ADA], &[ADA, BEN], &[BEN]])
}

async fn b106_off_hold_after_the_failure(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::NeverAnswers).await?;
    let call = office.talking(&ada).await?;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.until_phase(&call, TransferPhase::Failed).await?;
    office.hears(&call.leg_id, &[MUSIC]).await?;
    ada.resume(&call.interaction_id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await
}
