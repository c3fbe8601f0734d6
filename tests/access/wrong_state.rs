//! The right thing at the wrong time, or by the wrong person: a typed refusal, and the interaction is at the same version.

use baton_api::common::v1::{Target, TransferKind, target};
use baton_api::error::ErrorReason;
use baton_api::transfer::v1::StartTransferRequest;
use baton_testkit::tenant::fresh;
use baton_testkit::{AgentDesk, Call, TestTenant, To};

use crate::harness::{Office, Scenario, refused, shared};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        access_at_the_wrong_time_everything_is_refused_with_its_reason,
        access_an_agent_who_is_not_in_a_call_can_do_nothing_to_it,
        access_an_ended_interaction_stays_ended,
    ]
}

async fn access_at_the_wrong_time_everything_is_refused_with_its_reason(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let call = office.talking(&ada).await?;
    let id = call.interaction_id.as_str();
    let before = ada.view(id).await?;

    expect("completing nothing", refused(ada.complete(id).await)?, &[ErrorReason::NoTransfer])?;
    expect("cancelling nothing", refused(ada.cancel(id).await)?, &[ErrorReason::NoTransfer])?;
    expect("declining nothing", refused(ada.decline(id).await)?, &[ErrorReason::NotAllowedNow])?;
    expect("off hold", refused(ada.resume(id).await)?, &[ErrorReason::NotAllowedNow])?;
    expect("unmuting", refused(ada.mute(id, false).await)?, &[ErrorReason::NotAllowedNow])?;
    expect("to oneself", refused(ada.start_warm(id, &ada).await)?, &[ErrorReason::TargetInInteraction])?;
    expect("to nobody", start(&ada, id, &fresh()).await?, &[ErrorReason::NotFound])?;
    expect("to nonsense", start(&ada, id, "ben").await?, &[ErrorReason::InvalidField])?;
    expect(
        "to no team",
        refused(ada.start(id, TransferKind::Cold, To::Team("x")).await)?,
        &[ErrorReason::InvalidField],
    )?;
    expect("stopping", refused(ada.stop_recording(id).await)?, &[ErrorReason::RecordingState])?;
    expect("pausing", refused(ada.pause_recording(id).await)?, &[ErrorReason::RecordingState])?;
    let after = ada.view(id).await?;
    anyhow::ensure!(after == before, "something changed: {before:#?} became {after:#?}");
    Ok(())
}

async fn access_an_agent_who_is_not_in_a_call_can_do_nothing_to_it(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let cleo = office.agent("Cleo").await?;
    let call = office.talking(&ada).await?;
    let before = ada.view(&call.interaction_id).await?;
    all_refused(&cleo, &ada, &call, &[ErrorReason::NotFound, ErrorReason::NotAParty]).await?;
    let after = ada.view(&call.interaction_id).await?;
    anyhow::ensure!(after == before, "something changed: {before:#?} became {after:#?}");
    Ok(())
}

async fn access_an_ended_interaction_stays_ended(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.talking(&ada).await?;
    let before = office.customer_hangs_up(&call).await?;
    all_refused(&ada, &ben, &call, &[ErrorReason::InteractionEnded]).await?;
    let after = office.tenant.interaction(&call.interaction_id).await?;
    anyhow::ensure!(after.end_reason == before.end_reason && after.notes.is_empty(), "something changed: {after:#?}");
    Ok(())
}

/// Everything that one can do to a call.
async fn all_refused(desk: &AgentDesk, to: &AgentDesk, call: &Call, reasons: &[ErrorReason]) -> anyhow::Result<()> {
    let id = call.interaction_id.as_str();
    expect("holding", refused(desk.hold(id).await)?, reasons)?;
    expect("resuming", refused(desk.resume(id).await)?, reasons)?;
    expect("muting", refused(desk.mute(id, true).await)?, reasons)?;
    expect("a note", refused(desk.note(id, "hm").await)?, reasons)?;
    expect("leaving", refused(desk.leave(id).await)?, reasons)?;
    expect("ending", refused(desk.end(id).await)?, reasons)?;
    expect("a transfer", refused(desk.start_warm(id, to).await)?, reasons)?;
    expect("completing", refused(desk.complete(id).await)?, reasons)?;
    expect("cancelling", refused(desk.cancel(id).await)?, reasons)?;
    expect("declining", refused(desk.decline(id).await)?, reasons)?;
    expect("recording", refused(desk.start_recording(id).await)?, reasons)?;
    expect("pausing", refused(desk.pause_recording(id).await)?, reasons)
}

fn expect(what: &str, seen: ErrorReason, expected: &[ErrorReason]) -> anyhow::Result<()> {
    anyhow::ensure!(expected.contains(&seen), "{what} was refused as {seen:?} and not {expected:?}");
    Ok(())
}

async fn start(desk: &AgentDesk, interaction_id: &str, agent_id: &str) -> anyhow::Result<ErrorReason> {
    let request = StartTransferRequest {
        request_id: fresh(),
        interaction_id: interaction_id.to_owned(),
        kind: TransferKind::Warm.into(),
        target: Some(Target { target: Some(target::Target::AgentId(agent_id.to_owned())) }),
        message: String::new(),
        ..Default::default()
    };
    refused(desk.transfers().start_transfer(request).await)
}
