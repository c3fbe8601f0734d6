//! A start that is refused, a copy of the data folder, and a failure inside: live calls stay as they are.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::Context as _;
use baton_runtime::Clock;
use baton_runtime::auth::SigningKey;
use baton_runtime::client::GrpcChannel;
use baton_testkit::{AgentDesk, BOUND, Call, Embedded, eventually};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{ConnectOptions as _, Connection as _};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{in_an_office, was_never_in_silence};
use crate::harness::ears::{ADA, CUSTOMER};
use crate::harness::{Office, Scenario, alone, on_its_own};

/// `EX_SOFTWARE`: a failure inside.
const FAILED_INSIDE: i32 = 70;

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![
        n1_a_start_that_a_database_refuses_leaves_live_calls_as_they_are,
        n1_a_start_on_a_full_disk_leaves_live_calls_as_they_are,
        n1_a_second_control_plane_is_refused_and_live_calls_stay_as_they_are,
        n1_a_copied_data_folder_never_takes_over_the_originals_switch,
        r3_a_failing_disk_ends_up_as_a_crash_does_and_the_call_lives_on,
        s13_after_a_kill_and_a_new_key_the_start_says_which_process_to_stop,
        r9_a_switch_that_hangs_does_not_keep_up_from_starting,
    ]
}

/// Ada talks with a customer.
async fn talking(office: &mut Office) -> anyhow::Result<(AgentDesk, Call)> {
    let ada = office.agent("Ada").await?;
    let call = office.talking(&ada).await?;
    Ok((ada, call))
}

/// `up` is started again, and the call has gone on all the time.
async fn goes_on(target: &mut Embedded, office: &mut Office, ada: &AgentDesk, call: &Call) -> anyhow::Result<()> {
    target.restart().await?;
    office.sessions.clear();
    office.connect(ada).await?;
    office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(ada).await?, ADA)]).await?;
    was_never_in_silence(office, call).await
}

/// A start ends by itself, and says this.
pub(super) async fn is_refused(target: &mut Embedded, says: &str) -> anyhow::Result<()> {
    match target.restart().await {
        Ok(()) => anyhow::bail!("it was started"),
        Err(error) => {
            let said = format!("{error:#}");
            anyhow::ensure!(said.contains("it ended") && said.contains(says), "it said: {said}");
            Ok(())
        }
    }
}

/// Both legs are on the switch while `up` is down.
async fn is_live(target: &Embedded, office: &Office, call: &Call, ada: &AgentDesk) -> anyhow::Result<()> {
    let phones = target.switch_phones(&office.tenant)?;
    anyhow::ensure!(phones.legs(ada.phone()).await?.len() == 1, "the agent's phone is not on the call");
    phones.heard(&call.leg_id).await?;
    Ok(())
}

async fn n1_a_start_that_a_database_refuses_leaves_live_calls_as_they_are(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, call) = talking(office).await?;
        target.kill()?;

        let presence = target.data().join("presence.db");
        let whole = std::fs::read(&presence)?;
        std::fs::write(&presence, [b"noise".as_slice(), &whole[5..]].concat())?;
        is_refused(target, "presence.db").await?;
        std::fs::write(&presence, whole)?;
        is_live(target, office, &call, &ada).await?;

        let routing = target.data().join("routing.db");
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, '', 1, x'00', 0)";
        execute(&routing, newer).await?;
        is_refused(target, "newer Baton").await?;
        execute(&routing, "DELETE FROM _sqlx_migrations WHERE version = 9999").await?;
        is_live(target, office, &call, &ada).await?;

        goes_on(target, office, &ada, &call).await
    })
    .await
}

async fn execute(file: &Path, statement: &'static str) -> anyhow::Result<()> {
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await?;
    sqlx::query(statement).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

async fn n1_a_start_on_a_full_disk_leaves_live_calls_as_they_are(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, call) = talking(office).await?;
        target.kill()?;
        // No file may grow: every write fails, as on a full disk.
        let mut up = Command::new("sh");
        up.args([
            "-c",
            "trap '' XFSZ; ulimit -f 0; exec \"$0\" up --exit-with-stdin --listen 127.0.0.1:0 --data \"$1\"",
        ]);
        let said = up.arg(&binary).arg(target.data()).stdin(Stdio::null()).output()?;
        anyhow::ensure!(said.status.code() == Some(1), "{}", text(&said));
        let advice = text(&said);
        anyhow::ensure!(advice.contains("free space") && !advice.contains("restore"), "it advises wrongly: {advice}");
        is_live(target, office, &call, &ada).await?;
        goes_on(target, office, &ada, &call).await
    })
    .await
}

pub(super) fn text(said: &Output) -> String {
    format!("{}: {}{}", said.status, String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr))
}

async fn n1_a_second_control_plane_is_refused_and_live_calls_stay_as_they_are(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, call) = talking(office).await?;
        let other = tempfile::tempdir()?;
        let second = |data: &Path| {
            let mut up = Command::new(&binary);
            // Should it start after all, it ends with its standard input.
            up.args(["up", "--exit-with-stdin", "--listen", "127.0.0.1:0", "--data"]).arg(data).stdin(Stdio::null());
            up.env("BATON_SWITCH__DATA_DIR", target.data().join("switch"));
            up.env("BATON_AUTH__KEY_FILE", target.data().join(SigningKey::FILE_NAME));
            up
        };
        for (data, says) in [(target.data(), "in use by another"), (other.path(), "driven by another")] {
            let said = second(data).output()?;
            anyhow::ensure!(said.status.code() == Some(1) && text(&said).contains(says), "{}", text(&said));
        }
        office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;

        let mut second = second(other.path());
        target.kill()?;
        let said = second.output()?;
        let says = format!("runs (process {})", switch_pid(target)?);
        anyhow::ensure!(said.status.code() == Some(1) && text(&said).contains(&says), "{}", text(&said));
        is_live(target, office, &call, &ada).await?;
        goes_on(target, office, &ada, &call).await
    })
    .await
}

