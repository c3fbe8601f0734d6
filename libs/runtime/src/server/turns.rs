//! Runs the calls of one connection in turn with everybody else's.
//!
//! Each call is a task. If all were the runtime's own, which takes one after the other, a peer who sends six thousand requests at once would
//! make everybody wait at each step until all of theirs had theirs. So the task that reads and writes a connection takes the steps of its calls,
//! too: some in a row, and then it goes to the end of the runtime's queue. A call that has nothing to wait for is read, handled and answered in one
//! turn, and what a turn has answered is written together. Calls that wait for their first step are counted, so that no more are read than
//! are begun ([`paced`](super::paced)).

use std::future::Future;
use std::num::NonZero;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_executor::Executor;
use futures::task::AtomicWaker;
use hyper_util::rt::TokioExecutor;

use super::connection::Stopwatch;
use super::paced::Backlog;
use crate::lifecycle;

/// So many steps of a connection's calls in a row, at most.
const STEPS: usize = 16;
/// For so long, where steps are long (a large answer): others wait meanwhile.
const LONGEST: Duration = Duration::from_micros(500);
/// So often a connection is looked at in one turn, at most: what it has read is handled, and that is written.
const LOOKS: usize = 3;
/// So many tasks take steps of one connection's calls, if its turns don't suffice and the machine has as many cores.
const MOST_AT_ONCE: usize = 4;

/// Runs what a connection starts. Clones are the same.
#[derive(Clone, Debug)]
pub(super) enum CallExecutor {
    /// Among all other tasks. Of connections that all tenants share.
    Shared,
    /// In the connection's turns, which own it: what runs in them has this handle, too.
    InTurn(Weak<Executor<'static>>, Arc<Backlog>),
}

/// The calls of one connection; dropped, they end.
#[derive(Debug)]
pub(super) struct Turns {
    /// `None`: they run among all other tasks.
    calls: Option<Arc<Executor<'static>>>,
    /// Each helper has one.
    helpers: Arc<()>,
}

impl CallExecutor {
    pub(super) fn new(in_turn: bool, backlog: &Arc<Backlog>) -> (Self, Turns) {
        let calls = in_turn.then(Arc::<Executor<'static>>::default);
        let executor = calls.as_ref().map(|calls| Self::InTurn(Arc::downgrade(calls), Arc::clone(backlog)));
        (executor.unwrap_or(Self::Shared), Turns { calls, helpers: Arc::default() })
    }
}

impl Turns {
    /// Serves a connection together with its calls, in turns.
    pub(super) async fn serve<C: Future>(&self, mut connection: Pin<&mut C>) -> C::Output {
        let mut calls = pin!(self.take_steps());
        let turn = Arc::<TurnWaker>::default();
        let waker = Waker::from(Arc::clone(&turn));
        std::future::poll_fn(move |cx| {
            turn.task.register(cx.waker());
            let mut inner = Context::from_waker(&waker);
            for _ in 0..LOOKS {
                turn.begin();
                if let Poll::Ready(ended) = connection.as_mut().poll(&mut inner) {
                    return Poll::Ready(ended);
                }
                if calls.as_mut().poll(&mut inner).is_ready() {
                    calls.set(self.take_steps());
                    break;
                }
                if !turn.end() {
                    return Poll::Pending;
                }
            }
            // The turn is over: what it has answered is written, and the rest is for the next one.
            cx.waker().wake_by_ref();
            connection.as_mut().poll(&mut inner)
        })
        .await
    }

    /// Takes the steps of the connection's calls, until it has taken as many in a row as may be, or for as long.
    async fn take_steps(&self) {
        let Some(calls) = &self.calls else {
            return std::future::pending().await;
        };
        loop {
            calls.tick().await;
            let (began, mut steps) = (Stopwatch::start(), 1);
            while calls.try_tick() {
                steps += 1;
                if steps >= STEPS || began.elapsed() >= LONGEST {
                    return self.call_help(calls);
                }
            }
        }
    }

    /// What a turn leaves is for other cores, too.
    fn call_help(&self, calls: &Arc<Executor<'static>>) {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        // This task is one of them.
        if Arc::strong_count(&self.helpers) < cores.min(MOST_AT_ONCE) {
            lifecycle::spawn(help(Arc::downgrade(calls), Arc::clone(&self.helpers)));
        }
    }
}

/// What wakes a connection and its calls. What one of them does for the other within a turn is seen at the next look; it would cost much to wake
/// the task for it, which the runtime might then continue on another core.
#[derive(Debug, Default)]
struct TurnWaker {
    turn: AtomicU8,
    task: AtomicWaker,
}

/// Nothing has happened since the last turn.
const AT_REST: u8 = 0;
const TAKING_TURN: u8 = 1;
/// Something has happened since the turn began, or the task has been woken for one.
const WOKEN: u8 = 2;

impl TurnWaker {
    fn begin(&self) {
        self.turn.store(TAKING_TURN, Ordering::SeqCst);
    }

