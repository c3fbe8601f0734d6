//! F4: two agents with one phone. Only one of them has a call at a time, and one customer is on the phone.

use anyhow::Context as _;
use baton_api::common::v1::{Reason, TransferPhase};
use baton_api::error::ErrorReason;
use baton_api::presence::v1::TargetFilter;
use baton_testkit::tenant::{ring, ring_team};
use baton_testkit::{AgentDesk, BOUND, PhoneBehaviour, TestTenant, eventually};

use crate::harness::ears::{ADA, CUSTOMER};
use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![f4_of_two_agents_with_one_phone_one_has_a_call_at_a_time, f4_a_phone_that_is_used_without_baton_is_busy,]
}

async fn f4_of_two_agents_with_one_phone_one_has_a_call_at_a_time(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let twin = shares(&mut office, &ada, "Day shift").await?;
    let ben = office.agent("Ben").await?;

    let first = office.talking(&ada).await?;
    anyhow::ensure!(twin.state().await?.phone_in_use, "the phone is not shown as in use");
    let all = TargetFilter { include_unavailable: true, ..TargetFilter::default() };
    let shown = ben.targets(all).await?;
    let shown = shown.iter().find(|it| it.name == twin.name()).context("the picker lacks an agent")?;
    anyhow::ensure!(!shown.available, "who has no phone is shown as available");
    let other = office.talking(&ben).await?;
    let reason = refused(ben.start_warm(&other.interaction_id, &twin).await)?;
    anyhow::ensure!(reason == ErrorReason::AgentBusy, "refused as {reason:?}");
    let own_number = office.tenant.number(vec![ring(&twin)]).await?;
    office.tenant.allow("+3225").await?;
    let reason = refused(twin.place_call(&own_number, "+3225559999").await)?;
    anyhow::ensure!(reason == ErrorReason::AgentBusy, "a call out is refused as {reason:?}");

    let team = office.tenant.team("Twins", &[&twin]).await?;
    let number = office.tenant.number(vec![ring_team(&team, 10_000, 60_000)]).await?;
    let second = office.tenant.call(&number).await?;
    office.goes_on_hearing(&first.leg_id, &[ADA], 1_000).await?;
    anyhow::ensure!(office.phones.legs(ada.phone()).await?.len() == 1, "the phone has two calls");

    office.customer_hangs_up(&first).await?;
    office.tenant.until_with(&second, &twin).await?;
    office.hear_each_other(&[(&second.leg_id, CUSTOMER), (&office.leg(&twin).await?, ADA)]).await?;
    anyhow::ensure!(ada.state().await?.phone_in_use, "the phone is not shown as in use by the other");
    office.customer_hangs_up(&second).await?;
    office.customer_hangs_up(&other).await?;
    let is_free = async || {
        let shown = ada.state().await.map_err(|error| format!("{error:#}"))?;
        if shown.phone_in_use { Err(format!("{shown:?}")) } else { Ok(()) }
    };
    eventually("the phone is free", BOUND, is_free).await
}

/// A call that an agent makes with the phone alone, past Baton's button.
async fn f4_a_phone_that_is_used_without_baton_is_busy(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let cleo = office.agent_with("Cleo", PhoneBehaviour::Manual).await?;
    let number = office.tenant.number(vec![ring(&cleo)]).await?;
    let own = office.phones.call(ada.phone(), &number).await?;
    office.phones.until_ringing(cleo.phone()).await?;

    let call = office.talking(&ben).await?;
    ben.start_warm(&call.interaction_id, &ada).await?;
    let view = office.until_phase(&call, TransferPhase::Failed).await?;
    let why = view.transfer.unwrap_or_default().reason();
    anyhow::ensure!(why == Reason::Busy, "it failed as {why:?}");
    anyhow::ensure!(office.phones.legs(ada.phone()).await?.len() == 1, "the phone has two calls");

    office.phones.hang_up_leg(&own).await?;
    office.phones.until_idle(ada.phone()).await?;
    ben.start_warm(&call.interaction_id, &ada).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    office.customer_hangs_up(&call).await.map(drop)
}

/// Another agent, connected, with the phone of this one.
async fn shares(office: &mut Office, desk: &AgentDesk, name: &str) -> anyhow::Result<AgentDesk> {
    let phones = office.phones.all().await?;
    let phone = phones.iter().find(|it| it.address == desk.phone()).context("the phone is not there")?;
    let twin = office.tenant.agent_at(name, phone, false).await?;
    office.connect(&twin).await?;
    Ok(twin)
}