async fn n1_a_copied_data_folder_never_takes_over_the_originals_switch(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, call) = talking(office).await?;
        let copy = tempfile::tempdir()?;
        let copied = Command::new("cp").arg("-r").arg(target.data().join(".")).arg(copy.path()).status()?;
        anyhow::ensure!(copied.success(), "cp: {copied}");
        let out = copy.path().join("second.out");
        let mut second = Command::new(&binary)
            .args(["up", "--exit-with-stdin", "--listen", "127.0.0.1:0", "--data"])
            .arg(copy.path())
            .stdin(Stdio::piped())
            .stdout(std::fs::File::create(&out)?)
            .spawn()?;
        until_said(&out, "Baton listens on").await?;
        drop(second.stdin.take());
        let status = eventually("it ends", BOUND, async || match second.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err(format!("{other:?}")),
        })
        .await?;
        anyhow::ensure!(status.success(), "{status}");

        office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await?;
        was_never_in_silence(office, &call).await
    })
    .await
}

async fn until_said(file: &Path, words: &str) -> anyhow::Result<String> {
    eventually(words, BOUND, async || {
        let said = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        if said.contains(words) { Ok(said) } else { Err(said) }
    })
    .await
}

async fn r3_a_failing_disk_ends_up_as_a_crash_does_and_the_call_lives_on(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, call) = talking(office).await?;
        // The files of a database go away, so its next sync fails.
        let files = ["presence.db", "presence.db-wal"].map(|it| target.data().join(it));
        let aside = |file: &Path| {
            file.with_extension("aside-".to_owned() + &file.extension().unwrap_or_default().to_string_lossy())
        };
        for file in &files {
            std::fs::rename(file, aside(file))?;
        }
        let _ = office.tenant.agent("Ben").await;
        let code = target.until_ended().await?;
        anyhow::ensure!(code == FAILED_INSIDE, "it ended with exit code {code}");
        let says = format!("The calls live on, on the switch (process {}).", switch_pid(target)?);
        until_said(&target.data().join("up.err"), &says).await?;
        is_live(target, office, &call, &ada).await?;
        for file in &files {
            std::fs::rename(aside(file), file)?;
        }
        goes_on(target, office, &ada, &call).await
    })
    .await
}

async fn s13_after_a_kill_and_a_new_key_the_start_says_which_process_to_stop(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        target.kill()?;
        std::fs::remove_file(target.data().join(SigningKey::FILE_NAME))?;
        let switch = switch_pid(target)?;
        is_refused(target, &format!("`kill {switch}`")).await?;
        signal(switch, Signal::TERM)?;
        until_gone(switch).await?;
        target.restart().await
    })
    .await
}

async fn r9_a_switch_that_hangs_does_not_keep_up_from_starting(binary: PathBuf) -> anyhow::Result<()> {
    in_an_office(&binary, "helpdesk", "", async |target: &mut Embedded, office: &mut Office| {
        let (ada, call) = talking(office).await?;
        let (switch, out) = (switch_pid(target)?, target.data().join("up.out"));
        target.kill()?;
        signal(switch, Signal::STOP)?;
        let address = target.endpoints().public.clone();
        let watching = async {
            let says = format!("The switch of an earlier run (process {switch}) does not answer");
            let said = until_said(&out, &says).await;
            let hung = health(&address).await;
            signal(switch, Signal::CONT)?;
            said?;
            anyhow::ensure!(hung? == ServingStatus::NotServing, "it says that it is ready");
            Ok(())
        };
        let (started, watched) = tokio::join!(target.restart(), watching);
        watched?;
        started?;
        eventually("it is ready", BOUND, async || match health(&address).await {
            Ok(ServingStatus::Serving) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await?;
        office.sessions.clear();
        office.connect(&ada).await?;
        office.hear_each_other(&[(&call.leg_id, CUSTOMER), (&office.leg(&ada).await?, ADA)]).await
    })
    .await
}

async fn health(address: &str) -> anyhow::Result<ServingStatus> {
    let mut client = HealthClient::new(GrpcChannel::anonymous(address, Clock::real())?);
    Ok(client.check(HealthCheckRequest::default()).await?.into_inner().status())
}

/// From the card of the switch.
fn switch_pid(target: &Embedded) -> anyhow::Result<i32> {
    let card = std::fs::read_to_string(target.data().join("switch/switch.json"))?;
    let card: serde_json::Value = serde_json::from_str(&card)?;
    card["pid"].as_i64().and_then(|it| it.try_into().ok()).with_context(|| format!("no process in {card}"))
}

fn signal(process: i32, signal: Signal) -> anyhow::Result<()> {
    Ok(kill_process(Pid::from_raw(process).context("no process")?, signal)?)
}

/// Waits for the end of a process that may be nobody's child.
async fn until_gone(process: i32) -> anyhow::Result<()> {
    let stat = PathBuf::from(format!("/proc/{process}/stat"));
    eventually("the switch ends", BOUND, async || match std::fs::read_to_string(&stat) {
        // Nobody may reap it here: then it is a zombie.
        Ok(line) if !line.contains(") Z ") => Err(line),
        _ => Ok(()),
    })
    .await
}
