//! The system's time is set by an hour and by a day, to and fro, under live calls: ringing, leases, waits and sound go on by the time that
//! passes (F5). Debian's libfaketime sets it, for Baton's processes alone.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use baton_api::common::v1::{RecordingMode, TransferPhase};
use baton_api::presence::v1::AgentState;
use baton_testkit::{Embedded, PhoneBehaviour, TestTenant};

use crate::harness::ears::{ADA, BEN, CUSTOMER, MUSIC};
use crate::harness::{Office, Scenario, aftermath, alone, now_us, on_its_own, talk_for};

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![f5_a_time_that_is_set_ends_nothing_and_lengthens_nothing]
}

/// By what the time is set, one after the other.
const SET_BY: [&str; 5] = ["+1h", "+0", "-1h", "+1d", "+0"];

async fn f5_a_time_that_is_set_ends_nothing_and_lengthens_nothing(binary: PathBuf) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("time");
    std::fs::write(&file, "+0\n")?;
    let file_name = file.to_string_lossy().into_owned();
    let settings = [
        ("LD_PRELOAD", library()?),
        ("FAKETIME_TIMESTAMP_FILE", file_name.as_str()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
        ("BATON_PRESENCE__LEASE_MS", "3000"),
    ];
    on_its_own(&binary, &settings, async |target: &mut Embedded| {
        let tenant = TestTenant::create(target.endpoints()).await?;
        let mut office = Office::open_with(tenant, "lead_center", "[methods.warm.offer]\nring_ms = 3000\n").await?;
        let ada = office.agent("Ada").await?;
        let ben = office.agent_with("Ben", PhoneBehaviour::Manual).await?;
        let call = office.recorded(RecordingMode::All, &ada).await?;
        let (began_us, since) = (now_us(), ada.until_state(AgentState::Available).await?.state_start_time);
        for set_by in SET_BY {
            ada.start_warm(&call.interaction_id, &ben).await?;
            office.phones.until_ringing(ben.phone()).await?;
            set_time(&file, set_by)?;
            // Half of the ring time: it rings on, and the customer hears music.
            talk_for(1_200).await;
            anyhow::ensure!(office.phones.legs(ben.phone()).await?.len() == 1, "{set_by}: it does not ring any more");
            office.hears(&call.leg_id, &[MUSIC]).await?;
            let rang_us = now_us();
            office.until_phase(&call, TransferPhase::Failed).await.context(set_by)?;
            let late_ms = (now_us() - rang_us) / 1_000;
            anyhow::ensure!(late_ms < 3_000, "{set_by}: it rang for {late_ms} ms more");
            // B604: who missed an offer has to come back.
            ben.until_state(AgentState::NotResponding).await?;
            ben.set_state(AgentState::Available, "").await?;
            ada.resume(&call.interaction_id).await?;
            office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
            anyhow::ensure!(
                ada.state().await?.state_start_time == since,
                "{set_by}: the lease was judged by the clock"
            );
        }
        ada.start_warm(&call.interaction_id, &ben).await?;
        office.phones.until_ringing(ben.phone()).await?;
        office.phones.answer(ben.phone()).await?;
        office.until_phase(&call, TransferPhase::Consulting).await?;
        office.hear_each_other(&[(&office.leg(&ada).await?, ADA), (&office.leg(&ben).await?, BEN)]).await?;
        office.customer_hangs_up(&call).await?;
        let lasted_ms = (now_us() - began_us) / 1_000;
        for recording in office.tenant.until_recorded(&call, 1).await? {
            let sound_ms = office.tenant.sound_of(&recording).await?.duration_ms();
            anyhow::ensure!(sound_ms < lasted_ms + 1_000, "{sound_ms} ms of sound in {lasted_ms} ms");
        }
        aftermath::nothing_is_left(&office.tenant).await
    })
    .await
}

fn set_time(file: &Path, by: &str) -> anyhow::Result<()> {
    // In one step: a file that is half written would be no time.
    let next = file.with_extension("next");
    std::fs::write(&next, format!("{by}\n"))?;
    Ok(std::fs::rename(&next, file)?)
}

fn library() -> anyhow::Result<&'static str> {
    let places =
        ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"];
    let found = places.into_iter().find(|it| Path::new(it).exists());
    found.context("libfaketime is missing: `apt-get install libfaketime`, or run tests/run, which does so")
}
