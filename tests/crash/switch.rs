//! `kill -9` of the switch: its calls end, and clients are notified (S4). What was said into it is kept, as when Baton alone dies.

use std::path::PathBuf;

use baton_api::common::v1::{Reason, RecordingMode, TransferPhase};
use baton_api::recording::v1::recording::State;
use baton_testkit::tenant::voicemail;
use baton_testkit::{Call, Embedded, Sound};

use super::in_an_office;
use crate::harness::ears::{ADA, BEEP, BEN, CUSTOMER, GREETING};
use crate::harness::{Office, Scenario, alone, talk_for};

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![
        b610_crash_of_the_switch_in_a_consult_ends_the_call_and_the_next_one_works,
        b610_crash_of_the_switch_while_recording_keeps_what_was_recorded,
        f8_a_message_is_kept_when_the_switch_dies_in_it,
        f8_a_message_is_kept_when_it_ends_while_baton_is_away,
    ]
}

async fn b610_crash_of_the_switch_in_a_consult_ends_the_call_and_the_next_one_works(
    binary: PathBuf,
) -> anyhow::Result<()> {
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

async fn b610_crash_of_the_switch_while_recording_keeps_what_was_recorded(binary: PathBuf) -> anyhow::Result<()> {
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

/// The customer has spoken for some time into a call flow's box.
async fn speaking_in_voicemail(office: &Office) -> anyhow::Result<Call> {
    let number = office.tenant.number(vec![voicemail("sales")]).await?;
    let call = office.tenant.call(&number).await?;
    let beeped = |sound: &Sound| sound.hears(GREETING) && sound.hears(BEEP);
    office.phones.until_hears(&call.leg_id, 1_800, "greeting and beep", beeped).await?;
    talk_for(1_600).await;
    Ok(call)
}

async fn f8_a_message_is_kept_when_the_switch_dies_in_it(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let call = speaking_in_voicemail(office).await?;
        target.kill_switch()?;
        office.tenant.until_ended(&call).await?;
        let message = office.tenant.voicemail()?.until_message(&call).await?;
        anyhow::ensure!(message.torn && message.duration_ms > 1_000, "it is not marked as torn: {message:?}");
        let sound = office.tenant.voicemail()?.sound_of(&message.message_id).await?;
        anyhow::ensure!(sound.hears(CUSTOMER), "it has not the customer's voice");
        Ok(())
    })
    .await
}

async fn f8_a_message_is_kept_when_it_ends_while_baton_is_away(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let call = speaking_in_voicemail(office).await?;
        let switch = target.switch_phones(&office.tenant)?;
        target.kill()?;
        switch.hang_up_leg(&call.leg_id).await?;
        target.restart().await?;
        office.tenant.until_ended(&call).await?;
        let message = office.tenant.voicemail()?.until_message(&call).await?;
        anyhow::ensure!(!message.torn && message.duration_ms > 1_000, "it is {message:?}");
        let events = office.tenant.until_event(&call, "voicemail.message_left").await?;
        let count = events.iter().filter(|it| it.name().starts_with("voicemail.")).count();
        anyhow::ensure!(count == 1, "{count} events tell of it");
        Ok(())
    })
    .await
}
