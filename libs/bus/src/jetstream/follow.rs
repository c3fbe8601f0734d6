//! Following the stream: page by page while there are events, then asleep until the bell rings for the reader.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use baton_runtime::client::Backoff;
use futures::Stream;
use tokio::sync::watch;
use uuid::Uuid;

use super::rings::Rings;
use super::{JetStreamBus, JetStreamError};
use crate::log::silence;
use crate::{BusError, EventMatcher, Logged, Tailed};

/// How much is read ahead of a subscriber.
const READ_AHEAD: usize = 200;

/// Where a reader begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FollowStart {
    /// The stream that the position is of; `None`: the one that there is.
    pub(crate) generation: Option<Uuid>,
    pub(crate) after: u64,
}

struct StreamFollower {
    bus: JetStreamBus,
    filter: EventMatcher,
    rings: watch::Receiver<Rings>,
    checkpoint_every: Option<Duration>,
    generation: Option<Uuid>,
    searched_to: u64,
    ahead: VecDeque<Logged>,
    /// The last ring that has been read for; `None`: there may be more now.
    heard: Option<u64>,
    failures: u32,
}

impl JetStreamBus {
    /// Events as they come; with a checkpoint whenever no event came for so long. While NATS is away it waits.
    pub(crate) fn follow(
        &self,
        start: FollowStart,
        filter: EventMatcher,
        checkpoint_every: Option<Duration>,
    ) -> impl Stream<Item = Result<Tailed, BusError>> + use<> {
        let follower = StreamFollower {
            rings: self.0.rings.subscribe(),
            bus: self.clone(),
            filter,
            checkpoint_every,
            generation: start.generation,
            searched_to: start.after,
            ahead: VecDeque::new(),
            heard: None,
            failures: 0,
        };
        futures::stream::try_unfold(follower, |mut follower| async move {
            let next = follower.next().await?;
            Ok(next.map(|event| (event, follower)))
        })
    }
}

impl StreamFollower {
    /// The next event, or a checkpoint if none comes in time; `None` only when the bus is gone.
    async fn next(&mut self) -> Result<Option<Tailed>, BusError> {
        let mut silence = pin!(silence(self.bus.0.clock.clone(), self.checkpoint_every));
        loop {
            if let Some(event) = self.ahead.pop_front() {
                return Ok(Some(Tailed::Event(event)));
            }
            let more = async {
                let is_there = self.wait().await;
                if is_there { self.read().await.map(|()| true) } else { Ok(false) }
            };
            tokio::select! {
                // First, so that neither many events that do not match nor servers that do not answer can put it off.
                biased;
                () = silence.as_mut() => return Ok(Some(Tailed::Checkpoint(self.searched_to))),
                is_there = more => if !is_there? { return Ok(None) },
            }
        }
    }

    /// Until reading is worth while; `false` when it never will be.
    async fn wait(&mut self) -> bool {
        if self.failures > 0 {
            self.bus.0.clock.sleep(Backoff::default().pause(self.failures)).await;
        }
        let Some(heard) = self.heard else { return true };
        let (filter, generation) = (&self.filter, self.generation);
        let is_new = |rings: &Rings| {
            rings.last_for(filter) > heard || (rings.generation.is_some() && rings.generation != generation)
        };
        self.rings.wait_for(is_new).await.is_ok()
    }

    async fn read(&mut self) -> Result<(), BusError> {
        let _busy = self.bus.0.clock.busy();
        // What rings from here on may be about events that this page lacks.
        let heard = self.rings.borrow_and_update().count;
        let page = self.bus.read_in(self.generation, self.searched_to, &self.filter, READ_AHEAD).await;
        match page {
            Ok((generation, page)) => {
                self.generation = Some(generation);
                self.searched_to = page.searched_to;
                self.heard = (page.events.len() < READ_AHEAD).then_some(heard);
                self.ahead = page.events.into();
                self.failures = 0;
                Ok(())
            }
            Err(error) if error.is_passing() => {
                // That NATS is away is said once for all.
                if self.failures == 0 && !matches!(error, JetStreamError::Away { .. }) {
                    tracing::warn!(error = %error, "the event stream can't be read now; trying again");
                }
                self.heard = None;
                self.failures += 1;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}
