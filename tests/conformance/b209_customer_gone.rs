//! B209: the customer hangs up during the consult: the recipient (once connected) hears an announcement that the customer has
//! disconnected, then the call ends for everyone.

use baton_api::common::v1::{Reason, TransferPhase};
use baton_testkit::{PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, BEN, GONE, story, tones};
use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b209_the_customer_hangs_up_in_the_consult_and_the_agents_are_notified,
        b209_the_customer_hangs_up_while_it_rings_and_the_ringing_stops,
    ]
}

async fn b209_the_customer_hangs_up_in_the_consult_and_the_agents_are_notified(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    let (adas_leg, bens_leg) = (office.leg(&ada).await?, office.leg(&ben).await?);
    office.hear_each_other(&[(&adas_leg, ADA), (&bens_leg, BEN)]).await?;

    let ended = office.customer_hangs_up(&call).await?;
    office.phones.until_idle(ada.phone()).await?;
    office.phones.until_idle(ben.phone()).await?;
    anyhow::ensure!(ended.end_reason() == Reason::CustomerLeft, "it ended with {:?}", ended.end_reason());
    let phase = ended.transfer.unwrap_or_default().phase();
    anyhow::ensure!(phase == TransferPhase::Abandoned, "the transfer is {phase:?}");

    let heard = office.phones.heard(&bens_leg).await?;
    let announced_ms = heard.heard_ms(GONE);
    anyhow::ensure!(
        (1_300..1_900).contains(&announced_ms),
        "the recipient heard {announced_ms} ms of the announcement"
    );
    anyhow::ensure!(story(&heard).first() == Some(&tones(&[ADA])), "the recipient heard something else before");
    let types = ["interaction.customer_left", "transfer.abandoned", "interaction.announced", "interaction.ended"];
    office.events_tell(&call, &types).await?;
    office.until_free(&ada).await?;
    office.until_free(&ben).await
}

async fn b209_the_customer_hangs_up_while_it_rings_and_the_ringing_stops(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let call = office.talking(&ada).await?;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.phones.until_ringing(ben.phone()).await?;
    office.customer_hangs_up(&call).await?;
    office.phones.until_idle(ben.phone()).await?;
    office.phones.until_idle(ada.phone()).await?;
    office.until_free(&ben).await?;
    office.until_free(&ada).await
}
