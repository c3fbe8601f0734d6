//! The simulated switch as a process of its own, beside `baton up`.
//!
//! It must outlive an `up` that is killed, with its calls and their sound: so it has a process group of its own (Ctrl-C in
//! the terminal is not for it) and no pipe to us. The next `up` finds it by its card. Only an orderly end of `up` stops it.
//! If it dies while `up` runs, it is started again at the same address, after a pause that grows while it dies at once.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use baton_api::simulator::v1::GetSnapshotRequest;
use baton_api::simulator::v1::switch_service_client::SwitchServiceClient;
use baton_runtime::Clock;
use baton_runtime::auth::SigningKey;
use baton_runtime::client::{Backoff, GrpcChannel, ServiceIdentity};
use baton_runtime::clock::micros;
use baton_runtime::lifecycle;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::folder;
use crate::switch::SwitchCard;

const LOG: &str = "switch.log";
/// How much of the log is shown when the switch does not start.
const LOG_LINES: usize = 5;
/// A switch starts in a few hundredths of a second; one with a long ledger takes a second.
const START_WITHIN: Duration = Duration::from_secs(10);
/// It ends all calls and completes all recordings.
const STOP_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A switch that we have not started can't be awaited, only looked at.
const WATCH_EVERY: Duration = Duration::from_millis(100);
/// A switch that lived this long was well: the next pause is short again.
const WELL_AFTER: Duration = Duration::from_secs(30);

/// How the switch is started.
#[derive(Debug, Clone)]
pub(crate) struct SwitchPlan {
    pub(crate) folder: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) key_file: PathBuf,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) key: SigningKey,
    /// It is to live on with its calls when we are killed.
    pub(crate) outlives_us: bool,
}

/// A running switch.
#[derive(Debug)]
struct Process {
    card: SwitchCard,
    /// `None`: an earlier `up` has started it.
    child: Option<Child>,
    /// Closed when we die in any way; a switch that is not to outlive us ends then.
    _lifeline: Option<ChildStdin>,
}

/// Keeps a switch running until it is told to stop.
#[derive(Debug)]
pub(crate) struct SwitchKeeper {
    address: SocketAddr,
    stopping: CancellationToken,
    keeping: JoinHandle<Process>,
}

impl SwitchKeeper {
    /// Finds the switch that an earlier `up` has left, or starts one; returns when it serves.
    pub(crate) async fn start(plan: SwitchPlan) -> anyhow::Result<Self> {
        let process = match find(&plan).await {
            Some(card) => Process { card, child: None, _lifeline: None },
            None => start(&plan, plan.listen).await?,
        };
        let (address, stopping) = (process.card.address, CancellationToken::new());
        let keeping = lifecycle::spawn(keep(plan, process, stopping.clone()));
        Ok(Self { address, stopping, keeping })
    }

    /// Where the switch is.
    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the switch in order, and awaits that.
    pub(crate) async fn stop(self) {
        self.stopping.cancel();
        match self.keeping.await {
            Ok(process) => process.stop().await,
            Err(error) => tracing::error!(%error, "the switch was not kept"),
        }
    }
}

impl Process {
    /// Waits until the process is no more.
    async fn ended(&mut self) {
        match &mut self.child {
            Some(child) => {
                let status = child.wait().await;
                tracing::debug!(?status, "the switch's process ended");
            }
            None => while_alive(self.card.pid).await,
        }
    }

    async fn stop(mut self) {
        if let Some(pid) = pid(self.card.pid)
            && let Err(error) = kill_process(pid, Signal::TERM)
        {
            tracing::debug!(%error, "the switch has ended already");
        }
        if Clock::real().timeout(STOP_WITHIN, self.ended()).await.is_err() {
            tracing::warn!(pid = self.card.pid, "the switch does not end; it is left alone");
        }
    }
}

fn pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Waits for the end of a process that is not our child.
async fn while_alive(process: u32) {
    let Some(pid) = pid(process) else { return };
    let watched = Watched::new(pid);
    while watched.is_alive() {
        Clock::real().sleep(WATCH_EVERY).await;
    }
}

/// A process that can be looked at. A process that has ended keeps its number until its parent has taken notice, which may
/// take long when the parent is nobody in particular; Linux can tell the one from the other.
struct Watched {
    pid: Pid,
    #[cfg(target_os = "linux")]
    handle: Option<std::os::fd::OwnedFd>,
}

impl Watched {
    fn new(pid: Pid) -> Self {
        Self {
            pid,
            #[cfg(target_os = "linux")]
            handle: rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok(),
        }
    }

    fn is_alive(&self) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(handle) = &self.handle {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            return poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&at_once)) == Ok(0);
        }
        test_kill_process(self.pid).is_ok()
    }
}

