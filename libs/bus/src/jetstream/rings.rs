//! When reading is worth while: a bell for those who wait at the stream's end.
//!
//! Whoever has published rings it, on a subject of its own, with the tenants whose events there are. It is no part of any
//! guarantee: a bell that is lost is made up for by a look at the stream, each second while somebody waits, and one that rings for
//! nothing costs a page without events.

use std::collections::HashMap;
use std::sync::Weak;
use std::time::Duration;

use async_nats::Subscriber;
use baton_runtime::clock::Clock;
use baton_runtime::lifecycle::spawn;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::requests::StreamInfo;
use super::{JetStreamBus, StreamState};
use crate::EventMatcher;

/// Between two looks at the stream. Its time is real: servers are not simulated.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How often the bell has rung until now, and which ring was the last one for whom.
#[derive(Debug, Default)]
pub(super) struct Rings {
    pub(super) count: u64,
    /// For whoever reads all.
    of_all: u64,
    /// For everybody, because it is not known for whom.
    of_unknown: u64,
    of_tenants: HashMap<String, u64>,
    /// The stream that there was at the last look.
    pub(super) generation: Option<Uuid>,
    /// The last sequence that has been rung for.
    rung_to: u64,
}

impl Rings {
    /// The last ring that concerns the filter's reader.
    pub(super) fn last_for(&self, filter: &EventMatcher) -> u64 {
        let own = filter.tenant.as_ref().map_or(self.of_all, |it| self.of_tenants.get(it).copied().unwrap_or(0));
        own.max(self.of_unknown)
    }

    fn ring(&mut self, bell: Bell) {
        self.count += 1;
        self.of_all = self.count;
        self.rung_to = self.rung_to.max(bell.sequence);
        for tenant in bell.tenants {
            self.of_tenants.insert(tenant, self.count);
        }
    }

    /// Returns whether there is something that nobody has rung for.
    fn look(&mut self, found: StreamInfo) -> bool {
        let is_same = self.generation == Some(found.generation);
        if is_same && found.last <= self.rung_to {
            return false;
        }
        self.count += 1;
        self.of_unknown = self.count;
        self.rung_to = found.last;
        self.generation = Some(found.generation);
        true
    }
}

/// What the bell says.
#[derive(Debug, Serialize, Deserialize)]
struct Bell {
    /// The stream has events up to here.
    sequence: u64,
    /// Whose there are among those that are new.
    tenants: Vec<String>,
}

impl JetStreamBus {
    /// Says that there are events of these tenants.
    pub(super) async fn ring(&self, sequence: u64, tenants: impl Iterator<Item = &str>) {
        let mut tenants: Vec<_> = tenants.map(str::to_owned).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let bell = Bell { sequence, tenants };
        if let Ok(text) = serde_json::to_vec(&bell) {
            // Others look by themselves if it does not arrive.
            let _ = self.0.client.publish(self.0.names.bell.clone(), text.into()).await;
        }
        self.0.rings.send_modify(|rings| rings.ring(bell));
    }
}

/// Hears the bell, and looks now and then, until the bus is dropped.
pub(super) fn listen(bus: &JetStreamBus) {
    let (client, subject) = (bus.0.client.clone(), bus.0.names.bell.clone());
    let state = std::sync::Arc::downgrade(&bus.0);
    spawn(async move {
        // It is subscribed whenever there is a connection.
        let Ok(mut bells) = client.subscribe(subject).await else { return };
        drop(client);
        while listen_once(&state, &mut bells).await.is_some() {}
    });
}

/// Waits for a bell, or for the time of a look; `None` when the bus is gone.
async fn listen_once(state: &Weak<StreamState>, bells: &mut Subscriber) -> Option<()> {
    match Clock::real().timeout(LOOK_INTERVAL, bells.next()).await {
        Ok(heard) => {
            let bell = serde_json::from_slice(&heard?.payload).ok();
            if let Some(bell) = bell {
                state.upgrade()?.rings.send_modify(|rings| rings.ring(bell));
            }
        }
        Err(_) => look(&JetStreamBus(state.upgrade()?)).await,
    }
    Some(())
}

async fn look(bus: &JetStreamBus) {
    if bus.0.rings.receiver_count() == 0 {
        return;
    }
    if let Ok(found) = bus.info().await {
        bus.0.rings.send_if_modified(|rings| rings.look(found));
    }
}
