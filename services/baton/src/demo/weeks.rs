//! `baton demo weeks`: weeks of calls in simulated time, and each day what is stored, so that one sees what a call costs and that nothing
//! grows for ever (`docs/what-grows.md`). Every call is one whole cold transfer of the demonstration, without its sound.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use baton_runtime::config::Config;
use clap::Args;
use indicatif::ProgressBar;

use super::DemoKind;
use super::house::House;
use super::stage::DemoContext;
use super::telling::Telling;
use super::{A_MOMENT, DemoProfile, DemoScenario, script};
use crate::client::word;
use crate::stdout;

/// 2026-03-02, a Monday, at 08:00 UTC.
const BEGINS_US: i64 = 1_772_438_400_000_000;
const DAY: Duration = Duration::from_hours(24);
/// Longer than the play of one call, with the agents' work after it.
const BETWEEN_CALLS: Duration = Duration::from_mins(2);
const KIB: u64 = 1_024;

/// What `baton demo weeks` takes.
#[derive(Debug, Args)]
pub(super) struct WeeksArgs {
    /// How many days.
    #[arg(long, default_value_t = 45, value_parser = word::parse_between::<1, 1_000, u32>)]
    days: u32,
    /// How many customers call each day.
    #[arg(long, default_value_t = 40, value_parser = word::parse_between::<1, 500, u32>)]
    calls: u32,
    /// How many days a call and its recordings are kept after its end (`data.calls_kept_days`, `recording.retention_days`).
    #[arg(long, default_value_t = 10, value_parser = word::parse_between::<1, 1_000, u32>)]
    kept_days: u32,
    /// What is logged to standard error, for example info.
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub(super) log: String,
}

pub(super) async fn run(args: WeeksArgs) -> anyhow::Result<()> {
    let mut config = Config::default();
    config.data.calls_kept_days = args.kept_days;
    config.recording.retention_days = args.kept_days;
    let house = House::open_for_weeks(BEGINS_US, config).await.context("starting Baton")?;
    let stopping = house.stopping();
    let played = stopping.run_until_cancelled(play(&house, &args)).await;
    house.close().await;
    played.context("interrupted")?
}

async fn play(house: &House, args: &WeeksArgs) -> anyhow::Result<()> {
    let (stage, clock) = (house.stage(), house.clock());
    let scenario = DemoScenario { profile: DemoProfile::LeadCenter, kind: DemoKind::Cold };
    script::prepare(&stage, scenario).await?;
    clock.sleep(A_MOMENT).await;
    stdout::try_print_line(" day    calls   databases KiB   KiB more   event log   recordings KiB")?;
    let progress = ProgressBar::new(u64::from(args.days) * u64::from(args.calls));
    let mut before = stored(house.data(), &|name| name.contains(".db"));
    for day in 1..=args.days {
        let ends_us = clock.after(DAY);
        for _ in 0..args.calls {
            one_call(&stage, scenario).await?;
            progress.inc(1);
        }
        clock.sleep_until(ends_us).await;
        let databases = stored(house.data(), &|name| name.contains(".db"));
        let line = format!(
            "{day:>4}{:>9}{:>16}{:>11}{:>12}{:>17}",
            day * args.calls,
            databases / KIB,
            (databases as i64 - before as i64) / KIB as i64,
            stored(house.data(), &|name| name.starts_with("events.db")) / KIB,
            stored(house.data(), &|name| name.contains(".wav")) / KIB,
        );
        progress.suspend(|| stdout::try_print_line(&line))?;
        before = databases;
    }
    progress.finish_and_clear();
    Ok(())
}

async fn one_call(stage: &DemoContext, scenario: DemoScenario) -> anyhow::Result<()> {
    let next_us = stage.clock.after(BETWEEN_CALLS);
    // What is told is listed and read by nobody.
    script::play(stage, scenario, &Telling::new(false, stage.clock.clone())).await?;
    stage.clock.sleep_until(next_us).await;
    Ok(())
}

/// The bytes of all files in the folder whose name is such.
fn stored(folder: &Path, is_counted: &dyn Fn(&str) -> bool) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let bytes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(about) if about.is_dir() => stored(&entry.path(), is_counted),
        Ok(about) if is_counted(&entry.file_name().to_string_lossy()) => about.len(),
        // It may be gone since.
        Ok(_) | Err(_) => 0,
    });
    bytes.sum()
}
