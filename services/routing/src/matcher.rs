//! Who waits meets who is free.
//!
//! Each tenant has a line of its own (`line`), in which whoever is free is proposed to who waits longest (`look`): of a team
//! the agent who has been idle longest (B606, the first strategy). A proposal is only that: the interaction asks presence for
//! the claim, and comes back with a new wait id and a longer skip list if it does not get it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use baton_runtime::Clock;
use baton_runtime::auth::TenantId;
use baton_runtime::client::Backoff;
use baton_runtime::lifecycle::Lifecycle;
use baton_store::{Db, StoreError};
use tokio::sync::Notify;

use crate::line::{self, Line};
use crate::people::People;
use crate::store::waits;

/// The scan behind the lines' own.
const SCAN_EVERY: Duration = Duration::from_secs(30);

/// Everything that the lines share.
pub(crate) struct Matcher {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) people: People,
    pub(crate) rescan: Duration,
    /// There are answers that the transfer service does not know.
    pub(crate) unreported: Notify,
    lines: Mutex<HashMap<TenantId, Arc<Line>>>,
}

impl Matcher {
    pub(crate) fn new(db: Db, clock: Clock, lifecycle: Lifecycle, people: People, rescan: Duration) -> Self {
        Self { db, clock, lifecycle, people, rescan, unreported: Notify::new(), lines: Mutex::default() }
    }

    /// The line of a tenant, who has one from the first wait on.
    pub(crate) fn line(self: &Arc<Self>, tenant: &TenantId) -> Arc<Line> {
        let mut lines = self.lines();
        if let Some(line) = lines.get(tenant) {
            return Arc::clone(line);
        }
        let line = Arc::<Line>::default();
        lines.insert(tenant.clone(), Arc::clone(&line));
        self.lifecycle.spawn("routing line", line::follow(Arc::clone(self), tenant.clone(), Arc::clone(&line)));
        line
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that everybody who waits is in a line: after a start, and whatever was missed. Runs until the service stops.
    pub(crate) async fn run(self: Arc<Self>) {
        let backoff = Backoff::default();
        let mut failures = 0;
        loop {
            let pause = match self.find_lines().await {
                Ok(()) => {
                    failures = 0;
                    SCAN_EVERY
                }
                Err(error) => {
                    tracing::warn!(%error, "who waits could not be read; trying again soon");
                    failures += 1;
                    backoff.pause(failures)
                }
            };
            tokio::select! {
                () = self.lifecycle.stopping() => return,
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    async fn find_lines(self: &Arc<Self>) -> Result<(), StoreError> {
        let _busy = self.clock.busy();
        for tenant in waits::waiting_tenants(&mut self.db.read().await?).await? {
            self.line(&tenant).wake();
        }
        Ok(())
    }

    /// Listens to presence, and looks again whenever somebody became available. Runs until the service stops.
    pub(crate) async fn listen(self: Arc<Self>) {
        let stopping = self.lifecycle.soft();
        let backoff = Backoff::default();
        let mut failures = 0;
        loop {
            let heard = stopping.run_until_cancelled(self.hear()).await;
            let Some(was_heard) = heard else { return };
            failures = if was_heard { 1 } else { failures + 1 };
            let pause = self.clock.sleep(backoff.pause(failures));
            if stopping.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// One connection to presence. `true` if it said anything before it ended.
    async fn hear(&self) -> bool {
        let Ok(mut changes) = self.people.watch().await else { return false };
        let mut was_heard = false;
        while let Ok(Some(change)) = changes.message().await {
            was_heard = true;
            let tenant = TenantId::try_from(change.tenant).ok();
            if let Some(line) = tenant.and_then(|it| self.lines().get(&it).map(Arc::clone)) {
                line.wake();
            }
        }
        was_heard
    }
}
