//! B605: presence by lease: an agent whose client dies goes offline by itself within the lease; a busy agent's call is untouched.

use std::path::PathBuf;
use std::time::Duration;

use baton_api::event::v1::agent_state_changed::Cause;
use baton_api::event::v1::event_data::Data;
use baton_api::presence::v1::{AgentState, TargetFilter};
use baton_testkit::wait::stays;
use baton_testkit::{AgentDesk, Embedded, PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, CUSTOMER};
use crate::harness::{Office, Scenario, alone, now_us, on_its_own};

/// A lease short enough to wait for.
const SHORT: [(&str, &str); 1] = [("BATON_PRESENCE__LEASE_MS", "2000")];
const LEASE_US: i64 = 2_000_000;
/// For a busy machine.
const SLACK_US: i64 = 1_500_000;

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![b605_a_dead_client_is_offline_within_the_lease_and_its_call_goes_on]
}

async fn b605_a_dead_client_is_offline_within_the_lease_and_its_call_goes_on(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &SHORT, play).await
}

async fn play(target: &mut Embedded) -> anyhow::Result<()> {
    let mut office = Office::open(TestTenant::create(target.endpoints()).await?, "lead_center").await?;
    let ada = office.tenant.agent("Ada").await?;
    let adas_session = ada.connect().await?;
    let ben = office.tenant.agent_with("Ben", PhoneBehaviour::Manual, true).await?;
    let bens_session = ben.connect().await?;
    let cleo = office.agent("Cleo").await?;
    let call = office.talking(&ada).await?;
    stays("who beats is there", Duration::from_millis(2_600), async || {
        let state = ben.state().await.map_err(|error| format!("{error:#}"))?.state();
        if state == AgentState::Available { Ok(()) } else { Err(format!("{state:?}")) }
    })
    .await?;

    bens_session.fall_silent().await?;
    goes_offline(&ben).await?;
    adas_session.fall_silent().await?;
    goes_offline(&ada).await?;
    let listed = cleo.targets(TargetFilter::default()).await?;
    anyhow::ensure!(listed.is_empty(), "the picker has who is offline: {listed:?}");

    office.goes_on_hearing(&call.leg_id, &[ADA], 1_000).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
    office.tenant.until_with(&call, &ada).await?;
    the_event_says_why(&office, &ben).await?;
    office.connect(&ben).await?;
    office.customer_hangs_up(&call).await?;
    Ok(())
}

/// Offline within the lease, and not much before.
async fn goes_offline(desk: &AgentDesk) -> anyhow::Result<()> {
    let silent_us = now_us();
    desk.until_state(AgentState::Offline).await?;
    let after_us = now_us() - silent_us;
    anyhow::ensure!(after_us < LEASE_US + SLACK_US, "{} was offline only after {after_us} us", desk.name());
    Ok(())
}

async fn the_event_says_why(office: &Office, desk: &AgentDesk) -> anyhow::Result<()> {
    let events = office.tenant.events_about(&format!("agent/{}", desk.id())).await?;
    let last = events.iter().rev().find_map(|event| match event.data.as_ref()?.data.as_ref()? {
        Data::AgentStateChanged(change) => Some((change.to(), change.cause())),
        _ => None,
    });
    anyhow::ensure!(last == Some((AgentState::Offline, Cause::LeaseExpired)), "the last event says {last:?}");
    Ok(())
}
