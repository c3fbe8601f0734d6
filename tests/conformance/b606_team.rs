//! B606 in its first strategy: a team's agents ring one after the other, longest idle first, skipping those who decline.

use baton_testkit::tenant::ring_team;
use baton_testkit::{PhoneBehaviour, TestTenant};

use crate::harness::ears::{BEN, CUSTOMER, RINGING, longest_silence_ms};
use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b606_a_team_rings_the_longest_idle_first_and_skips_who_declines]
}

async fn b606_a_team_rings_the_longest_idle_first_and_skips_who_declines(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent_with("Ada", PhoneBehaviour::Manual).await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::AnswersAfter(800)).await?;
    let team = office.tenant.team("Support", &[&ben, &ada]).await?;
    let number = office.tenant.number(vec![ring_team(&team, 10_000, 30_000)]).await?;

    let call = office.tenant.call(&number).await?;
    office.phones.until_ringing(ada.phone()).await?;
    anyhow::ensure!(office.phones.legs(ben.phone()).await?.is_empty(), "who was idle for less long rings, too");
    office.hears(&call.leg_id, &[RINGING]).await?;
    office.phones.decline(ada.phone()).await?;

    office.tenant.until_with(&call, &ben).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await?;
    anyhow::ensure!(office.phones.legs(ada.phone()).await?.is_empty(), "who declined is rung again");
    // Music while somebody is looked for, ringing while a phone rings: how long each is depends on how busy the machine is.
    let heard = office.phones.heard(&call.leg_id).await?;
    let silence_ms = longest_silence_ms(&heard);
    anyhow::ensure!(silence_ms < 2_000, "C1: the customer heard nothing for {silence_ms} ms");
    Ok(())
}
