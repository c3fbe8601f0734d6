//! NATS is away: everything waits, says so once, and goes on by itself.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use baton_bus::{Bus, BusError, EventMatcher, JetStreamBus, JetStreamError, JetStreamOptions, Relay};
use baton_runtime::clock::Clock;
use baton_runtime::lifecycle::spawn;
use baton_store::Db;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;

use crate::nats_server::NatsServer;
use crate::proxy::{Proxy, Way};
use crate::support::{ONE_SERVER, commit, database, event, nats_options, publish, row, soon};

/// The log of a test.
#[derive(Clone, Default)]
struct LogText(Arc<Mutex<Vec<u8>>>);

impl Write for LogText {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogText {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl LogText {
    fn lines_with(&self, text: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock()).lines().filter(|line| line.contains(text)).count()
    }
}

async fn commit_some(db: &Db, from: i64, to: i64) {
    for sequence in from..=to {
        commit(db, &[row("interaction/1", sequence)]).await;
    }
}

#[tokio::test]
async fn a_service_starts_without_nats_and_publishes_all_when_it_comes_and_comes_back() {
    let log = LogText::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_max_level(tracing::Level::INFO).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder, "service.db").await;
    let mut server = NatsServer::start("").await;
    JetStreamBus::ensure(&server.options(), ONE_SERVER).await.unwrap();
    server.kill();

    let bus: Bus = JetStreamBus::open(&server.options(), Clock::real()).await.unwrap().into();
    let shutdown = CancellationToken::new();
    let relay = Relay::new("service", db.clone(), bus.clone(), Clock::real());
    let running = spawn(relay.run(shutdown.clone()));
    let mut events = bus.subscribe(0, EventMatcher::all());
    let reading = spawn(async move {
        let mut sequences = Vec::new();
        while sequences.len() < 30 {
            sequences.push(events.next().await.unwrap().unwrap().envelope.sequence);
        }
        sequences
    });
    commit_some(&db, 1, 10).await;
    // Long enough for many tries.
    Clock::real().sleep(Duration::from_secs(4)).await;
    let refused = bus.read(0, &EventMatcher::all(), 1).await.unwrap_err();
    assert!(matches!(refused, BusError::JetStream(JetStreamError::Away { .. })), "{refused:?}");
    server.resume().await;
    commit_some(&db, 11, 20).await;
    Clock::real().sleep(Duration::from_secs(2)).await;
    server.kill();
    commit_some(&db, 21, 30).await;
    Clock::real().sleep(Duration::from_secs(3)).await;
    server.resume().await;

    assert_eq!(soon("all events", reading).await.unwrap(), (1..=30).collect::<Vec<_>>());
    shutdown.cancel();
    soon("the relay's end", running).await.unwrap();
    let text = || String::from_utf8_lossy(&log.0.lock()).into_owned();
    assert_eq!(log.lines_with("NATS does not answer; events wait"), 2, "{}", text());
    assert_eq!(log.lines_with("NATS answers again"), 2, "{}", text());
    assert!((1..=2).contains(&log.lines_with("events could not be published")), "{}", text());
}

#[tokio::test]
async fn while_there_is_no_way_to_nats_a_call_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let straight = nats_options(&folder).expect("TEST_NATS_URL");
    JetStreamBus::ensure(&straight, ONE_SERVER).await.unwrap();
    let proxy = Proxy::before(&straight.urls[0], Way::Open).await;
    let options = JetStreamOptions { urls: vec![proxy.url.clone()], ..straight };
    let bus: Bus = JetStreamBus::open(&options, Clock::real()).await.unwrap().into();
    publish(&bus, &[event("interaction/1", 1)]).await;
    proxy.set(Way::Cut);
    let started_us = Clock::real().now_us();
    let mut refused = 0;
    while refused < 100 {
        refused += usize::from(bus.last(&EventMatcher::all()).await.is_err());
    }
    let took_us = Clock::real().now_us() - started_us;
    assert!(took_us < 2_000_000, "100 refusals took {took_us} microseconds");
    proxy.set(Way::Open);
    soon("an answer", async {
        while bus.last(&EventMatcher::all()).await.is_err() {
            Clock::real().sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_cannot_hear_the_bell_looks_by_itself() {
    let users = r#"authorization { users: [
        { user: all, password: x }
        { user: deaf, password: x, permissions: { subscribe: { deny: ["*.baton.bell.>"] } } } ] }"#;
    let server = NatsServer::start(users).await;
    let as_user = |user: &str| JetStreamOptions {
        urls: vec![server.url.replace("nats://", &format!("nats://{user}:x@"))],
        ..server.options()
    };
    JetStreamBus::ensure(&as_user("all"), ONE_SERVER).await.unwrap();
    let publisher: Bus = JetStreamBus::open(&as_user("all"), Clock::real()).await.unwrap().into();
    let deaf: Bus = JetStreamBus::open(&as_user("deaf"), Clock::real()).await.unwrap().into();
    let mut events = deaf.subscribe(0, EventMatcher::all().of_tenant("acme"));
    for sequence in 1..=2 {
        let next = spawn(async move { (events.next().await.unwrap().unwrap().envelope.sequence, events) });
        // The reader has found nothing, and waits.
        Clock::real().sleep(Duration::from_millis(300)).await;
        publish(&publisher, &[event("interaction/1", sequence)]).await;
        let (heard, rest) = soon("the event", next).await.unwrap();
        assert_eq!(heard, sequence);
        events = rest;
    }
}
