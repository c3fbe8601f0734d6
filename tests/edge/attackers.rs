//! Where the attackers run: on threads that give way to everybody else's. Elsewhere they would be on machines of their own, and take only what
//! the server spends on them.

use anyhow::Context as _;
use baton_testkit::TestTenant;
use baton_testkit::tenant::Endpoints;
use tokio::runtime::{Builder, Runtime};

use super::attacks::{Attack, Held};

/// The lowest priority.
const NICE: i32 = 19;

pub(super) struct Attackers(Option<Runtime>);

impl Attackers {
    pub(super) fn new() -> anyhow::Result<Self> {
        let give_way = || {
            // On Linux this is about the thread that asks. A test on a machine that refuses it measures more than it has to.
            let _ = rustix::process::setpriority_process(None, NICE);
        };
        Ok(Self(Some(Builder::new_multi_thread().worker_threads(2).enable_all().on_thread_start(give_way).build()?)))
    }

    pub(super) async fn begin(
        &self,
        attack: Attack,
        tenant: &TestTenant,
        endpoints: &Endpoints,
    ) -> anyhow::Result<Held> {
        let runtime = self.0.as_ref().context("the attackers are gone")?;
        let (tenant, endpoints, handle) = (tenant.clone(), endpoints.clone(), runtime.handle().clone());
        // What it starts runs in the same runtime.
        runtime.spawn_blocking(move || handle.block_on(attack.begin(&tenant, &endpoints))).await?
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
