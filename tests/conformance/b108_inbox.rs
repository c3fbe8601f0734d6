//! B108: the recipient sees the incoming transfer in their inbox (section *active*) and accepts it by answering.

use baton_api::common::v1::{Customer, TransferKind, TransferPhase};
use baton_testkit::{PhoneBehaviour, TestTenant};

use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b108_the_inbox_shows_the_transfer_and_answering_accepts_it]
}

async fn b108_the_inbox_shows_the_transfer_and_answering_accepts_it(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.tenant.agent_with("Ben", PhoneBehaviour::Manual, true).await?;
    let session = ben.connect().await?;
    let call = office.talking(&ada).await?;
    let started = ada.start_warm(&call.interaction_id, &ben).await?.transfer.unwrap_or_default();

    let latest = session.until("the inbox shows the offer", |it| it.inbox.iter().any(|item| item.offered)).await?;
    let [item] = latest.inbox.as_slice() else { anyhow::bail!("not one item: {:?}", latest.inbox) };
    anyhow::ensure!(item.interaction_id == call.interaction_id && item.transfer_id == started.transfer_id, "{item:?}");
    anyhow::ensure!(item.kind() == TransferKind::Warm && item.from_name == "Ada", "{item:?}");
    anyhow::ensure!(
        Customer::address_of(item.customer.as_ref()) == call.customer && item.start_time.is_some(),
        "{item:?}"
    );
    anyhow::ensure!(ben.inbox().await? == latest.inbox, "read and pushed inboxes differ");

    office.phones.until_ringing(ben.phone()).await?;
    office.phones.answer(ben.phone()).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    let accepted =
        |it: &baton_testkit::session::Latest| it.inbox.iter().all(|item| !item.offered) && it.inbox.len() == 1;
    session.until("the inbox shows that the agent is in it", accepted).await?;

    ada.complete(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.customer_hangs_up(&call).await?;
    session.until("the inbox is empty", |it| it.inbox.is_empty()).await?;
    anyhow::ensure!(ben.inbox().await?.is_empty(), "read and pushed inboxes differ");
    Ok(())
}
