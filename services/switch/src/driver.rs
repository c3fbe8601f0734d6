//! The driver: gives the engine its time, does what it wants done, and lets everybody else talk to it in turn.
//!
//! One task owns the engine. On a real clock it wakes at the end of each frame of 20 ms while there is anything to be heard, on the
//! fixed grid of frames (a late frame makes no other late), and sleeps otherwise. On a simulated clock it wakes only when something
//! is due: frames are then mixed when somebody asks, many at a time, with the same result.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use baton_runtime::Clock;
use baton_runtime::clock::BusyGuard;
use prost::Message;
use thiserror::Error;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::engine::ids::RecordingId;
use crate::engine::tones::FRAME_US;
use crate::engine::{Effect, Engine, Happening, SwitchError, TrackKey};
use crate::replays::{Asked, Replays};
use crate::storage::{Job, RecordingWritten};

/// Requests that wait for the driver.
const QUEUE: usize = 1_024;
/// Events that a reader may be behind before it is cut off.
const EVENTS: usize = 8_192;
/// Lines of the ledger that can be asked for.
const LEDGER_LINES: usize = 50_000;
/// One second: what is mixed at most before it is handed on to be written.
const MOST_FRAMES: usize = 50;

/// The switch has been stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the switch has been stopped")]
pub struct Stopped;

/// What a request can use while it has its turn.
#[derive(Debug)]
pub struct Desk {
    /// The switch, brought to the present time.
    pub engine: Engine,
    /// How well it keeps time.
    pub stats: Stats,
    ledger: VecDeque<Arc<Happening>>,
    events: broadcast::Sender<Arc<Happening>>,
    replays: Replays,
}

impl Desk {
    /// Makes a change, unless it was made before: then the answer is the one that was given.
    pub(crate) fn once<Q: Message, A: Message + Default>(
        &mut self,
        asked: &Asked<'_, Q>,
        act: impl FnOnce(&mut Self) -> Result<A, SwitchError>,
    ) -> Result<A, SwitchError> {
        if let Some(answer) = self.replays.before(asked) {
            return answer;
        }
        let answer = act(self);
        self.replays.remember(asked, &answer);
        answer
    }

    /// Events from now on, and the number of the last one before.
    pub fn subscribe(&self) -> (i64, broadcast::Receiver<Arc<Happening>>) {
        (self.engine.event_sequence(), self.events.subscribe())
    }

    /// The lines of the ledger after `sequence`.
    pub fn ledger_after(&self, sequence: i64) -> impl Iterator<Item = &Arc<Happening>> {
        let from = self.ledger.partition_point(|line| line.sequence <= sequence);
        self.ledger.range(from..)
    }

    /// The first line that is kept; none when there is none.
    pub fn first_kept(&self) -> Option<i64> {
        self.ledger.front().map(|line| line.sequence)
    }

    fn note(&mut self, happening: &Arc<Happening>) {
        if self.ledger.len() >= LEDGER_LINES {
            self.ledger.pop_front();
        }
        self.ledger.push_back(happening.clone());
        if happening.event_sequence > 0 {
            // Nobody may be listening.
            let _ = self.events.send(happening.clone());
        }
    }
}

/// How well the switch keeps time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// When it started.
    pub started_at_us: i64,
    /// Frames that were mixed.
    pub frames: i64,
    /// Frames that were done more than 20 ms after their time.
    pub late_20_ms: i64,
    /// Frames that were done more than 60 ms after their time.
    pub late_60_ms: i64,
    /// The latest that a frame was.
    pub max_lateness_us: i64,
    /// Time spent mixing.
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

type Request = Box<dyn FnOnce(&mut Desk) + Send>;

enum Turn {
    Request(Request),
    Sync(oneshot::Sender<()>),
}

/// Talks to the switch.
#[derive(Clone)]
pub struct SwitchHandle(mpsc::Sender<Turn>);

