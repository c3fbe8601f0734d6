//! B611: `baton policy check` explores every interleaving of a policy, and reports what can go wrong in it with the shortest example.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::{Scenario, alone};

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![
        b611_a_profile_is_explored_to_the_end_and_nothing_can_break,
        b611_what_can_go_wrong_is_told_with_the_shortest_way_there,
        b611_a_file_that_is_no_policy_is_refused_with_its_line,
    ]
}

/// As small as it gets: this is about the command, and `libs/proof` about what it finds.
const BOUND: [&str; 4] = ["--agents", "2", "--transfers", "1"];

fn check(binary: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    // No server is there, and none is asked for.
    let command = ["policy", "check", "--server", "http://127.0.0.1:1"];
    Ok(Command::new(binary).args(command).args(BOUND).args(arguments).output()?)
}

fn report(output: &Output) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn b611_a_profile_is_explored_to_the_end_and_nothing_can_break(binary: PathBuf) -> anyhow::Result<()> {
    for name in ["lead_center", "helpdesk"] {
        let output = check(&binary, &["--profile", name, "--json"])?;
        anyhow::ensure!(output.status.success(), "{}", said(&output));
        let report = report(&output)?;
        let (complete, broken) = (&report["complete"], &report["broken"]);
        anyhow::ensure!(complete == true && broken.as_array().is_some_and(Vec::is_empty), "{report:#}");
        anyhow::ensure!(report["situations"].as_u64() > Some(1_000), "too little was looked at: {report:#}");
    }
    Ok(())
}

async fn b611_what_can_go_wrong_is_told_with_the_shortest_way_there(binary: PathBuf) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let overrides = folder.path().join("mine.toml");
    std::fs::write(&overrides, "[methods.warm.consult.joined]\ninitiator_leaves = \"cancel\"\n")?;
    let arguments = ["--profile", "lead_center", "--overrides", &overrides.display().to_string()];
    let output = check(&binary, &arguments)?;
    anyhow::ensure!(output.status.code() == Some(1), "{}", said(&output));
    let text = said(&output);
    let expected = ["C2 can break", "  8. agent 1 leaves", "complete within bound", "lead_center: 1 can go wrong"];
    for part in expected {
        anyhow::ensure!(text.contains(part), "{part:?} is not in\n{text}");
    }

    // The same as a whole policy of one's own; and what was not looked at is no proof.
    let whole = folder.path().join("whole.toml");
    let printed = Command::new(&binary).args(["policy", "check", "--help"]).output()?;
    anyhow::ensure!(printed.status.success(), "{}", said(&printed));
    std::fs::write(&whole, include_str!("../../policies/helpdesk.toml"))?;
    let whole = whole.display().to_string();
    let output = check(&binary, &[&whole])?;
    anyhow::ensure!(output.status.success(), "{}", said(&output));
    let output = check(&binary, &[&whole, "--most-steps", "1000", "--json"])?;
    anyhow::ensure!(output.status.code() == Some(1) && report(&output)?["proved"] == false, "{}", said(&output));
    Ok(())
}

async fn b611_a_file_that_is_no_policy_is_refused_with_its_line(binary: PathBuf) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str, text: &str| -> anyhow::Result<String> {
        let file = folder.path().join(name);
        std::fs::write(&file, text)?;
        Ok(file.display().to_string())
    };
    let wrong = include_str!("../../policies/helpdesk.toml").replacen("max_hops = 20", "max_hops = \"many\"", 1);
    let wrong = file("wrong.toml", &wrong)?;
    let typo = file("typo.toml", "\n[methods.warm.offer]\nring_sm = 10\n")?;
    for (arguments, code, reason) in [
        (vec![wrong.as_str()], 64, "wrong.toml:6: "),
        (vec!["--profile", "lead_center", "--overrides", &typo], 64, "typo.toml:3: there is no field"),
        (vec!["--profile", "lead_centre"], 64, "the profiles are lead_center, helpdesk"),
        (vec!["lead_center"], 64, "a built-in profile is named by --profile"),
        (vec![], 64, "--profile NAME"),
        (vec!["--overrides", &typo], 64, "--profile NAME"),
        (vec![&wrong, "--profile", "helpdesk"], 64, "instead of it"),
        (vec![&wrong, "--overrides", &typo], 64, "instead of it"),
        (vec!["--profile", "helpdesk", "--most-steps", "9"], 64, "from 1000 to"),
    ] {
        let output = check(&binary, &arguments)?;
        let is_refused_so = output.status.code() == Some(code) && said(&output).contains(reason);
        anyhow::ensure!(is_refused_so, "{arguments:?}: {:?} {}", output.status, said(&output));
    }
    Ok(())
}
