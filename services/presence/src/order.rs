//! Memory follows the database in the order of the commits, although many of them wait for the disk together.
//!
//! A change takes its place while it holds the database's writer, as the last thing before its commit: so the places are in the
//! order of the commits. Then the writer is another one's, one sync of the disk serves all who wait for it, and what each of
//! them has changed is taken over by memory when it is durable and everybody before has been.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// The order of the commits.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Ends when the last one who has a place is done.
    last: Mutex<Option<oneshot::Receiver<()>>>,
}

/// A place in it. Keep it until memory has followed; who fails waits for the turn all the same, so that who comes next does
/// not overtake those before.
#[derive(Debug)]
#[must_use = "dropped, it lets the next one go first"]
pub(crate) struct Place {
    before: Option<oneshot::Receiver<()>>,
    _done: oneshot::Sender<()>,
}

impl Order {
    /// The place after everybody who has one.
    pub(crate) fn place(&self) -> Place {
        let (done, next) = oneshot::channel();
        let before = self.last.lock().unwrap_or_else(PoisonError::into_inner).replace(next);
        Place { before, _done: done }
    }
}

impl Place {
    /// Waits until everybody before is done.
    pub(crate) async fn turn(&mut self) {
        if let Some(before) = self.before.take() {
            // It ends without a word.
            let _ = before.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_kept_whoever_is_ready_first() {
        let order = Order::default();
        let (first, mut second, mut third) = (order.place(), order.place(), order.place());
        let done = Mutex::new(Vec::new());
        tokio::join!(
            async {
                third.turn().await;
                done.lock().unwrap().push(3);
                drop(third);
            },
            async {
                second.turn().await;
                done.lock().unwrap().push(2);
                drop(second);
            },
            async {
                done.lock().unwrap().push(1);
                drop(first);
            },
        );
        assert_eq!(*done.lock().unwrap(), [1, 2, 3]);
    }
}
