//! Runs the scenarios: twelve at a time, with a time limit each, and always clears up at the end.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use baton_runtime::Clock;
use baton_testkit::{TestTarget, TestTenant};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use super::pending::Pending;
use super::report::Report;
use super::scenario::Isolation;
use super::{Scenario, aftermath};

/// Each waits most of its time; two cores are enough for twelve.
const AT_A_TIME: usize = 12;
/// How long a scenario may take.
const LIMIT: Duration = Duration::from_secs(90);

/// Shared by all scenarios.
struct SuiteContext {
    runtime: Runtime,
    binary: PathBuf,
    pending: Pending,
    /// The Baton that is shared; started by the first scenario that needs it.
    shared: OnceCell<Result<TestTarget, String>>,
    failed: AtomicBool,
    report: Report,
}

/// Runs the scenarios that the command line selects.
pub(crate) fn run(binary: &Path, scenarios: Vec<Scenario>) -> ExitCode {
    match prepare(binary) {
        Ok(suite) => play(Arc::new(suite), scenarios),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn prepare(binary: &Path) -> anyhow::Result<SuiteContext> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(SuiteContext {
        runtime,
        binary: binary.to_owned(),
        pending: Pending::load()?,
        shared: OnceCell::new(),
        failed: AtomicBool::new(false),
        report: Report::default(),
    })
}

fn play(suite: Arc<SuiteContext>, scenarios: Vec<Scenario>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_A_TIME);
    let listed = suite.pending.check(&scenarios).map_err(|error| error.to_string());
    let mut trials = vec![Trial::test("every_row_has_a_scenario_or_is_listed", move || listed.map_err(Failed::from))];
    for scenario in scenarios {
        let suite = Arc::clone(&suite);
        trials.push(Trial::test(scenario.name, move || suite.run(scenario)));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    print!("{}", suite.report.table(&suite.pending));
    // Whoever mistypes a name must not take it for a success.
    let ran_none = conclusion.num_passed + conclusion.num_failed == 0 && !arguments.list && !arguments.ignored;
    if ran_none {
        eprintln!("no scenario fits {}; `--list` names them all", arguments.filter.as_deref().unwrap_or("that"));
    }
    let cleared = Arc::into_inner(suite).context("a scenario still runs").and_then(SuiteContext::clear_up);
    if let Err(error) = &cleared {
        eprintln!("{error:#}");
    }
    if conclusion.has_failed() || ran_none || cleared.is_err() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn took(since_us: i64) -> Duration {
    Duration::from_micros((super::now_us() - since_us).unsigned_abs())
}

impl SuiteContext {
    /// Plays a scenario; one that is pending must fail.
    fn run(&self, scenario: Scenario) -> Result<(), Failed> {
        let begun_us = super::now_us();
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| self.perform(scenario)))
            .unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked; see above")));
        self.report.note(scenario.row(), outcome.is_ok(), took(begun_us));
        match (outcome, self.pending.reason(&scenario)) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(_)) => Err("it passes: remove it from tests/pending.toml".into()),
            (Err(error), Some(reason)) => {
                println!("{} is pending: {reason}; {error}", scenario.name);
                Ok(())
            }
            (Err(error), None) => {
                self.failed.store(true, Ordering::Relaxed);
                Err(format!("{error:#}").into())
            }
        }
    }

    fn perform(&self, scenario: Scenario) -> anyhow::Result<()> {
        match scenario.isolation {
            Isolation::Alone(run) => self.within_limit(Scenario::begin_alone(run, &self.binary)),
            Isolation::Shared(run) => self.within_limit(async {
                let target = self.target().await?;
                let tenant = TestTenant::create(target.endpoints()).await?;
                let played = async {
                    run(tenant.clone()).await?;
                    aftermath::nothing_is_left(&tenant).await.context("afterwards")
                };
                let context = || format!("tenant {}, Baton's data and log in {}", tenant.id(), target.data().display());
                played.await.with_context(context)
            }),
        }
    }

    fn within_limit(&self, scenario: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
        let limited = async { Clock::real().timeout(LIMIT, scenario).await };
        self.runtime.block_on(limited).unwrap_or_else(|_| anyhow::bail!("it was not over after {LIMIT:?}"))
    }

    async fn target(&self) -> anyhow::Result<&TestTarget> {
        let start = || async { TestTarget::start(&self.binary, &[]).await.map_err(|error| format!("{error:#}")) };
        self.shared.get_or_init(start).await.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Ends the shared Baton in order; its data is kept if something failed.
    fn clear_up(self) -> anyhow::Result<()> {
        let Some(Ok(mut target)) = self.shared.into_inner() else { return Ok(()) };
        let ended = self.runtime.block_on(target.stop());
        let is_well = matches!(ended, Ok(0)) && !self.failed.load(Ordering::Relaxed);
        if !is_well {
            println!("Baton's data and log are kept in {}", target.keep().display());
        }
        let code = ended.context("ending the shared Baton")?;
        anyhow::ensure!(code == 0, "the shared Baton ended with exit code {code}");
        Ok(())
    }
}
