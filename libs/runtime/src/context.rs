//! The context of the call that a task handles: plain data in a task-local variable.
//!
//! The clock and telemetry depend on it, so it depends on neither. Other code uses it through [`call`](crate::call).

use std::future::Future;

use crate::trace_parent::TraceParent;

tokio::task_local! {
    static CALL: CallContext;
}

#[derive(Clone, Copy, Debug, Default)]
pub struct CallContext {
    /// When the caller stops waiting, in microseconds since the epoch. `None`: the caller gave no deadline.
    pub deadline_us: Option<i64>,
    pub trace: Option<TraceParent>,
    /// How many busy guards are held on its behalf (see [`Clock::park`](crate::Clock::park)).
    pub depth: usize,
}

/// Runs the future as part of the call.
pub async fn scope<F: Future>(call: CallContext, future: F) -> F::Output {
    CALL.scope(call, future).await
}

/// Makes the future, which another task runs, part of the present call: for a handler that spawns a task and awaits it.
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
