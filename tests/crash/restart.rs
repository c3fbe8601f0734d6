//! An orderly end and another start: everything is still there.

use std::path::PathBuf;

use anyhow::Context as _;
use baton_api::common::v1::{Reason, RecordingMode};
use baton_api::recording::v1::recording::State;
use baton_testkit::Embedded;
use baton_testkit::tenant::ring;

use super::in_an_office;
use crate::harness::ears::{ADA, CUSTOMER, holds_exactly};
use crate::harness::{Office, Scenario, alone, at_us, now_us, talk_for};

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![restart_in_order_and_everything_is_still_there]
}

async fn restart_in_order_and_everything_is_still_there(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        let ada = office.agent("Ada").await?;
        let number = office.tenant.number(vec![ring(&ada)]).await?;
        office.tenant.record(&number, RecordingMode::All).await?;
        let call = office.talking_on(&number, &ada).await?;
        ada.note(&call.interaction_id, "calls back").await?;
        talk_for(800).await;
        let code = target.stop().await?;
        anyhow::ensure!(code == 0, "it ended with exit code {code}");
        let stopped_us = now_us();

        target.restart().await?;
        office.sessions.clear();
        office.connect(&ada).await?;
        let ended = office.tenant.until_ended(&call).await?;
        anyhow::ensure!(ended.end_reason() == Reason::Requested, "it ended with {:?}", ended.end_reason());
        let events = office.tenant.until_event(&call, "recording.stored").await?;
        anyhow::ensure!(ended.notes.len() == 1, "the note is gone");
        let recordings = office.tenant.until_recorded(&call, 1).await?;
        anyhow::ensure!(recordings[0].state() == State::Stored, "the recording is {:?}", recordings[0].state());
        for last in ["interaction.ended", "recording.stored"] {
            let time = events.iter().find(|it| it.name() == last).and_then(|it| it.time).context(last)?;
            anyhow::ensure!(at_us(&time) <= stopped_us, "{last} was left to the next start");
        }
        holds_exactly("the recording", &office.tenant.sound_of(&recordings[0]).await?, &[CUSTOMER, ADA])?;

        office.until_free(&ada).await?;
        office.talking_on(&number, &ada).await?;
        Ok(())
    })
    .await
}
