//! B101: cold transfer of an active call to any agent: the initiator is disconnected at once; the customer hears ringing, as if
//! calling the recipient directly; done when the recipient answers.

use baton_api::common::v1::TransferPhase;
use baton_api::simulator::v1::LedgerAction;
use baton_testkit::{Call, PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, BEN, CUSTOMER, RINGING, tells};
use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b101_cold_transfer_releases_the_initiator_and_the_customer_hears_ringing]
}

async fn b101_cold_transfer_releases_the_initiator_and_the_customer_hears_ringing(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let call = office.talking(&ada).await?;
    let adas_leg = office.leg(&ada).await?;

    ada.start_cold(&call.interaction_id, &ben).await?;
    office.phones.until_idle(ada.phone()).await?;
    office.until_free(&ada).await?;
    office.phones.until_ringing(ben.phone()).await?;
    office.hears(&call.leg_id, &[RINGING]).await?;
    let view = office.tenant.interaction(&call.interaction_id).await?;
    anyhow::ensure!(view.transfer.is_some_and(|it| it.phase() == TransferPhase::Offered), "done before the answer");

    office.phones.answer(ben.phone()).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.tenant.until_with(&call, &ben).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await?;

    let heard = office.phones.heard(&call.leg_id).await?;
    tells("the customer", &heard, &[&[ADA], &[RINGING], &[BEN]])?;
    tells("the initiator", &office.phones.heard(&adas_leg).await?, &[&[CUSTOMER]])?;
    let events = ["transfer.started", "transfer.offered", "interaction.agent_left", "transfer.completed"];
    let events = office.events_tell(&call, &events).await?;
    anyhow::ensure!(events.iter().all(|it| it.name() != "transfer.consulting"), "a cold transfer has no consult");
    the_customer_moves_before_the_initiator_is_dropped(&office, &call, &adas_leg).await
}

/// C7: the customer is moved and the initiator dropped, never the reverse.
async fn the_customer_moves_before_the_initiator_is_dropped(
    office: &Office,
    call: &Call,
    initiator: &str,
) -> anyhow::Result<()> {
    let ledger = office.phones.ledger().await?;
    let dropped = ledger.iter().position(|it| it.action() == LedgerAction::LegEnded && it.leg_id == initiator);
    let last_move = ledger.iter().take(dropped.unwrap_or(0)).rev().find(|it| it.action() == LedgerAction::LegMoved);
    let moved = last_move.is_some_and(|it| it.leg_id == call.leg_id || it.leg_id == initiator);
    let alone = ledger
        .iter()
        .take(dropped.unwrap_or(0))
        .any(|it| it.action() == LedgerAction::LegMoved && it.leg_id == call.leg_id && !it.from_room_id.is_empty());
    anyhow::ensure!(moved && alone, "the initiator was dropped before the customer was moved: {ledger:#?}");
    Ok(())
}
