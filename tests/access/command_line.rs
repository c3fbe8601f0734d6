//! Failures and omissions of `baton`: their messages help a person, and their exit codes help a script.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::Context as _;
use baton_testkit::{BOUND, Embedded, eventually};

use crate::harness::{Scenario, alone, on_its_own};

/// It failed.
pub(super) const FAILED: i32 = 1;
/// What was named is not there.
pub(super) const NOT_FOUND: i32 = 3;
/// It is not possible now.
const NOT_NOW: i32 = 4;
/// The token may not.
const NOT_ALLOWED: i32 = 5;
/// Nobody answers.
pub(super) const NO_ANSWER: i32 = 6;
/// The command line or the configuration is wrong.
pub(super) const USAGE: i32 = 64;
/// An agent of the demo tenant; a new installation has one event about this agent.
const ADA: &str = "01980000-0000-7000-8000-0000000000a1";

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![
        access_up_without_a_usable_data_folder_says_what_to_do,
        access_up_on_a_port_in_use_names_the_address,
        access_up_with_a_typo_in_the_configuration_names_the_key,
        access_up_with_a_nearly_full_disk_starts_without_the_demo_tenant,
        access_up_twice_on_one_folder_is_refused,
        access_up_refuses_a_variable_that_sets_nothing,
        access_what_up_makes_is_its_owners_alone,
        access_a_token_that_is_given_must_be_one,
        access_a_server_that_does_not_speak_tls_is_told_from_a_wrong_address,
        access_demo_that_can_not_save_its_files_does_not_begin,
        access_demo_of_each_profile_begins_with_what_there_is_to_see_and_passes_its_checks,
        access_events_that_are_not_shown_are_mentioned,
        access_what_events_are_about_can_be_named,
        access_b612_a_call_is_explained_to_people_and_programs,
        access_b613_the_picture_is_rebuilt_as_of_a_moment,
        access_nobody_connects_by_anothers_name,
        access_n11_what_a_token_contradicts_is_refused,
        access_n9_what_would_be_ignored_is_refused,
        access_n10_a_data_folder_that_nobody_serves_is_not_the_default_address,
        access_n4_a_write_that_fails_is_a_failure,
        access_n3_a_stream_goes_on_after_a_restart,
        access_n10_a_list_that_is_watched_is_one_value_a_change,
        access_n9_a_typo_is_no_empty_answer,
        access_n10_kinds_of_failure_have_their_exit_codes,
        access_n10_a_value_that_can_not_be_used_is_the_command_lines_fault,
        access_s14_what_comes_from_outside_does_not_steer_the_terminal,
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
    let occupied = TcpListener::bind("127.0.0.1:0")?;
    let address = occupied.local_addr()?.to_string();
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

async fn access_up_with_a_nearly_full_disk_starts_without_the_demo_tenant(binary: PathBuf) -> anyhow::Result<()> {
    const FULL: (&str, &str) = ("BATON_DATA__MIN_FREE_MIB", "1000000000");
    on_its_own(&binary, &[FULL], async |target: &mut Embedded| {
        let log = target.log();
        let warning =
            log.lines().find(|it| it.contains("the demo tenant (agents Ada")).context("it does not say so")?;
        let says = |words: &[&str]| words.iter().all(|it| warning.contains(it));
        anyhow::ensure!(says(&["+3225550100", "disk", "data.min_free_mib", "start again"]), "{warning}");
        let said = std::fs::read_to_string(target.data().join("up.out"))?;
        anyhow::ensure!(said.contains("not made, see the warning") && !said.contains("agent connect"), "{said}");
        // With room on the disk, the next start makes it; a later one without room has it.
        for free in ["0", FULL.1] {
            target.kill()?;
            target.set(FULL.0, free);
            target.restart().await?;
            let data = target.data().to_string_lossy().into_owned();
            let agents = client(&binary, &["agent", "list", "--data", &data]).output()?;
            anyhow::ensure!(String::from_utf8_lossy(&agents.stdout).contains("Ada"), "{free}: {agents:?}");
        }
        Ok(())
    })
    .await
}

async fn access_up_twice_on_one_folder_is_refused(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let output = up(&binary, &["--listen", "127.0.0.1:0", "--data", &data])?;
        ended(&output, FAILED, &["in use", "--data"])
    })
    .await
}

