//! The simulated switch as a process of its own, beside `baton up`.
//!
//! The switch must outlive an `up` that is killed, with its calls and their sound. So it has a process group of its own, which
//! Ctrl-C in the terminal does not reach, and no pipe to us. The next `up` finds it by its card, if the switch of this very
//! folder [runs](SwitchLife). Only an orderly end of an `up` that has driven it stops it. One that hangs is kept: its calls may
//! go on. If it dies while `up` runs, it is started again at the same address, after a pause that grows if it keeps dying.

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
use tonic::Code;

use super::switch_owner::{SwitchLife, SwitchOwner};
use crate::folder;
use crate::switch::SwitchCard;

const LOG: &str = "switch.log";
/// Lines of the log that are shown when the switch does not start.
const LOG_LINES: usize = 5;
/// A switch starts in some 30 ms; one with a long ledger in a second.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The switch ends all calls and completes all recordings first.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const CARD_POLL_INTERVAL: Duration = Duration::from_millis(10);
/// A switch that an earlier `up` has started is not our child: it can't be awaited, only polled.
const LIVENESS_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// After a run of this length the next restart pause is short again.
const STABLE_AFTER: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub(crate) struct SwitchSetup {
    pub(crate) folder: PathBuf,
    /// The data folder whose calls the switch has.
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) key_file: PathBuf,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) key: SigningKey,
    /// The switch and its calls survive when we are killed.
    pub(crate) outlives_us: bool,
}

#[derive(Debug)]
struct SwitchProcess {
    card: SwitchCard,
    /// `None` if an earlier `up` has started it.
    child: Option<Child>,
    /// The operating system closes it however we die; a switch that must not outlive us ends then.
    _lifeline: Option<ChildStdin>,
}

/// How a switch was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This run has started it.
    Started,
    /// An earlier run has left it, with its calls.
    Found,
    /// The same, and it does not answer now.
    Hangs,
}

/// Restarts the switch whenever it dies, until [`SwitchSupervisor::stop`].
#[derive(Debug)]
pub(crate) struct SwitchSupervisor {
    address: SocketAddr,
    pid: u32,
    origin: Origin,
    stopping: CancellationToken,
    supervision: JoinHandle<SwitchProcess>,
    _owner: SwitchOwner,
}

impl SwitchSupervisor {
    /// Takes over the switch that an earlier `up` has left, or starts one; returns when it serves, or when it is known to hang.
    pub(crate) async fn start(setup: SwitchSetup) -> anyhow::Result<Self> {
        folder::make(&setup.folder).with_context(|| format!("the switch's folder {}", setup.folder.display()))?;
        let owner = SwitchOwner::take(&setup.folder, &setup.data)?;
        let (process, origin) = match find_running(&setup).await? {
            Some((card, origin)) => (SwitchProcess { card, child: None, _lifeline: None }, origin),
            None => (start(&setup, setup.listen).await?, Origin::Started),
        };
        let (address, pid, stopping) = (process.card.address, process.card.pid, CancellationToken::new());
        let supervision = lifecycle::spawn(supervise(setup, process, stopping.clone()));
        Ok(Self { address, pid, origin, stopping, supervision, _owner: owner })
    }

    /// The process at the start.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// Leaves the switch with its calls as it is, for the next run.
    pub(crate) fn leave(self) {
        self.supervision.abort();
    }

    /// `http://…`
    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the switch in order, and waits until it has ended.
    pub(crate) async fn stop(self) {
        self.stopping.cancel();
        match self.supervision.await {
            Ok(process) => process.stop().await,
            Err(error) => tracing::error!(%error, "the supervision of the switch failed"),
        }
    }
}

impl SwitchProcess {
    async fn exited(&mut self) {
        match &mut self.child {
            Some(child) => {
                let status = child.wait().await;
                tracing::debug!(?status, "the switch's process ended");
            }
            None => await_exit(self.card.pid).await,
        }
    }

