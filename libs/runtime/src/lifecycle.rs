//! Starting tasks and ending them in order.
//!
//! Two tokens: *soft* asks everything to finish what it has begun, *hard* ends it. The first signal cancels soft, the second
//! (or the end of the grace period) cancels hard. A task that panics takes the process down softly: a service that runs
//! without one of its tasks is worse than one that is started again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::clock::Clock;

/// Starts a task that belongs to no [`Lifecycle`]: one that ends by itself soon, or that its owner awaits. The task keeps the
/// current span.
#[expect(clippy::disallowed_methods, reason = "the one place that starts tasks")]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.in_current_span())
}

/// The running tasks of a process, or of one service in it. All clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle(Arc<LifecycleState>);

#[derive(Debug, Default)]
struct LifecycleState {
    hard: CancellationToken,
    soft: CancellationToken,
    tracker: TaskTracker,
    running: Mutex<BTreeMap<u64, TaskName>>,
    next_id: AtomicU64,
    crashed: AtomicBool,
}

impl LifecycleState {
    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, TaskName>> {
        self.running.lock()
    }
}

/// What a task is called, for people who read the log: `presence expiry`.
pub type TaskName = Cow<'static, str>;

/// How a shutdown went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownReport {
    /// A task panicked, which began the shutdown.
    pub crashed: bool,
    /// The tasks that were ended hard because they had not ended within the grace period.
    pub unfinished: Vec<TaskName>,
}

impl Lifecycle {
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when everything is to finish: accept nothing new, end streams.
    pub fn soft(&self) -> CancellationToken {
        self.0.soft.clone()
    }

    /// Cancelled when everything ends at once, done or not.
    pub fn hard(&self) -> CancellationToken {
        self.0.hard.clone()
    }

    /// Starts a task. It should end soon after *soft* is cancelled; it is dropped when *hard* is.
    pub fn spawn<F>(&self, name: impl Into<TaskName>, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let entry = TaskEntry::enter(&self.0, name.clone());
        let hard = self.hard();
        let task = async move {
            let _entry = entry;
            hard.run_until_cancelled(future).await;
        };
        // A root span, and not exported: a task lives as long as the process, and all that it does would be one trace.
        let span = tracing::debug_span!(parent: None, "task", task.name = %name);
        spawn(self.0.tracker.track_future(task).instrument(span));
    }

    /// Stops everything when `failure` resolves, as a crash would: for what the process can't go on without, such as a disk.
    pub fn stop_when<E>(&self, name: impl Into<TaskName>, failure: impl Future<Output = E> + Send + 'static)
    where
        E: std::fmt::Display + Send + 'static,
    {
        let (this, soft, name) = (self.clone(), self.soft(), name.into());
        self.spawn(name.clone(), async move {
            if let Some(error) = soft.run_until_cancelled(failure).await {
                tracing::error!(task.name = %name, %error, "nothing can go on without it; stopping");
                this.0.crashed.store(true, Ordering::Relaxed);
                this.stop();
            }
        });
    }

    /// Does a piece of upkeep now and after each `period`, such as deleting what is old. What goes wrong is logged, and tried again the
    /// next time.
    pub fn every<W, E>(
        &self,
        name: impl Into<TaskName>,
        (clock, period): (&Clock, Duration),
        mut work: impl FnMut(i64) -> W + Send + 'static,
    ) where
        W: Future<Output = Result<(), E>> + Send + 'static,
        E: std::fmt::Display + Send + 'static,
    {
        let (clock, soft, name) = (clock.clone(), self.soft(), name.into());
        self.spawn(name.clone(), async move {
            let mut interval = clock.interval(period);
            let mut now_us = clock.now_us();
            loop {
                let done = {
                    let _busy = clock.busy();
                    work(now_us).await
                };
                if let Err(error) = done {
                    tracing::warn!(task.name = %name, %error, "it did not work; trying again later");
                }
                match soft.run_until_cancelled(interval.tick()).await {
                    Some(tick_us) => now_us = tick_us,
                    None => return,
                }
            }
        });
    }

    /// Waits until *soft* is cancelled: by a signal, by a crash, or by [`stop`](Self::stop).
    pub async fn stopping(&self) {
        self.0.soft.cancelled().await;
    }

    /// Asks everything to finish.
    pub fn stop(&self) {
        self.0.soft.cancel();
    }

    /// Listens for SIGINT, SIGTERM, SIGQUIT and SIGHUP (the terminal was closed): the first signal asks everything to finish,
    /// the second ends it.
    pub fn stop_on_signals(&self) -> std::io::Result<()> {
        let mut signals = StopSignals::new()?;
        let this = self.clone();
        spawn(async move {
            signals.next().await;
            tracing::info!("stopping; a second signal stops at once");
            this.stop();
            signals.next_on_purpose().await;
            tracing::warn!("stopping at once");
            this.0.hard.cancel();
        });
        Ok(())
    }

    /// Asks everything to finish, and ends the tasks that have not finished when the grace period is over.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        self.stop();
        self.0.tracker.close();
        let clock = Clock::real();
        let ended = async {
            tokio::select! {
                () = self.0.tracker.wait() => {}
                () = self.0.hard.cancelled() => {}
            }
        };
        let _ = clock.timeout(grace, ended).await;
        let unfinished: Vec<_> = self.0.running().values().cloned().collect();
        self.0.hard.cancel();
        if !unfinished.is_empty() {
            tracing::warn!(tasks = ?unfinished, "these tasks did not finish in time");
        }
        ShutdownReport { crashed: self.0.crashed.load(Ordering::Relaxed), unfinished }
    }
}

