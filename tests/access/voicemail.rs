//! `baton voicemail`: what becomes of a message whose download fails, and of those in the box of an agent who goes.

use std::path::PathBuf;

use anyhow::Context as _;
use baton_api::common::v1::TransferPhase;
use baton_testkit::{Embedded, TestTenant};

use super::command_line::{FAILED, client, ended};
use crate::harness::ears::BEEP;
use crate::harness::{Office, Scenario, alone, on_its_own, talk_for};

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![access_voicemail_that_is_not_saved_and_whose_owner_goes_is_mentioned]
}

async fn access_voicemail_that_is_not_saved_and_whose_owner_goes_is_mentioned(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let mut office = Office::open(TestTenant::create(target.endpoints()).await?, "lead_center").await?;
        let ada = office.agent("Ada").await?;
        let ben = office.tenant.agent("Ben").await?;
        for _ in 0..2 {
            office.until_free(&ada).await?;
            let call = office.talking(&ada).await?;
            ada.start_cold(&call.interaction_id, &ben).await?;
            office.until_phase(&call, TransferPhase::Diverted).await?;
            office.phones.until_hears(&call.leg_id, 1_800, "the beep", |it| it.hears(BEEP)).await?;
            talk_for(1_500).await;
            office.customer_hangs_up(&call).await?;
            ben.voicemail().until_message(&call).await?;
        }
        let (data, tenant) = (target.data().to_string_lossy().into_owned(), office.tenant.id().to_string());
        let run = |arguments: &[&str]| client(&binary, arguments).args(["--data", &data, "--tenant", &tenant]).output();
        let message = ben.voicemail().messages().await?.remove(0).message_id;
        let bens = ["voicemail", "download", &message, "--as", "agent:Ben", "--out"];
        let refused = run(&[&bens[..], &["/nonexistent/x.wav"]].concat())?;
        ended(&refused, FAILED, &["no such folder", "is new as before"])?;
        let full = run(&[&bens[..], &["/dev/full"]].concat())?;
        ended(&full, FAILED, &["/dev/full", "counts as heard now", "`baton voicemail download", "fetches it again"])?;

        office.sessions.clear();
        let gone = run(&["agent", "delete", "Ben"])?;
        let said = String::from_utf8_lossy(&gone.stderr).into_owned();
        ended(&gone, 0, &["1 voicemail message in Ben's box", "--unheard --box"])?;
        let (_, command) = said.split_once("`baton ").context("no command")?;
        let command: Vec<_> = command.split('`').next().unwrap_or_default().split(' ').collect();
        let listed = run(&command)?;
        let listed = String::from_utf8_lossy(&listed.stdout);
        anyhow::ensure!(listed.contains("new") && listed.lines().count() == 2, "it lists {listed}");
        Ok(())
    })
    .await
}
