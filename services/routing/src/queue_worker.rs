//! The queue worker of one tenant: it matches waits with free agents, one pass at a time. Tenants share nothing: a slow pass in
//! one delays no other (T10).

use parking_lot::MutexGuard;
use tokio::sync::{Mutex, Notify};

use crate::hold_off::HoldOff;

/// What the worker's task shares with the requests of its tenant.
#[derive(Default)]
pub(crate) struct QueueWorker {
    /// Locked during a pass.
    pub(crate) matching: Mutex<()>,
    hold_off: parking_lot::Mutex<HoldOff>,
    /// An agent may have become free.
    pub(crate) change_notice: Notify,
    /// A wait was stored, or a hold-off began or changed: the task computes its next pass anew.
    pub(crate) reschedule: Notify,
}

impl QueueWorker {
    /// Starts a pass.
    pub(crate) fn wake(&self) {
        self.change_notice.notify_one();
    }

    pub(crate) fn reschedule(&self) {
        self.reschedule.notify_one();
    }

    pub(crate) fn hold_off(&self) -> MutexGuard<'_, HoldOff> {
        self.hold_off.lock()
    }
}
