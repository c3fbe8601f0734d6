//! B206: number set to record all / incoming / outgoing calls (matching the call's direction): initiator-customer is recording 1,
//! recipient-customer is recording 2, and recording 2 starts when the *recipient* takes the customer off hold. If the initiator came
//! back to the customer after a failed attempt, that is more of recording 1.

use baton_api::common::v1::ExclusionReason as Reason;
use baton_api::common::v1::{RecordingMode, TransferPhase};
use baton_api::error::ErrorReason;
use baton_api::recording::v1::Recording;
use baton_api::recording::v1::recording::State;
use baton_api::simulator::v1::LedgerAction;
use baton_testkit::tenant::ring;
use baton_testkit::{AgentDesk, Call, PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, BEN, CUSTOMER, RINGING, holds_exactly};
use crate::harness::{Office, Scenario, now_us, refused, shared, talk_for};

/// What may lie between a command and what the switch does.
const SOON_US: i64 = 1_000_000;

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b206_all_calls_recorded_makes_two_recordings,
        b206_incoming_calls_recorded_makes_two_recordings,
        b206_outgoing_calls_recorded_does_not_record_an_incoming_one,
        b206_back_after_a_failed_attempt_is_more_of_recording_one,
        b206_outgoing_calls_are_recorded_when_the_number_says_so,
        b206_incoming_calls_recorded_does_not_record_an_outgoing_one,
        b206_a_number_that_no_rule_allows_is_not_dialled,
        b206_hold_and_resume_that_cross_lose_nothing_of_the_recording,
        b206_an_initiator_who_comes_back_from_a_three_way_goes_on_with_recording_one,
    ]
}

async fn b206_all_calls_recorded_makes_two_recordings(tenant: TestTenant) -> anyhow::Result<()> {
    two_recordings(tenant, RecordingMode::All).await
}

async fn b206_incoming_calls_recorded_makes_two_recordings(tenant: TestTenant) -> anyhow::Result<()> {
    two_recordings(tenant, RecordingMode::Incoming).await
}

