//! B303: a message written by the initiator makes the transfer warm; the recipient sees it with the request. B304: the initiator waits for the
//! answer; the recipient accepts or declines. B305: after acceptance (phase `ACCEPTED`) the initiator says goodbye and commits: only then does
//! the customer move. B309: the initiator and the customer can go on communicating during all of this.

use baton_api::common::v1::{TransferKind, TransferPhase};
use baton_api::error::ErrorReason;
use baton_testkit::{AgentDesk, Call, PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, BEN, CUSTOMER, MUSIC, longest_silence_ms, tells};
use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b303_a_message_makes_it_warm_and_the_recipient_sees_it_with_the_request,
        b304_the_recipient_accepts_or_declines_and_the_initiator_waits,
        b305_only_when_the_initiator_transfers_now_does_the_customer_move,
        b309_the_initiator_and_the_customer_go_on_talking_all_the_while,
    ]
}

const MESSAGE: &str = "wants to upgrade; is in a hurry";

/// Ada's request rings at Ben.
async fn requested(office: &mut Office) -> anyhow::Result<(AgentDesk, AgentDesk, Call)> {
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let call = office.talking(&ada).await?;
    ada.start_with(&call.interaction_id, TransferKind::Warm, &ben, MESSAGE).await?;
    office.phones.until_ringing(ben.phone()).await?;
    Ok((ada, ben, call))
}

async fn b303_a_message_makes_it_warm_and_the_recipient_sees_it_with_the_request(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let call = office.talking(&ada).await?;
    let id = call.interaction_id.as_str();
    let reason = refused(ada.start_with(id, TransferKind::Warm, &ben, "").await)?;
    anyhow::ensure!(reason == ErrorReason::MessageMissing, "{reason:?}");
    let options = ada.options(id).await?;
    let needs: Vec<_> = options.options.iter().map(|it| (it.kind(), it.needs_message)).collect();
    anyhow::ensure!(needs == [(TransferKind::Cold, false), (TransferKind::Warm, true)], "{needs:?}");

    ada.start_with(id, TransferKind::Warm, &ben, MESSAGE).await?;
    office.phones.until_ringing(ben.phone()).await?;
    let inbox = ben.inbox().await?;
    anyhow::ensure!(inbox.len() == 1 && inbox[0].message == MESSAGE && inbox[0].from_name == "Ada", "{inbox:?}");
    Ok(())
}

async fn b304_the_recipient_accepts_or_declines_and_the_initiator_waits(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let (ada, ben, call) = requested(&mut office).await?;
    let id = call.interaction_id.as_str();
    ben.decline(id).await?;
    let view = office.until_phase(&call, TransferPhase::Failed).await?;
    anyhow::ensure!(view.primary_agent_id == ada.id() && !view.customer_on_hold, "{view:?}");
    ada.start_with(id, TransferKind::Warm, &ben, MESSAGE).await?;
    office.phones.until_ringing(ben.phone()).await?;
    office.phones.answer(ben.phone()).await?;
    let view = office.until_phase(&call, TransferPhase::Accepted).await?;
    anyhow::ensure!(view.primary_agent_id == ada.id(), "{view:?}");
    office
        .events_tell(&call, &["transfer.failed", "transfer.started", "transfer.offered", "transfer.accepted"])
        .await?;
    Ok(())
}

async fn b305_only_when_the_initiator_transfers_now_does_the_customer_move(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let (ada, ben, call) = requested(&mut office).await?;
    let (id, adas_leg) = (call.interaction_id.as_str(), office.leg(&ada).await?);
    office.phones.answer(ben.phone()).await?;
    office.until_phase(&call, TransferPhase::Accepted).await?;
    let bens_leg = office.leg(&ben).await?;
    office.hears(&bens_leg, &[MUSIC]).await?;
    office.goes_on_hearing(&call.leg_id, &[ADA], 1_000).await?;
    let reason = refused(ben.complete(id).await)?;
    anyhow::ensure!(reason == ErrorReason::NotAllowedNow, "{reason:?}");

    ada.complete(id).await?;
    let view = office.until_phase(&call, TransferPhase::Completed).await?;
    anyhow::ensure!(view.primary_agent_id == ben.id(), "{view:?}");
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&bens_leg, BEN)]).await?;
    office.phones.until_ended(&adas_leg).await?;
    let heard = office.phones.heard(&call.leg_id).await?;
    tells("the customer", &heard, &[&[ADA], &[BEN]])?;
    tells("the recipient", &office.phones.heard(&bens_leg).await?, &[&[MUSIC], &[CUSTOMER]])
}

async fn b309_the_initiator_and_the_customer_go_on_talking_all_the_while(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "engagement").await?;
    let (ada, ben, call) = requested(&mut office).await?;
    let adas_leg = office.leg(&ada).await?;
    office.goes_on_hearing(&call.leg_id, &[ADA], 500).await?;
    office.phones.answer(ben.phone()).await?;
    office.until_phase(&call, TransferPhase::Accepted).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&adas_leg, ADA)]).await?;
    ada.cancel(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Cancelled).await?;
    office.goes_on_hearing(&call.leg_id, &[ADA], 500).await?;
    let heard = office.phones.heard(&call.leg_id).await?;
    tells("the customer", &heard, &[&[ADA]])?;
    anyhow::ensure!(longest_silence_ms(&heard) < 2_000, "C1: the customer heard nothing for too long");
    office.phones.until_idle(ben.phone()).await
}