async fn access_up_refuses_a_variable_that_sets_nothing(binary: PathBuf) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let mut command = client(&binary, &["up", "--exit-with-stdin", "--listen", "127.0.0.1:0", "--data"]);
    let output = command.arg(&data).env("BATON_TRANSFER_COMPARE_INTERVAL_MS", "1000").output()?;
    ended(&output, USAGE, &["BATON_TRANSFER_COMPARE_INTERVAL_MS", "BATON_TRANSFER__COMPARE_INTERVAL_MS"])?;
    anyhow::ensure!(!data.exists(), "a data folder was made all the same");
    Ok(())
}

async fn access_what_up_makes_is_its_owners_alone(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let mut open = Vec::new();
        let mut seen = 0;
        let mut folders = vec![target.data().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                // It may have been removed meanwhile.
                let Ok(metadata) = entry.metadata() else { continue };
                seen += 1;
                if metadata.permissions().mode() & 0o077 != 0 && !is_the_tests_own(&entry.path()) {
                    open.push(entry.path());
                }
                if metadata.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        // Five databases, the key, and the switch's folder at least.
        anyhow::ensure!(seen > 10 && open.is_empty(), "of {seen} files others can open {open:?}");
        Ok(())
    })
    .await
}

/// What `up` says goes to files that the harness has made.
fn is_the_tests_own(path: &Path) -> bool {
    ["up.out", "up.err"].iter().any(|name| path.ends_with(name))
}

async fn access_a_token_that_is_given_must_be_one(binary: PathBuf) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().to_string_lossy();
    let empty = client(&binary, &["call", "list", "--data", &data, "--token", ""]).output()?;
    ended(&empty, USAGE, &["--token", "a value is required"])?;
    // An empty variable is none, so that the next place to look for a key or a server is asked.
    let mut unset = client(&binary, &["call", "list", "--data", &data]);
    ended(&unset.env("BATON_TOKEN", "").env("BATON_SERVER", "").output()?, USAGE, &["no token, and no key", "--data"])
}

async fn access_a_server_that_does_not_speak_tls_is_told_from_a_wrong_address(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let list = |server: &str| client(&binary, &["call", "list", "--token", "t", "--server", server]).output();
        let https = target.endpoints().public.replace("http://", "https://");
        ended(&list(&https)?, NO_ANSWER, &["does not speak TLS", "http://"])?;
        ended(&list("localhost")?, USAGE, &["\"localhost\" is no address"])
    })
    .await
}

async fn access_demo_that_can_not_save_its_files_does_not_begin(binary: PathBuf) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    std::fs::write(&file, "")?;
    // Below a file nobody can make a folder; in /proc nobody can make a file, whatever they may do elsewhere.
    for out in [&*file.join("out").to_string_lossy(), "/proc"] {
        let output = client(&binary, &["demo", "--fast", "--out", out]).output()?;
        ended(&output, USAGE, &["--out", out])?;
        anyhow::ensure!(output.stdout.is_empty(), "it began all the same");
    }
    Ok(())
}

async fn access_demo_of_each_profile_begins_with_what_there_is_to_see_and_passes_its_checks(
    binary: PathBuf,
) -> anyhow::Result<()> {
    for (profile, what) in [
        ("lead_center", "joins all three, and leaves"),
        ("helpdesk", "mutes herself"),
        ("engagement", "never on hold"),
        ("aicc", "until the second one answers, and is released then"),
        ("user_transfer", "for \"Other department\""),
    ] {
        let out = tempfile::tempdir()?;
        let out = out.path().to_string_lossy().into_owned();
        let output = client(&binary, &["demo", "--fast", "--profile", profile, "--out", &out]).output()?;
        ended(&output, 0, &[])?;
        let told = String::from_utf8_lossy(&output.stdout);
        anyhow::ensure!(told.contains(what) && !told.contains("FAILED"), "{profile}: {told}");
        anyhow::ensure!(told.contains("waits for Sales"), "whoever waits waits for somebody with a name: {told}");
    }
    Ok(())
}

