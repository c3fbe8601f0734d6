//! Memory follows the database in the order of the commits, although many of them wait for the disk together.
//!
//! A change draws its ticket while it holds the database's writer, as the last thing before its commit: so the tickets are in the
//! order of the commits. Then it gives up the writer, and one sync of the disk serves all commits that wait for it. Memory takes
//! a change over when the change is durable and all earlier tickets are done.

use parking_lot::Mutex;
use tokio::sync::oneshot;

#[derive(Debug, Default)]
pub(crate) struct CommitOrder {
    /// Resolves when the newest ticket is done.
    last: Mutex<Option<oneshot::Receiver<()>>>,
}

/// A commit's ticket. Keep it until memory has followed. A commit that fails waits for the earlier ones all the same, so that the
/// next ticket does not overtake them.
#[derive(Debug)]
#[must_use = "dropped, it lets the next commit overtake"]
pub(crate) struct OrderTicket {
    before: Option<oneshot::Receiver<()>>,
    _done: oneshot::Sender<()>,
}

impl CommitOrder {
    /// The next ticket, after all that were drawn.
    pub(crate) fn ticket(&self) -> OrderTicket {
        let (done, next) = oneshot::channel();
        let before = self.last.lock().replace(next);
        OrderTicket { before, _done: done }
    }
}

impl OrderTicket {
    /// Waits until all earlier tickets are done.
    pub(crate) async fn wait_for_earlier(&mut self) {
        if let Some(before) = self.before.take() {
            // The sender is dropped without sending.
            let _ = before.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tickets_are_served_in_order_whichever_is_ready_first() {
        let order = CommitOrder::default();
        let (first, mut second, mut third) = (order.ticket(), order.ticket(), order.ticket());
        let done = Mutex::new(Vec::new());
        tokio::join!(
            async {
                third.wait_for_earlier().await;
                done.lock().push(3);
                drop(third);
            },
            async {
                second.wait_for_earlier().await;
                done.lock().push(2);
                drop(second);
            },
            async {
                done.lock().push(1);
                drop(first);
            },
        );
        assert_eq!(*done.lock(), [1, 2, 3]);
    }
}
