//! The connection to the switch: it is made again for ever, and each session begins with a snapshot.
//!
//! The link takes control, then subscribes to events, and only then takes the snapshot: so no event falls between the two.
//! The task that reads events does nothing else; the interactions work out what the events mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use baton_runtime::clock::micros;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::sync::{Notify, watch};

use crate::live_phones::LivePhones;
use crate::name_registry::{NameRegistry, Routed};
use crate::operation::Stamp;
use crate::orphan::OrphanResolver;
use crate::report::ReportContext;
use crate::retry;
use crate::store::{Kept, StoreWrite};
use crate::switch::{SwitchEvent, SwitchPort, SwitchPortError, SwitchSnapshot};

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// After this long without a connection every call on the switch is taken for lost (S4).
const SILENCE: Duration = Duration::from_mins(1);
/// Requests for a resync within this time are answered by one snapshot.
const RESYNC_PAUSE: Duration = Duration::from_millis(100);
/// A snapshot waits this long for the events that it already contains.
const CATCH_UP: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    Down,
    /// Connected, and every interaction got its slice of the session's first snapshot.
    Up {
        /// Counts the sessions.
        generation: u64,
        /// The run of the switch.
        boot_id: String,
    },
}

/// Requests to the link's task. All clones are the same.
#[derive(Clone, Debug, Default)]
pub struct LinkRequests {
    resync: Arc<Notify>,
    /// The last session in which another controller was found.
    fenced: Arc<watch::Sender<u64>>,
}

impl LinkRequests {
    /// Asks for a snapshot of the switch, soon.
    pub fn resync(&self) {
        self.resync.notify_one();
    }

    /// Asks to take control again, because another controller had it in this session. Repeated for a session, it does
    /// nothing.
    pub fn reconnect(&self, generation: u64) {
        self.fenced.send_if_modified(|it| {
            let newer = generation > *it;
            *it = generation.max(*it);
            newer
        });
    }
}

/// Orders snapshots and changes. All clones count together.
#[derive(Clone, Debug, Default)]
pub struct LogicalClock(Arc<AtomicU64>);

impl LogicalClock {
    /// The stamp of a change: it is newer than every snapshot that was begun before.
    pub fn now(&self) -> Stamp {
        Stamp(self.0.load(Ordering::SeqCst))
    }

