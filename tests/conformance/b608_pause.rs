//! B608: recording pause and resume (card data), on top of any mode; the pause is a fact in the event stream.

use baton_api::common::v1::ExclusionReason as Reason;
use baton_api::common::v1::{RecordingMode, TransferPhase};
use baton_api::recording::v1::Exclusion;
use baton_api::simulator::v1::LedgerAction;
use baton_testkit::{BOUND, TestTenant, eventually};

use crate::harness::ears::{ADA, BEN, CUSTOMER, holds_exactly};
use crate::harness::{Office, Scenario, now_us, shared, talk_for};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![b608_what_is_said_during_a_pause_is_in_no_recording, b608_a_pause_survives_a_transfer,]
}

async fn b608_what_is_said_during_a_pause_is_in_no_recording(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    // Ada is silent but for the pause, so that her tone in the recording would tell.
    let call = office.recorded(RecordingMode::Manual, &ada).await?;
    let id = call.interaction_id.as_str();
    office.phones.mute(ada.phone(), true).await?;
    office.hears(&call.leg_id, &[]).await?;
    let started = ada.start_recording(id).await?;
    anyhow::ensure!(started.live && started.started_by_hand && !started.recording_id.is_empty(), "{started:?}");
    talk_for(700).await;

    let paused = ada.pause_recording(id).await?;
    anyhow::ensure!(paused.paused && !paused.live && paused.recording_id == started.recording_id, "{paused:?}");
    let paused_at_us = now_us();
    office.phones.mute(ada.phone(), false).await?;
    office.hears(&call.leg_id, &[ADA]).await?;
    talk_for(800).await;
    office.phones.mute(ada.phone(), true).await?;
    office.hears(&call.leg_id, &[]).await?;
    // The file may be complete later than OK; what is counted below is what was recorded since.
    eventually("the file is complete", BOUND, async || match live_recordings(&office).await {
        Ok(0) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    let resumed = ada.resume_recording(id).await?;
    anyhow::ensure!(resumed.live && !resumed.paused, "{resumed:?}");
    anyhow::ensure!(live_recordings(&office).await? == 1, "OK was said before the switch recorded again");
    talk_for(700).await;
    office.customer_hangs_up(&call).await?;

    let recordings = office.tenant.until_recorded(&call, 1).await?;
    let [recording] = recordings.as_slice() else { anyhow::bail!("not one recording") };
    let segments = office.tenant.segments_of(recording).await?;
    anyhow::ensure!(segments.len() == 2, "{} segments", segments.len());
    // R3: nothing is recorded any more when OK comes.
    let late_us = segments[0].ended_at_us() - paused_at_us;
    anyhow::ensure!(late_us <= 0, "OK was said {late_us} us before the switch had stopped");
    for segment in &segments {
        holds_exactly("a segment", segment, &[CUSTOMER])?;
    }
    let reasons: Vec<_> = recording.excluded.iter().map(Exclusion::reason).collect();
    anyhow::ensure!(reasons == [Reason::NotStarted, Reason::Paused], "left out: {:?}", recording.excluded);
    let length_ms = (segments[1].started_at_us - segments[0].ended_at_us()) / 1_000;
    anyhow::ensure!(length_ms > 1_400, "only {length_ms} ms are left out");
    office.events_tell(&call, &["recording.started", "recording.paused", "recording.excluded"]).await?;
    office.events_tell(&call, &["recording.paused", "recording.resumed", "recording.ended"]).await?;
    Ok(())
}

async fn b608_a_pause_survives_a_transfer(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "lead_center").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.recorded(RecordingMode::All, &ada).await?;
    let id = call.interaction_id.as_str();
    talk_for(500).await;
    ada.pause_recording(id).await?;
    ada.start_cold(id, &ben).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await?;
    talk_for(700).await;
    let view = ben.view(id).await?.recording.unwrap_or_default();
    anyhow::ensure!(view.paused && !view.live, "the pause ended with the transfer: {view:?}");
    anyhow::ensure!(live_recordings(&office).await? == 0, "it is recorded though it was paused");

    ben.resume_recording(id).await?;
    talk_for(700).await;
    office.customer_hangs_up(&call).await?;
    let recordings = office.tenant.until_recorded(&call, 2).await?;
    holds_exactly("recording 1", &office.tenant.sound_of(&recordings[0]).await?, &[CUSTOMER, ADA])?;
    let second = office.tenant.sound_of(&recordings[1]).await?;
    holds_exactly("recording 2", &second, &[CUSTOMER, BEN])?;
    let long_ms = second.duration_ms();
    anyhow::ensure!((500..1_600).contains(&long_ms), "recording 2 is {long_ms} ms long");
    office.tenant.until_event(&call, "recording.stored").await?;
    Ok(())
}

/// Recordings that the switch makes at this moment, or whose files are not complete.
async fn live_recordings(office: &Office) -> anyhow::Result<i32> {
    let ledger = office.phones.ledger().await?;
    Ok(ledger.iter().fold(0, |live, entry| match entry.action() {
        LedgerAction::RecordingStarted => live + 1,
        LedgerAction::RecordingFinished | LedgerAction::RecordingFailed => live - 1,
        _ => live,
    }))
}
