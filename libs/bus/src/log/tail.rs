//! Following the log: page by page while there are events, then asleep until an event is appended that may match.

use std::collections::VecDeque;

use futures::Stream;
use tokio::sync::watch;

use super::watermarks::Watermarks;
use super::{EventLog, MAX_PAGE};
use crate::{BusError, EventMatcher, Logged};

/// How much is read ahead of a subscriber: enough that reading costs little, little enough that many may subscribe.
const READ_AHEAD: usize = if MAX_PAGE < 200 { MAX_PAGE } else { 200 };

struct Tail {
    log: EventLog,
    filter: EventMatcher,
    changes: watch::Receiver<Watermarks>,
    searched_to: u64,
    ahead: VecDeque<Logged>,
}

pub(super) fn stream(
    log: EventLog,
    after: u64,
    filter: EventMatcher,
) -> impl Stream<Item = Result<Logged, BusError>> + use<> {
    let changes = log.changes();
    let tail = Tail { log, filter, changes, searched_to: after, ahead: VecDeque::new() };
    futures::stream::try_unfold(tail, |mut tail| async move {
        let next = tail.next().await?;
        Ok(next.map(|event| (event, tail)))
    })
}

impl Tail {
    /// The next event, however long it takes; `None` only when the log is gone.
    async fn next(&mut self) -> Result<Option<Logged>, BusError> {
        loop {
            if let Some(event) = self.ahead.pop_front() {
                return Ok(Some(event));
            }
            let (searched_to, filter) = (self.searched_to, &self.filter);
            // The watermark is checked before the wait, so that an append since the last page is not missed.
            if self.changes.wait_for(|watermarks| watermarks.last_for(filter) > searched_to).await.is_err() {
                return Ok(None);
            }
            let _busy = self.log.clock.busy();
            let page = self.log.read(searched_to, &self.filter, READ_AHEAD).await?;
            self.searched_to = page.searched_to;
            self.ahead = page.events.into();
        }
    }
}