async fn access_events_that_are_not_shown_are_mentioned(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let list = |more: &[&str]| client(&binary, &["events", "list", "--data", &data]).args(more).output();
        // What a new tenant has comes as events, one after the other.
        eventually("five events are published", BOUND, async || {
            let output = list(&[]).map_err(|error| error.to_string())?;
            let lines = String::from_utf8_lossy(&output.stdout).lines().count();
            if lines > 5 { Ok(()) } else { Err(format!("{lines} lines with the heading")) }
        })
        .await?;
        let first = list(&["--limit", "4"])?;
        ended(&first, 0, &["more events"])?;
        let note = String::from_utf8_lossy(&first.stderr).into_owned();
        let (_, from) = note.split_once("--from ").context("no cursor to go on from")?;
        let from = from.split(' ').next().unwrap_or_default();
        let all = list(&["--limit", "5"])?.stdout;
        let next = list(&["--limit", "1", "--from", from])?.stdout;
        let last_line = |text: &[u8]| String::from_utf8_lossy(text).lines().last().map(cells);
        anyhow::ensure!(last_line(&next) == last_line(&all), "the fifth event is not the next one");
        ended(&list(&["--from", "592"])?, USAGE, &["cursor"])?;
        ended(&list(&["--since", "1h", "--limit", "1"])?, 0, &["more events"])?;
        ended(&list(&["--since", "yesterday"])?, USAGE, &["10m"])?;
        let ada = format!("agent/{ADA}");
        for all in [&["--limit", "500"][..], &["--limit", "1", "--subject", &ada], &["--limit", "4", "--json"]] {
            let output = list(all)?;
            ended(&output, 0, &[])?;
            anyhow::ensure!(output.stderr.is_empty(), "{all:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    })
    .await
}

/// A row without the widths of its columns, which depend on the other rows.
fn cells(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

async fn access_what_events_are_about_can_be_named(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let about = |subject: &str| {
            client(&binary, &["events", "list", "--json", "--data", &data, "--subject", subject]).output()
        };
        let whole = format!("agent/{ADA}");
        eventually("Ada's event is published", BOUND, async || {
            let output = about(&whole).map_err(|error| error.to_string())?;
            if String::from_utf8_lossy(&output.stdout).contains(&whole) { Ok(()) } else { Err(format!("{output:?}")) }
        })
        .await?;
        let known = about(&whole)?.stdout;
        for other in ["agent/ada", "agent/0000000000a1"] {
            anyhow::ensure!(about(other)?.stdout == known, "{other} is not about Ada");
        }
        ended(&about("agent/Zoe")?, NOT_FOUND, &["no agent \"Zoe\"", "`baton agent list`"])
    })
    .await
}

async fn access_b612_a_call_is_explained_to_people_and_programs(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let run = |arguments: &[&str]| client(&binary, arguments).args(["--data", &data]).output();
        ended(&run(&["call", "explain"])?, NOT_FOUND, &["no live call", "`baton call place`"])?;
        ended(&run(&["flow", "set", "Nobody", "--step", "ring-agent:Ada", "--step", "voicemail:sales"])?, 0, &[])?;
        ended(&run(&["number", "set", "+3225550177", "--flow", "Nobody"])?, 0, &[])?;
        ended(&run(&["call", "place", "--to", "+3225550177"])?, 0, &[])?;
        let told = eventually("the call is in voicemail, and says why", BOUND, async || {
            let output = run(&["call", "explain"]).map_err(|error| error.to_string())?;
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            if told.contains("step 2") { Ok(told) } else { Err(format!("{output:?}")) }
        })
        .await?;
        let refused = "presence refused the claim on Ada (offline)";
        for (what, why) in [
            ("A customer, +32470123456, calls +3225550177.", "the customer called"),
            ("Ada did not take the call: offline.", refused),
            ("The call flow takes step 2: voicemail.", refused),
        ] {
            let line = told.lines().find(|line| line.contains(what));
            anyhow::ensure!(line.is_some_and(|line| line.ends_with(why)), "{what:?} has another reason: {told}");
        }
        let steps: serde_json::Value = serde_json::from_slice(&run(&["call", "explain", "--json"])?.stdout)?;
        let cause = &steps[2]["cause"];
        anyhow::ensure!(cause["fact"] == "FACT_CLAIM_REFUSED" && cause["agent_id"] == ADA, "{steps:#}");
        ended(
            &run(&["call", "explain", "--transfer", "1"])?,
            NOT_FOUND,
            &["no transfer in this call", "Without --transfer"],
        )
    })
    .await
}

