//! A service's database and a bus, and events to put into them. The bus is the embedded log in a temporary folder or, with a server's URL in
//! `TEST_NATS_URL`, a stream of the test's own there.

use std::time::Duration;

use async_nats::jetstream;
use baton_api::event::v1::{EventData, InteractionCustomerHeld, event_data::Data};
use baton_bus::{Bus, CursorMove, Envelope, EventLog, JetStreamBus, JetStreamOptions, StreamSettings};
use baton_runtime::clock::Clock;
use baton_runtime::ids::new_uuid;
use baton_runtime::lifecycle::spawn;
use baton_store::outbox::{self, OutboxRow};
use baton_store::{Db, Migrations};
use prost::Message;
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) db: Db,
    pub(crate) bus: Bus,
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

/// A world whose bus is the embedded log, wherever the other tests run.
pub(crate) async fn embedded_world() -> World {
    embedded_world_on(Clock::real()).await
}

pub(crate) async fn simulated_embedded_world() -> World {
    let (clock, driver) = Clock::simulated(1_000_000);
    spawn(driver.run());
    embedded_world_on(clock).await
}

async fn embedded_world_on(clock: Clock) -> World {
    let folder = tempfile::tempdir().unwrap();
    let log = EventLog::open(folder.path().join("events.db"), clock.clone()).await.unwrap();
    let db = database(&folder, "service.db").await;
    World { db, bus: log.into(), clock, folder }
}

async fn world_on(clock: Clock) -> World {
    let folder = tempfile::tempdir().unwrap();
    let bus = open_bus(&folder, "events.db", &clock).await;
    let db = database(&folder, "service.db").await;
    World { db, bus, clock, folder }
}

async fn open_bus(folder: &TempDir, file: &str, clock: &Clock) -> Bus {
    match nats_options(folder) {
        Some(options) => {
            JetStreamBus::ensure(&options, ONE_SERVER).await.unwrap();
            JetStreamBus::open(&options, clock.clone()).await.unwrap().into()
        }
        None => EventLog::open(folder.path().join(file), clock.clone()).await.unwrap().into(),
    }
}

pub(crate) const ONE_SERVER: StreamSettings = StreamSettings { replicas: 1, max_bytes: 100 * 1024 * 1024 };

/// A stream of the test's own, whose name is that of its folder.
pub(crate) fn nats_options(folder: &TempDir) -> Option<JetStreamOptions> {
    #[expect(clippy::disallowed_methods, reason = "of tests alone: which bus they run on")]
    let url = std::env::var("TEST_NATS_URL").ok().filter(|url| !url.is_empty())?;
    let name = folder.path().file_name().unwrap().to_string_lossy();
    let namespace = name.chars().filter(char::is_ascii_alphanumeric).collect();
    Some(JetStreamOptions { urls: vec![url], namespace, ..JetStreamOptions::default() })
}

/// Deletes the stream, as somebody does who has a tool of the servers' own.
pub(crate) async fn delete_stream(options: &JetStreamOptions) {
    let context = jetstream::new(async_nats::connect(&options.urls).await.unwrap());
    context.delete_stream(format!("BATON_EVT_{}", options.namespace)).await.unwrap();
}

impl World {
    /// Puts events on the bus, each as one of the service that it names.
    pub(crate) async fn publish(&self, events: &[Envelope]) {
        publish(&self.bus, events).await;
    }

    /// The embedded log, for what only that has.
    pub(crate) fn log(&self) -> &EventLog {
        let Bus::Embedded(log) = &self.bus else { panic!("without TEST_NATS_URL") };
        log
    }

    /// A world whose log is a copy of this one's.
    pub(crate) async fn copied(&self) -> World {
        let folder = tempfile::tempdir().unwrap();
        for name in ["events.db", "events.db-wal"] {
            std::fs::copy(self.folder.path().join(name), folder.path().join(name)).unwrap();
        }
        let log = EventLog::open(folder.path().join("events.db"), self.clock.clone()).await.unwrap();
        World { db: self.db.clone(), bus: log.into(), clock: self.clock.clone(), folder }
    }
}

pub(crate) async fn publish(bus: &Bus, events: &[Envelope]) {
    for some in events.chunk_by(|a, b| a.area == b.area) {
        let source = some[0].area.as_str();
        let from = bus.cursor(source).await.unwrap().map(|it| it.cursor);
        let to = format!("//{}", new_uuid());
        let moved = CursorMove { source, from: from.as_deref(), to: &to };
        bus.publish(&moved, some).await.unwrap();
    }
}

/// The same service after its stream was lost: an empty one, begun later.
pub(crate) async fn with_another_log(it: World) -> World {
    if let Some(options) = nats_options(&it.folder) {
        delete_stream(&options).await;
    }
    let bus = open_bus(&it.folder, "rebuilt.db", &it.clock).await;
    World { bus, ..it }
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
        area: "service".into(),
        payload: EventData { data: Some(data), ..EventData::default() }.encode_to_vec(),
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
