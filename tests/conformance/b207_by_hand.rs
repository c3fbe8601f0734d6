//! B207: number set to record manually, and the initiator had not started recording: recording starts only when the recipient starts it
//! by hand. If the initiator had started it, recording 2 starts as in B206 (ours).

use baton_api::common::v1::{RecordingMode, TransferPhase};
use baton_testkit::{AgentDesk, Call, TestTenant};

use crate::harness::ears::{ADA, BEN, CUSTOMER, holds_exactly};
use crate::harness::{Office, Scenario, shared, talk_for};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b207_not_started_and_the_recipient_starts_it_by_hand,
        b207_started_by_the_initiator_and_it_goes_on_with_the_recipient,
    ]
}

async fn b207_not_started_and_the_recipient_starts_it_by_hand(tenant: TestTenant) -> anyhow::Result<()> {
    let (office, ada, ben, call) = talking_by_hand(tenant).await?;
    hand_over(&office, &call, &ada, &ben).await?;
    talk_for(800).await;
    anyhow::ensure!(office.tenant.recordings_of(&call).await?.is_empty(), "it is recorded though nobody started it");

    ben.start_recording(&call.interaction_id).await?;
    talk_for(800).await;
    office.customer_hangs_up(&call).await?;
    let [only] = office.recordings(&call).await?;
    anyhow::ensure!(only.agent_id == ben.id(), "it is not of the recipient's tenure");
    let sound = office.tenant.sound_of(&only).await?;
    holds_exactly("the recording", &sound, &[CUSTOMER, BEN])?;
    let long = sound.duration_ms();
    anyhow::ensure!((600..1_800).contains(&long), "it is {long} ms long though it was started 0.8 s before the end");
    Ok(())
}

async fn b207_started_by_the_initiator_and_it_goes_on_with_the_recipient(tenant: TestTenant) -> anyhow::Result<()> {
    let (office, ada, ben, call) = talking_by_hand(tenant).await?;
    ada.start_recording(&call.interaction_id).await?;
    talk_for(600).await;
    hand_over(&office, &call, &ada, &ben).await?;
    talk_for(600).await;
    office.customer_hangs_up(&call).await?;
    let [first, second] = office.recordings(&call).await?;
    anyhow::ensure!(
        first.agent_id == ada.id() && second.agent_id == ben.id(),
        "the recordings are of other agents' tenures"
    );
    holds_exactly("recording 1", &office.tenant.sound_of(&first).await?, &[CUSTOMER, ADA])?;
    holds_exactly("recording 2", &office.tenant.sound_of(&second).await?, &[CUSTOMER, BEN])
}

async fn talking_by_hand(tenant: TestTenant) -> anyhow::Result<(Office, AgentDesk, AgentDesk, Call)> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.recorded(RecordingMode::Manual, &ada).await?;
    Ok((office, ada, ben, call))
}

/// The recipient takes over, the initiator leaves, the recipient takes the customer off hold.
async fn hand_over(office: &Office, call: &Call, from: &AgentDesk, to: &AgentDesk) -> anyhow::Result<()> {
    from.start_warm(&call.interaction_id, to).await?;
    office.until_phase(call, TransferPhase::Consulting).await?;
    from.leave(&call.interaction_id).await?;
    office.until_phase(call, TransferPhase::Completed).await?;
    to.resume(&call.interaction_id).await?;
    office.hears(&call.leg_id, &[to.tone_hz()]).await?;
    Ok(())
}
