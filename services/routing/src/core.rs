//! What all parts of the service share.

use std::time::Duration;

use baton_runtime::Clock;
use baton_runtime::lifecycle::Lifecycle;
use baton_store::Db;
use tokio::sync::Notify;

use crate::people::People;

/// The database, the time, who runs tasks, and whom to ask about agents.
pub(crate) struct Core {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) people: People,
    /// How often waits that could not be served are looked at again.
    pub(crate) rescan: Duration,
    /// There are answers that the transfer service does not know.
    pub(crate) unreported: Notify,
}

impl Core {
    pub(crate) fn new(db: Db, clock: Clock, lifecycle: Lifecycle, people: People, rescan: Duration) -> Self {
        Self { db, clock, lifecycle, people, rescan, unreported: Notify::new() }
    }
}
