//! The connection to the switch: made again for ever, and after each gap the whole picture first.
//!
//! Control is taken, then events are subscribed to, and only then the switch is looked at: so nothing that happens falls
//! between the picture and the events. The task that reads events does nothing else; what they mean is worked out by the
//! interactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use baton_runtime::clock::micros;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::sync::{Notify, watch};

use crate::book::{Book, Routed};
use crate::report::ReportWays;
use crate::retry;
use crate::store::Write;
use crate::stray::StrayWays;
use crate::switch::{Event, Sight, Switch, SwitchError};
use crate::thing::Stamp;

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// After this long without a connection every call on the switch is taken for lost (S4).
const SILENCE: Duration = Duration::from_mins(1);
/// Looks that are asked for within this time of the last one are one look.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How long a look waits for the events that it already contains.
const CATCH_UP: Duration = Duration::from_millis(100);

/// Whether the switch is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It is not.
    Down,
    /// It is, and everybody was told what is on it.
    Up {
        /// Counts the sessions.
        generation: u64,
        /// The run of the switch.
        boot_id: String,
    },
}

/// What may be asked of the connection. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LinkOrders {
    look: Arc<Notify>,
    /// The last session in which somebody else was found in control.
    fenced: Arc<watch::Sender<u64>>,
}

impl LinkOrders {
    /// Look at the switch, soon.
    pub fn look(&self) {
        self.look.notify_one();
    }

    /// Take control again: somebody else had it in this session. Of an earlier session it says nothing new.
    pub fn reconnect(&self, generation: u64) {
        self.fenced.send_if_modified(|it| {
            let newer = generation > *it;
            *it = generation.max(*it);
            newer
        });
    }
}

/// Orders looks and changes. All clones count together.
#[derive(Clone, Debug, Default)]
pub struct Moments(Arc<AtomicU64>);

impl Moments {
    /// A change, now. It is newer than every look that was begun before.
    pub fn now(&self) -> Stamp {
        Stamp(self.0.load(Ordering::SeqCst))
    }

    /// A look begins.
    fn begin_look(&self) -> Stamp {
        Stamp(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// The connection's task.
pub struct Link {
    /// The switch.
    pub switch: Arc<dyn Switch>,
    /// To the disk; the time.
    pub ways: ReportWays,
    /// Who is to be told.
    pub book: Arc<Book>,
    /// What becomes of what nobody knows.
    pub strays: Arc<StrayWays>,
    /// What is asked of it.
    pub orders: LinkOrders,
    /// See there.
    pub moments: Moments,
    /// Who wants to know whether it is up.
    pub state: watch::Sender<LinkState>,
    /// The epoch that was used last.
    pub epoch: i64,
    /// How often to look although nothing happens.
    pub resync_interval: Duration,
    /// Counts the sessions.
    pub generation: u64,
}

type Look<'a> = BoxFuture<'a, (Stamp, Result<Sight, SwitchError>)>;

impl Link {
    /// Until the service stops.
    pub async fn run(mut self) {
        let stopping = self.ways.lifecycle.soft();
        let clock = self.ways.clock.clone();
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
                self.book.tell_silence();
            }
            if stopping.run_until_cancelled(clock.sleep(backoff.pause(failures))).await.is_none() {
                return;
            }
        }
    }

    /// From taking control to the end of the stream; says why it ended.
    async fn session(&mut self, failures: &mut u32, silent_since_us: &mut Option<i64>) -> SwitchError {
        let session = match self.switch.connect(self.epoch).await {
            Ok(session) => session,
            Err(error) => return error,
        };
        self.epoch = session.epoch;
        self.generation += 1;
        if let Err(error) = self.ways.journal.write(Write::Epoch(session.epoch)).await {
            return SwitchError::Unknown(error.to_string());
        }
        tracing::info!(switch.boot_id = %session.boot_id, epoch = session.epoch, "the switch is connected");
        let up = LinkState::Up { generation: self.generation, boot_id: session.boot_id };
        let mut first = || {
            *failures = 0;
            *silent_since_us = None;
        };
        match self.follow(session.events, session.sequence, up, &mut first).await {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    /// Brings events to where they belong, and looks when it is asked for, when it is time, and first of all.
    async fn follow(
        &self,
        mut events: BoxStream<'static, Result<Event, SwitchError>>,
        mut sequence: i64,
        up: LinkState,
        first: &mut (dyn FnMut() + Send),
    ) -> Result<std::convert::Infallible, SwitchError> {
        let clock = &self.ways.clock;
        let mut ticks = clock.interval(self.resync_interval);
        let mut look: Option<Look<'_>> = Some(self.look(Duration::ZERO));
        let mut seen: Option<(Stamp, Sight, i64)> = None;
        let mut fenced = self.orders.fenced.subscribe();
        loop {
            let apply_at_us = seen.as_ref().map_or(i64::MAX, |(_, _, at_us)| *at_us);
            tokio::select! {
                biased;
                event = events.next() => {
                    let event = event.ok_or_else(|| SwitchError::Unknown("the stream ended".to_owned()))??;
                    sequence = event.sequence.max(sequence);
                    self.route(event);
                }
                (stamp, sight) = pending_look(&mut look), if look.is_some() => {
                    look = None;
                    seen = Some((stamp, sight?, clock.after(CATCH_UP)));
                }
                () = clock.sleep_until(apply_at_us), if seen.is_some() => sequence = i64::MAX,
                () = self.orders.look.notified(), if look.is_none() && seen.is_none() => {
                    look = Some(self.look(LOOK_PAUSE));
                }
                _ = fenced.wait_for(|it| *it >= self.generation) => return Err(SwitchError::Fenced),
                _ = ticks.tick() => if look.is_none() && seen.is_none() && !self.book.is_empty() {
                    look = Some(self.look(Duration::ZERO));
                },
            }
            if let Some((stamp, sight, _)) = seen.take_if(|(_, sight, _)| sight.sequence <= sequence) {
                sequence = sight.sequence.min(sequence);
                self.tell(sight, stamp);
                self.state.send_if_modified(|state| {
                    *state != up && {
                        state.clone_from(&up);
                        true
                    }
                });
                first();
            }
        }
    }

    /// Looks after a pause, in which others may ask for the same look.
    fn look(&self, pause: Duration) -> Look<'_> {
        Box::pin(async move {
            if !pause.is_zero() {
                self.ways.clock.sleep(pause).await;
            }
            let stamp = self.moments.begin_look();
            (stamp, self.switch.look().await)
        })
    }

    fn route(&self, event: Event) {
        match self.book.route(event, self.moments.now()) {
            Routed::NewCall(call) => self.strays.open(call),
            Routed::UnknownLeg => self.orders.look(),
            Routed::Known | Routed::Nobody => {}
        }
    }

    fn tell(&self, sight: Sight, stamp: Stamp) {
        let strays = self.book.tell_sight(sight, stamp, self.generation, self.ways.clock.now_us());
        self.strays.take_care(strays);
    }
}

async fn pending_look(look: &mut Option<Look<'_>>) -> (Stamp, Result<Sight, SwitchError>) {
    match look {
        Some(look) => look.await,
        None => std::future::pending().await,
    }
}
