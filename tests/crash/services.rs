//! `kill -9` of `up`: all five services at once. The switch and its calls live on.

use std::path::PathBuf;

use anyhow::Context as _;
use baton_api::ApiError;
use baton_api::common::v1::{Action, Reason, RecordingMode, TransferPhase};
use baton_api::presence::v1::AgentState;
use baton_api::simulator::v1::LedgerAction;
use baton_api::tenant::v1::TenantLimits;
use baton_testkit::tenant::ring;
use baton_testkit::{AgentDesk, Call, Embedded, PhoneBehaviour, TestTenant};
use tonic::Code;

use super::{consults_or_is_tried_again, in_an_office, was_never_in_silence};
use crate::harness::ears::{ADA, BEN, CUSTOMER, MUSIC, RINGING, holds_exactly, tells};
use crate::harness::{Office, Scenario, alone, talk_for};

/// How long `up` is down.
const DOWN_MS: u64 = 500;

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![
        b610_crash_while_it_rings_and_the_transfer_goes_on,
        b610_crash_right_after_the_start_was_committed_and_the_transfer_goes_on,
        b610_crash_in_the_consult_and_the_transfer_goes_on,
        b610_crash_while_recording_and_the_recording_is_whole,
        b610_crash_and_meanwhile_the_recipient_hangs_up,
        b610_crash_and_meanwhile_the_customer_hangs_up,
        b610_crash_in_a_pause_and_the_pause_goes_on,
        b610_crash_of_a_cold_transfer_while_it_rings_and_it_goes_on,
        b610_crash_and_the_ringing_ends_meanwhile,
        h3_who_declines_while_baton_is_away_has_declined,
        s2_calls_go_on_when_the_disk_is_nearly_full,
        s2_a_tenant_that_has_stored_as_much_as_it_may_is_refused_alone_and_its_calls_go_on,
    ]
}

async fn b610_crash_while_it_rings_and_the_transfer_goes_on(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, ben, call) = talking(office, PhoneBehaviour::Manual).await?;
        ada.start_warm(&call.interaction_id, &ben).await?;
        office.hears(&call.leg_id, &[MUSIC]).await?;
        office.phones.until_ringing(ben.phone()).await?;

        crash(target, office, &[&ada, &ben]).await?;
        anyhow::ensure!(office.phones.legs(ben.phone()).await?.len() == 1, "it does not ring as before");
        office.hears(&call.leg_id, &[MUSIC]).await?;
        office.phones.answer(ben.phone()).await?;
        consults_joins_and_completes(office, &ada, &ben, &call).await
    })
    .await
}

async fn b610_crash_right_after_the_start_was_committed_and_the_transfer_goes_on(
    binary: PathBuf,
) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, ben, call) = talking(office, PhoneBehaviour::AnswersAfter(600)).await?;
        ada.start_warm(&call.interaction_id, &ben).await?;
        crash(target, office, &[&ada, &ben]).await?;
        consults_joins_and_completes(office, &ada, &ben, &call).await
    })
    .await
}

async fn b610_crash_in_the_consult_and_the_transfer_goes_on(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, ben, call) = consulting(office).await?;
        let adas_leg = office.leg(&ada).await?;
        crash(target, office, &[&ada, &ben]).await?;
        let heard = office.phones.heard(&adas_leg).await?.last_ms(DOWN_MS as i64 + 200);
        holds_exactly("what the initiator heard meanwhile", &heard, &[BEN])?;
        consults_joins_and_completes(office, &ada, &ben, &call).await
    })
    .await
}

async fn b610_crash_while_recording_and_the_recording_is_whole(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        let ada = office.agent("Ada").await?;
        let call = office.recorded(RecordingMode::All, &ada).await?;
        talk_for(500).await;
        crash(target, office, &[&ada]).await?;
        talk_for(500).await;
        let talked_ms = office.phones.heard(&call.leg_id).await?.heard_ms(ADA) as i64;
        office.customer_hangs_up(&call).await?;

        let recordings = office.tenant.until_recorded(&call, 1).await?;
        let sound = office.tenant.sound_of(&recordings[0]).await?;
        holds_exactly("the recording", &sound, &[CUSTOMER, ADA])?;
        let missing_ms = talked_ms - sound.duration_ms();
        anyhow::ensure!(missing_ms < 500, "{missing_ms} ms of {talked_ms} are not in the recording");
        let segments = &recordings[0].segments;
        anyhow::ensure!(segments.iter().all(|it| !it.torn && !it.lost), "the switch lived on: {segments:#?}");
        Ok(())
    })
    .await
}

