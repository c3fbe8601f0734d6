//! `baton policy check`: explores everything that can happen under a policy, here and without a server, and says what can go wrong, each with
//! the shortest way there.

use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use baton_domain::Policy;
use baton_domain::policy::{self, PROFILES, PolicyError};
use baton_proof::{Bound, Completeness, Report};
use baton_runtime::Clock;
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::client::output::Output;
use crate::client::word;
use crate::failure::UsageError;

/// How often progress is shown.
const PROGRESS: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct PolicyCheckArgs {
    /// The policy: a whole one in TOML, as `baton policy profiles NAME` prints it.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Instead of a file: a built-in profile.
    #[arg(long)]
    profile: Option<String>,
    /// TOML with the fields that differ from the profile [default: none differ].
    #[arg(long, value_name = "FILE")]
    overrides: Option<PathBuf>,
    /// How many agents can be in the call: 2 to 4.
    #[arg(long, default_value_t = 3, value_parser = word::parse_between::<2, 4, u8>)]
    agents: u8,
    /// How many transfers can be started in the call: 1 to 5.
    #[arg(long, default_value_t = 1, value_parser = word::parse_between::<1, 5, u8>)]
    transfers: u8,
    /// The call is recorded, and agents pause and resume it: many times as much to look at.
    #[arg(long)]
    recorded: bool,
    /// Stop after so many steps although not everything was looked at. A million take some seconds and 40 MB.
    #[arg(long, value_name = "STEPS", default_value_t = 50_000_000, value_parser = word::parse_between::<1_000, 1_000_000_000_000, usize>)]
    most_steps: usize,
}

pub(crate) async fn run(args: PolicyCheckArgs, out: Output) -> anyhow::Result<()> {
    let policy = args.policy()?;
    let bound = Bound {
        agents: args.agents,
        transfers: args.transfers,
        recording: args.recorded,
        most_steps: NonZeroUsize::new(args.most_steps),
        threads: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
    };
    let clock = Clock::real();
    let begun_us = clock.now_us();
    let report = explore(policy, bound, &clock).await?;
    let seconds = (clock.now_us() - begun_us) as f64 / 1e6;
    out.value(&value(&report, seconds), &format!("{report}\ntook {seconds:.1} s"))?;
    if report.is_proved() {
        return Ok(());
    }
    Err(if report.completeness == Completeness::Stopped && report.broken.is_empty() {
        anyhow::anyhow!("not everything was looked at: give it more --most-steps, or fewer --agents or --transfers")
    } else {
        anyhow::anyhow!("the policy {} can go wrong", report.policy)
    })
}

impl PolicyCheckArgs {
    fn policy(&self) -> anyhow::Result<Policy> {
        let mut policy = match (&self.file, &self.profile, &self.overrides) {
            (Some(file), None, None) => policy::parse_file(&file.display().to_string(), &read(file)?, vec![]),
            (None, Some(profile), overrides) => {
                let text = overrides.as_deref().map(read).transpose()?.unwrap_or_default();
                policy::parse(profile, &text, vec![]).map_err(|error| named(error, overrides.as_deref()))
            }
            (Some(_), ..) => {
                return Err(
                    UsageError::new("a FILE is a whole policy: --profile and --overrides are instead of it").into()
                );
            }
            (None, None, _) => {
                return Err(
                    UsageError::new("name a FILE with a whole policy, or a built-in profile: --profile NAME").into()
                );
            }
        }
        .map_err(|error| UsageError::new(error.to_string()))?;
        // A tenant whose plan lacks something can do less, and nothing else.
        policy.entitlements = policy.known_entitlements().map(str::to_owned).collect();
        Ok(policy)
    }
}

/// The error of overrides, with the name of their file.
fn named(error: PolicyError, overrides: Option<&Path>) -> PolicyError {
    match (error, overrides) {
        (PolicyError::Invalid { file, line, why }, Some(named)) if file == "overrides" => {
            PolicyError::Invalid { file: named.display().to_string(), line, why }
        }
        (error, _) => error,
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    let names: Vec<_> = PROFILES.iter().map(|profile| profile.name).collect();
    std::fs::read_to_string(file).map_err(|error| {
        let known = if names.iter().any(|name| file == Path::new(name)) {
            "; a built-in profile is named by --profile"
        } else {
            ""
        };
        UsageError::new(format!("{} can't be read: {error}{known}", file.display())).into()
    })
}

async fn explore(policy: Policy, bound: Bound, clock: &Clock) -> anyhow::Result<Report> {
    let found = Arc::new(AtomicUsize::new(0));
    let (shown, handle, waiting) = (Arc::clone(&found), tokio::runtime::Handle::current(), clock.clone());
    let exploring = tokio::task::spawn_blocking(move || {
        baton_proof::prove(&policy, &bound, |situations| {
            shown.store(situations, Ordering::Relaxed);
            handle.block_on(waiting.sleep(PROGRESS / 10));
        })
    });
    let progress = std::io::stderr().is_terminal().then(ProgressBar::new_spinner);
    while !exploring.is_finished() {
        clock.sleep(PROGRESS).await;
        if let Some(progress) = &progress {
            progress.set_message(format!("{} situations", found.load(Ordering::Relaxed)));
            progress.tick();
        }
    }
    if let Some(progress) = progress {
        progress.finish_and_clear();
    }
    exploring.await.context("the exploration")
}

fn value(report: &Report, seconds: f64) -> Value {
    let broken = report.broken.iter().map(|broken| {
        let story = broken.story.iter().map(|step| json!({ "happening": step.happening, "then": step.then }));
        json!({ "invariant": broken.invariant.id, "says": broken.invariant.says, "story": story.collect::<Vec<_>>() })
    });
    json!({
        "policy": report.policy,
        "proved": report.is_proved(),
        "complete": report.completeness == Completeness::Complete,
        "bound": {
            "agents": report.bound.agents,
            "transfers": report.bound.transfers,
            "recorded": report.bound.recording,
            "most_steps": report.bound.most_steps,
        },
        "situations": report.situations,
        "steps": report.steps,
        "depth": report.depth,
        "seconds": seconds,
        "broken": broken.collect::<Vec<_>>(),
        "never_completed": report.unreached.iter().map(|it| it.kind.name()).collect::<Vec<_>>(),
    })
}
