//! `kill -9` of the switch: its calls end, and clients are notified (S4).

use std::path::PathBuf;

use baton_api::common::v1::{Reason, RecordingMode, TransferPhase};
use baton_api::recording::v1::recording::State;
use baton_testkit::Embedded;

use super::in_an_office;
use crate::harness::ears::{ADA, BEN, CUSTOMER};
use crate::harness::{Office, Scenario, alone, talk_for};

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![
        crash_of_the_switch_in_a_consult_ends_the_call_and_the_next_one_works,
        crash_of_the_switch_while_recording_keeps_what_was_recorded,
    ]
}

async fn crash_of_the_switch_in_a_consult_ends_the_call_and_the_next_one_works(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let ada = office.agent("Ada").await?;
        let ben = office.agent("Ben").await?;
        let call = office.talking(&ada).await?;
        ada.start_warm(&call.interaction_id, &ben).await?;
        office.until_phase(&call, TransferPhase::Consulting).await?;
        office.hear_each_other(&[(&office.leg(&ada).await?, ADA), (&office.leg(&ben).await?, BEN)]).await?;

        target.kill_switch()?;
        let ended = office.tenant.until_ended(&call).await?;
        anyhow::ensure!(ended.end_reason() == Reason::SwitchLost, "it ended with {:?}", ended.end_reason());
        let transfer = ended.transfer.unwrap_or_default();
        anyhow::ensure!(transfer.phase() == TransferPhase::Failed, "the transfer is {:?}", transfer.phase());
        office.until_free(&ada).await?;
        office.until_free(&ben).await?;

        let next = office.talking(&ada).await?;
        ada.start_cold(&next.interaction_id, &ben).await?;
        office.until_phase(&next, TransferPhase::Completed).await?;
        office.hear_each_other(&[(&next.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await
    })
    .await
}

async fn crash_of_the_switch_while_recording_keeps_what_was_recorded(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let ada = office.agent("Ada").await?;
        let call = office.recorded(RecordingMode::All, &ada).await?;
        talk_for(1_500).await;
        target.kill_switch()?;
        office.tenant.until_ended(&call).await?;
        let recordings = office.tenant.until_recorded(&call, 1).await?;
        let is_marked = recordings[0].segments.iter().all(|it| it.torn && !it.lost);
        anyhow::ensure!(is_marked, "it is not marked as torn and mended: {recordings:#?}");
        anyhow::ensure!(recordings[0].state() == State::Incomplete, "it is {:?}", recordings[0].state());
        let sound = office.tenant.sound_of(&recordings[0]).await?;
        let kept_ms = sound.duration_ms();
        anyhow::ensure!(kept_ms > 1_000 && sound.hears(ADA) && sound.hears(CUSTOMER), "{kept_ms} ms were kept");
        Ok(())
    })
    .await
}