async fn access_b613_the_picture_is_rebuilt_as_of_a_moment(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let run = |arguments: &[&str]| client(&binary, arguments).args(["--data", &data]).output();
        let json = |arguments: &[&str]| -> anyhow::Result<serde_json::Value> {
            Ok(serde_json::from_slice(&run(arguments)?.stdout)?)
        };
        ended(&run(&["flow", "set", "Nobody", "--step", "voicemail:sales"])?, 0, &[])?;
        ended(&run(&["number", "set", "+3225550177", "--flow", "Nobody"])?, 0, &[])?;
        ended(&run(&["call", "place", "--to", "+3225550177"])?, 0, &[])?;
        let call = eventually("the call is in voicemail, by its events", BOUND, async || {
            let picture = json(&["events", "rebuild", "--json"]).map_err(|error| format!("{error:#}"))?;
            let call = picture["calls"][0].clone();
            if call["state"] == "STATE_IN_VOICEMAIL" { Ok(call) } else { Err(format!("{picture:#}")) }
        })
        .await?;
        let id = call["interaction_id"].as_str().context("no id")?;
        let shown = run(&["events", "rebuild", "--interaction", id])?;
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        anyhow::ensure!(shown.contains(&format!("Call {id} to +3225550177: in voicemail")), "{shown}");
        let events = json(&["events", "list", "--limit", "500", "--json"])?;
        let about = format!("interaction/{id}");
        let first = events.as_array().and_then(|all| all.iter().find(|it| it["event"]["subject"] == about.as_str()));
        let cursor = first.and_then(|it| it["cursor"].as_str()).context("no event about the call")?;
        let then = json(&["events", "rebuild", "--until", cursor, "--json"])?;
        anyhow::ensure!(then["calls"][0]["state"] == "STATE_IN_FLOW", "{then:#}");
        let agents = then["agents"].as_array().map(Vec::len);
        anyhow::ensure!(agents == Some(4) && then["skipped_events"] == 0, "{then:#}");
        let before = json(&["events", "rebuild", "--until", "2020-01-01T00:00:00Z", "--json"])?;
        anyhow::ensure!(
            before["calls"] == serde_json::json!([]) && before["agents"] == serde_json::json!([]),
            "{before:#}"
        );
        let unknown = ["events", "rebuild", "--until", "0000000000000000ffff"];
        ended(&run(&unknown)?, NOT_FOUND, &["no event that is kept", "`baton events list -o wide`"])?;
        ended(&run(&["events", "rebuild", "--until", "yesterday"])?, USAGE, &["not a time", "nor a cursor"])
    })
    .await
}

async fn access_nobody_connects_by_anothers_name(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let mint = ["token", "--tenant", "demo", "--role", "agent", "--subject", ADA, "--data", &data];
        let minted = client(&binary, &mint).output()?;
        let token = String::from_utf8(minted.stdout)?;
        let connect = ["agent", "connect", "Ben", "--data", &data, "--token", token.trim()];
        ended(&client(&binary, &connect).output()?, USAGE, &["act as Ada, not as Ben"])
    })
    .await
}