    /// Whether something has happened since the beginning.
    fn end(&self) -> bool {
        self.turn.compare_exchange(TAKING_TURN, AT_REST, Ordering::SeqCst, Ordering::SeqCst).is_err()
    }
}

impl Wake for TurnWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.turn.swap(WOKEN, Ordering::SeqCst) == AT_REST {
            self.task.wake();
        }
    }
}

/// Takes steps until there are none.
async fn help(calls: Weak<Executor<'static>>, _helper: Arc<()>) {
    while (0..STEPS).all(|_| calls.upgrade().is_some_and(|it| it.try_tick())) {
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
            Self::InTurn(calls, backlog) => {
                let waiting = backlog.enter();
                let call = async move {
                    drop(waiting);
                    call.await;
                };
                // Otherwise the connection is over.
                if let Some(calls) = calls.upgrade() {
                    calls.spawn(call).detach();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;

    use hyper::rt::Executor as _;
    use tokio_util::task::AbortOnDropHandle;

    use super::*;

    /// A connection that has these calls when its first turn comes.
    fn connection(start: impl FnOnce(&CallExecutor)) -> AbortOnDropHandle<Infallible> {
        let (executor, turns) = CallExecutor::new(true, &Arc::default());
        start(&executor);
        let connection = std::future::pending::<Infallible>();
        AbortOnDropHandle::new(lifecycle::spawn(async move { turns.serve(pin!(connection)).await }))
    }

    /// Goes on at the next step. (Tokio's own function would wait until the runtime looks at what is outside it.)
    async fn one_more_step() {
        let mut is_next = false;
        std::future::poll_fn(move |cx| {
            if std::mem::replace(&mut is_next, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// One thread: what comes first is then known.
    #[tokio::test]
    async fn s1_who_has_many_calls_does_not_go_before_who_has_one() {
        let steps = Arc::<AtomicUsize>::default();
        let _many = connection(|many| {
            for _ in 0..1_000 {
                let steps = Arc::clone(&steps);
                many.execute(async move {
                    steps.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        let before = Arc::clone(&steps);
        let (done, is_done) = tokio::sync::oneshot::channel();
        let _one = connection(|one| {
            one.execute(async move {
                one_more_step().await;
                done.send(before.load(Ordering::SeqCst)).unwrap();
            });
        });
        let before = is_done.await.unwrap();
        assert!(before <= 4 * STEPS, "{before} of the others' steps came first");
    }

    #[tokio::test]
    async fn s1_long_steps_make_no_long_turn() {
        let taken = Arc::<AtomicUsize>::default();
        let (executor, turns) = CallExecutor::new(true, &Arc::default());
        for _ in 0..STEPS {
            let taken = Arc::clone(&taken);
            executor.execute(async move {
                let began = Stopwatch::start();
                while began.elapsed() < LONGEST {}
                taken.fetch_add(1, Ordering::SeqCst);
            });
        }
        let mut connection = pin!(std::future::pending::<Infallible>());
        let mut serving = pin!(turns.serve(connection.as_mut()));
        assert!(futures::poll!(serving.as_mut()).is_pending());
        assert_eq!(taken.load(Ordering::SeqCst), 2, "the first, and the one after which the time was over");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_too_much_for_one_turn_is_for_other_cores_too() {
        // Each of the last two blocks its thread until the other one runs.
        let (begin, has_begun) = mpsc::channel();
        let (answer, is_answered) = mpsc::channel();
        let (done, is_done) = tokio::sync::oneshot::channel();
        let _connection = connection(|many| {
            for _ in 0..STEPS {
                many.execute(async {});
            }
            many.execute(async move {
                begin.send(()).unwrap();
                done.send(is_answered.recv_timeout(Duration::from_secs(10))).unwrap();
            });
            many.execute(async move {
                has_begun.recv_timeout(Duration::from_secs(10)).unwrap();
                answer.send(()).unwrap();
            });
        });
        assert_eq!(is_done.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn what_a_connection_runs_ends_with_it() {
        let (executor, turns) = CallExecutor::new(true, &Arc::default());
        let (held, is_gone) = tokio::sync::oneshot::channel::<()>();
        let itself = executor.clone();
        executor.execute(async move {
            let _held = (held, itself);
            std::future::pending::<()>().await;
        });
        drop((executor, turns));
        assert!(is_gone.await.is_err());
    }
}
