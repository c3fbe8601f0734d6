//! Several relays of one outbox, which nothing keeps apart but the stream: each event once, in order, without a hole (E18, and with three servers
//! that are killed E19).
//!
//! The servers know ids for a tenth of a second only, so that nothing rests on them. Without the expectation in the first message of a batch both
//! tests fail: of 17,123 events in the stream 2,845 were there twice, and 311 were out of order.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream;
use baton_bus::{Bus, EventMatcher, JetStreamBus, JetStreamOptions, Relay, StreamSettings};
use baton_runtime::clock::Clock;
use baton_runtime::ids::random_below;
use baton_runtime::lifecycle::spawn;
use baton_store::outbox::{self, OutboxCursor, OutboxRow};
use baton_store::{Db, Migrations, testing};
use futures::future::join_all;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::nats_server::{NatsServer, options};
use crate::proxy::{Proxy, Way};
use crate::support::{ONE_SERVER, nats_options, row};

const RELAYS: usize = 3;
const WRITERS: u64 = 8;
const AGGREGATES: u64 = 20;

async fn pause(from_ms: u64, below_ms: u64) {
    Clock::real().sleep(Duration::from_millis(from_ms + random_below(below_ms - from_ms))).await;
}

/// Writes until it is enough. Some commit late, which on `PostgreSQL` is after later ones; some do not commit.
async fn write(db: Db, is_enough: Arc<AtomicBool>) {
    while !is_enough.load(Ordering::Relaxed) {
        let aggregate = format!("agent/{}", random_below(AGGREGATES));
        let mut tx = db.begin().await.unwrap();
        for _ in 0..=random_below(3) {
            let Ok(sequence) = outbox::next_sequence(&mut tx, "acme", &aggregate).await else { return };
            let written = OutboxRow { tenant: "acme".into(), ..row(&aggregate, sequence) };
            outbox::append(&mut tx, &[written]).await.unwrap();
        }
        if random_below(10) == 0 {
            tx.rollback().await.unwrap();
        } else {
            if matches!(db, Db::Postgres(_)) {
                pause(0, 40).await;
            }
            tx.commit().await.unwrap();
        }
        pause(1, 20).await;
    }
}

/// A relay that dies again and again, at any moment, and knows nothing of its former lives.
async fn relay_that_dies(db: Db, options: JetStreamOptions, is_enough: Arc<AtomicBool>, deaths: Arc<AtomicU64>) {
    while !is_enough.load(Ordering::Relaxed) {
        let bus = JetStreamBus::open(&options, Clock::real()).await.unwrap();
        let relay = Relay::new("service", db.clone(), bus, Clock::real());
        let running = spawn(relay.run(CancellationToken::new()));
        pause(20, 600).await;
        running.abort();
        deaths.fetch_add(1, Ordering::Relaxed);
    }
}

async fn committed(db: &Db) -> Vec<Uuid> {
    let (mut ids, mut cursor) = (Vec::new(), OutboxCursor::default());
    loop {
        let (rows, next) = outbox::after(db, &cursor, 1_000).await.unwrap();
        if rows.is_empty() {
            return ids;
        }
        ids.extend(rows.iter().map(|row| row.id));
        cursor = next;
    }
}

/// Asserts that the stream has each committed event once and in its order; returns how many they are.
async fn assert_published(db: &Db, bus: &Bus) -> usize {
    let (mut ids, mut after) = (Vec::new(), 0);
    let (mut last, mut wrong) = (HashMap::new(), 0);
    loop {
        let page = bus.read(after, &EventMatcher::all(), 1_000).await.unwrap();
        if page.events.is_empty() {
            break;
        }
        after = page.searched_to;
        for event in page.events {
            let last = last.entry(event.envelope.aggregate).or_insert(0);
            wrong += usize::from(event.envelope.sequence != *last + 1);
            *last = event.envelope.sequence;
            ids.push(event.envelope.id);
        }
    }
    let mut committed = committed(db).await;
    let (published, count) = (ids.len(), committed.len());
    ids.sort_unstable();
    ids.dedup();
    committed.sort_unstable();
    let missing = committed.iter().filter(|id| ids.binary_search(id).is_err()).count();
    assert_eq!(
        (published, published - ids.len(), missing, wrong),
        (count, 0, 0, 0),
        "published, twice, missing, out of order"
    );
    count
}