async fn two_recordings(tenant: TestTenant, mode: RecordingMode) -> anyhow::Result<()> {
    let (office, ada, ben, call) = handed_over(tenant, mode).await?;
    let off_hold_us = now_us();
    ben.resume(&call.interaction_id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await?;
    talk_for(800).await;
    office.customer_hangs_up(&call).await?;

    let [first, second] = office.recordings(&call).await?;
    anyhow::ensure!((first.ordinal, second.ordinal) == (1, 2), "they are numbered otherwise");
    anyhow::ensure!(
        first.agent_id == ada.id() && second.agent_id == ben.id(),
        "the recordings are of other agents' tenures"
    );
    holds_exactly("recording 1", &office.tenant.sound_of(&first).await?, &[CUSTOMER, ADA])?;
    holds_exactly("recording 2", &office.tenant.sound_of(&second).await?, &[CUSTOMER, BEN])?;
    let start_us = office.tenant.segments_of(&second).await?[0].started_at_us;
    anyhow::ensure!(
        (-20_000..SOON_US).contains(&(start_us - off_hold_us)),
        "recording 2 begins {start_us}, not {off_hold_us}"
    );
    anyhow::ensure!(reasons(&first) == [Reason::OnHold], "recording 1 leaves out {:?}", first.excluded);
    office.events_tell(&call, &["recording.started", "recording.segment_ended", "recording.started"]).await?;
    Ok(())
}

async fn b206_outgoing_calls_recorded_does_not_record_an_incoming_one(tenant: TestTenant) -> anyhow::Result<()> {
    let (office, _ada, ben, call) = handed_over(tenant, RecordingMode::Outgoing).await?;
    ben.resume(&call.interaction_id).await?;
    office.hears(&call.leg_id, &[BEN]).await?;
    office.customer_hangs_up(&call).await?;
    let types = office.tenant.until_event(&call, "interaction.ended").await?;
    anyhow::ensure!(types.iter().all(|it| !it.name().starts_with("recording.")), "something was recorded");
    anyhow::ensure!(office.tenant.recordings_of(&call).await?.is_empty(), "there is a recording");
    Ok(())
}

async fn b206_back_after_a_failed_attempt_is_more_of_recording_one(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open_ringing_briefly(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent_with("Ben", PhoneBehaviour::NeverAnswers).await?;
    let call = office.recorded(RecordingMode::All, &ada).await?;
    talk_for(500).await;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.until_phase(&call, TransferPhase::Failed).await?;
    ada.resume(&call.interaction_id).await?;
    office.hears(&call.leg_id, &[ADA]).await?;
    talk_for(500).await;
    office.customer_hangs_up(&call).await?;

    let [only] = office.recordings(&call).await?;
    anyhow::ensure!(only.agent_id == ada.id() && only.segments.len() == 2, "{only:#?}");
    anyhow::ensure!(reasons(&only) == [Reason::OnHold], "it leaves out {:?}", only.excluded);
    let segments = office.tenant.segments_of(&only).await?;
    for segment in &segments {
        holds_exactly("a segment", segment, &[CUSTOMER, ADA])?;
    }
    let gap_ms = (segments[1].started_at_us - segments[0].ended_at_us()) / 1_000;
    anyhow::ensure!(gap_ms > 1_000, "only {gap_ms} ms were left out though it rang for 1.2 s");
    Ok(())
}

async fn b206_outgoing_calls_are_recorded_when_the_number_says_so(tenant: TestTenant) -> anyhow::Result<()> {
    let (office, ada, call) = called(tenant, RecordingMode::Outgoing).await?;
    talk_for(500).await;
    office.customer_hangs_up(&call).await?;
    let [only] = office.recordings(&call).await?;
    anyhow::ensure!(only.agent_id == ada.id() && only.segments.len() == 1, "{only:#?}");
    holds_exactly("the recording", &office.tenant.sound_of(&only).await?, &[CUSTOMER, ADA])?;
    let types =
        ["interaction.opened", "interaction.agent_joined", "interaction.customer_answered", "recording.started"];
    office.events_tell(&call, &types).await?;
    Ok(())
}

async fn b206_incoming_calls_recorded_does_not_record_an_outgoing_one(tenant: TestTenant) -> anyhow::Result<()> {
    let (office, _ada, call) = called(tenant, RecordingMode::Incoming).await?;
    office.customer_hangs_up(&call).await?;
    let types = office.tenant.until_event(&call, "interaction.ended").await?;
    anyhow::ensure!(types.iter().all(|it| !it.name().starts_with("recording.")), "something was recorded");
    anyhow::ensure!(office.tenant.recordings_of(&call).await?.is_empty(), "there is a recording");
    Ok(())
}

async fn b206_a_number_that_no_rule_allows_is_not_dialled(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let number = office.tenant.number(vec![ring(&ada)]).await?;
    let customer = office.tenant.customer(PhoneBehaviour::AnswersAfter(100)).await?;
    for prefix in [None, Some("+1")] {
        if let Some(prefix) = prefix {
            office.tenant.allow(prefix).await?;
        }
        let why = refused(ada.place_call(&number, &customer).await)?;
        anyhow::ensure!(why == ErrorReason::DialNotAllowed, "it was refused as {why:?}");
    }
    let rang = office.phones.ledger().await?.into_iter().find(|it| it.action() == LedgerAction::LegDialed);
    anyhow::ensure!(rang.is_none(), "something rang: {rang:?}");
    office.until_free(&ada).await
}

async fn b206_hold_and_resume_that_cross_lose_nothing_of_the_recording(tenant: TestTenant) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let call = office.recorded(RecordingMode::All, &ada).await?;
    let id = call.interaction_id.as_str();
    for _ in 0..8 {
        // One is answered or refused as the other has it; neither waits for the switch.
        let (_, _) = futures::join!(ada.hold(id), ada.resume(id));
    }
    if office.tenant.interaction(id).await?.customer_on_hold {
        ada.resume(id).await?;
    }
    office.hears(&call.leg_id, &[ADA]).await?;
    talk_for(500).await;
    office.customer_hangs_up(&call).await?;
    let [only] = office.recordings(&call).await?;
    anyhow::ensure!(only.state() == State::Stored, "it is {:?}: {only:#?}", only.state());
    Ok(())
}

async fn b206_an_initiator_who_comes_back_from_a_three_way_goes_on_with_recording_one(
    tenant: TestTenant,
) -> anyhow::Result<()> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.recorded(RecordingMode::All, &ada).await?;
    let id = call.interaction_id.as_str();
    talk_for(500).await;
    ada.start_warm(id, &ben).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    ben.resume(id).await?;
    let three = [(&*call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA), (&office.leg(&ben).await?, BEN)];
    office.hear_each_other(&three).await?;
    office.phones.hang_up(ben.phone()).await?;
    office.until_phase(&call, TransferPhase::Failed).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
    talk_for(500).await;
    office.customer_hangs_up(&call).await?;

    let [first, second] = office.recordings(&call).await?;
    anyhow::ensure!(
        first.agent_id == ada.id() && second.agent_id == ben.id(),
        "the recordings are of other agents' tenures"
    );
    anyhow::ensure!(first.segments.len() == 2 && second.segments.len() == 1, "{first:#?} {second:#?}");
    anyhow::ensure!(reasons(&first) == [Reason::OnHold, Reason::OtherTenure], "it leaves out {:?}", first.excluded);
    for segment in office.tenant.segments_of(&first).await? {
        holds_exactly("a segment of recording 1", &segment, &[CUSTOMER, ADA])?;
    }
    holds_exactly("recording 2", &office.tenant.sound_of(&second).await?, &[CUSTOMER, ADA, BEN])
}

