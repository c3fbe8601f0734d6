//! What is published arrives as it was, whatever it is, and what can't be published says why.

use async_nats::{HeaderMap, jetstream};
use baton_bus::{
    Bus, BusError, CursorMove, Envelope, EventMatcher, JetStreamBus, JetStreamError, Relay, StreamSettings,
};
use baton_runtime::clock::Clock;
use baton_store::outbox::OutboxRow;
use futures::StreamExt;

use crate::support::{ONE_SERVER, World, commit, event, nats_options, row, soon, world};

async fn published(it: &World) -> Vec<Envelope> {
    let page = it.bus.read(0, &EventMatcher::all(), 1_000).await.unwrap();
    page.events.into_iter().map(|it| it.envelope).collect()
}

async fn try_publish(bus: &Bus, events: &[Envelope]) -> Result<(), BusError> {
    let from = bus.cursor("service").await.unwrap().map(|it| it.cursor);
    bus.publish(&CursorMove { source: "service", from: from.as_deref(), to: "//1" }, events).await
}

#[tokio::test]
async fn an_event_is_read_as_it_was_published() {
    let it = world().await;
    let odd = ["", " ", "Zürich 東京", "a\r\nBaton-Cursor: //9", "100%41", "\"a\" b", "\u{0}", "a.b>*", "%"];
    let texts = odd.into_iter().map(|text| Envelope {
        tenant: text.into(),
        actor: text.into(),
        traceparent: text.into(),
        time_us: 1_764_460_800_123_457,
        payload: vec![0, 13, 10, 255],
        ..event(&format!("interaction/{text}"), 1)
    });
    let sent: Vec<_> = texts.collect();
    it.publish(&sent).await;
    assert_eq!(published(&it).await, sent);
    for sent in &sent {
        let own = it.bus.read(0, &EventMatcher::all().of_tenant(&sent.tenant), 10).await.unwrap().events;
        assert_eq!(own.iter().map(|it| &it.envelope).collect::<Vec<_>>(), [sent]);
    }
}

#[tokio::test]
async fn a_batch_of_large_events_is_published_in_parts_that_arrive_whole() {
    let it = world().await;
    let rows: Vec<_> =
        (1..=40).map(|sequence| OutboxRow { payload: vec![7; 400_000], ..row("interaction/1", sequence) }).collect();
    commit(&it.db, &rows).await;
    let relay = Relay::new("service", it.db.clone(), it.bus.clone(), it.clock.clone());
    relay.publish_all().await.unwrap();
    let sequences: Vec<_> = published(&it).await.iter().map(|it| it.sequence).collect();
    assert_eq!(sequences, (1..=40).collect::<Vec<_>>());
    // 16 megabytes, of which 4 are one write.
    assert_eq!(batches(&it).await, 4);
}

/// How many messages say where to go on: the last ones of batches.
async fn batches(it: &World) -> usize {
    let options = nats_options(&it.folder).unwrap();
    let context = jetstream::new(async_nats::connect(&options.urls).await.unwrap());
    let stream = context.get_stream(format!("BATON_EVT_{}", options.namespace)).await.unwrap();
    let mut count = 0;
    for sequence in 1..=stream.cached_info().state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        count += usize::from(message.headers.get("Baton-Cursor").is_some());
    }
    count
}

#[tokio::test]
async fn what_one_process_publishes_another_one_hears_of_at_once() {
    let it = world().await;
    let elsewhere: Bus = JetStreamBus::open(&nats_options(&it.folder).unwrap(), Clock::real()).await.unwrap().into();
    let mut all = elsewhere.subscribe(0, EventMatcher::all());
    let mut own = elsewhere.subscribe(0, EventMatcher::all().of_tenant("acme"));
    let started_us = Clock::real().now_us();
    for sequence in 1..=20 {
        it.publish(&[event("interaction/1", sequence)]).await;
        for reader in [&mut all, &mut own] {
            let heard = soon("the event", reader.next()).await.unwrap().unwrap();
            assert_eq!(heard.envelope.sequence, sequence);
        }
    }
    // Twenty looks at the stream, one a second, would take twenty seconds.
    let took_us = Clock::real().now_us() - started_us;
    assert!(took_us < 5_000_000, "{took_us} microseconds");
}

#[tokio::test]
async fn an_event_that_no_server_takes_says_what_to_do() {
    let it = world().await;
    let large = Envelope { payload: vec![7; 1_100_000], ..event("interaction/1", 1) };
    let error = try_publish(&it.bus, &[large]).await.unwrap_err();
    assert!(error.to_string().contains("raise `max_payload`"), "{error}");
    let foreign = Envelope { area: "other".into(), ..event("interaction/1", 1) };
    let error = try_publish(&it.bus, &[foreign]).await.unwrap_err();
    assert!(matches!(error, BusError::JetStream(JetStreamError::ForeignArea { .. })), "{error:?}");
    assert!(published(&it).await.is_empty());
}

#[tokio::test]
async fn what_somebody_else_publishes_is_passed_over_and_stops_the_relay() {
    let it = world().await;
    it.publish(&[event("interaction/1", 1)]).await;
    let options = nats_options(&it.folder).unwrap();
    let context = jetstream::new(async_nats::connect(&options.urls).await.unwrap());
    let subject = format!("{}.{}", options.namespace, event("interaction/1", 2).subject());
    let mut headers = HeaderMap::new();
    headers.insert("ce-id", "none");
    context.publish_with_headers(subject, headers, "x".into()).await.unwrap().await.unwrap();
    let page = it.bus.read(0, &EventMatcher::all(), 10).await.unwrap();
    assert_eq!((page.events.len(), page.searched_to), (1, 2));
    let error = it.bus.cursor("service").await.unwrap_err();
    assert!(matches!(error, BusError::JetStream(JetStreamError::NoCursor { sequence: 2, .. })), "{error:?}");
    assert!(error.to_string().contains("baton events new-epoch"), "{error}");
}

#[tokio::test]
async fn a_full_stream_refuses_events_and_keeps_those_that_it_has() {
    let it = world().await;
    let options = nats_options(&it.folder).unwrap();
    JetStreamBus::ensure(&options, StreamSettings { max_bytes: 3_000_000, ..ONE_SERVER }).await.unwrap();
    let rows: Vec<_> =
        (1..=40).map(|sequence| OutboxRow { payload: vec![7; 100_000], ..row("interaction/1", sequence) }).collect();
    let relay = Relay::new("service", it.db.clone(), it.bus.clone(), it.clock.clone());
    commit(&it.db, &rows[..20]).await;
    relay.publish_all().await.unwrap();
    commit(&it.db, &rows[20..]).await;
    for _ in 0..2 {
        let full = relay.publish_all().await.unwrap_err();
        assert!(full.to_string().contains("is full: raise `max_bytes`"), "{full}");
    }
    assert_eq!(published(&it).await.len(), 20);
    JetStreamBus::ensure(&options, ONE_SERVER).await.unwrap();
    relay.publish_all().await.unwrap();
    let sequences: Vec<_> = published(&it).await.iter().map(|it| it.sequence).collect();
    assert_eq!(sequences, (1..=40).collect::<Vec<_>>());
}