/// Lets the servers forget the ids of messages as soon as they may.
async fn forget_ids(options: &JetStreamOptions) {
    let context = jetstream::new(async_nats::connect(&options.urls).await.unwrap());
    let mut stream = context.get_stream(format!("BATON_EVT_{}", options.namespace)).await.unwrap();
    let config = stream.info().await.unwrap().config.clone();
    let config = jetstream::stream::Config { duplicate_window: Duration::from_millis(100), ..config };
    context.update_stream(config).await.unwrap();
}

/// What writers and dying relays leave in the stream, after a relay that lives.
async fn assert_fenced(
    folder: &TempDir,
    ways: Vec<JetStreamOptions>,
    straight: &JetStreamOptions,
    run: impl Future<Output = ()>,
) {
    let db = testing::open(folder.path(), "service").await;
    db.migrate(&Migrations::NONE).await.unwrap();
    let (is_enough, deaths) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let writers: Vec<_> = (0..WRITERS).map(|_| spawn(write(db.clone(), Arc::clone(&is_enough)))).collect();
    let relays: Vec<_> = ways
        .into_iter()
        .map(|way| spawn(relay_that_dies(db.clone(), way, Arc::clone(&is_enough), Arc::clone(&deaths))))
        .collect();
    run.await;
    is_enough.store(true, Ordering::Relaxed);
    for finished in join_all(writers.into_iter().chain(relays)).await {
        finished.unwrap();
    }
    let bus: Bus = JetStreamBus::open(straight, Clock::real()).await.unwrap().into();
    let relay = Relay::new("service", db.clone(), bus.clone(), Clock::real());
    let published = async {
        while relay.publish_all().await.is_err() {
            pause(50, 100).await;
        }
    };
    Clock::real().timeout(Duration::from_secs(60), published).await.expect("the rest is published");
    let count = assert_published(&db, &bus).await;
    let deaths = deaths.load(Ordering::Relaxed);
    println!("{count} events, {deaths} deaths of a relay");
    assert!(count > 500 && deaths > 40, "{count} events and {deaths} deaths of a relay are no trial");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn relays_that_die_and_hear_no_answers_publish_each_event_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let straight = nats_options(&folder).expect("TEST_NATS_URL");
    JetStreamBus::ensure(&straight, ONE_SERVER).await.unwrap();
    forget_ids(&straight).await;
    let proxies = join_all((0..RELAYS).map(|_| Proxy::before(&straight.urls[0], Way::Lossy))).await;
    let ways = proxies.iter().map(|it| JetStreamOptions { urls: vec![it.url.clone()], ..straight.clone() }).collect();
    assert_fenced(&folder, ways, &straight, Clock::real().sleep(Duration::from_secs(12))).await;
    let lost: u64 = proxies.iter().map(Proxy::lost).sum();
    println!("{lost} answers were lost");
    assert!(lost > 20, "only {lost} answers were lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_servers_that_are_killed_in_turn_have_each_event_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut servers = NatsServer::cluster().await;
    let straight = options(&servers);
    let settings = StreamSettings { replicas: 3, ..ONE_SERVER };
    let made = async {
        while JetStreamBus::ensure(&straight, settings).await.is_err() {
            pause(100, 200).await;
        }
    };
    Clock::real().timeout(Duration::from_secs(30), made).await.expect("the servers agree on a leader");
    forget_ids(&straight).await;
    let killing = async {
        for _ in 0..4 {
            pause(2_000, 2_500).await;
            let victim = random_below(3) as usize;
            servers[victim].kill();
            pause(1_000, 1_500).await;
            servers[victim].resume().await;
        }
        pause(2_000, 2_500).await;
    };
    let proxies = join_all(straight.urls.iter().map(|url| Proxy::before(url, Way::Lossy))).await;
    let ways = JetStreamOptions { urls: proxies.iter().map(|it| it.url.clone()).collect(), ..straight.clone() };
    assert_fenced(&folder, vec![ways; RELAYS], &straight, killing).await;
}