    async fn stop(mut self) {
        if let Some(pid) = pid(self.card.pid)
            && let Err(error) = kill_process(pid, Signal::TERM)
        {
            tracing::debug!(%error, "the switch has ended already");
        }
        if Clock::real().timeout(STOP_TIMEOUT, self.exited()).await.is_err() {
            tracing::warn!(pid = self.card.pid, "the switch does not end; it is left alone");
        }
    }
}

fn pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Waits for the exit of a process that is not our child.
async fn await_exit(process: u32) {
    let Some(pid) = pid(process) else { return };
    let probe = ProcessProbe::new(pid);
    while probe.is_alive() {
        Clock::real().sleep(LIVENESS_POLL_INTERVAL).await;
    }
}

/// Tells whether a process is alive. An exited process keeps its id until its parent has reaped it, which may take long; on
/// Linux a pidfd distinguishes the two.
struct ProcessProbe {
    pid: Pid,
    #[cfg(target_os = "linux")]
    handle: Option<std::os::fd::OwnedFd>,
}

impl ProcessProbe {
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
            let no_wait = Timespec { tv_sec: 0, tv_nsec: 0 };
            return poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&no_wait)) == Ok(0);
        }
        test_kill_process(self.pid).is_ok()
    }
}

/// Starts the switch again whenever it dies.
async fn supervise(setup: SwitchSetup, mut process: SwitchProcess, stopping: CancellationToken) -> SwitchProcess {
    let (clock, backoff) = (Clock::real(), Backoff::default());
    let mut exits = 0;
    loop {
        let started_us = clock.now_us();
        if stopping.run_until_cancelled(process.exited()).await.is_none() {
            return process;
        }
        let lived_us = clock.now_us() - started_us;
        exits = if lived_us > micros(STABLE_AFTER) { 1 } else { exits + 1 };
        tracing::warn!(pid = process.card.pid, "the switch died; starting it again");
        if stopping.run_until_cancelled(clock.sleep(backoff.pause(exits))).await.is_none() {
            return process;
        }
        match start(&setup, process.card.address).await {
            Ok(again) => process = again,
            Err(error) => tracing::error!(error = crate::failure::chain(&error), "the switch can't be started"),
        }
    }
}

/// A live switch that does not answer in this time is taken to hang; a busy machine is slow.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A live switch that can't be taken over. It is left as it is.
#[derive(Debug, thiserror::Error)]
enum TakeOverError {
    #[error(
        "the switch of an earlier run (process {pid}) was started with another key than {}: put that key back and its calls go on, or \
         end it and its calls with `kill {pid}`; then start again", key_file.display()
    )]
    OtherKey { pid: u32, key_file: PathBuf },
    #[error("a switch works on {}{process}, but does not say where it listens: stop it, and start again", folder.display())]
    NoCard { folder: PathBuf, process: String },
}

/// The switch that runs in this folder, if there is one.
async fn find_running(setup: &SwitchSetup) -> Result<Option<(SwitchCard, Origin)>, TakeOverError> {
    // One that was being started when its `up` was killed takes a moment to write its card.
    let Ok(found) = Clock::real().timeout(START_TIMEOUT, card_of_running(&setup.folder)).await else {
        let process = match SwitchLife::of(&setup.folder) {
            SwitchLife::Runs(Some(pid)) => format!(" (process {pid})"),
            SwitchLife::Runs(None) | SwitchLife::None => String::new(),
        };
        return Err(TakeOverError::NoCard { folder: setup.folder.clone(), process });
    };
    let Some(card) = found else { return Ok(None) };
    match ask(setup, &card).await {
        Ok(()) => {
            tracing::info!(pid = card.pid, "found the switch of an earlier run, with its calls");
            Ok(Some((card, Origin::Found)))
        }
        Err(status) if matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied) => {
            Err(TakeOverError::OtherKey { pid: card.pid, key_file: setup.key_file.clone() })
        }
        Err(_) if SwitchLife::of(&setup.folder) == SwitchLife::None => Ok(None),
        Err(status) => {
            tracing::warn!(pid = card.pid, %status, "the switch of an earlier run does not answer");
            Ok(Some((card, Origin::Hangs)))
        }
    }
}

