//! Notifies routing of the tenants where an agent became available.

use std::collections::BTreeSet;
use std::sync::Arc;

use baton_api::presence::v1::WatchAvailabilityResponse;
use baton_runtime::auth::TenantId;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc};
use tonic::Status;

use crate::core::PresenceCore;

/// Messages that may wait; while they do, each further tenant is kept once, however often it changes.
pub(super) const BUFFER: usize = 16;

type Out = mpsc::Sender<Result<WatchAvailabilityResponse, Status>>;

/// Serves one watcher until it is gone. It begins with every tenant: the watcher does not know what changed before.
pub(super) async fn serve(core: &Arc<PresenceCore>, out: Out) {
    let mut changes = core.index.watch_availability();
    let mut tenants: BTreeSet<TenantId> = core.index.tenants().into_iter().collect();
    loop {
        for tenant in std::mem::take(&mut tenants) {
            let message = WatchAvailabilityResponse { tenant: tenant.into() };
            if out.send(Ok(message)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = out.closed() => return,
            received = changes.recv() => match received {
                Ok(tenant) => drop(tenants.insert(tenant)),
                Err(RecvError::Lagged(_)) => tenants.extend(core.index.tenants()),
                Err(RecvError::Closed) => return,
            },
        }
        add_waiting(core, &mut changes, &mut tenants);
    }
}

/// Adds the tenants that changed meanwhile.
fn add_waiting(core: &PresenceCore, changes: &mut broadcast::Receiver<TenantId>, tenants: &mut BTreeSet<TenantId>) {
    loop {
        match changes.try_recv() {
            Ok(tenant) => drop(tenants.insert(tenant)),
            Err(TryRecvError::Lagged(_)) => tenants.extend(core.index.tenants()),
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}