async fn b610_crash_and_meanwhile_the_recipient_hangs_up(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, ben, call) = consulting(office).await?;
        let switch = target.switch_phones(&office.tenant)?;
        target.kill()?;
        switch.hang_up(ben.phone()).await?;
        target.restart().await?;
        reconnect(office, &[&ada, &ben]).await?;

        let view = office.until_phase(&call, TransferPhase::Failed).await?;
        let why = view.transfer.unwrap_or_default().reason();
        anyhow::ensure!(why == Reason::RecipientLeft, "the initiator is told {why:?}");
        office.hears(&call.leg_id, &[MUSIC]).await?;
        office.until_free(&ben).await?;
        ada.resume(&call.interaction_id).await?;
        office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
        was_never_in_silence(office, &call).await
    })
    .await
}

async fn b610_crash_and_meanwhile_the_customer_hangs_up(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, ben, call) = consulting(office).await?;
        let switch = target.switch_phones(&office.tenant)?;
        target.kill()?;
        switch.hang_up_leg(&call.leg_id).await?;
        target.restart().await?;
        reconnect(office, &[&ada, &ben]).await?;

        let ended = office.tenant.until_ended(&call).await?;
        anyhow::ensure!(ended.end_reason() == Reason::CustomerLeft, "it ended with {:?}", ended.end_reason());
        office.phones.until_idle(ada.phone()).await?;
        office.phones.until_idle(ben.phone()).await?;
        office.until_free(&ada).await?;
        office.until_free(&ben).await
    })
    .await
}

async fn b610_crash_in_a_pause_and_the_pause_goes_on(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let ada = office.agent("Ada").await?;
        let call = office.recorded(RecordingMode::All, &ada).await?;
        let id = call.interaction_id.as_str();
        talk_for(300).await;
        ada.pause_recording(id).await?;
        crash(target, office, &[&ada]).await?;
        talk_for(700).await;
        let view = ada.until_may(id, Action::ResumeRecording).await?.recording.unwrap_or_default();
        anyhow::ensure!(view.paused && !view.live, "R3: the pause did not survive: {view:?}");
        ada.resume_recording(id).await?;
        talk_for(300).await;
        office.customer_hangs_up(&call).await?;
        let recordings = office.tenant.until_recorded(&call, 1).await?;
        let segments = office.tenant.segments_of(&recordings[0]).await?;
        anyhow::ensure!(segments.len() == 2, "{} segments", segments.len());
        let pause_ms = (segments[1].started_at_us - segments[0].ended_at_us()) / 1_000;
        anyhow::ensure!(pause_ms > 700, "only {pause_ms} ms are left out");
        Ok(())
    })
    .await
}

async fn b610_crash_of_a_cold_transfer_while_it_rings_and_it_goes_on(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, ben, call) = talking(office, PhoneBehaviour::Manual).await?;
        ada.start_cold(&call.interaction_id, &ben).await?;
        office.phones.until_idle(ada.phone()).await?;
        office.hears(&call.leg_id, &[RINGING]).await?;
        crash(target, office, &[&ada, &ben]).await?;
        office.hears(&call.leg_id, &[RINGING]).await?;
        office.phones.answer(ben.phone()).await?;
        office.until_phase(&call, TransferPhase::Completed).await?;
        office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await?;
        office.until_free(&ada).await?;
        was_never_in_silence(office, &call).await?;
        let heard = office.phones.heard(&call.leg_id).await?;
        tells("the customer", &heard, &[&[ADA], &[RINGING], &[BEN]])
    })
    .await
}

