//! The driver: advances the engine with the clock, hands its effects on, and runs requests on it one after the other.
//!
//! One task owns the engine. On a real clock it wakes at the end of each frame of 20 ms while there is sound to mix, on the fixed
//! grid of frames (one late frame delays no other), and sleeps otherwise. On a simulated clock it wakes only for deadlines: frames
//! are then mixed when a request comes, many at a time, with the same result.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use baton_runtime::Clock;
use baton_runtime::clock::BusyGuard;
use prost::Message;
use thiserror::Error;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::engine::ids::RecordingId;
use crate::engine::tones::FRAME_US;
use crate::engine::{Effect, Engine, LedgerEntry, SwitchError, TrackKey};
use crate::replays::{IdempotentRequest, Replays};
use crate::storage::{Job, RecordingWritten};

/// Requests that may wait for the driver.
const QUEUE: usize = 1_024;
/// Events that a reader may be behind; one that is further behind is disconnected.
const EVENTS: usize = 8_192;
/// Ledger entries kept in memory for `GetLedger`.
const LEDGER_LINES: usize = 50_000;
/// One second: the most that is mixed before the effects are handed to the writer.
const MOST_FRAMES: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the switch has been stopped")]
pub struct Stopped;

/// The engine, and what the driver keeps beside it. A request has it for itself while it runs.
#[derive(Debug)]
pub struct SwitchState {
    /// Advanced to the present time before each request.
    pub engine: Engine,
    pub stats: Stats,
    ledger: VecDeque<Arc<LedgerEntry>>,
    events: broadcast::Sender<Arc<LedgerEntry>>,
    /// The sequence of the last entry.
    noted: watch::Sender<i64>,
    replays: Replays,
}

impl SwitchState {
    /// Makes a change, or repeats the answer if this request was answered before.
    pub(crate) fn once<Q: Message, A: Message + Default>(
        &mut self,
        request: &IdempotentRequest<'_, Q>,
        act: impl FnOnce(&mut Self) -> Result<A, SwitchError>,
    ) -> Result<A, SwitchError> {
        if let Some(answer) = self.replays.before(request) {
            return answer;
        }
        let answer = act(self);
        self.replays.remember(request, &answer);
        answer
    }

    /// The number of the last event, and a receiver of those after it.
    pub fn subscribe(&self) -> (i64, broadcast::Receiver<Arc<LedgerEntry>>) {
        (self.engine.event_sequence(), self.events.subscribe())
    }

    /// Tells whoever reads the ledger that there is more of it.
    pub fn watch_ledger(&self) -> watch::Receiver<i64> {
        self.noted.subscribe()
    }

    /// The kept entries of the ledger after `sequence`.
    pub fn ledger_after(&self, sequence: i64) -> impl Iterator<Item = &Arc<LedgerEntry>> {
        let from = self.ledger.partition_point(|entry| entry.sequence <= sequence);
        self.ledger.range(from..)
    }

    /// The sequence of the oldest entry that is kept.
    pub fn first_kept(&self) -> Option<i64> {
        self.ledger.front().map(|entry| entry.sequence)
    }

    fn note(&mut self, entry: &Arc<LedgerEntry>) {
        if self.ledger.len() >= LEDGER_LINES {
            self.ledger.pop_front();
        }
        self.ledger.push_back(entry.clone());
        self.noted.send_replace(entry.sequence);
        if entry.event_sequence > 0 {
            // An error means that there is no reader.
            let _ = self.events.send(entry.clone());
        }
    }
}

/// How punctually frames are mixed. On a simulated clock only frames are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    pub started_at_us: i64,
    pub frames: i64,
    /// Frames that were finished more than 20 ms after their end.
    pub late_20_ms: i64,
    /// Frames that were finished more than 60 ms after their end.
    pub late_60_ms: i64,
    pub max_lateness_us: i64,
    pub mixing_us: i64,
}

impl Stats {
    /// Some frames were mixed; the last of them ended at `last_end_us`, and all are done at `done_us`.
    fn note(&mut self, mixed: usize, last_end_us: i64, done_us: i64) {
        for earlier in 0..mixed as i64 {
            let lateness_us = done_us - (last_end_us - earlier * FRAME_US);
            self.frames += 1;
            self.late_20_ms += i64::from(lateness_us > 20_000);
            self.late_60_ms += i64::from(lateness_us > 60_000);
            self.max_lateness_us = self.max_lateness_us.max(lateness_us);
        }
    }
}

type Act = Box<dyn FnOnce(&mut SwitchState) + Send>;

enum DriverRequest {
    Act(Act),
    /// Answered once all jobs so far are done.
    Sync(oneshot::Sender<()>),
}

/// Sends requests to the driver. Cheap to clone.
#[derive(Clone)]
pub struct SwitchHandle(mpsc::Sender<DriverRequest>);

