//! B504: a recipient who is on a call gets a message that a transfer is waiting; it is offered when they are free, or the deadline ends it.

use baton_api::common::v1::{Reason, TransferKind, TransferPhase};
use baton_api::presence::v1::TargetFilter;
use baton_testkit::{AgentDesk, Call, TestTenant, eventually};

use crate::harness::ears::{ADA, BEN, CUSTOMER};
use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b504_a_recipient_on_a_call_sees_that_a_transfer_waits_and_is_offered_it_when_they_are_free,
        b504_a_cold_transfer_waits_and_the_customer_stays_with_the_initiator,
        b504_the_deadline_ends_the_waiting_and_the_recipients_call_goes_on,
        b504_the_recipient_declines_and_the_initiator_cancels_what_waits,
    ]
}

const OUTCOME: &str = "Escalation";
/// A recipient is waited for so long; the phase and the ring time fit around it.
const BRIEFLY: &str = "[methods.warm.offer]\nwait_ms = 2000\nring_ms = 2000\n[methods.warm.offered]\nmax_ms = 10_000\n";

/// Ben is in a call; Ada is in another, and hands it to him.
async fn waiting(office: &mut Office, kind: TransferKind) -> anyhow::Result<((AgentDesk, Call), (AgentDesk, Call))> {
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let bens = office.talking(&ben).await?;
    let adas = office.talking(&ada).await?;
    let found = ada.choices(&adas.interaction_id, kind, TargetFilter::default()).await?;
    anyhow::ensure!(found.len() == 1 && found[0].choosable && found[0].would_wait, "{found:?}");
    let view = ada.start_for(&adas.interaction_id, kind, &ben, OUTCOME).await?;
    let transfer = view.transfer.unwrap_or_default();
    anyhow::ensure!(transfer.phase() == TransferPhase::Waiting, "{transfer:?}");
    anyhow::ensure!(transfer.recipient_agent_id == ben.id(), "{transfer:?}");
    eventually("Ben sees that a transfer waits", baton_testkit::BOUND, async || {
        let waiting = ben.waiting().await.map_err(|status| status.to_string())?;
        let [item] = waiting.as_slice() else { return Err(format!("{waiting:?}")) };
        let is_it = item.interaction_id == adas.interaction_id && item.from_name == "Ada" && item.kind() == kind;
        if is_it { Ok(()) } else { Err(format!("{item:?}")) }
    })
    .await?;
    // Nothing has changed for either customer (F2).
    office.hear_each_other(&[(&adas.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
    office.hear_each_other(&[(&bens.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await?;
    Ok(((ada, adas), (ben, bens)))
}

async fn b504_a_recipient_on_a_call_sees_that_a_transfer_waits_and_is_offered_it_when_they_are_free(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "user_transfer").await?;
    let ((ada, adas), (ben, bens)) = waiting(&mut office, TransferKind::Warm).await?;
    ben.end(&bens.interaction_id).await?;
    office.until_phase(&adas, TransferPhase::Consulting).await?;
    office.hear_each_other(&[(&office.leg(&ada).await?, ADA), (&office.leg(&ben).await?, BEN)]).await?;
    anyhow::ensure!(ben.waiting().await?.is_empty(), "it waits no more");
    let story = [
        "transfer.started",
        "transfer.waiting",
        "transfer.offered",
        "interaction.customer_held",
        "transfer.consulting",
    ];
    office.events_tell(&adas, &story).await?;
    Ok(())
}

async fn b504_a_cold_transfer_waits_and_the_customer_stays_with_the_initiator(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "user_transfer").await?;
    let ((_ada, adas), (ben, bens)) = waiting(&mut office, TransferKind::Cold).await?;
    ben.end(&bens.interaction_id).await?;
    office.until_phase(&adas, TransferPhase::Completed).await?;
    office.hear_each_other(&[(&adas.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await
}

async fn b504_the_deadline_ends_the_waiting_and_the_recipients_call_goes_on(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_with(tenant, "user_transfer", BRIEFLY).await?;
    let ((ada, adas), (ben, bens)) = waiting(&mut office, TransferKind::Warm).await?;
    let view = office.until_phase(&adas, TransferPhase::Failed).await?;
    let transfer = view.transfer.unwrap_or_default();
    anyhow::ensure!(transfer.reason() == Reason::Busy && !view.customer_on_hold, "{transfer:?}");
    office.hear_each_other(&[(&adas.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
    office.hear_each_other(&[(&bens.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await?;
    eventually("nothing waits for Ben", baton_testkit::BOUND, async || {
        let waiting = ben.waiting().await.map_err(|status| status.to_string())?;
        if waiting.is_empty() { Ok(()) } else { Err(format!("{waiting:?}")) }
    })
    .await
}

async fn b504_the_recipient_declines_and_the_initiator_cancels_what_waits(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "user_transfer").await?;
    let ((ada, adas), (ben, bens)) = waiting(&mut office, TransferKind::Warm).await?;
    let id = adas.interaction_id.as_str();
    ben.decline(id).await?;
    let declined = office.until_phase(&adas, TransferPhase::Failed).await?.transfer.unwrap_or_default();
    anyhow::ensure!(declined.reason() == Reason::Declined, "{declined:?}");
    ada.start_for(id, TransferKind::Warm, &ben, OUTCOME).await?;
    office.until_phase(&adas, TransferPhase::Waiting).await?;
    ada.cancel(id).await?;
    office.until_phase(&adas, TransferPhase::Cancelled).await?;
    ben.end(&bens.interaction_id).await?;
    office.phones.until_idle(ben.phone()).await?;
    office.hear_each_other(&[(&adas.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await
}
