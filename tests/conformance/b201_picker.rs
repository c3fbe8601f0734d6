//! B201: the picker lists agents *and teams*; busy and offline agents are not in it.

use std::collections::BTreeSet;

use baton_api::common::v1::{TransferKind, TransferPhase};
use baton_api::error::ErrorReason;
use baton_api::presence::v1::{PickerTarget, TargetFilter};
use baton_testkit::{AgentDesk, TestTenant, To};

use crate::harness::ears::{BEN, CUSTOMER};
use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b201_the_picker_lists_agents_and_teams_but_nobody_busy_or_offline,
        b201_a_team_can_be_chosen_and_a_busy_agent_is_a_clear_refusal,
    ]
}

async fn b201_the_picker_lists_agents_and_teams_but_nobody_busy_or_offline(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada Lovelace").await?;
    let ben = office.agent("Ben Bell").await?;
    let cleo = office.tenant.agent("Cleo Offline").await?;
    let dan = office.agent("Dan Busy").await?;
    office.tenant.team("Support", &[&ben, &cleo]).await?;
    office.tenant.team("Night shift", &[&cleo]).await?;
    office.talking(&dan).await?;

    expect(&ada, "", &["Ben Bell", "Support"]).await?;
    expect(&ada, "bEn", &["Ben Bell"]).await?;
    expect(&ada, "ben.bell@EXAMPLE", &["Ben Bell"]).await?;
    expect(&ada, "suppo", &["Ben Bell", "Support"]).await?;
    expect(&ada, "nobody", &[]).await?;

    let all = TargetFilter { include_unavailable: true, ..TargetFilter::default() };
    let all = ada.targets(all).await?;
    let available: Vec<_> = all.iter().filter(|it| it.available).map(|it| it.name.as_str()).collect();
    anyhow::ensure!(available == ["Ben Bell", "Support"], "available are {available:?}");
    let expected = ["Ben Bell", "Cleo Offline", "Dan Busy", "Night shift", "Support"];
    anyhow::ensure!(names(&all) == BTreeSet::from(expected), "there are {:?}", names(&all));
    let support = all.iter().find(|it| it.name == "Support");
    anyhow::ensure!(support.is_some_and(|it| it.available_agents == 1), "{support:?}");
    Ok(())
}

async fn b201_a_team_can_be_chosen_and_a_busy_agent_is_a_clear_refusal(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let cleo = office.agent("Cleo").await?;
    let team = office.tenant.team("Support", &[&ben]).await?;
    office.talking(&cleo).await?;
    let call = office.talking(&ada).await?;

    let reason = refused(ada.start_warm(&call.interaction_id, &cleo).await)?;
    anyhow::ensure!(reason == ErrorReason::AgentBusy, "refused as {reason:?}");
    let before = ada.view(&call.interaction_id).await?;
    anyhow::ensure!(!before.customer_on_hold, "a refusal put the customer on hold");

    ada.start(&call.interaction_id, TransferKind::Warm, To::Team(&team)).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    ada.complete(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    ben.resume(&call.interaction_id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await
}

async fn expect(desk: &AgentDesk, search: &str, expected: &[&str]) -> anyhow::Result<()> {
    let filter = TargetFilter { search: search.to_owned(), ..TargetFilter::default() };
    let listed = desk.targets(filter).await?;
    let expected: BTreeSet<_> = expected.iter().copied().collect();
    anyhow::ensure!(names(&listed) == expected, "{search:?} finds {:?} and not {expected:?}", names(&listed));
    Ok(())
}

fn names(targets: &[PickerTarget]) -> BTreeSet<&str> {
    targets.iter().map(|it| it.name.as_str()).collect()
}