/// An agent has called a customer from a number that is recorded in this way, and the two talk.
async fn called(tenant: TestTenant, mode: RecordingMode) -> anyhow::Result<(Office, AgentDesk, Call)> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let number = office.tenant.number(vec![ring(&ada)]).await?;
    office.tenant.record(&number, mode).await?;
    office.tenant.allow("+3247").await?;
    let customer = office.tenant.customer(PhoneBehaviour::Manual).await?;
    let phone = customer.as_str();
    let interaction_id = ada.place_call(&number, &customer).await?.interaction_id;
    office.hears(&office.leg(&ada).await?, &[RINGING]).await?;
    office.phones.answer(phone).await?;
    let leg_id = office.phones.until_up(phone).await?.leg_id;
    let call = Call { interaction_id, leg_id, customer };
    office.tenant.until_with(&call, &ada).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
    Ok((office, ada, call))
}

/// The initiator has handed over and left; the customer is still on hold.
async fn handed_over(tenant: TestTenant, mode: RecordingMode) -> anyhow::Result<(Office, AgentDesk, AgentDesk, Call)> {
    let mut office = Office::open(tenant, "helpdesk").await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.recorded(mode, &ada).await?;
    talk_for(500).await;
    ada.start_warm(&call.interaction_id, &ben).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    let consult = [(&*office.leg(&ada).await?, ADA), (&*office.leg(&ben).await?, BEN)];
    office.hear_each_other(&consult).await?;
    ada.leave(&call.interaction_id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    for recording in office.tenant.recordings_of(&call).await? {
        anyhow::ensure!(
            recording.ordinal == 1,
            "recording {} was there before the recipient resumed",
            recording.ordinal
        );
    }
    Ok((office, ada, ben, call))
}

fn reasons(recording: &Recording) -> Vec<Reason> {
    recording.excluded.iter().map(baton_api::recording::v1::Exclusion::reason).collect()
}
