//! Following the log: page by page while there are events, then asleep until an event is appended that may match.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use baton_runtime::clock::Clock;
use futures::{Stream, TryStreamExt};
use tokio::sync::watch;

use super::watermarks::Watermarks;
use super::{EventLog, MAX_PAGE};
use crate::{BusError, EventMatcher, Logged};

/// How much is read ahead of a subscriber: enough that reading costs little, little enough that many may subscribe.
const READ_AHEAD: usize = if MAX_PAGE < 200 { MAX_PAGE } else { 200 };

/// What a tail yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tailed {
    Event(Logged),
    /// No event came for a while; up to this position none matches.
    Checkpoint(u64),
}

struct Tail {
    log: EventLog,
    filter: EventMatcher,
    changes: watch::Receiver<Watermarks>,
    checkpoint_every: Option<Duration>,
    searched_to: u64,
    ahead: VecDeque<Logged>,
}

/// Without checkpoints.
pub(crate) fn events_alone(
    all: impl Stream<Item = Result<Tailed, BusError>>,
) -> impl Stream<Item = Result<Logged, BusError>> {
    all.try_filter_map(async |next| match next {
        Tailed::Event(event) => Ok(Some(event)),
        Tailed::Checkpoint(_) => Ok(None),
    })
}

/// Until no event has come for so long.
pub(crate) async fn silence(clock: Clock, every: Option<Duration>) {
    match every {
        Some(every) => clock.sleep(every).await,
        None => pending().await,
    }
}

pub(super) fn stream(
    log: EventLog,
    after: u64,
    filter: EventMatcher,
    checkpoint_every: Option<Duration>,
) -> impl Stream<Item = Result<Tailed, BusError>> + use<> {
    let changes = log.changes();
    let tail = Tail { log, filter, changes, checkpoint_every, searched_to: after, ahead: VecDeque::new() };
    futures::stream::try_unfold(tail, |mut tail| async move {
        let next = tail.next().await?;
        Ok(next.map(|event| (event, tail)))
    })
}

impl Tail {
    /// The next event, or a checkpoint if none comes in time; `None` only when the log is gone.
    async fn next(&mut self) -> Result<Option<Tailed>, BusError> {
        let mut silence = pin!(silence(self.log.clock.clone(), self.checkpoint_every));
        loop {
            if let Some(event) = self.ahead.pop_front() {
                return Ok(Some(Tailed::Event(event)));
            }
            let (searched_to, filter) = (self.searched_to, &self.filter);
            tokio::select! {
                // First, so that many events that do not match can't put it off.
                biased;
                () = &mut silence => return Ok(Some(Tailed::Checkpoint(searched_to))),
                // The watermark is checked before the wait, so that an append since the last page is not missed.
                changed = self.changes.wait_for(|watermarks| watermarks.last_for(filter) > searched_to) => {
                    if changed.is_err() {
                        return Ok(None);
                    }
                }
            }
            let _busy = self.log.clock.busy();
            let page = self.log.read(searched_to, &self.filter, READ_AHEAD).await?;
            self.searched_to = page.searched_to;
            self.ahead = page.events.into();
        }
    }
}
