//! B104: warm transfer is only for tenants whose plan has it (entitlement `warm_transfer`): otherwise a clear refusal before anything
//! happens to the call.

use baton_api::common::v1::{Action, TransferKind};
use baton_api::error::ErrorReason;
use baton_testkit::{TestTenant, To};

use crate::harness::ears::ADA;
use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b104_without_the_entitlement_a_warm_transfer_is_refused_and_nothing_happens]
}

async fn b104_without_the_entitlement_a_warm_transfer_is_refused_and_nothing_happens(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    office.tenant.grant(&[]).await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    let before = ada.view(&call.interaction_id).await?;
    anyhow::ensure!(before.allowed_actions().all(|it| it != Action::StartWarm), "the view offers what is refused");

    let reason = refused(ada.start(&call.interaction_id, TransferKind::Warm, To::Agent(&ben)).await)?;
    anyhow::ensure!(reason == ErrorReason::NotInPlan, "refused as {reason:?}");

    office.goes_on_hearing(&call.leg_id, &[ADA], 700).await?;
    let after = ada.view(&call.interaction_id).await?;
    anyhow::ensure!(after == before, "the interaction changed: {before:#?} became {after:#?}");
    let types = office.tenant.event_types(&call).await?;
    anyhow::ensure!(types.iter().all(|it| !it.starts_with("transfer.")), "there are events: {types:?}");
    anyhow::ensure!(office.phones.legs(ben.phone()).await?.is_empty(), "the recipient's phone rings");
    Ok(())
}
