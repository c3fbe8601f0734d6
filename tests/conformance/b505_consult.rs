//! B505: the recipient sees the contact's details while the contact is on hold and the two users talk. B506: in the consult only the
//! *recipient* can cancel the warm transfer; while it still rings, the initiator can. B508: in the consult the recipient cannot complete; the
//! initiator can. B509: in the consult the initiator cannot take the contact off hold; once complete, the recipient can, goes on with the
//! call, ends it and dispositions it; after a cancel the initiator can.

use baton_api::common::v1::{Action, TransferKind, TransferPhase};
use baton_api::error::ErrorReason;
use baton_testkit::{AgentDesk, Call, PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, BEN, CUSTOMER, MUSIC};
use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b505_the_recipient_sees_the_contact_while_the_two_users_talk,
        b506_the_recipient_cancels_the_consult_and_the_initiator_what_still_rings,
        b508_the_initiator_completes_the_consult_and_the_recipient_cannot,
        b509_the_recipient_takes_the_contact_off_hold_once_it_is_complete,
        b509_after_a_cancel_the_initiator_takes_the_contact_off_hold,
    ]
}

const OUTCOME: &str = "Follow-up";

async fn consulting(office: &mut Office) -> anyhow::Result<(AgentDesk, AgentDesk, Call)> {
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    ada.start_for(&call.interaction_id, TransferKind::Warm, &ben, OUTCOME).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    office.hear_each_other(&[(&office.leg(&ada).await?, ADA), (&office.leg(&ben).await?, BEN)]).await?;
    office.hears(&call.leg_id, &[MUSIC]).await?;
    Ok((ada, ben, call))
}

async fn b505_the_recipient_sees_the_contact_while_the_two_users_talk(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "user_transfer").await?;
    let (ada, ben, call) = consulting(&mut office).await?;
    ada.note(&call.interaction_id, "has the blue model").await?;
    let view = ben.view(&call.interaction_id).await?;
    let customer = view.customer.clone().unwrap_or_default();
    anyhow::ensure!(view.customer_on_hold && !customer.address.is_empty(), "{view:?}");
    anyhow::ensure!(view.notes.iter().any(|note| note.text == "has the blue model"), "{view:?}");
    anyhow::ensure!(view.transfer.is_some_and(|it| it.outcome == OUTCOME), "the outcome is not there");
    Ok(())
}

async fn b506_the_recipient_cancels_the_consult_and_the_initiator_what_still_rings(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "user_transfer").await?;
    let (ada, ben, call) = consulting(&mut office).await?;
    let id = call.interaction_id.as_str();
    let reason = refused(ada.cancel(id).await)?;
    anyhow::ensure!(reason == ErrorReason::NotAllowedNow, "{reason:?}");
    ben.cancel(id).await?;
    let view = office.until_phase(&call, TransferPhase::Cancelled).await?;
    anyhow::ensure!(view.primary_agent_id == ada.id() && view.customer_on_hold, "{view:?}");

    let cleo = office.agent_with("Cleo", PhoneBehaviour::Manual).await?;
    ada.start_for(id, TransferKind::Warm, &cleo, OUTCOME).await?;
    office.phones.until_ringing(cleo.phone()).await?;
    ada.cancel(id).await?;
    office.until_phase(&call, TransferPhase::Cancelled).await?;
    office.phones.until_idle(cleo.phone()).await
}

async fn b508_the_initiator_completes_the_consult_and_the_recipient_cannot(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "user_transfer").await?;
    let (ada, ben, call) = consulting(&mut office).await?;
    let id = call.interaction_id.as_str();
    let reason = refused(ben.complete(id).await)?;
    anyhow::ensure!(reason == ErrorReason::NotAllowedNow, "{reason:?}");
    let may: Vec<_> = ben.view(id).await?.allowed_actions().collect();
    anyhow::ensure!(!may.contains(&Action::Complete) && may.contains(&Action::Cancel), "{may:?}");
    ada.complete(id).await?;
    let view = office.until_phase(&call, TransferPhase::Completed).await?;
    anyhow::ensure!(view.primary_agent_id == ben.id(), "{view:?}");
    Ok(())
}

async fn b509_the_recipient_takes_the_contact_off_hold_once_it_is_complete(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "user_transfer").await?;
    let (ada, ben, call) = consulting(&mut office).await?;
    let id = call.interaction_id.as_str();
    for desk in [&ada, &ben] {
        let reason = refused(desk.resume(id).await)?;
        anyhow::ensure!(reason == ErrorReason::NotAllowedNow, "{}: {reason:?}", desk.name());
    }
    ada.complete(id).await?;
    let view = office.until_phase(&call, TransferPhase::Completed).await?;
    anyhow::ensure!(view.customer_on_hold, "{view:?}");
    office.hears(&call.leg_id, &[MUSIC]).await?;
    ben.resume(id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await?;
    ben.end(id).await?;
    office.tenant.until_ended(&call).await?;
    for desk in [&ada, &ben] {
        let view = desk.disposition(id, "Resolved", "all is well").await?;
        let own = view
            .participations
            .iter()
            .find(|participation| participation.agent_id == desk.id())
            .cloned()
            .unwrap_or_default();
        anyhow::ensure!((own.disposition.as_str(), own.note.as_str()) == ("Resolved", "all is well"), "{own:?}");
        office.until_free(desk).await?;
    }
    Ok(())
}

async fn b509_after_a_cancel_the_initiator_takes_the_contact_off_hold(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "user_transfer").await?;
    let (ada, ben, call) = consulting(&mut office).await?;
    ben.cancel(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Cancelled).await?;
    office.hears(&call.leg_id, &[MUSIC]).await?;
    ada.resume(&call.interaction_id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await
}
