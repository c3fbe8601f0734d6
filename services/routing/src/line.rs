//! One tenant's waiting line: whose turn it is to look, who is held, and what there is news of. Tenants share nothing: a slow look in
//! one delays no other (T10).

use std::sync::{MutexGuard, PoisonError};

use tokio::sync::{Mutex, Notify};

use crate::held::Held;

/// The line of one tenant.
#[derive(Default)]
pub(crate) struct Line {
    /// One look at a time.
    pub(crate) turn: Mutex<()>,
    held: std::sync::Mutex<Held>,
    pub(crate) news: Notify,
    pub(crate) joined: Notify,
}

impl Line {
    /// Somebody may be free.
    pub(crate) fn wake(&self) {
        self.news.notify_one();
    }

    /// Somebody waits, or is held until another time: the task considers when to look next.
    pub(crate) fn joined(&self) {
        self.joined.notify_one();
    }

    /// Who was just proposed.
    pub(crate) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