async fn b610_crash_and_the_ringing_ends_meanwhile(binary: PathBuf) -> anyhow::Result<()> {
    let overrides = "[methods.warm.offer]\nring_ms = 1500\n";
    in_an_office(&binary, "lead_center", overrides, async |target: &mut Embedded, office: &mut Office| {
        let (ada, ben, call) = talking(office, PhoneBehaviour::NeverAnswers).await?;
        ada.start_warm(&call.interaction_id, &ben).await?;
        office.phones.until_ringing(ben.phone()).await?;
        target.kill()?;
        talk_for(2_000).await;
        target.restart().await?;
        reconnect(office, &[&ada]).await?;
        let view = office.until_phase(&call, TransferPhase::Failed).await?;
        let why = view.transfer.unwrap_or_default().reason();
        anyhow::ensure!(why == Reason::NoAnswer, "the initiator is told {why:?}");
        office.hears(&call.leg_id, &[MUSIC]).await?;
        office.phones.until_idle(ben.phone()).await?;
        ada.resume(&call.interaction_id).await?;
        office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
        was_never_in_silence(office, &call).await
    })
    .await
}

async fn h3_who_declines_while_baton_is_away_has_declined(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "lead_center", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, ben, call) = talking(office, PhoneBehaviour::Manual).await?;
        ada.start_warm(&call.interaction_id, &ben).await?;
        office.phones.until_ringing(ben.phone()).await?;
        let switch = target.switch_phones(&office.tenant)?;
        target.kill()?;
        switch.decline(ben.phone()).await?;
        target.restart().await?;
        reconnect(office, &[&ada, &ben]).await?;

        let view = office.until_phase(&call, TransferPhase::Failed).await?;
        let why = view.transfer.unwrap_or_default().reason();
        anyhow::ensure!(why == Reason::Declined, "the initiator is told {why:?}");
        rang_once(office, &ben).await?;
        anyhow::ensure!(ben.state().await?.state() == AgentState::Available, "who declines has not missed a call");
        ada.resume(&call.interaction_id).await.map(drop).map_err(Into::into)
    })
    .await
}

async fn rang_once(office: &Office, desk: &AgentDesk) -> anyhow::Result<()> {
    let ledger = office.phones.ledger().await?;
    let rang = ledger.iter().filter(|it| it.action() == LedgerAction::LegDialed && it.address == desk.phone()).count();
    anyhow::ensure!(rang == 1, "{}'s phone rang {rang} times", desk.name());
    Ok(())
}

async fn talking(office: &mut Office, recipient: PhoneBehaviour) -> anyhow::Result<(AgentDesk, AgentDesk, Call)> {
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", recipient).await?;
    let call = office.talking(&ada).await?;
    Ok((ada, ben, call))
}

pub(super) async fn consulting(office: &mut Office) -> anyhow::Result<(AgentDesk, AgentDesk, Call)> {
    let (ada, ben, call) = talking(office, PhoneBehaviour::AnswersAfter(100)).await?;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    office.hear_each_other(&[(&office.leg(&ada).await?, ADA), (&office.leg(&ben).await?, BEN)]).await?;
    office.hears(&call.leg_id, &[MUSIC]).await?;
    Ok((ada, ben, call))
}

/// Kills all services, starts them again after a moment, and the agents' clients connect anew.
async fn crash(target: &mut Embedded, office: &mut Office, desks: &[&AgentDesk]) -> anyhow::Result<()> {
    target.kill()?;
    talk_for(DOWN_MS).await;
    target.restart().await?;
    reconnect(office, desks).await
}

pub(super) async fn reconnect(office: &mut Office, desks: &[&AgentDesk]) -> anyhow::Result<()> {
    office.sessions.clear();
    for desk in desks {
        office.connect(desk).await?;
    }
    Ok(())
}

/// The rest of a warm transfer, and that the customer noticed nothing of the crash.
pub(super) async fn consults_joins_and_completes(
    office: &Office,
    ada: &AgentDesk,
    ben: &AgentDesk,
    call: &Call,
) -> anyhow::Result<()> {
    consults_or_is_tried_again(office, call, ada, ben).await?;
    let (adas_leg, bens_leg) = (office.leg(ada).await?, office.leg(ben).await?);
    office.hear_each_other(&[(&adas_leg, ADA), (&bens_leg, BEN)]).await?;
    office.hears(&call.leg_id, &[MUSIC]).await?;
    ada.resume(&call.interaction_id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&adas_leg, ADA), (&bens_leg, BEN)]).await?;
    ada.leave(&call.interaction_id).await?;
    office.until_phase(call, TransferPhase::Completed).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&bens_leg, BEN)]).await?;
    office.until_free(ada).await?;
    was_never_in_silence(office, call).await?;
    let heard = office.phones.heard(&call.leg_id).await?;
    tells("the customer", &heard, &[&[ADA], &[MUSIC], &[ADA, BEN], &[BEN]])
}

