//! What `baton up` says when it can't start: one that a person can act on, and an exit code that a script can.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use baton_testkit::Embedded;

use crate::harness::{Scenario, alone, on_its_own};

/// It failed.
const FAILED: i32 = 1;
/// The command line or the configuration is wrong.
const USAGE: i32 = 64;

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![
        access_up_without_a_usable_data_folder_says_what_to_do,
        access_up_on_a_port_in_use_names_the_address,
        access_up_with_a_typo_in_the_configuration_names_the_key,
        access_up_twice_on_one_folder_is_refused,
    ]
}

async fn access_up_without_a_usable_data_folder_says_what_to_do(binary: PathBuf) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    std::fs::write(&file, "")?;
    let below = file.join("data");
    let output = up(&binary, &["--listen", "127.0.0.1:0", "--data", &below.to_string_lossy()])?;
    ended(&output, FAILED, &["--data", &below.to_string_lossy()])
}

async fn access_up_on_a_port_in_use_names_the_address(binary: PathBuf) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let output = up(&binary, &["--listen", &address, "--data", &folder.path().to_string_lossy()])?;
    ended(&output, FAILED, &[&address, "in use"])
}

async fn access_up_with_a_typo_in_the_configuration_names_the_key(binary: PathBuf) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("baton.toml");
    std::fs::write(&file, "[presence]\nlease_sm = 1000\n")?;
    let data = folder.path().join("data");
    let file = file.to_string_lossy();
    let output = up(&binary, &["--config", &file, "--data", &data.to_string_lossy()])?;
    ended(&output, USAGE, &["lease_sm", "baton.toml"])?;
    anyhow::ensure!(!data.exists(), "a data folder was made all the same");
    Ok(())
}

async fn access_up_twice_on_one_folder_is_refused(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let output = up(&binary, &["--listen", "127.0.0.1:0", "--data", &data])?;
        ended(&output, FAILED, &["in use", "--data"])
    })
    .await
}

/// Runs `baton up`, which is expected to end by itself.
fn up(binary: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(binary);
    // Should it start after all, it ends with its standard input.
    command.arg("up").arg("--exit-with-stdin").args(arguments).stdin(Stdio::null());
    Ok(command.output()?)
}

fn ended(output: &Output, code: i32, words: &[&str]) -> anyhow::Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.code() == Some(code), "it ended with {}: {said}", output.status);
    let missing: Vec<_> = words.iter().filter(|word| !said.contains(**word)).collect();
    anyhow::ensure!(missing.is_empty(), "it does not say {missing:?}: {said}");
    anyhow::ensure!(said.lines().count() <= 4, "it says too much: {said}");
    Ok(())
}