async fn access_n11_what_a_token_contradicts_is_refused(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let mint = |role: &str, subject: &str| -> anyhow::Result<String> {
            let arguments = ["token", "--role", role, "--subject", subject, "--data", &data];
            Ok(String::from_utf8(client(&binary, &arguments).output()?.stdout)?.trim().to_owned())
        };
        let (admin, ada, operator) = (mint("admin", "root")?, mint("agent", ADA)?, mint("operator", "ops")?);
        let run = |token: &str, arguments: &[&str]| {
            client(&binary, arguments).args(["--data", &data]).env("BATON_TOKEN", token).output()
        };
        // The command would change the token's tenant, and not the one that is named.
        let create = ["team", "create", "Nights", "--tenant", "acme"];
        ended(&run(&admin, &create)?, USAGE, &["of the tenant demo", "--tenant names acme", "`baton token"])?;
        ended(&run(&operator, &["tenant", "list", "--tenant", "demo"])?, USAGE, &["operator", "no tenant"])?;
        let whose: [(&str, &str, &str); 4] = [
            (&admin, "supervisor:root", "for admin:root"),
            (&admin, "admin:eve", "--as says admin:eve"),
            (&ada, "agent:Ben", "--as says agent:Ben"),
            (&ada, "agent:01980000-0000-7000-8000-0000000000a2", "in whose name?"),
        ];
        for (token, acting, words) in whose {
            let output = run(token, &["team", "list", "--as", acting])?;
            ended(&output, USAGE, &[words]).with_context(|| acting.to_owned())?;
        }
        // The simulated phones are nobody's, but a token is somebody's.
        ended(&run(&admin, &["phone", "list", "--as", "agent:Ada"])?, USAGE, &["for admin:root"])?;
        let teams = run(&admin, &["team", "list"])?;
        anyhow::ensure!(!String::from_utf8_lossy(&teams.stdout).contains("Nights"), "it was made: {teams:?}");
        // What agrees goes on, and so does what can't be compared.
        ended(&run(&admin, &["team", "list", "--tenant", "demo", "--as", "admin:root"])?, 0, &[])?;
        ended(&run(&ada, &["agent", "inbox", "Ada", "--as", "agent:ada"])?, 0, &[])?;
        ended(&run(&ada, &["agent", "inbox", "Ada", "--as", &format!("agent:{ADA}")])?, 0, &[])?;
        ended(&run("x.y.z", &["team", "list", "--tenant", "acme", "--as", "agent:Ada"])?, NOT_ALLOWED, &["not valid"])?;
        Ok(())
    })
    .await
}

async fn access_n10_a_data_folder_that_nobody_serves_is_not_the_default_address(binary: PathBuf) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().to_string_lossy();
    let list = client(&binary, &["call", "list", "--data", &data, "--token", "t"]).output()?;
    ended(&list, NO_ANSWER, &["no `baton up` runs in", &data, "--server"])
}

async fn access_n9_what_would_be_ignored_is_refused(binary: PathBuf) -> anyhow::Result<()> {
    let refused: [(&[&str], &[&str]); 9] = [
        (&["call", "list", "--data", "d", "--server", "http://x", "--token", "t"], &["--data d", "http://x"]),
        (&["health", "--data", "d", "--server", "http://x"], &["--data d"]),
        (&["version", "--data", "d", "--server", "http://x"], &["--data d"]),
        (&["token", "--data", "d", "--key", "k", "--role", "admin", "--subject", "eve"], &["--key", "--data"]),
        (&["--tenant", "acme", "call", "list", "--tenant", "demo"], &["--tenant is given twice"]),
        (&["-o", "json", "call", "list", "-oyaml"], &["--output is given twice"]),
        (&["events", "list", "--from", "1", "--since", "1h"], &["--from", "--since"]),
        (&["call", "list", "--request-id", ""], &["--request-id"]),
        (&["call", "list", "--json", "-o", "wide"], &["--json"]),
    ];
    for (arguments, words) in refused {
        ended_with(&client(&binary, arguments).output()?, USAGE, words).with_context(|| format!("{arguments:?}"))?;
    }
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let run = |arguments: &[&str]| client(&binary, arguments).args(["--data", &data]).output();
        // It is done by an operator, who is of no tenant.
        ended(&run(&["tenant", "list", "--tenant", "acme"])?, USAGE, &["--tenant acme would do nothing"])?;
        ended(&run(&["tenant", "show", "demo", "--tenant", "demo", "--as", "admin:root"])?, 0, &[])?;
        ended(&run(&["agent", "list", "--tenant", "demo", "--as", "operator:ops"])?, USAGE, &["would do nothing"])
    })
    .await
}

