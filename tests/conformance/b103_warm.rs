//! B103: warm transfer: customer on hold, initiator hears ringing, recipient answers, private consult; the initiator takes the
//! customer off hold and all three hear each other; the initiator hangs up and the transfer is complete.

use baton_api::common::v1::TransferPhase;
use baton_testkit::{PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, BEN, CUSTOMER, MUSIC, RINGING, longest_silence_ms, tells};
use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b103_warm_transfer_holds_consults_joins_and_completes]
}

async fn b103_warm_transfer_holds_consults_joins_and_completes(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let call = office.talking(&ada).await?;
    let (id, customer) = (call.interaction_id.as_str(), call.leg_id.as_str());
    let adas_leg = office.leg(&ada).await?;

    let view = ada.start_warm(id, &ben).await?;
    anyhow::ensure!(view.transfer.is_some_and(|it| it.phase() == TransferPhase::Offered), "it is not offered");
    office.hears(customer, &[MUSIC]).await?;
    office.hears(&adas_leg, &[RINGING]).await?;

    office.phones.answer(ben.phone()).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    let bens_leg = office.leg(&ben).await?;
    office.hear_each_other(&[(&adas_leg, ADA), (&bens_leg, BEN)]).await?;
    office.hears(customer, &[MUSIC]).await?;

    let view = ada.resume(id).await?;
    anyhow::ensure!(!view.customer_on_hold, "the customer is still on hold");
    office.until_phase(&call, TransferPhase::Joined).await?;
    office.hear_each_other(&[(customer, CUSTOMER), (&adas_leg, ADA), (&bens_leg, BEN)]).await?;

    office.phones.hang_up(ada.phone()).await?;
    let view = office.until_phase(&call, TransferPhase::Completed).await?;
    anyhow::ensure!(view.primary_agent_id == ben.id(), "the recipient is not primary");
    office.hear_each_other(&[(customer, CUSTOMER), (&bens_leg, BEN)]).await?;
    office.until_free(&ada).await?;

    let heard = office.phones.heard(customer).await?;
    tells("the customer", &heard, &[&[ADA], &[MUSIC], &[ADA, BEN], &[BEN]])?;
    anyhow::ensure!(longest_silence_ms(&heard) < 2_000, "C1: the customer heard nothing for too long");
    tells("the recipient", &office.phones.heard(&bens_leg).await?, &[&[ADA], &[CUSTOMER, ADA], &[CUSTOMER]])?;
    let types = [
        "interaction.opened",
        "interaction.agent_joined",
        "transfer.started",
        "transfer.offered",
        "interaction.customer_held",
        "transfer.consulting",
        "interaction.customer_resumed",
        "transfer.joined",
        "interaction.primary_changed",
        "transfer.completed",
    ];
    office.events_tell(&call, &types).await?;
    Ok(())
}
