//! Who waits meets who is free.
//!
//! Each tenant has a line of its own (`line`), in which whoever is free is proposed to who waits longest (`look`): of a team
//! the agent who has been idle longest (B606, the first strategy). A proposal is only that: the interaction asks presence for
//! the claim, and comes back with a new wait id and a longer skip list if it does not get it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use baton_runtime::auth::TenantId;
use baton_runtime::client::Backoff;
use baton_store::StoreError;

use crate::core::Core;
use crate::follow::follow;
use crate::line::Line;
use crate::store::waits;

/// The scan behind the lines' own.
const SCAN_EVERY: Duration = Duration::from_secs(30);

/// The lines of all tenants.
pub(crate) struct Matcher {
    pub(crate) core: Arc<Core>,
    lines: Mutex<HashMap<TenantId, Arc<Line>>>,
}

impl Matcher {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, lines: Mutex::default() }
    }

    /// The line of a tenant, who has one from the first wait on.
    pub(crate) fn line(self: &Arc<Self>, tenant: &TenantId) -> Arc<Line> {
        let mut lines = self.lines();
        if let Some(line) = lines.get(tenant) {
            return Arc::clone(line);
        }
        let line = Arc::<Line>::default();
        lines.insert(tenant.clone(), Arc::clone(&line));
        self.core.lifecycle.spawn("routing line", follow(Arc::clone(&self.core), tenant.clone(), Arc::clone(&line)));
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
                () = self.core.lifecycle.stopping() => return,
                () = self.core.clock.sleep(pause) => {}
            }
        }
    }

    async fn find_lines(self: &Arc<Self>) -> Result<(), StoreError> {
        let _busy = self.core.clock.busy();
        for tenant in waits::waiting_tenants(&mut self.core.db.read().await?).await? {
            self.line(&tenant).wake();
        }
        Ok(())
    }

    /// Listens to presence, and looks again whenever somebody became available. Runs until the service stops.
    pub(crate) async fn listen(self: Arc<Self>) {
        let stopping = self.core.lifecycle.soft();
        let backoff = Backoff::default();
        let mut failures = 0;
        loop {
            let heard = stopping.run_until_cancelled(self.hear()).await;
            let Some(was_heard) = heard else { return };
            failures = if was_heard { 1 } else { failures + 1 };
            let pause = self.core.clock.sleep(backoff.pause(failures));
            if stopping.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// One connection to presence. `true` if it said anything before it ended.
    async fn hear(&self) -> bool {
        let Ok(mut changes) = self.core.people.watch().await else { return false };
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
