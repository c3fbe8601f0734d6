//! B602: swap: the initiator alternates between customer and recipient; whoever is not spoken to hears hold music.

use baton_api::common::v1::{Action, TransferPhase};
use baton_api::error::ErrorReason;
use baton_testkit::{AgentDesk, Call, PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, BEN, CUSTOMER, MUSIC, longest_silence_ms, tells};
use crate::harness::{Office, Scenario, refused, shared};

/// What a tenant sets who wants it.
const SWAP: &str =
    "[methods.warm.consult.consulting]\ninitiator_may = [\"resume\", \"complete\", \"cancel\", \"swap\"]\n";

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b602_the_initiator_goes_to_the_customer_and_back_and_the_other_hears_music,
        b602_who_waits_alone_is_handed_the_customer_or_told_that_they_have_left,
        b602_without_the_policys_leave_nobody_swaps,
    ]
}

async fn b602_the_initiator_goes_to_the_customer_and_back_and_the_other_hears_music(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open_with(tenant, "lead_center", SWAP).await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
    let call = office.talking(&ada).await?;
    let (id, customer) = (call.interaction_id.as_str(), call.leg_id.as_str());
    let adas_leg = office.leg(&ada).await?;
    ada.start_warm(id, &ben).await?;
    office.phones.until_ringing(ben.phone()).await?;
    office.phones.answer(ben.phone()).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    let bens_leg = office.leg(&ben).await?;
    office.hear_each_other(&[(&adas_leg, ADA), (&bens_leg, BEN)]).await?;

    let view = ada.swap(id).await?;
    anyhow::ensure!(!view.customer_on_hold, "the customer is still on hold");
    office.until_phase(&call, TransferPhase::Swapped).await?;
    office.hear_each_other(&[(customer, CUSTOMER), (&adas_leg, ADA)]).await?;
    office.hears(&bens_leg, &[MUSIC]).await?;

    let view = ada.swap(id).await?;
    anyhow::ensure!(view.customer_on_hold, "the customer is not on hold again");
    office.until_phase(&call, TransferPhase::Consulting).await?;
    office.hear_each_other(&[(&adas_leg, ADA), (&bens_leg, BEN)]).await?;
    office.hears(customer, &[MUSIC]).await?;

    ada.swap(id).await?;
    office.hear_each_other(&[(customer, CUSTOMER), (&adas_leg, ADA)]).await?;
    ada.complete(id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.hear_each_other(&[(customer, CUSTOMER), (&bens_leg, BEN)]).await?;

    let heard = office.phones.heard(customer).await?;
    tells("the customer", &heard, &[&[ADA], &[MUSIC], &[ADA], &[MUSIC], &[ADA], &[BEN]])?;
    anyhow::ensure!(longest_silence_ms(&heard) < 2_000, "C1: the customer heard nothing for too long");
    let heard = office.phones.heard(&bens_leg).await?;
    tells("the recipient", &heard, &[&[ADA], &[MUSIC], &[ADA], &[MUSIC], &[CUSTOMER]])?;
    office.until_events(&call, "transfer.swapped", 2).await?;
    office.until_events(&call, "transfer.consulting", 2).await
}

async fn b602_who_waits_alone_is_handed_the_customer_or_told_that_they_have_left(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open_with(tenant, "lead_center", SWAP).await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    swapped(&office, &call, &ada, &ben).await?;
    let bens_leg = office.leg(&ben).await?;
    office.hears(&bens_leg, &[MUSIC]).await?;
    // B103: hanging up hands over, wherever the recipient is.
    office.phones.hang_up(ada.phone()).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&bens_leg, BEN)]).await?;
    office.until_free(&ada).await?;

    // The recipient gives up waiting: the customer is with the initiator, and stays so (not on hold as after another failure, B105).
    swapped(&office, &call, &ben, &ada).await?;
    office.phones.hang_up(ada.phone()).await?;
    let view = office.until_phase(&call, TransferPhase::Failed).await?;
    anyhow::ensure!(!view.customer_on_hold && view.primary_agent_id == ben.id(), "{view:?}");
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&bens_leg, BEN)]).await?;

    // The customer hangs up while somebody waits apart from them.
    office.until_free(&ada).await?;
    swapped(&office, &call, &ben, &ada).await?;
    office.customer_hangs_up(&call).await?;
    office.tenant.until_ended(&call).await?;
    office.until_free(&ada).await?;
    office.until_free(&ben).await
}

/// One agent consults another, and goes back to the customer.
async fn swapped(office: &Office, call: &Call, initiator: &AgentDesk, recipient: &AgentDesk) -> anyhow::Result<()> {
    initiator.start_warm(&call.interaction_id, recipient).await?;
    office.until_phase(call, TransferPhase::Consulting).await?;
    initiator.swap(&call.interaction_id).await?;
    office.until_phase(call, TransferPhase::Swapped).await?;
    Ok(())
}

async fn b602_without_the_policys_leave_nobody_swaps(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    let none = refused(ada.swap(&call.interaction_id).await)?;
    anyhow::ensure!(none == ErrorReason::NoTransfer, "{none:?}");
    ada.start_warm(&call.interaction_id, &ben).await?;
    let seen = office.until_phase(&call, TransferPhase::Consulting).await?;
    for view in [seen, ada.view(&call.interaction_id).await?] {
        anyhow::ensure!(!view.allowed_actions().any(|action| action == Action::Swap), "a button lies");
    }
    for desk in [&ada, &ben] {
        let reason = refused(desk.swap(&call.interaction_id).await)?;
        anyhow::ensure!(reason == ErrorReason::NotAllowedNow, "{reason:?}");
    }
    Ok(())
}
