//! When reading is worth while: a bell for those who wait at the stream's end.
//!
//! Whoever has published rings it, on a subject of its own, with the tenants whose events there are. It is no part of any
//! guarantee: a bell that is lost is made up for by a look at the stream, each second while somebody waits, and one that rings for
//! nothing costs a page without events.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use baton_runtime::clock::Clock;
use baton_runtime::lifecycle::spawn;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::JetStreamBus;
use super::requests::StreamInfo;
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
    heard: Heard,
    /// The last sequence at the last look.
    looked_to: u64,
}

/// Which messages have been rung for: all up to a sequence, and some after it.
#[derive(Debug, Default)]
struct Heard {
    to: u64,
    /// The first and the last of each span.
    beyond: BTreeMap<u64, u64>,
}

impl Heard {
    fn add(&mut self, first: u64, last: u64) {
        let known = self.beyond.entry(first).or_default();
        *known = last.max(*known);
        self.join();
    }

    /// All up to here, whether it was rung for or not.
    fn skip_to(&mut self, sequence: u64) {
        self.to = self.to.max(sequence);
        self.join();
    }

    fn join(&mut self) {
        while let Some(span) = self.beyond.first_entry().filter(|span| *span.key() <= self.to + 1) {
            self.to = self.to.max(span.remove());
        }
    }
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
        self.heard.add(bell.first, bell.last);
        for tenant in bell.tenants {
            self.of_tenants.insert(tenant, self.count);
        }
    }

    /// Rings for everybody if the stream is another one, or had messages at the last look for which nobody has rung since. Returns
    /// whether it did.
    fn look(&mut self, found: StreamInfo) -> bool {
        let is_same = self.generation == Some(found.generation);
        if !is_same {
            self.heard = Heard { to: found.last, beyond: BTreeMap::new() };
        }
        let is_missed = self.heard.to < self.looked_to;
        self.heard.skip_to(self.looked_to.min(found.last));
        self.looked_to = found.last;
        self.generation = Some(found.generation);
        if is_same && !is_missed {
            return false;
        }
        self.count += 1;
        self.of_unknown = self.count;
        true
    }
}

/// What the bell says.
#[derive(Debug, Serialize, Deserialize)]
struct Bell {
    /// The messages that are new; they follow each other.
    first: u64,
    last: u64,
    /// Whose events there are among them.
    tenants: Vec<String>,
}

impl JetStreamBus {
    /// Says that there are new events of these tenants, one for each; the last of them has this sequence.
    pub(super) async fn ring(&self, last: u64, tenants: impl ExactSizeIterator<Item = &str>) {
        let first = last.saturating_sub(tenants.len().max(1) as u64 - 1);
        let mut tenants: Vec<_> = tenants.map(str::to_owned).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let bell = Bell { first, last, tenants };
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
    let state = Arc::downgrade(&bus.0);
    spawn(async move {
        // It is subscribed whenever there is a connection.
        let Ok(mut bells) = client.subscribe(subject).await else { return };
        drop(client);
        let mut looks = Clock::real().interval(LOOK_INTERVAL);
        loop {
            let heard = tokio::select! {
                heard = bells.next() => heard,
                _ = looks.tick() => None,
            };
            let Some(state) = state.upgrade() else { return };
            match heard.and_then(|it| serde_json::from_slice(&it.payload).ok()) {
                Some(bell) => state.rings.send_modify(|rings| rings.ring(bell)),
                None => look(&JetStreamBus(state)).await,
            }
        }
    });
}

async fn look(bus: &JetStreamBus) {
    if bus.0.rings.receiver_count() == 0 {
        return;
    }
    if let Ok(found) = bus.info().await {
        bus.0.rings.send_if_modified(|rings| rings.look(found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATION: Uuid = Uuid::from_u128(1);

    fn bell(first: u64, last: u64, tenant: &str) -> Bell {
        Bell { first, last, tenants: vec![tenant.to_owned()] }
    }

    fn found(last: u64) -> StreamInfo {
        StreamInfo { generation: GENERATION, last }
    }

    #[test]
    fn a_bell_concerns_its_tenants_and_whoever_reads_all() {
        let [acme, globex] = ["acme", "globex"].map(|tenant| EventMatcher::all().of_tenant(tenant));
        let mut rings = Rings::default();
        assert!(rings.look(found(5)), "nothing is known of what was before");
        rings.ring(bell(6, 7, "acme"));
        rings.ring(bell(8, 8, "globex"));
        assert_eq!([&EventMatcher::all(), &acme, &globex].map(|it| rings.last_for(it)), [3, 2, 3]);
        assert!(!rings.look(found(8)) && !rings.look(found(8)));
        assert_eq!(rings.last_for(&acme), 2);
    }

    #[test]
    fn a_bell_that_was_lost_between_others_is_noticed_at_the_second_look() {
        let acme = EventMatcher::all().of_tenant("acme");
        let mut rings = Rings::default();
        rings.look(found(5));
        rings.ring(bell(8, 9, "globex"));
        assert!(!rings.look(found(9)), "it may still be on its way");
        rings.ring(bell(10, 10, "globex"));
        assert!(rings.look(found(10)));
        assert_eq!(rings.last_for(&acme), rings.count);
        assert!(!rings.look(found(10)) && !rings.look(found(10)));
    }

    #[test]
    fn bells_out_of_their_order_are_not_lost_ones() {
        let mut rings = Rings::default();
        rings.look(found(5));
        rings.ring(bell(8, 9, "globex"));
        rings.look(found(9));
        rings.ring(bell(6, 7, "globex"));
        assert!(!rings.look(found(9)) && !rings.look(found(9)));
    }

    #[test]
    fn another_stream_concerns_everybody() {
        let mut rings = Rings::default();
        rings.look(found(5));
        assert!(rings.look(StreamInfo { generation: Uuid::from_u128(2), last: 0 }));
        rings.ring(bell(1, 1, "acme"));
        assert!(!rings.look(StreamInfo { generation: Uuid::from_u128(2), last: 1 }));
    }
}
