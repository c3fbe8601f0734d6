//! Following the log: page by page as long as there is something, then asleep until something comes that may fit.

use std::collections::VecDeque;

use futures::Stream;
use tokio::sync::watch;

use super::head::Head;
use super::{EventLog, MAX_PAGE};
use crate::{BusError, Filter, Logged};

/// How much is read ahead of a subscriber: enough that reading costs little, little enough that many may subscribe.
const READ_AHEAD: usize = if MAX_PAGE < 200 { MAX_PAGE } else { 200 };

struct Tail {
    log: EventLog,
    filter: Filter,
    changes: watch::Receiver<Head>,
    searched_to: u64,
    ahead: VecDeque<Logged>,
}

pub(super) fn stream(
    log: EventLog,
    after: u64,
    filter: Filter,
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
            // Looks at the number first, so that an append between the last page and this wait is not slept over.
            if self.changes.wait_for(|head| head.last_for(filter) > searched_to).await.is_err() {
                return Ok(None);
            }
            let _busy = self.log.clock.busy();
            let page = self.log.read(searched_to, &self.filter, READ_AHEAD).await?;
            self.searched_to = page.searched_to;
            self.ahead = page.events.into();
        }
    }
}
