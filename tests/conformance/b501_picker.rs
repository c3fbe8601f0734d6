//! B501: a user in any state can be chosen; *ready* and *dispositioning* users are marked recommended.

use baton_api::common::v1::{TransferKind, TransferPhase};
use baton_api::presence::v1::{AgentState, TargetFilter, TransferTarget};
use baton_testkit::{TestTenant, eventually};

use crate::harness::ears::{ADA, BEN};
use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b501_whoever_there_is_can_be_chosen_and_who_is_ready_or_dispositions_is_recommended,
        b501_where_only_the_available_can_be_chosen_nobody_else_is_offered,
    ]
}

const OUTCOME: &str = "Escalation";

/// Name, recommended, would wait.
type Offered = (String, bool, bool);

fn offered(found: Vec<TransferTarget>) -> Vec<Offered> {
    let shown = found.into_iter().filter(|it| it.choosable);
    shown.map(|it| (it.target.unwrap_or_default().name, it.recommended, it.would_wait)).collect()
}

async fn b501_whoever_there_is_can_be_chosen_and_who_is_ready_or_dispositions_is_recommended(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "user_transfer").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let cleo = office.agent("Cleo").await?;
    office.tenant.agent("Dan").await?;
    ben.set_state(AgentState::Away, "lunch").await?;
    // Cleo has ended a call, and is to say how it ended.
    let before = office.talking(&cleo).await?;
    cleo.end(&before.interaction_id).await?;
    cleo.until_state(AgentState::WrapUp).await?;
    let call = office.talking(&ada).await?;

    let expected = [("Cleo", true, false), ("Ben", false, false), ("Dan", false, false)];
    let expected: Vec<Offered> = expected.map(|(name, is, waits)| (name.to_owned(), is, waits)).into();
    eventually("all are offered, Cleo first", baton_testkit::BOUND, async || {
        let found = ada.choices(&call.interaction_id, TransferKind::Warm, TargetFilter::default()).await;
        let found = offered(found.map_err(|status| status.to_string())?);
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await?;

    // Who is away can indeed be chosen.
    ada.start_for(&call.interaction_id, TransferKind::Warm, &ben, OUTCOME).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    office.hear_each_other(&[(&office.leg(&ada).await?, ADA), (&office.leg(&ben).await?, BEN)]).await
}

async fn b501_where_only_the_available_can_be_chosen_nobody_else_is_offered(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let cleo = office.agent("Cleo").await?;
    cleo.set_state(AgentState::Away, "").await?;
    office.tenant.team("Support", &[&ben, &cleo]).await?;
    let call = office.talking(&ada).await?;
    let list = async |filter| ada.choices(&call.interaction_id, TransferKind::Cold, filter).await;
    let found = offered(list(TargetFilter::default()).await?);
    let expected = [("Ben".to_owned(), true, false), ("Support".to_owned(), false, false)];
    anyhow::ensure!(found == expected, "{found:?}");
    let all = list(TargetFilter { include_unavailable: true, ..TargetFilter::default() }).await?;
    let not = all.iter().filter(|it| !it.choosable).filter_map(|it| it.target.as_ref()).map(|it| it.name.as_str());
    anyhow::ensure!(not.eq(["Cleo"]), "{all:?}");
    let searched = list(TargetFilter { search: "supp".to_owned(), ..TargetFilter::default() }).await?;
    anyhow::ensure!(searched.len() == 2, "Ben is in the team, and it is found itself: {searched:?}");
    Ok(())
}