async fn access_n4_a_write_that_fails_is_a_failure(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let commands: [&[&str]; 13] = [
            &["--help"],
            &["--version"],
            &["version", "-o", "yaml"],
            &["completions", "bash"],
            &["agent", "list", "--data", &data],
            &["call", "list", "--all", "--data", &data],
            &["number", "list", "--data", &data],
            &["flow", "list", "--data", &data],
            &["events", "list", "--data", &data],
            &["recording", "list", "--json", "--data", &data],
            &["recording", "accesses", "--data", &data],
            &["policy", "show", "--data", &data],
            &["token", "--role", "admin", "--subject", "eve", "--data", &data],
        ];
        for command in commands {
            let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
            let output = client(&binary, command).stdout(full).output()?;
            ended(&output, FAILED, &["standard output can't be written"]).with_context(|| format!("{command:?}"))?;
            // The reader is gone before anything is written.
            let (reader, writer) = std::io::pipe()?;
            drop(reader);
            let output = client(&binary, command).stdout(writer).output()?;
            ended(&output, 0, &[]).with_context(|| format!("{command:?}"))?;
            anyhow::ensure!(output.stderr.is_empty(), "{command:?}: {output:?}");
        }
        Ok(())
    })
    .await
}

async fn access_n3_a_stream_goes_on_after_a_restart(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let files = tempfile::tempdir()?;
        let (out, err) = (files.path().join("out"), files.path().join("err"));
        let mut tail = client(&binary, &["events", "tail", "--since", "1h", "--json", "--data", &data]);
        let tail = tail.stdout(std::fs::File::create(&out)?).stderr(std::fs::File::create(&err)?).spawn()?;
        let tail = Stopped(tail);
        let says = |file: &Path, text: &str| match std::fs::read_to_string(file).unwrap_or_default() {
            said if said.contains(text) => Ok(()),
            said => Err(said),
        };
        let first = format!("agent/{ADA}");
        eventually("the tail shows what was before", BOUND, async || says(&out, &first)).await?;
        target.kill()?;
        eventually("the tail says that it is cut off", BOUND, async || says(&err, "The connection is lost")).await?;
        target.restart().await?;
        eventually("the tail is connected again", BOUND, async || says(&err, "Connected again")).await?;
        let made = client(&binary, &["team", "create", "Nights", "--data", &data]).output()?;
        ended(&made, 0, &[])?;
        eventually("the tail goes on", BOUND, async || says(&out, "Nights")).await?;
        let shown = std::fs::read_to_string(&out)?;
        anyhow::ensure!(shown.matches(&first).count() == 1, "something was shown twice: {shown}");
        drop(tail);
        Ok(())
    })
    .await
}

async fn access_n10_a_list_that_is_watched_is_one_value_a_change(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let files = tempfile::tempdir()?;
        let watch = |format: &str, out: &Path| -> anyhow::Result<Stopped> {
            let arguments = ["agent", "targets", "--all", "--watch", "-o", format, "--data", &data];
            Ok(Stopped(client(&binary, &arguments).stdout(std::fs::File::create(out)?).spawn()?))
        };
        let (json, yaml) = (files.path().join("json"), files.path().join("yaml"));
        let _watches = (watch("json", &json)?, watch("yaml", &yaml)?);
        let has = |file: &Path, line: &str, count: usize| {
            let said = std::fs::read_to_string(file).unwrap_or_default();
            let begins = |it: &&str| it.starts_with(line);
            if said.lines().filter(begins).count() >= count { Ok(()) } else { Err(said) }
        };
        eventually("the list is shown", BOUND, async || has(&json, "[", 1).and(has(&yaml, "---", 1))).await?;
        let created = client(&binary, &["agent", "create", "Zoe", "--phone", "zoe", "--data", &data]).output()?;
        anyhow::ensure!(created.status.success(), "{created:?}");
        eventually("the change is shown", BOUND, async || has(&json, "[", 2).and(has(&yaml, "---", 2))).await?;
        for line in std::fs::read_to_string(&json)?.lines() {
            let list: Vec<serde_json::Value> = serde_json::from_str(line).with_context(|| line.to_owned())?;
            anyhow::ensure!(list.iter().any(|it| it["name"] == "Ada"), "{line}");
        }
        let yaml = std::fs::read_to_string(&yaml)?;
        let documents: Vec<_> = yaml.split("---\n").collect();
        let is_list = |it: &&str| it.starts_with("- ") && it.contains("\"Ada\"");
        anyhow::ensure!(documents[0].is_empty() && documents[1..].iter().all(is_list), "{yaml}");
        Ok(())
    })
    .await
}

