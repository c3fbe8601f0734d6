//! B208: the consult while the customer is on hold is never recorded, under any setting.

use baton_api::common::v1::{RecordingMode, TransferPhase};
use baton_testkit::{AgentDesk, Call, TestTenant};

use crate::harness::ears::{ADA, BEN, CUSTOMER, has_no_consult};
use crate::harness::{Office, Scenario, shared, talk_for};

pub(super) fn scenarios() -> Vec<Scenario> {
    shared![
        b208_no_consult_in_any_recording_when_all_calls_are_recorded,
        b208_no_consult_in_any_recording_when_incoming_calls_are_recorded,
        b208_no_consult_in_any_recording_when_outgoing_calls_are_recorded,
        b208_no_consult_in_any_recording_that_was_started_by_hand,
        b208_no_consult_in_any_recording_of_a_warm_transfer_that_joins,
    ]
}

async fn b208_no_consult_in_any_recording_when_all_calls_are_recorded(tenant: TestTenant) -> anyhow::Result<()> {
    consulted(tenant, "helpdesk", RecordingMode::All).await?.check_recordings(2).await
}

async fn b208_no_consult_in_any_recording_when_incoming_calls_are_recorded(tenant: TestTenant) -> anyhow::Result<()> {
    consulted(tenant, "helpdesk", RecordingMode::Incoming).await?.check_recordings(2).await
}

async fn b208_no_consult_in_any_recording_when_outgoing_calls_are_recorded(tenant: TestTenant) -> anyhow::Result<()> {
    consulted(tenant, "helpdesk", RecordingMode::Outgoing).await?.check_recordings(0).await
}

async fn b208_no_consult_in_any_recording_that_was_started_by_hand(tenant: TestTenant) -> anyhow::Result<()> {
    consulted(tenant, "helpdesk", RecordingMode::Manual).await?.check_recordings(2).await
}

async fn b208_no_consult_in_any_recording_of_a_warm_transfer_that_joins(tenant: TestTenant) -> anyhow::Result<()> {
    consulted(tenant, "lead_center", RecordingMode::All).await?.check_recordings(2).await
}

struct Consulted {
    office: Office,
    call: Call,
    ben: AgentDesk,
}

/// A whole warm transfer with a consult of more than a second, and back to a second consult where all had joined already.
async fn consulted(tenant: TestTenant, profile: &str, mode: RecordingMode) -> anyhow::Result<Consulted> {
    let mut office = Office::open(tenant, profile).await?;
    let ada = office.agent("Ada").await?;
    let ben = office.agent("Ben").await?;
    let call = office.recorded(mode, &ada).await?;
    let id = call.interaction_id.as_str();
    if mode == RecordingMode::Manual {
        ada.start_recording(id).await?;
    }
    talk_for(400).await;
    ada.start_warm(id, &ben).await?;
    office.until_phase(&call, TransferPhase::Consulting).await?;
    let (adas_leg, bens_leg) = (office.leg(&ada).await?, office.leg(&ben).await?);
    office.hear_each_other(&[(&adas_leg, ADA), (&bens_leg, BEN)]).await?;
    talk_for(600).await;
    ada.resume(id).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&adas_leg, ADA), (&bens_leg, BEN)]).await?;
    ada.hold(id).await?;
    office.hear_each_other(&[(&adas_leg, ADA), (&bens_leg, BEN)]).await?;
    talk_for(400).await;
    ada.resume(id).await?;
    office.until_phase(&call, TransferPhase::Joined).await?;
    ada.leave(id).await?;
    office.until_phase(&call, TransferPhase::Completed).await?;
    Ok(Consulted { office, call, ben })
}

impl Consulted {
    /// Of each recording, no window has agents without the customer.
    async fn check_recordings(self, count: usize) -> anyhow::Result<()> {
        let Self { office, call, ben } = self;
        office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ben).await?, BEN)]).await?;
        office.customer_hangs_up(&call).await?;
        let recordings = office.tenant.until_recorded(&call, count).await?;
        for recording in &recordings {
            for segment in office.tenant.segments_of(recording).await? {
                has_no_consult(&format!("recording {}", recording.ordinal), &segment)?;
            }
        }
        Ok(())
    }
}
