//! Databases that are copied, mixed, lost or damaged.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use baton_testkit::Embedded;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::in_an_office;
use super::refused::{is_refused, text};
use crate::harness::{Office, Scenario, alone};

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![
        n2_a_backup_of_a_running_baton_is_restored_and_one_that_was_changed_is_refused,
        n2_an_older_copy_of_one_database_is_refused,
        r8_a_lost_or_damaged_event_log_is_built_again,
    ]
}

fn baton(binary: &Path, arguments: &[&str], folder: &Path, data: &Path) -> anyhow::Result<Output> {
    Ok(Command::new(binary).args(arguments).arg(folder).arg("--data").arg(data).output()?)
}

async fn n2_a_backup_of_a_running_baton_is_restored_and_one_that_was_changed_is_refused(
    binary: PathBuf,
) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        let ada = office.agent("Ada").await?;
        let call = office.talking(&ada).await?;
        let away = tempfile::tempdir()?;
        let [backup, restored, again] = ["backup", "restored", "again"].map(|it| away.path().join(it));
        let said = baton(&binary, &["backup"], &backup, target.data())?;
        anyhow::ensure!(said.status.success(), "{}", text(&said));
        let said = baton(&binary, &["restore"], &backup, &restored)?;
        anyhow::ensure!(said.status.success(), "{}", text(&said));
        let mut transfer = SqliteConnectOptions::new().filename(restored.join("transfer.db")).connect().await?;
        let calls: i64 = sqlx::query_scalar("SELECT count(*) FROM interactions").fetch_one(&mut transfer).await?;
        anyhow::ensure!(calls == 1, "the call is not in the backup");
        for (command, from, into, code, reason) in [
            ("backup", &backup, target.data(), 64, "is not empty"),
            ("restore", &backup, restored.as_path(), 64, "is there already"),
            ("restore", &again, restored.as_path(), 3, "there is no"),
        ] {
            let said = baton(&binary, &[command], from, into)?;
            let is_refused_so = said.status.code() == Some(code) && text(&said).contains(reason);
            anyhow::ensure!(is_refused_so, "{command}: {:?} {}", said.status, text(&said));
        }

        office.customer_hangs_up(&call).await?;
        office.tenant.until_ended(&call).await?;
        std::fs::copy(target.data().join("transfer.db"), backup.join("transfer.db"))?;
        let said = baton(&binary, &["restore"], &backup, &again)?;
        let is_refused_so = said.status.code() == Some(1) && text(&said).contains("transfer.db is not the file");
        anyhow::ensure!(is_refused_so && !again.exists(), "{}", text(&said));
        Ok(())
    })
    .await
}

async fn n2_an_older_copy_of_one_database_is_refused(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        office.agent("Ada").await?;
        office.sessions.clear();
        let presence = target.data().join("presence.db");
        target.stop().await?;
        let wal = std::fs::metadata(target.data().join("presence.db-wal")).map_or(0, |it| it.len());
        anyhow::ensure!(wal == 0, "after an orderly end {wal} bytes are not in the database's file");
        let older = std::fs::read(&presence)?;
        target.restart().await?;
        target.stop().await?;
        let newer = std::fs::read(&presence)?;
        std::fs::write(&presence, older)?;
        is_refused(target, "older copy").await?;
        std::fs::rename(&presence, target.data().join("aside"))?;
        is_refused(target, "presence.db is gone").await?;
        std::fs::write(&presence, newer)?;
        target.restart().await
    })
    .await
}

async fn r8_a_lost_or_damaged_event_log_is_built_again(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        let ada = office.agent("Ada").await?;
        let call = office.talking(&ada).await?;
        office.customer_hangs_up(&call).await?;
        office.until_events(&call, "interaction.ended", 1).await?;
        let events = target.data().join("events.db");
        for is_lost in [true, false] {
            office.sessions.clear();
            target.stop().await?;
            if is_lost {
                std::fs::remove_file(&events)?;
            } else {
                let length = std::fs::metadata(&events)?.len();
                std::fs::write(&events, vec![0xa5; usize::try_from(length)?])?;
            }
            target.restart().await?;
            office.until_events(&call, "interaction.ended", 1).await?;
        }
        Ok(())
    })
    .await
}