/// A command that does not end by itself.
struct Stopped(std::process::Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn access_n9_a_typo_is_no_empty_answer(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let run = |arguments: &[&str]| client(&binary, arguments).args(["--data", &data]).output();
        let nobody = "agent/01980000-0000-7000-8000-00000000dead";
        let typos: [(&[&str], i32, &[&str]); 8] = [
            (&["events", "list", "--filter", "transfer.complete"], USAGE, &["transfer.completed"]),
            (&["events", "list", "--subject", "agnt/Ada"], USAGE, &["is agent/… meant?"]),
            (&["events", "list", "--subject", "Ada"], USAGE, &["for example agent/Ada"]),
            (&["events", "list", "--subject", nobody], NOT_FOUND, &["no event about one"]),
            (&["call", "list", "--tenant", "dmeo"], NOT_ALLOWED, &["dmeo", "`baton tenant list`"]),
            (&["agent", "show", "Adda"], NOT_FOUND, &["is \"ada\" meant?"]),
            (&["events", "list", "--limit", "abc"], USAGE, &["from 1 to 500"]),
            (&["phone", "put", "x", "--answers-after", "abc"], USAGE, &["for example"]),
        ];
        for (arguments, code, words) in typos {
            ended(&run(arguments)?, code, words).with_context(|| format!("{arguments:?}"))?;
        }
        Ok(())
    })
    .await
}

async fn access_n10_kinds_of_failure_have_their_exit_codes(binary: PathBuf) -> anyhow::Result<()> {
    let nobody = ["call", "list", "--token", "t", "--server", "http://127.0.0.1:9"];
    ended(&client(&binary, &nobody).output()?, NO_ANSWER, &["nobody answers at http://127.0.0.1:9"])?;
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        // The options for all stand before the command, too.
        let run = |arguments: &[&str]| client(&binary, &["--data", &data]).args(arguments).output();
        ended(&run(&["call", "show"])?, NOT_FOUND, &["no live call"])?;
        ended(&run(&["--as", "analyst:eve", "agent", "create", "Zoe"])?, NOT_ALLOWED, &["Roles that may"])?;
        ended(&run(&["-o", "wide", "agent", "ls"])?, 0, &[])
    })
    .await
}