impl SwitchHandle {
    /// Runs `act` on the switch, at the present time and without any other request in between.
    pub async fn with<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut SwitchState) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (answer, answered) = oneshot::channel();
        let act = Box::new(move |state: &mut SwitchState| {
            // The caller may have stopped waiting.
            let _ = answer.send(act(state));
        });
        self.0.send(DriverRequest::Act(act)).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }

    /// Waits until all effects so far are in the files.
    pub async fn sync(&self) -> Result<(), Stopped> {
        let (answer, answered) = oneshot::channel();
        self.0.send(DriverRequest::Sync(answer)).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }
}

/// The task that owns the engine.
pub(crate) struct Driver {
    clock: Clock,
    state: SwitchState,
    requests: mpsc::Receiver<DriverRequest>,
    jobs: mpsc::Sender<Job>,
    written: mpsc::UnboundedReceiver<RecordingWritten>,
    /// Recordings whose files are being completed. The guards hold simulated time still until they are.
    completing: HashMap<RecordingId, BusyGuard>,
}

impl Driver {
    pub(crate) fn new(
        engine: Engine,
        clock: Clock,
        earlier: Vec<LedgerEntry>,
        jobs: mpsc::Sender<Job>,
        written: mpsc::UnboundedReceiver<RecordingWritten>,
    ) -> (Self, SwitchHandle) {
        let (sender, requests) = mpsc::channel(QUEUE);
        let state = SwitchState {
            stats: Stats { started_at_us: engine.now_us(), ..Stats::default() },
            engine,
            ledger: earlier.into_iter().map(Arc::new).collect(),
            events: broadcast::Sender::new(EVENTS),
            noted: watch::Sender::default(),
            replays: Replays::default(),
        };
        let driver = Self { clock, state, requests, jobs, written, completing: HashMap::new() };
        (driver, SwitchHandle(sender))
    }

    /// Runs the switch until `stop`; then all calls end in an orderly way.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Stopped> {
        self.hand_on().await?;
        loop {
            let wake_us = self.wake_us();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(written) = self.written.recv() => self.completed(written),
                Some(request) = self.requests.recv() => self.serve(request).await?,
                () = sleep_until(&self.clock, wake_us) => {}
            }
            self.catch_up().await?;
        }
        self.shut_down().await
    }

    fn wake_us(&self) -> Option<i64> {
        let engine = &self.state.engine;
        let deadline = engine.next_deadline_us();
        if self.clock.is_simulated() || !engine.has_sound() {
            return deadline;
        }
        let frame_end = engine.frame_end_us();
        Some(deadline.map_or(frame_end, |deadline| deadline.min(frame_end)))
    }

    async fn serve(&mut self, request: DriverRequest) -> Result<(), Stopped> {
        self.catch_up().await?;
        match request {
            DriverRequest::Act(act) => act(&mut self.state),
            DriverRequest::Sync(done) => self.jobs.send(Job::Sync(done)).await.map_err(|_| Stopped)?,
        }
        self.hand_on().await
    }

    /// Advances the engine to the present time.
    async fn catch_up(&mut self) -> Result<(), Stopped> {
        loop {
            // After the process stood still, phones that were answered meanwhile are heard before their ring time is over (R2).
            let now_us = self.clock.heard_us();
            let mixed = self.state.engine.advance(now_us, MOST_FRAMES);
            let done_us = self.clock.now_us();
            if mixed > 0 && !self.clock.is_simulated() {
                self.state.stats.note(mixed, self.state.engine.mixed_until_us(), done_us);
                self.state.stats.mixing_us += done_us - now_us;
            } else {
                self.state.stats.frames += mixed as i64;
            }
            self.hand_on().await?;
            if mixed < MOST_FRAMES {
                return Ok(());
            }
        }
    }

    /// Hands the engine's effects to the writer and to the readers of events.
    async fn hand_on(&mut self) -> Result<(), Stopped> {
        for effect in self.state.engine.take_effects() {
            match &effect {
                Effect::LedgerAppended(entry) => self.state.note(entry),
                Effect::TrackClosed { key: TrackKey::Recording(id), .. } => {
                    self.completing.insert(id.clone(), self.clock.busy());
                }
                _ => {}
            }
            self.jobs.send(Job::Effect(effect)).await.map_err(|_| Stopped)?;
        }
        Ok(())
    }

    fn completed(&mut self, (id, result): RecordingWritten) {
        self.state.engine.recording_written(&id, result);
        self.completing.remove(&id);
    }

    async fn shut_down(mut self) -> Result<(), Stopped> {
        self.catch_up().await?;
        self.state.engine.shut_down();
        self.hand_on().await?;
        while !self.completing.is_empty() {
            let written = self.written.recv().await.ok_or(Stopped)?;
            self.completed(written);
        }
        self.hand_on().await
    }
}

async fn sleep_until(clock: &Clock, wake_us: Option<i64>) {
    match wake_us {
        Some(wake_us) => clock.sleep_until(wake_us).await,
        None => std::future::pending().await,
    }
}