/// An entry in the list of running tasks, until it is dropped.
struct TaskEntry {
    state: Arc<LifecycleState>,
    id: u64,
    name: TaskName,
}

impl TaskEntry {
    fn enter(state: &Arc<LifecycleState>, name: TaskName) -> Self {
        let id = state.next_id.fetch_add(1, Ordering::Relaxed);
        state.running().insert(id, name.clone());
        Self { state: Arc::clone(state), id, name }
    }
}

impl Drop for TaskEntry {
    fn drop(&mut self) {
        self.state.running().remove(&self.id);
        if std::thread::panicking() {
            tracing::error!(task.name = %self.name, "a task panicked; stopping");
            self.state.crashed.store(true, Ordering::Relaxed);
            self.state.soft.cancel();
        }
    }
}

#[cfg(unix)]
type StopSignals = UnixSignals;
#[cfg(not(unix))]
type StopSignals = ConsoleSignals;

#[cfg(unix)]
struct UnixSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
    /// `None` if our parent process wants it ignored, as `nohup` does.
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl UnixSignals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hangup: (!is_hangup_ignored()).then(|| signal(SignalKind::hangup())).transpose()?,
        })
    }

    async fn next(&mut self) {
        let Self { interrupt, terminate, quit, hangup } = self;
        let hung_up = async {
            match hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = quit.recv() => {}
            () = hung_up => {}
        }
    }

    /// Any signal but SIGHUP, which a terminal that is closed may send twice.
    async fn next_on_purpose(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}

/// Whether our parent process wants SIGHUP ignored. Listening for it would undo that.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is number 1: the lowest bit.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(not(unix))]
struct ConsoleSignals;

#[cfg(not(unix))]
impl ConsoleSignals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }

    async fn next_on_purpose(&mut self) {
        self.next().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn tasks_that_finish_are_not_reported() {
        let lifecycle = Lifecycle::new();
        let soft = lifecycle.soft();
        lifecycle.spawn("good", async move { soft.cancelled().await });
        let report = lifecycle.shutdown(SOON).await;
        assert_eq!(report, ShutdownReport { crashed: false, unfinished: vec![] });
    }

    #[tokio::test]
    async fn a_task_that_does_not_finish_is_named_and_dropped() {
        let lifecycle = Lifecycle::new();
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        lifecycle.spawn("stubborn", async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        let report = lifecycle.shutdown(Duration::from_millis(10)).await;
        assert_eq!(report.unfinished, ["stubborn"]);
        lifecycle.0.tracker.wait().await;
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[tokio::test]
    async fn what_nothing_can_go_on_without_stops_everything_when_it_fails() {
        let lifecycle = Lifecycle::new();
        lifecycle.stop_when("disk", std::future::pending::<&str>());
        lifecycle.stop_when("another disk", async { "input/output error" });
        Clock::real().timeout(SOON, lifecycle.stopping()).await.unwrap();
        let report = lifecycle.shutdown(SOON).await;
        assert_eq!(report, ShutdownReport { crashed: true, unfinished: vec![] });
    }

    #[tokio::test]
    async fn upkeep_is_done_at_once_and_each_period_goes_on_after_a_failure_and_ends_with_the_rest() {
        let (clock, driver) = Clock::simulated(0);
        spawn(driver.run());
        let lifecycle = Lifecycle::new();
        let (times, mut done) = tokio::sync::mpsc::unbounded_channel();
        lifecycle.every("tidy", (&clock, Duration::from_secs(10)), move |now_us| {
            let times = times.clone();
            async move { times.send(now_us).map_err(|_| "gone").and(Err::<(), _>("it fails each time")) }
        });
        for second in [0, 10, 20] {
            assert_eq!(done.recv().await, Some(second * 1_000_000));
        }
        let report = lifecycle.shutdown(SOON).await;
        assert_eq!(report, ShutdownReport { crashed: false, unfinished: vec![] });
    }

    #[tokio::test]
    async fn a_task_that_panics_stops_everything() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn("bad", async { panic!("on purpose") });
        Clock::real().timeout(SOON, lifecycle.stopping()).await.unwrap();
        assert!(lifecycle.shutdown(SOON).await.crashed);
    }
}
