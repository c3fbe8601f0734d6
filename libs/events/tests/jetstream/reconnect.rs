//! The server is killed and comes back: the next event is the next one.

use std::time::Duration;

use baton_bus::{Bus, JetStreamBus};
use baton_events::{EventFeed, FeedItem};
use baton_runtime::Clock;

use crate::nats_server::NatsServer;
use crate::reader::{feed, nats, next, next_event, numbers, rest};
use crate::support::{ONE_SERVER, event, publish, soon};

async fn bus(server: &NatsServer) -> Bus {
    JetStreamBus::ensure(&server.options(), ONE_SERVER).await.unwrap();
    JetStreamBus::open(&server.options(), Clock::real()).await.unwrap().into()
}

async fn send(server: &NatsServer, sequences: std::ops::RangeInclusive<i64>) {
    let events: Vec<_> = sequences.map(|sequence| event("interaction/1", sequence)).collect();
    publish(&bus(server).await, &events).await;
}

#[tokio::test]
async fn a_server_that_was_killed_between_events_is_read_on() {
    let mut server = NatsServer::start("").await;
    send(&server, 1..=500).await;
    let mut feed = EventFeed::open(&nats(&server.options()), feed(&server.options())).await.unwrap();
    let mut found = Vec::new();
    while found.len() < 600 {
        if matches!(found.len(), 150 | 450 | 499) {
            server.kill();
            server.resume().await;
        }
        if found.len() == 500 {
            send(&server, 501..=600).await;
        }
        found.push(next_event(&mut feed).await.event.sequence);
    }
    assert_eq!(found, numbers(1..=600));
}

#[tokio::test]
async fn a_reader_at_the_end_waits_for_a_server_that_was_killed() {
    let mut server = NatsServer::start("").await;
    send(&server, 1..=3).await;
    let mut feed = EventFeed::open(&nats(&server.options()), feed(&server.options())).await.unwrap();
    rest(&mut feed).await;
    server.kill();
    let waited = Clock::real().timeout(Duration::from_secs(2), feed.next()).await;
    assert!(waited.is_err(), "there is no server: {waited:?}");
    server.resume().await;
    send(&server, 4..=5).await;
    // Sooner than what was asked on the old connection ends.
    let event = Clock::real().timeout(Duration::from_secs(5), next_event(&mut feed)).await;
    assert_eq!(event.expect("it comes soon").event.sequence, 4);
    assert_eq!(next_event(&mut feed).await.event.sequence, 5);
    let idle = soon("the end", async { next(&mut feed).await.unwrap() }).await;
    assert!(matches!(idle, FeedItem::CaughtUp(_)));
}