    /// The stamp of a snapshot.
    fn begin_snapshot(&self) -> Stamp {
        Stamp(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// The link's task.
pub struct Link {
    pub switch: Arc<dyn SwitchPort>,
    pub context: ReportContext,
    pub names: Arc<NameRegistry>,
    pub phones: Arc<LivePhones>,
    pub orphans: Arc<OrphanResolver>,
    pub link_requests: LinkRequests,
    pub logical_clock: LogicalClock,
    pub state: watch::Sender<LinkState>,
    /// The epoch of the last session.
    pub epoch: i64,
    /// Between two snapshots while nothing happens.
    pub resync_interval: Duration,
    /// Counts the sessions.
    pub generation: u64,
}

type PendingSnapshot<'a> = BoxFuture<'a, (Stamp, Result<SwitchSnapshot, SwitchPortError>)>;

impl Link {
    pub async fn run(mut self) {
        let stopping = self.context.lifecycle.soft();
        let clock = self.context.clock.clone();
        let backoff = retry::endless(SHORTEST_PAUSE, LONGEST_PAUSE);
        let mut failures = 0;
        let mut silent_since_us = Some(clock.now_us());
        loop {
            let ended = stopping.run_until_cancelled(self.session(&mut failures, &mut silent_since_us)).await;
            self.state.send_replace(LinkState::Down);
            let Some(error) = ended else { return };
            failures += 1;
            if failures == 1 {
                // A connection may break, and a switch that is ended with everything else is no trouble.
                tracing::info!(%error, "the switch is not connected; trying again");
            } else {
                tracing::warn!(%error, failures, "the switch is not connected; trying again");
            }
            let since_us = *silent_since_us.get_or_insert(clock.now_us());
            if clock.now_us() - since_us >= micros(SILENCE) {
                self.names.notify_silence();
            }
            if stopping.run_until_cancelled(clock.sleep(backoff.pause(failures))).await.is_none() {
                return;
            }
        }
    }

    /// From taking control to the end of the stream; returns why it ended.
    async fn session(&mut self, failures: &mut u32, silent_since_us: &mut Option<i64>) -> SwitchPortError {
        let session = match self.switch.connect(self.epoch).await {
            Ok(session) => session,
            Err(error) => return error,
        };
        self.epoch = session.epoch;
        self.generation += 1;
        if let Err(error) = self.context.journal.write(StoreWrite::Keep(Kept::Epoch, session.epoch)).await {
            return SwitchPortError::Unknown(error.to_string());
        }
        tracing::info!(switch.boot_id = %session.boot_id, epoch = session.epoch, "the switch is connected");
        let up = LinkState::Up { generation: self.generation, boot_id: session.boot_id };
        let mut on_first_snapshot = || {
            *failures = 0;
            *silent_since_us = None;
        };
        match self.follow(session.events, session.sequence, up, &mut on_first_snapshot).await {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    /// Routes events, and takes snapshots: first of all, at intervals, and on request.
    async fn follow(
        &self,
        mut events: BoxStream<'static, Result<SwitchEvent, SwitchPortError>>,
        mut sequence: i64,
        up: LinkState,
        on_first_snapshot: &mut (dyn FnMut() + Send),
    ) -> Result<std::convert::Infallible, SwitchPortError> {
        let clock = &self.context.clock;
        let mut ticks = clock.interval(self.resync_interval);
        let mut pending: Option<PendingSnapshot<'_>> = Some(self.take_snapshot(Duration::ZERO));
        let mut taken: Option<(Stamp, SwitchSnapshot, i64)> = None;
        let mut fenced = self.link_requests.fenced.subscribe();
        loop {
            let apply_at_us = taken.as_ref().map_or(i64::MAX, |(_, _, at_us)| *at_us);
            tokio::select! {
                biased;
                event = events.next() => {
                    let event = event.ok_or_else(|| SwitchPortError::Unknown("the stream ended".to_owned()))??;
                    sequence = event.sequence.max(sequence);
                    self.route(event);
                }
                (stamp, snapshot) = pending_snapshot(&mut pending), if pending.is_some() => {
                    pending = None;
                    taken = Some((stamp, snapshot?, clock.after(CATCH_UP)));
                }
                () = clock.sleep_until(apply_at_us), if taken.is_some() => sequence = i64::MAX,
                () = self.link_requests.resync.notified(), if pending.is_none() && taken.is_none() => {
                    pending = Some(self.take_snapshot(RESYNC_PAUSE));
                }
                _ = fenced.wait_for(|it| *it >= self.generation) => return Err(SwitchPortError::Fenced),
                _ = ticks.tick() => if pending.is_none() && taken.is_none() && !self.names.is_empty() {
                    pending = Some(self.take_snapshot(Duration::ZERO));
                },
            }
            if let Some((stamp, snapshot, _)) = taken.take_if(|(_, snapshot, _)| snapshot.sequence <= sequence) {
                sequence = snapshot.sequence.min(sequence);
                self.distribute(snapshot, stamp);
                self.state.send_if_modified(|state| {
                    *state != up && {
                        state.clone_from(&up);
                        true
                    }
                });
                on_first_snapshot();
            }
        }
    }

    /// Takes a snapshot after a pause, in which other requests for it may come.
    fn take_snapshot(&self, pause: Duration) -> PendingSnapshot<'_> {
        Box::pin(async move {
            if !pause.is_zero() {
                self.context.clock.sleep(pause).await;
            }
            let stamp = self.logical_clock.begin_snapshot();
            (stamp, self.switch.snapshot().await)
        })
    }

    fn route(&self, event: SwitchEvent) {
        let stamp = self.logical_clock.now();
        self.phones.follow(&event, stamp);
        match self.names.route(event, stamp) {
            Routed::NewCall(call) => self.orphans.open(call),
            Routed::UnknownLeg => self.link_requests.resync(),
            Routed::Known | Routed::Ignored => {}
        }
    }

    fn distribute(&self, snapshot: SwitchSnapshot, stamp: Stamp) {
        self.phones.correct(&snapshot.legs, stamp);
        let orphans = self.names.distribute(snapshot, stamp, self.generation, self.context.clock.now_us());
        self.orphans.resolve(orphans);
    }
}

async fn pending_snapshot(
    pending: &mut Option<PendingSnapshot<'_>>,
) -> (Stamp, Result<SwitchSnapshot, SwitchPortError>) {
    match pending {
        Some(pending) => pending.await,
        None => std::future::pending().await,
    }
}
