//! B507: a recipient who cancels must disposition the cancelled transfer call; the contact's own status does not change (still with the
//! initiator).

use baton_api::common::v1::{Action, TransferKind, TransferPhase};
use baton_api::error::ErrorReason;
use baton_api::event::v1::event_data::Data;
use baton_api::presence::v1::AgentState;
use baton_testkit::TestTenant;

use crate::harness::ears::MUSIC;
use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b507_who_cancels_wraps_up_until_they_have_dispositioned_the_transfer]
}

async fn b507_who_cancels_wraps_up_until_they_have_dispositioned_the_transfer(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "user_transfer").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    let id = call.interaction_id.as_str();
    ada.start_for(id, TransferKind::Warm, &ben, "Language").await?;
    let transfer = office.until_phase(&call, TransferPhase::Consulting).await?.transfer.unwrap_or_default();
    ben.cancel(id).await?;
    let view = office.until_phase(&call, TransferPhase::Cancelled).await?;
    anyhow::ensure!(view.primary_agent_id == ada.id() && view.customer_on_hold, "{view:?}");
    office.hears(&call.leg_id, &[MUSIC]).await?;

    let due = ben.until_state(AgentState::WrapUp).await?;
    anyhow::ensure!(due.disposition_due_interaction_ids == [id], "{due:?}");
    // Saying that they are ready does not do.
    ben.set_state(AgentState::Available, "").await?;
    ben.until_state(AgentState::WrapUp).await?;
    let view = ben.view(id).await?;
    anyhow::ensure!(view.allowed_actions().eq([Action::Disposition]), "{view:?}");
    let unknown = refused(ben.disposition(id, "Lunch", "").await)?;
    anyhow::ensure!(unknown == ErrorReason::DispositionUnknown, "{unknown:?}");
    let not_yet = refused(ada.disposition(id, "Resolved", "").await)?;
    anyhow::ensure!(not_yet == ErrorReason::NotAllowedNow, "{not_yet:?}");

    let view = ben.disposition(id, "Wrong department", "they want sales").await?;
    let [participation] = view.participations.as_slice() else { anyhow::bail!("{view:?}") };
    anyhow::ensure!(
        participation.transfer_id == transfer.transfer_id && !participation.disposition_due,
        "{participation:?}"
    );
    office.until_free(&ben).await?;
    anyhow::ensure!(ben.state().await?.disposition_due_interaction_ids.is_empty(), "it is due still");
    let view = office.tenant.interaction(id).await?;
    anyhow::ensure!(view.primary_agent_id == ada.id() && view.customer_on_hold, "the contact is as before: {view:?}");

    let events = office.events_tell(&call, &["transfer.cancelled", "interaction.dispositioned"]).await?;
    let said = events.into_iter().filter_map(|it| it.data?.data).find_map(|it| match it {
        Data::InteractionDispositioned(it) => Some(it),
        _ => None,
    });
    let said = said.unwrap_or_default();
    anyhow::ensure!((said.agent_id.as_str(), said.disposition.as_str()) == (ben.id(), "Wrong department"), "{said:?}");
    Ok(())
}
