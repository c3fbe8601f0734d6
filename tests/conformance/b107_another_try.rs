//! B107: after a failed warm transfer the initiator picks another agent and tries again, without losing the customer or the hold.

use baton_api::common::v1::{Reason, TransferPhase};
use baton_testkit::{PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, CLEO, CUSTOMER, MUSIC, longest_silence_ms, tells};
use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b107_after_a_failure_another_agent_is_tried_and_the_hold_goes_on]
}

async fn b107_after_a_failure_another_agent_is_tried_and_the_hold_goes_on(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::NeverAnswers).await?;
    let cleo = office.agent("Cleo").await?;
    let call = office.talking(&ada).await?;
    let (id, adas_leg) = (call.interaction_id.as_str(), office.leg(&ada).await?);
    ada.start_warm(id, &ben).await?;
    let first = office.until_phase(&call, TransferPhase::Failed).await?.transfer.unwrap_or_default();

    let second = ada.start_warm(id, &cleo).await?.transfer.unwrap_or_default();
    anyhow::ensure!(second.transfer_id != first.transfer_id, "the second attempt is not another transfer");
    office.until_phase(&call, TransferPhase::Consulting).await?;
    let cleos_leg = office.leg(&cleo).await?;
    office.hear_each_other(&[(&adas_leg, ADA), (&cleos_leg, CLEO)]).await?;
    office.hears(&call.leg_id, &[MUSIC]).await?;

    ada.complete(id).await?;
    let view = office.until_phase(&call, TransferPhase::Completed).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&cleos_leg, CLEO)]).await?;

    let heard = office.phones.heard(&call.leg_id).await?;
    tells("the customer", &heard, &[&[ADA], &[MUSIC], &[CLEO]])?;
    anyhow::ensure!(longest_silence_ms(&heard) < 2_000, "C1: the customer heard nothing for too long");
    let outcomes: Vec<_> = view.journey.iter().skip(1).map(|hop| (hop.outcome(), hop.reason())).collect();
    let expected = [(TransferPhase::Failed, Reason::NoAnswer), (TransferPhase::Completed, Reason::Unspecified)];
    anyhow::ensure!(outcomes == expected, "the journey says {outcomes:?}");
    Ok(())
}
