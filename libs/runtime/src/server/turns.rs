//! Runs the calls of one connection in turn with everybody else's.
//!
//! Each call is a task. If all were the runtime's own, which takes one after the other, a peer who sends six thousand requests at once would
//! make everybody wait at each step until all of theirs had theirs. So a connection has a few lanes, each a task of the runtime: a lane
//! takes one step of one of the connection's calls, and goes to the end of the runtime's queue. Calls that wait for their first step are counted,
//! so that no more are read than the lanes begin ([`paced`](super::paced)).

use std::future::Future;
use std::num::NonZero;
use std::sync::{Arc, Weak};

use async_executor::Executor;
use hyper_util::rt::TokioExecutor;
use tokio_util::task::AbortOnDropHandle;

use super::paced::Backlog;
use crate::lifecycle;

/// As many steps of one connection's calls at the same moment, if the machine has as many cores.
const MOST_LANES: usize = 4;

/// Runs what a connection starts. Clones are the same.
#[derive(Clone, Debug)]
pub(super) enum CallExecutor {
    /// Among all other tasks. Of connections that all tenants share.
    Shared,
    /// The lanes own it: what runs in them has this handle, too.
    InTurn(Weak<Executor<'static>>, Arc<Backlog>),
}

/// The lanes of one connection; dropped, they and what they run end.
pub(super) struct Lanes(#[expect(dead_code, reason = "they run until they are dropped")] Vec<AbortOnDropHandle<()>>);

impl CallExecutor {
    pub(super) fn new(in_turn: bool, backlog: &Arc<Backlog>) -> (Self, Lanes) {
        if !in_turn {
            return (Self::Shared, Lanes(Vec::new()));
        }
        let executor = Arc::<Executor<'static>>::default();
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let lane = |_| AbortOnDropHandle::new(lifecycle::spawn(run(Arc::clone(&executor))));
        let lanes = (0..cores.min(MOST_LANES)).map(lane).collect();
        (Self::InTurn(Arc::downgrade(&executor), Arc::clone(backlog)), Lanes(lanes))
    }
}

async fn run(executor: Arc<Executor<'static>>) {
    loop {
        executor.tick().await;
        tokio::task::yield_now().await;
    }
}

impl<F> hyper::rt::Executor<F> for CallExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, call: F) {
        match self {
            Self::Shared => TokioExecutor::new().execute(call),
            Self::InTurn(executor, backlog) => {
                let waiting = backlog.enter();
                let call = async move {
                    drop(waiting);
                    call.await;
                };
                // Without lanes the connection is over.
                if let Some(executor) = executor.upgrade() {
                    executor.spawn(call).detach();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hyper::rt::Executor as _;

    use super::*;

    /// One thread: what comes first is then known.
    #[tokio::test]
    async fn s1_who_has_many_calls_does_not_go_before_who_has_one() {
        let (many, _lanes) = CallExecutor::new(true, &Arc::default());
        let steps = Arc::<AtomicUsize>::default();
        for _ in 0..1_000 {
            let steps = Arc::clone(&steps);
            many.execute(async move {
                steps.fetch_add(1, Ordering::SeqCst);
            });
        }
        let (one, _lanes) = CallExecutor::new(true, &Arc::default());
        let (done, is_done) = tokio::sync::oneshot::channel();
        one.execute(async move {
            tokio::task::yield_now().await;
            done.send(()).unwrap();
        });
        is_done.await.unwrap();
        let before = steps.load(Ordering::SeqCst);
        assert!(before < 50, "{before} of the others' steps came first");
    }

    #[tokio::test]
    async fn what_a_connection_runs_ends_with_it() {
        let (executor, lanes) = CallExecutor::new(true, &Arc::default());
        let (held, is_gone) = tokio::sync::oneshot::channel::<()>();
        let itself = executor.clone();
        executor.execute(async move {
            let _held = (held, itself);
            std::future::pending::<()>().await;
        });
        drop((executor, lanes));
        assert!(is_gone.await.is_err());
    }
}