impl SwitchHandle {
    /// Does something with the switch, at the present time and with nothing else in between.
    pub async fn with<R: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Desk) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (answer, answered) = oneshot::channel();
        let request = Box::new(move |desk: &mut Desk| {
            // Whoever asked may have gone.
            let _ = answer.send(act(desk));
        });
        self.0.send(Turn::Request(request)).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }

    /// Waits until all that the switch has done so far is in its files.
    pub async fn sync(&self) -> Result<(), Stopped> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Turn::Sync(answer)).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }
}

/// Owns the engine.
pub(crate) struct Driver {
    clock: Clock,
    desk: Desk,
    turns: mpsc::Receiver<Turn>,
    jobs: mpsc::Sender<Job>,
    written: mpsc::UnboundedReceiver<RecordingWritten>,
    /// Files that are being completed: simulated time must not run away from them.
    completing: HashMap<RecordingId, BusyGuard>,
}

impl Driver {
    pub(crate) fn new(
        engine: Engine,
        clock: Clock,
        earlier: Vec<Happening>,
        jobs: mpsc::Sender<Job>,
        written: mpsc::UnboundedReceiver<RecordingWritten>,
    ) -> (Self, SwitchHandle) {
        let (sender, turns) = mpsc::channel(QUEUE);
        let desk = Desk {
            stats: Stats { started_at_us: engine.now_us(), ..Stats::default() },
            engine,
            ledger: earlier.into_iter().map(Arc::new).collect(),
            events: broadcast::Sender::new(EVENTS),
            replays: Replays::default(),
        };
        let driver = Self { clock, desk, turns, jobs, written, completing: HashMap::new() };
        (driver, SwitchHandle(sender))
    }

    /// Runs the switch until it is told to stop; then all calls end in an orderly way.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Stopped> {
        self.hand_on().await?;
        loop {
            let wake_us = self.wake_us();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(written) = self.written.recv() => self.completed(written),
                Some(turn) = self.turns.recv() => self.serve(turn).await?,
                () = sleep_until(&self.clock, wake_us) => {}
            }
            self.catch_up().await?;
        }
        self.shut_down().await
    }

    fn wake_us(&self) -> Option<i64> {
        let engine = &self.desk.engine;
        let deadline = engine.next_deadline_us();
        if self.clock.is_simulated() || !engine.has_sound() {
            return deadline;
        }
        let frame_end = engine.frame_end_us();
        Some(deadline.map_or(frame_end, |deadline| deadline.min(frame_end)))
    }

    async fn serve(&mut self, turn: Turn) -> Result<(), Stopped> {
        self.catch_up().await?;
        match turn {
            Turn::Request(act) => act(&mut self.desk),
            Turn::Sync(done) => self.jobs.send(Job::Sync(done)).await.map_err(|_| Stopped)?,
        }
        self.hand_on().await
    }

    /// Brings the engine to the present time.
    async fn catch_up(&mut self) -> Result<(), Stopped> {
        loop {
            let now_us = self.clock.now_us();
            let mixed = self.desk.engine.advance(now_us, MOST_FRAMES);
            let done_us = self.clock.now_us();
            if mixed > 0 && !self.clock.is_simulated() {
                self.desk.stats.note(mixed, self.desk.engine.mixed_until_us(), done_us);
                self.desk.stats.mixing_us += done_us - now_us;
            } else {
                self.desk.stats.frames += mixed as i64;
            }
            self.hand_on().await?;
            if mixed < MOST_FRAMES {
                return Ok(());
            }
        }
    }

    /// Has done what the engine wants done.
    async fn hand_on(&mut self) -> Result<(), Stopped> {
        for effect in self.desk.engine.take_effects() {
            match &effect {
                Effect::Happened(happening) => self.desk.note(happening),
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
        self.desk.engine.recording_written(&id, result);
        self.completing.remove(&id);
    }

    async fn shut_down(mut self) -> Result<(), Stopped> {
        self.catch_up().await?;
        self.desk.engine.shut_down();
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
