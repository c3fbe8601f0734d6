//! A service's database and an event log in a temporary folder, and events to put into them.

use std::time::Duration;

use baton_api::event::v1::{EventData, InteractionCustomerHeld, event_data::Data};
use baton_bus::{Envelope, EventLog};
use baton_runtime::clock::Clock;
use baton_runtime::ids::new_uuid;
use baton_runtime::lifecycle::spawn;
use baton_store::outbox::{self, OutboxRow};
use baton_store::{Db, Migrations};
use prost::Message;
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) log: EventLog,
    pub(crate) clock: Clock,
    pub(crate) folder: TempDir,
}

pub(crate) async fn world() -> World {
    world_on(Clock::real()).await
}

/// A world in which waiting takes no time.
pub(crate) async fn simulated_world() -> World {
    let (clock, driver) = Clock::simulated(1_000_000);
    spawn(driver.run());
    world_on(clock).await
}

async fn world_on(clock: Clock) -> World {
    let folder = tempfile::tempdir().unwrap();
    let log = EventLog::open(folder.path().join("events.db"), clock.clone()).await.unwrap();
    let db = database(&folder, "service.db").await;
    World { db, log, clock, folder }
}

impl World {
    /// A world whose log is a copy of this one's.
    pub(crate) async fn copied(&self) -> World {
        let folder = tempfile::tempdir().unwrap();
        for name in ["events.db", "events.db-wal"] {
            std::fs::copy(self.folder.path().join(name), folder.path().join(name)).unwrap();
        }
        let log = EventLog::open(folder.path().join("events.db"), self.clock.clone()).await.unwrap();
        World { db: self.db.clone(), log, clock: self.clock.clone(), folder }
    }
}

/// The same service after its event log was lost: an empty one, begun later.
pub(crate) async fn with_another_log(it: World) -> World {
    let log = EventLog::open(it.folder.path().join("rebuilt.db"), it.clock.clone()).await.unwrap();
    World { log, ..it }
}

pub(crate) async fn database(folder: &TempDir, name: &str) -> Db {
    let db = Db::open(folder.path().join(name)).await.unwrap();
    db.migrate(&Migrations::NONE).await.unwrap();
    db
}

pub(crate) fn row(aggregate: &str, sequence: i64) -> OutboxRow {
    let data = Data::InteractionCustomerHeld(InteractionCustomerHeld {});
    OutboxRow {
        id: new_uuid(),
        tenant: "acme".into(),
        aggregate: aggregate.into(),
        sequence,
        event_type: "interaction.customer_held".into(),
        area: "transfer".into(),
        payload: EventData { data: Some(data) }.encode_to_vec(),
        actor: "agent/a1".into(),
        traceparent: String::new(),
        time_us: 1_500_000 + sequence,
    }
}

pub(crate) fn event(aggregate: &str, sequence: i64) -> Envelope {
    row(aggregate, sequence).into()
}

pub(crate) fn event_of(tenant: &str, event_type: &str, sequence: i64) -> Envelope {
    Envelope {
        tenant: tenant.into(),
        event_type: event_type.into(),
        ..event(&format!("{tenant}/{event_type}"), sequence)
    }
}

pub(crate) async fn commit(db: &Db, rows: &[OutboxRow]) {
    let mut tx = db.begin().await.unwrap();
    outbox::append(&mut tx, rows).await.unwrap();
    tx.commit().await.unwrap();
}

/// Awaits with a bound: a test that would hang fails instead.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let outcome = Clock::real().timeout(Duration::from_secs(20), future).await;
    outcome.unwrap_or_else(|_| panic!("{what} did not happen within 20 s"))
}