/// The card of the switch that holds the folder's lock; `None` as soon as nobody holds it.
async fn card_of_running(folder: &Path) -> Option<SwitchCard> {
    loop {
        let SwitchLife::Runs(holder) = SwitchLife::of(folder) else { return None };
        let is_holders = |card: &SwitchCard| holder.is_none_or(|pid| pid == card.pid);
        if let Some(card) = SwitchCard::read(folder).filter(is_holders) {
            return Some(card);
        }
        Clock::real().sleep(CARD_POLL_INTERVAL).await;
    }
}

/// Whether the switch of this card, and no other program, answers at its address.
async fn ask(setup: &SwitchSetup, card: &SwitchCard) -> Result<(), tonic::Status> {
    let identity = ServiceIdentity::new(setup.key.clone(), "up");
    let channel = GrpcChannel::internal(&format!("http://{}", card.address), identity, Clock::real());
    let channel = channel.map_err(|error| tonic::Status::unavailable(error.to_string()))?;
    let channel = channel.with_default_deadline(ANSWER_TIMEOUT);
    let snapshot = SwitchServiceClient::new(channel).get_snapshot(GetSnapshotRequest {}).await?;
    if snapshot.get_ref().boot_id == card.boot_id {
        Ok(())
    } else {
        Err(tonic::Status::unavailable("another switch answers at its address"))
    }
}

async fn start(setup: &SwitchSetup, listen: SocketAddr) -> anyhow::Result<SwitchProcess> {
    let mut child = spawn(setup, listen)?;
    let started = Clock::real().timeout(START_TIMEOUT, await_card(setup, &mut child)).await;
    match started {
        Ok(Ok(card)) => {
            let lifeline = child.stdin.take();
            Ok(SwitchProcess { card, child: Some(child), _lifeline: lifeline })
        }
        Ok(Err(error)) => Err(error),
        Err(_) => {
            // It is our own child, and no card names it yet.
            let _ = child.start_kill();
            anyhow::bail!("the simulated switch did not start in time; its log is {}", log_file(setup).display())
        }
    }
}

fn spawn(setup: &SwitchSetup, listen: SocketAddr) -> anyhow::Result<Child> {
    let log = log_file(setup);
    let log = OpenOptions::new().create(true).append(true).open(&log).with_context(|| log.display().to_string())?;
    let mut command = Command::new(std::env::current_exe().context("the program's own file")?);
    command.arg("switch").arg("--data").arg(&setup.folder).arg("--listen").arg(listen.to_string());
    command.arg("--key").arg(&setup.key_file);
    if let Some(config) = &setup.config_file {
        command.arg("--config").arg(config);
    }
    if setup.outlives_us {
        command.stdin(Stdio::null());
    } else {
        command.arg("--exit-with-stdin").stdin(Stdio::piped());
    }
    command.stdout(log.try_clone()?).stderr(log);
    #[cfg(unix)]
    command.process_group(0);
    command.spawn().context("starting the simulated switch")
}

/// Waits for the card that this process writes.
async fn await_card(setup: &SwitchSetup, child: &mut Child) -> anyhow::Result<SwitchCard> {
    let started = child.id();
    loop {
        if let Some(card) = SwitchCard::read(&setup.folder).filter(|card| Some(card.pid) == started) {
            return Ok(card);
        }
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("the simulated switch did not start ({status}): {}", last_lines(&log_file(setup)));
        }
        Clock::real().sleep(CARD_POLL_INTERVAL).await;
    }
}

fn log_file(setup: &SwitchSetup) -> PathBuf {
    setup.folder.join(LOG)
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
    async fn an_exited_process_that_is_not_reaped_yet_is_not_alive() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let probe = ProcessProbe::new(pid(child.id()).unwrap());
        assert!(probe.is_alive());
        kill_process(probe.pid, Signal::KILL).unwrap();
        let exited = Clock::real().timeout(Duration::from_secs(5), await_exit(child.id())).await;
        assert!(exited.is_ok());
        assert!(test_kill_process(probe.pid).is_ok(), "its id is still in use");
        child.wait().unwrap();
    }
}
