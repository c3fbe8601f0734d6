//! Messages that are no events, events that come twice, and types that nobody knows yet.

use async_nats::{HeaderMap, jetstream};
use baton_bus::Envelope;
use baton_events::{Arrival, FeedItem, ReadFrom};

use crate::reader::{Site, next, next_event, rest, sequences, site};

/// The headers of an event, without an id for the server.
fn headers(event: &Envelope) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", event.id.to_string()),
        ("ce-source", event.source()),
        ("ce-type", event.ce_type()),
        ("ce-dataschema", "proto:baton.event.v1.EventData".to_owned()),
        ("ce-subject", event.aggregate.clone()),
        ("ce-time", "2026-11-30T01:22:00.715505Z".to_owned()),
        ("ce-tenant", event.tenant.clone()),
        ("ce-sequence", event.sequence.to_string()),
    ] {
        headers.insert(name, value);
    }
    headers
}

/// On a subject of another service than those of the tests, which would publish nothing more after a message that is not theirs.
async fn send(it: &Site, event: &Envelope, headers: HeaderMap, payload: &[u8]) {
    let context = jetstream::new(async_nats::connect(&it.options.urls).await.unwrap());
    let subject = format!("{}.{}", it.options.namespace, Envelope { area: "other".into(), ..event.clone() }.subject());
    context.publish_with_headers(subject, headers, payload.to_vec().into()).await.unwrap().await.unwrap();
}

#[tokio::test]
async fn what_is_no_event_is_given_as_it_is_and_stops_nothing() {
    let it = site().await;
    let event = it.publish(1..=1).await.remove(0);
    let without = |name: &str| {
        let all = headers(&event);
        all.iter().filter(|(it, _)| it.to_string() != name).map(|(name, it)| (name.clone(), it[0].clone())).collect()
    };
    let with = |name: &str, value: &str| {
        let mut all = headers(&event);
        all.insert(name, value);
        all
    };
    let cases: [(HeaderMap, &[u8], &str); 8] = [
        (HeaderMap::new(), &event.payload, "ce-sequence"),
        (without("ce-id"), &event.payload, "ce-id"),
        (without("ce-type"), &event.payload, "ce-type"),
        (with("ce-sequence", "many"), &event.payload, "`many`"),
        (with("ce-time", "yesterday"), &event.payload, "`yesterday`"),
        (with("ce-tenant", "%FF"), &event.payload, "ce-tenant is not UTF-8"),
        (headers(&event), b"\xff\xff\xff", "decoded"),
        (headers(&event), b"", "empty"),
    ];
    for (headers, payload, _) in &cases {
        send(&it, &event, headers.clone(), payload).await;
    }
    it.publish(2..=2).await;
    let mut feed = it.open(ReadFrom::Beginning).await;
    assert_eq!(next_event(&mut feed).await.event.sequence, 1);
    let mut last = feed.cursor();
    for (_, payload, why) in cases {
        let FeedItem::Unreadable(message) = next(&mut feed).await.unwrap() else { panic!("{why}") };
        assert!(message.why.contains(why), "{}: {why}", message.why);
        assert_eq!(message.payload.as_ref(), payload);
        assert!(message.subject.ends_with("interaction_customer_held"), "{}", message.subject);
        assert!(message.cursor == feed.cursor() && message.cursor != last);
        last = message.cursor;
    }
    assert_eq!(next_event(&mut feed).await.event.sequence, 2);
    assert_eq!(sequences(&rest(&mut it.open(ReadFrom::After(last)).await).await), [2]);
}

#[tokio::test]
async fn an_event_that_comes_twice_is_known() {
    let it = site().await;
    let events = it.publish(1..=2).await;
    send(&it, &events[1], headers(&events[1]), &events[1].payload).await;
    it.publish(3..=3).await;
    it.publish(6..=6).await;
    let (mut last, mut seen) = (0, Vec::new());
    let found = rest(&mut it.open(ReadFrom::Beginning).await).await;
    for received in &found {
        seen.push(received.arrival(last));
        last = last.max(received.event.sequence);
    }
    let gap = Arrival::AfterGap { missing: 2 };
    assert_eq!(seen, [Arrival::New, Arrival::New, Arrival::Again, Arrival::New, gap]);
    assert_eq!(found[1].event.event_id, found[2].event.event_id);
}

#[tokio::test]
async fn a_type_that_is_not_known_is_an_event_without_data() {
    let it = site().await;
    let event = Envelope { event_type: "transfer.applauded".into(), ..crate::support::event("interaction/1", 1) };
    // Field 4000, a message.
    send(&it, &event, headers(&event), &[0x82, 0xfa, 0x01, 0x00]).await;
    let received = next_event(&mut it.open(ReadFrom::Beginning).await).await;
    assert_eq!((received.event.name(), received.data()), ("transfer.applauded", None));
}

#[tokio::test]
async fn a_note_of_the_services_is_passed_over() {
    let it = site().await;
    let note = format!("{}.baton.evt.v1.~.transfer.0.epoch", it.options.namespace);
    let context = jetstream::new(async_nats::connect(&it.options.urls).await.unwrap());
    context.publish(note, "".into()).await.unwrap().await.unwrap();
    let mut feed = it.open(ReadFrom::Beginning).await;
    let FeedItem::CaughtUp(cursor) = next(&mut feed).await.unwrap() else { panic!("the note is no event") };
    it.publish(1..=1).await;
    assert_eq!(sequences(&rest(&mut it.open(ReadFrom::After(cursor)).await).await), [1]);
}