/// Starts the switch again whenever it dies.
async fn keep(plan: SwitchPlan, mut process: Process, stopping: CancellationToken) -> Process {
    let (clock, backoff) = (Clock::real(), Backoff::default());
    let mut deaths = 0;
    loop {
        let started_us = clock.now_us();
        if stopping.run_until_cancelled(process.ended()).await.is_none() {
            return process;
        }
        let lived_us = clock.now_us() - started_us;
        deaths = if lived_us > micros(WELL_AFTER) { 1 } else { deaths + 1 };
        tracing::warn!(pid = process.card.pid, "the switch died; starting it again");
        if stopping.run_until_cancelled(clock.sleep(backoff.pause(deaths))).await.is_none() {
            return process;
        }
        match start(&plan, process.card.address).await {
            Ok(again) => process = again,
            Err(error) => tracing::error!(error = crate::failure::chain(&error), "the switch can't be started"),
        }
    }
}

/// How long a switch that is alive may take to answer before it is taken for another: on a busy machine, long. Its calls would be lost.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// The switch that the card tells of, if it answers as ours does.
async fn find(plan: &SwitchPlan) -> Option<SwitchCard> {
    let card = SwitchCard::read(&plan.folder)?;
    test_kill_process(pid(card.pid)?).ok()?;
    let identity = ServiceIdentity::new(plan.key.clone(), "up");
    let channel = GrpcChannel::internal(&format!("http://{}", card.address), identity, Clock::real()).ok()?;
    let channel = channel.with_default_deadline(ANSWERS_WITHIN);
    let snapshot = SwitchServiceClient::new(channel).get_snapshot(GetSnapshotRequest {}).await;
    match snapshot {
        Ok(snapshot) if snapshot.get_ref().boot_id == card.boot_id => {
            tracing::info!(pid = card.pid, "found the switch of an earlier run, with its calls");
            Some(card)
        }
        Ok(_) => None,
        Err(status) => {
            tracing::info!(%status, "the switch of an earlier run does not answer");
            None
        }
    }
}

async fn start(plan: &SwitchPlan, listen: SocketAddr) -> anyhow::Result<Process> {
    let mut child = spawn(plan, listen)?;
    let started = Clock::real().timeout(START_WITHIN, serves(plan, &mut child)).await;
    match started {
        Ok(Ok(card)) => {
            let lifeline = child.stdin.take();
            Ok(Process { card, child: Some(child), _lifeline: lifeline })
        }
        Ok(Err(error)) => Err(error),
        Err(_) => {
            // It is our own child and nobody knows it yet.
            let _ = child.start_kill();
            anyhow::bail!("the simulated switch did not start in time; its log is {}", log_file(plan).display())
        }
    }
}

fn spawn(plan: &SwitchPlan, listen: SocketAddr) -> anyhow::Result<Child> {
    folder::make(&plan.folder).with_context(|| format!("the switch's folder {}", plan.folder.display()))?;
    let log = log_file(plan);
    let log = OpenOptions::new().create(true).append(true).open(&log).with_context(|| log.display().to_string())?;
    let mut command = Command::new(std::env::current_exe().context("the program's own file")?);
    command.arg("switch").arg("--data").arg(&plan.folder).arg("--listen").arg(listen.to_string());
    command.arg("--key").arg(&plan.key_file);
    if let Some(config) = &plan.config_file {
        command.arg("--config").arg(config);
    }
    if plan.outlives_us {
        command.stdin(Stdio::null());
    } else {
        command.arg("--exit-with-stdin").stdin(Stdio::piped());
    }
    command.stdout(log.try_clone()?).stderr(log);
    #[cfg(unix)]
    command.process_group(0);
    command.spawn().context("starting the simulated switch")
}

/// Waits for the card of this very process.
async fn serves(plan: &SwitchPlan, child: &mut Child) -> anyhow::Result<SwitchCard> {
    let started = child.id();
    loop {
        if let Some(card) = SwitchCard::read(&plan.folder).filter(|card| Some(card.pid) == started) {
            return Ok(card);
        }
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("the simulated switch did not start ({status}): {}", last_lines(&log_file(plan)));
        }
        Clock::real().sleep(LOOK_EVERY).await;
    }
}

fn log_file(plan: &SwitchPlan) -> PathBuf {
    plan.folder.join(LOG)
}

fn last_lines(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_process_that_has_ended_is_not_alive_although_its_parent_has_not_taken_notice() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let watched = Watched::new(pid(child.id()).unwrap());
        assert!(watched.is_alive());
        kill_process(watched.pid, Signal::KILL).unwrap();
        let noticed = Clock::real().timeout(Duration::from_secs(5), while_alive(child.id())).await;
        assert!(noticed.is_ok());
        assert!(test_kill_process(watched.pid).is_ok(), "its number is still taken");
        child.wait().unwrap();
    }
}