/// A restart with a mark that no disk reaches.
async fn s2_calls_go_on_when_the_disk_is_nearly_full(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        let ada = office.agent("Ada").await?;
        let ben = office.agent("Ben").await?;
        let number = office.tenant.number(vec![ring(&ada)]).await?;
        let call = office.talking_on(&number, &ada).await?;
        ada.note(&call.interaction_id, "before").await?;
        target.kill()?;
        target.set("BATON_DATA__MIN_FREE_MIB", "1000000000");
        target.restart().await?;
        office.sessions.clear();
        office.connect(&ada).await?;
        office.connect(&ben).await?;

        let refused = ada.note(&call.interaction_id, "after").await.err().context("a note was taken")?;
        anyhow::ensure!(refused.code() == Code::ResourceExhausted, "refused as {refused:?}");
        anyhow::ensure!(ApiError::of(&refused).retry_after.is_some(), "it does not say when to try again");
        ada.start_cold(&call.interaction_id, &ben).await?;
        office.until_phase(&call, TransferPhase::Completed).await?;
        office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await?;
        office.until_free(&ada).await?;
        let next = office.talking_on(&number, &ada).await?;
        office.customer_hangs_up(&next).await?;
        anyhow::ensure!(target.log().contains("the disk is nearly full"), "the log does not say so");
        Ok(())
    })
    .await
}

/// Of a tenant with a limit of a mebibyte, and one without. What is stored is counted when Baton starts.
async fn s2_a_tenant_that_has_stored_as_much_as_it_may_is_refused_alone_and_its_calls_go_on(
    binary: PathBuf,
) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        let ada = office.agent("Ada").await?;
        let ben = office.agent("Ben").await?;
        let number = office.tenant.number(vec![ring(&ada)]).await?;
        for _ in 0..3 {
            let past = office.talking_on(&number, &ada).await?;
            for n in 0..100 {
                ada.note(&past.interaction_id, &format!("{n}{}", "x".repeat(3_900))).await?;
            }
            office.customer_hangs_up(&past).await?;
            office.until_free(&ada).await?;
        }
        let call = office.talking_on(&number, &ada).await?;
        office.tenant.limit(TenantLimits { stored_mib: 1, ..TenantLimits::default() }).await?;
        let neighbour = TestTenant::create(target.endpoints()).await?;
        let bea = neighbour.agent("Bea").await?;
        let _session = bea.connect().await?;
        let theirs = neighbour.call(&neighbour.number(vec![ring(&bea)]).await?).await?;
        neighbour.until_with(&theirs, &bea).await?;
        target.kill()?;
        target.restart().await?;
        office.sessions.clear();
        office.connect(&ada).await?;
        office.connect(&ben).await?;

        let stored = office.tenant.as_stored().await?.stored_bytes;
        anyhow::ensure!(stored > 1_200_000, "it has stored {stored} bytes");
        let refused = ada.note(&call.interaction_id, "one more").await.err().context("a note was taken")?;
        let refused = ApiError::of(&refused);
        anyhow::ensure!(refused.message.contains("1 MiB of the 1 MiB"), "refused as {refused:?}");
        bea.note(&theirs.interaction_id, "of the neighbour").await?;
        ada.start_cold(&call.interaction_id, &ben).await?;
        office.until_phase(&call, TransferPhase::Completed).await?;
        office.customer_hangs_up(&call).await?;
        office.tenant.limit(TenantLimits { stored_mib: 9, ..TenantLimits::default() }).await?;
        let next = office.talking_on(&number, &ada).await?;
        ada.note(&next.interaction_id, "there is space again")
            .await
            .map_err(|refused| anyhow::anyhow!("the operator has given more: {refused:?}"))?;
        office.customer_hangs_up(&next).await?;
        Ok(())
    })
    .await
}
