//! B307: declined, or not accepted within 30 s of the offer: the transfer stops; the initiator is told which of the two it was and may choose
//! another operator. B308: the message of a failed attempt is kept and offered again for the next attempt.

use baton_api::common::v1::{Reason, TransferKind, TransferPhase};
use baton_testkit::{PhoneBehaviour, TestTenant};

use crate::harness::ears::ADA;
use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b307_the_initiator_is_told_which_it_was_and_chooses_another,
        b308_the_message_of_a_failed_attempt_is_offered_again,
    ]
}

const MESSAGE: &str = "has the old contract";

async fn b307_the_initiator_is_told_which_it_was_and_chooses_another(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "engagement").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Declines(300)).await?;
    let cleo = office.agent_with("Cleo", PhoneBehaviour::NeverAnswers).await?;
    let dan = office.agent("Dan").await?;
    let call = office.talking(&ada).await?;
    let id = call.interaction_id.as_str();
    for (to, expected) in [(&ben, Reason::Declined), (&cleo, Reason::NoAnswer)] {
        ada.start_with(id, TransferKind::Warm, to, MESSAGE).await?;
        let view = office.until_phase(&call, TransferPhase::Failed).await?;
        let reason = view.transfer.unwrap_or_default().reason();
        anyhow::ensure!(reason == expected && !view.customer_on_hold, "{}: {reason:?}", to.name());
        office.hears(&call.leg_id, &[ADA]).await?;
    }
    ada.start_with(id, TransferKind::Warm, &dan, MESSAGE).await?;
    office.until_phase(&call, TransferPhase::Accepted).await?;
    Ok(())
}

async fn b308_the_message_of_a_failed_attempt_is_offered_again(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Declines(300)).await?;
    let cleo = office.agent("Cleo").await?;
    let call = office.talking(&ada).await?;
    let id = call.interaction_id.as_str();
    anyhow::ensure!(ada.options(id).await?.kept_message.is_empty(), "nothing was written yet");
    ada.start_with(id, TransferKind::Warm, &ben, MESSAGE).await?;
    office.until_phase(&call, TransferPhase::Failed).await?;
    let kept = ada.options(id).await?.kept_message;
    anyhow::ensure!(kept == MESSAGE, "{kept:?}");
    ada.start_with(id, TransferKind::Warm, &cleo, &kept).await?;
    office.until_phase(&call, TransferPhase::Accepted).await?;
    ada.complete(id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    let options = cleo.options(id).await?;
    anyhow::ensure!(options.kept_message.is_empty(), "it was somebody else's, and it went through: {options:?}");
    Ok(())
}
