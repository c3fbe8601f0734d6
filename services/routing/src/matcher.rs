//! Matches waits with free agents.
//!
//! Each tenant has a queue worker of its own (`queue_worker`), whose passes propose free agents to the interactions that have waited
//! longest (`match_pass`): of a team the agent who has been idle longest (B606, the first strategy). A proposal is only that: the
//! interaction requests the claim from presence, and comes back with a new wait id and a longer skip list if it is refused.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use baton_runtime::auth::TenantId;
use baton_runtime::client::Backoff;
use baton_store::StoreError;
use parking_lot::{Mutex, MutexGuard};

use crate::core::RoutingCore;
use crate::queue_worker::QueueWorker;
use crate::store::waits;
use crate::worker_task;

/// This scan starts workers that are missing, and wakes all that have waits.
const SCAN_EVERY: Duration = Duration::from_secs(30);

/// The queue workers of all tenants.
pub(crate) struct Matcher {
    pub(crate) core: Arc<RoutingCore>,
    workers: Mutex<HashMap<TenantId, Arc<QueueWorker>>>,
}

impl Matcher {
    pub(crate) fn new(core: Arc<RoutingCore>) -> Self {
        Self { core, workers: Mutex::default() }
    }

    /// The worker of a tenant; the first wait starts it.
    pub(crate) fn worker(self: &Arc<Self>, tenant: &TenantId) -> Arc<QueueWorker> {
        let mut workers = self.workers();
        if let Some(worker) = workers.get(tenant) {
            return Arc::clone(worker);
        }
        let worker = Arc::<QueueWorker>::default();
        workers.insert(tenant.clone(), Arc::clone(&worker));
        self.core.lifecycle.spawn(
            "routing queue worker",
            worker_task::run(Arc::clone(&self.core), tenant.clone(), Arc::clone(&worker)),
        );
        worker
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<QueueWorker>>> {
        self.workers.lock()
    }

    /// Starts the worker of each tenant with waits: after a start of the service, and if one was missed. Runs until the service stops.
    pub(crate) async fn run(self: Arc<Self>) {
        let backoff = Backoff::default();
        let mut failures = 0;
        loop {
            let pause = match self.find_workers().await {
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

    async fn find_workers(self: &Arc<Self>) -> Result<(), StoreError> {
        let _busy = self.core.clock.busy();
        for tenant in waits::waiting_tenants(&mut self.core.db.read().await?).await? {
            self.worker(&tenant).wake();
        }
        Ok(())
    }

    /// Listens to presence, and starts a pass whenever an agent became available. Runs until the service stops.
    pub(crate) async fn listen(self: Arc<Self>) {
        let stopping = self.core.lifecycle.soft();
        let backoff = Backoff::default();
        let mut failures = 0;
        loop {
            let received = stopping.run_until_cancelled(self.receive()).await;
            let Some(has_received) = received else { return };
            failures = if has_received { 1 } else { failures + 1 };
            let pause = self.core.clock.sleep(backoff.pause(failures));
            if stopping.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// One stream from presence. `true` if anything was received before it ended.
    async fn receive(&self) -> bool {
        let Ok(mut changes) = self.core.presence.watch().await else { return false };
        let mut has_received = false;
        while let Ok(Some(change)) = changes.message().await {
            has_received = true;
            let tenant = TenantId::try_from(change.tenant).ok();
            if let Some(worker) = tenant.and_then(|it| self.workers().get(&it).map(Arc::clone)) {
                worker.wake();
            }
        }
        has_received
    }
}
