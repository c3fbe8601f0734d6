//! B203: once the recipient answered, the initiator may mute themselves or leave; on either, the recipient becomes the *primary* agent
//! and can do all that a primary can (hold, note, record, transfer on, end).

use std::collections::BTreeSet;

use baton_api::common::v1::{Action, RecordingMode, TransferPhase};
use baton_testkit::{AgentDesk, Call, TestTenant};

use crate::harness::ears::{ADA, BEN, CLEO, CUSTOMER, MUSIC};
use crate::harness::{Office, Scenario, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b203_the_initiator_mutes_themselves_and_the_recipient_is_primary,
        b203_the_initiator_leaves_and_the_recipient_is_primary,
        b203_the_recipient_can_do_all_that_a_primary_can,
    ]
}

async fn b203_the_initiator_mutes_themselves_and_the_recipient_is_primary(tenant: TestTenant) -> anyhow::Result<()> {
    let (office, ada, ben, call) = consulting(tenant).await?;
    let (adas_leg, bens_leg) = (office.leg(&ada).await?, office.leg(&ben).await?);
    ada.mute(&call.interaction_id, true).await?;
    is_primary(&office, &call, &ben).await?;
    office.hears(&call.leg_id, &[MUSIC]).await?;

    ben.resume(&call.interaction_id).await?;
    office.hears(&call.leg_id, &[BEN]).await?;
    office.hears(&adas_leg, &[CUSTOMER, BEN]).await?;
    office.hears(&bens_leg, &[CUSTOMER]).await?;

    ada.leave(&call.interaction_id).await?;
    office.until_free(&ada).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&bens_leg, BEN)]).await
}

async fn b203_the_initiator_leaves_and_the_recipient_is_primary(tenant: TestTenant) -> anyhow::Result<()> {
    let (office, ada, ben, call) = consulting(tenant).await?;
    office.phones.hang_up(ada.phone()).await?;
    is_primary(&office, &call, &ben).await?;
    office.until_free(&ada).await?;
    office.hears(&call.leg_id, &[MUSIC]).await?;
    ben.resume(&call.interaction_id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await
}

async fn b203_the_recipient_can_do_all_that_a_primary_can(tenant: TestTenant) -> anyhow::Result<()> {
    let (mut office, ada, ben, call) = consulting(tenant).await?;
    let id = call.interaction_id.as_str();
    ada.leave(id).await?;
    is_primary(&office, &call, &ben).await?;
    ben.resume(id).await?;
    all_is_allowed(&ben, id).await?;

    ben.hold(id).await?;
    office.hears(&call.leg_id, &[MUSIC]).await?;
    ben.resume(id).await?;
    office.hears(&call.leg_id, &[BEN]).await?;
    ben.note(id, "it was the cable").await?;
    ben.start_recording(id).await?;
    let stopped = ben.stop_recording(id).await?;
    anyhow::ensure!(!stopped.live && !stopped.started_by_hand, "{stopped:?}");

    let cleo = office.agent("Cleo").await?;
    ben.start_warm(id, &cleo).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    office.hear_each_other(&[(&office.leg(&ben).await?, BEN), (&office.leg(&cleo).await?, CLEO)]).await?;
    ben.cancel(id).await?;
    office.until_free(&cleo).await?;
    ben.end(id).await?;
    office.tenant.until_ended(&call).await?;
    office.phones.until_ended(&call.leg_id).await?;
    Ok(())
}

/// A warm transfer in which the two agents talk, on a number that is recorded by hand.
async fn consulting(tenant: TestTenant) -> anyhow::Result<(Office, AgentDesk, AgentDesk, Call)> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.recorded(RecordingMode::Manual, &ada).await?;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    office.hear_each_other(&[(&office.leg(&ada).await?, ADA), (&office.leg(&ben).await?, BEN)]).await?;
    Ok((office, ada, ben, call))
}

async fn is_primary(office: &Office, call: &Call, desk: &AgentDesk) -> anyhow::Result<()> {
    let view = office.until_phase(call, TransferPhase::Completed).await?;
    anyhow::ensure!(view.primary_agent_id == desk.id(), "{} is not primary: {view:#?}", desk.name());
    office.events_tell(call, &["transfer.consulting", "interaction.primary_changed", "transfer.completed"]).await?;
    Ok(())
}

async fn all_is_allowed(desk: &AgentDesk, interaction_id: &str) -> anyhow::Result<()> {
    let view = desk.view(interaction_id).await?;
    let allowed: BTreeSet<_> = view.allowed_actions().collect();
    let wanted = [
        Action::StartCold,
        Action::StartWarm,
        Action::Hold,
        Action::Mute,
        Action::Leave,
        Action::End,
        Action::Note,
        Action::SetData,
        Action::StartRecording,
    ];
    let missing: Vec<_> = wanted.into_iter().filter(|action| !allowed.contains(action)).collect();
    anyhow::ensure!(missing.is_empty(), "a primary may not {missing:?}");
    Ok(())
}