async fn access_n10_a_value_that_can_not_be_used_is_the_command_lines_fault(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let data = target.data().to_string_lossy().into_owned();
        let run =
            |arguments: &[&str]| client(&binary, arguments).args(["--data", &data]).current_dir(target.data()).output();
        // Something is kept of what a phone heard, so that a nameless phone has something to be taken for.
        ended(&run(&["call", "place"])?, 0, &[])?;
        for change in ["complete", "cancel"] {
            ended(&run(&["transfer", change])?, NOT_NOW, &["no transfer in this call", "`baton transfer start`"])?;
        }
        ended(&run(&["call", "data", "a=1", "a=2"])?, USAGE, &["\"a\" is to be set twice"])?;
        ended(&run(&["team", "update", "Sales", "--add", "ben", "--remove", "Ben"])?, USAGE, &["ben", "which?"])?;
        ended(&run(&["call", "end"])?, 0, &[])?;
        let unknown = "+3225550199";
        ended(&run(&["recording", "settings", unknown, "--set", "all"])?, 0, &["has no number +3225550199"])?;
        ended(&run(&["agent", "state", "Ben", "away"])?, 0, &["Ben is not at work", "`baton agent connect`"])?;
        let twice =
            client(&binary, &["agent", "connect", "Ben", "ben", "--data", &data]).stdout(Stdio::piped()).spawn()?;
        let mut twice = Stopped(twice);
        let mut said = BufReader::new(twice.0.stdout.take().context("no output")?).lines();
        let both = [said.next().context("no line")??, said.next().context("no line")??];
        anyhow::ensure!(both[0] != both[1], "they are connected twice: {both:?}");
        drop(twice);
        let steps = ["--step", "disconnect"];
        for name in ["One", "Other"] {
            ended(&run(&[&["flow", "set", name], &steps[..]].concat())?, 0, &[])?;
        }
        let refused: [(&[&str], i32, &[&str]); 9] = [
            (&["phone", "heard", ""], USAGE, &["ADDRESS"]),
            (&["phone", "hangup", ""], USAGE, &["ADDRESS"]),
            (&["agent", "list", "--as", "supervisor: "], USAGE, &["--as supervisor: ", "can't be seen"]),
            (&["token", "--role", "admin", "--subject", "\u{200b}"], USAGE, &["--subject", "can't be seen"]),
            (&["agent", "list", "--token", "a\nb"], USAGE, &["malformed"]),
            (&["policy", "check", "--profile", "helpdesk", "--overrides", "nope.toml"], USAGE, &["nope.toml"]),
            (&["call", "place", "--to", "+3225559999"], NOT_NOW, &["+3225559999", "`baton number list`"]),
            (&["voicemail", "list", "--box", "slaes"], NOT_FOUND, &["\"slaes\"", "no call flow has a box"]),
            (&["recording", "show", ""], NOT_FOUND, &["recording"]),
        ];
        for (arguments, code, words) in refused {
            ended_with(&run(arguments)?, code, words).with_context(|| format!("{arguments:?}"))?;
        }
        anyhow::ensure!(!target.data().join(".wav").exists(), "it saved what another phone heard");
        ended(&run(&["voicemail", "list", "--box", "sales"])?, 0, &[])?;
        // What a phone heard goes to standard output as other audio does, and a file that can't be written is a failure.
        let heard = run(&["phone", "heard", "+32470123456", "--out", "-"])?;
        anyhow::ensure!(heard.stdout.starts_with(b"RIFF") && heard.status.success(), "{:?}", heard.stderr);
        ended(&run(&["phone", "heard", "+32470123456", "--out", "/dev/full"])?, FAILED, &["/dev/full"])?;
        ended(&run(&["phone", "heard", "+32470123456", "--out", "."])?, USAGE, &["name a file"])
    })
    .await
}

async fn access_s14_what_comes_from_outside_does_not_steer_the_terminal(binary: PathBuf) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("baton.toml");
    std::fs::write(&file, "[\"\\u001b[31mred\\u202e\"]\nx = 1\n")?;
    let data = folder.path().join("data");
    let output = up(&binary, &["--config", &file.to_string_lossy(), "--data", &data.to_string_lossy()])?;
    ended(&output, USAGE, &["\\u{1b}[31mred"])?;
    let typed = client(&binary, &["call", "\u{1b}[2J\u{200b}"]).output()?;
    ended_with(&typed, USAGE, &["\\u{200b}"])?;
    for said in [output.stderr, typed.stderr] {
        anyhow::ensure!(!said.contains(&0x1b), "it steers: {}", String::from_utf8_lossy(&said));
    }
    Ok(())
}

/// Any other command of `baton`, without what the environment of the tests may say.
pub(super) fn client(binary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    for variable in ["BATON_TOKEN", "BATON_SERVER", "BATON_CONTEXT"] {
        command.env_remove(variable);
    }
    // Nobody's contexts.
    command.args(arguments).env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// Runs `baton up`, which is expected to end by itself.
fn up(binary: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new(binary);
    // Should it start after all, it ends with its standard input.
    command.arg("up").arg("--exit-with-stdin").args(arguments).stdin(Stdio::null());
    Ok(command.output()?)
}

pub(super) fn ended(output: &Output, code: i32, words: &[&str]) -> anyhow::Result<()> {
    ended_with(output, code, words)?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(said.lines().count() <= 4, "it says too much: {said}");
    Ok(())
}

fn ended_with(output: &Output, code: i32, words: &[&str]) -> anyhow::Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.code() == Some(code), "it ended with {}: {said}", output.status);
    let missing: Vec<_> = words.iter().filter(|word| !said.contains(**word)).collect();
    anyhow::ensure!(missing.is_empty(), "it does not say {missing:?}: {said}");
    Ok(())
}
