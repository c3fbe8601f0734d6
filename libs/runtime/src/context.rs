//! The call that a task handles: plain data that goes along with the task.
//!
//! The clock and telemetry read it, so it knows neither of them. Everybody else finds it in [`call`](crate::call), which
//! stands above both.

use std::future::Future;

use crate::trace_parent::TraceParent;

tokio::task_local! {
    static CALL: CallContext;
}

/// The call that is being handled.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallContext {
    /// When the caller stops waiting, microseconds since the epoch. `None`: they did not say.
    pub deadline_us: Option<i64>,
    /// The trace it belongs to.
    pub trace: Option<TraceParent>,
    /// How many busy guards are held on its behalf (see [`Clock::park`](crate::Clock::park)).
    pub depth: usize,
}

/// Runs the future as part of the call.
pub async fn scope<F: Future>(call: CallContext, future: F) -> F::Output {
    CALL.scope(call, future).await
}

/// The future as part of the present call, to be run elsewhere: for a handler that starts a task and awaits it.
pub fn carry<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let call = current();
    async move {
        match call {
            Some(call) => scope(call, future).await,
            None => future.await,
        }
    }
}

/// The call that is being handled by this task, if any.
pub fn current() -> Option<CallContext> {
    CALL.try_with(|call| *call).ok()
}

pub(crate) fn depth() -> usize {
    current().map_or(0, |call| call.depth)
}
