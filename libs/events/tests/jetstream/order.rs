//! Events come whole, in order, and once, also to whoever stops in between.

use std::time::{Duration, SystemTime};

use baton_api::common::v1::actor::Kind;
use baton_bus::{Envelope, parse_actor};
use baton_events::{Cursor, Data, EventFeed, FeedItem, ReadFrom};
use baton_runtime::Clock;
use futures::TryStreamExt;

use crate::reader::{feed, nats, next, next_event, numbers, rest, sequences, site};
use crate::support::{event, event_of, soon};

#[tokio::test]
async fn an_event_is_read_as_it_was_published() {
    let it = site().await;
    let published = Envelope {
        tenant: "Zürich & co".into(),
        aggregate: "interaction/a b%41".into(),
        actor: "for/a1/service/crm \"x\"".into(),
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
        time_us: 1_764_460_800_123_457,
        ..event("", 7)
    };
    it.world.publish(std::slice::from_ref(&published)).await;
    let received = next_event(&mut it.open(ReadFrom::Beginning).await).await;
    let read = &received.event;
    assert_eq!(read.event_id, published.id.to_string());
    assert_eq!((read.name(), &read.source), ("interaction.customer_held", &published.source()));
    assert_eq!((&read.tenant, &read.subject, read.sequence), (&published.tenant, &published.aggregate, 7));
    assert_eq!(read.time.unwrap().to_string(), "2025-11-30T00:00:00.123457Z");
    let actor = read.actor.clone().unwrap();
    assert_eq!((actor.kind(), &actor), (Kind::Service, &parse_actor(&published.actor)));
    assert_eq!(read.traceparent, published.traceparent);
    assert!(matches!(received.data(), Some(Data::InteractionCustomerHeld(_))));
    #[expect(clippy::disallowed_methods, reason = "compared with the server's clock")]
    let age = SystemTime::now().duration_since(received.recorded).unwrap_or_default();
    assert!(age < Duration::from_mins(1), "{age:?}");
}

#[tokio::test]
async fn events_come_in_order_up_to_the_end_and_then_as_they_are_published() {
    let it = site().await;
    it.publish(1..=450).await;
    let mut feed = it.open(ReadFrom::Beginning).await;
    assert_eq!(sequences(&rest(&mut feed).await), numbers(1..=450));
    for sequence in 451..=453 {
        it.publish(sequence..=sequence).await;
        assert_eq!(next_event(&mut feed).await.event.sequence, sequence);
        // Sooner than after a look at the consumer.
        let end =
            Clock::real().timeout(Duration::from_secs(3), feed.next()).await.expect("the end is said at once").unwrap();
        assert!(matches!(end, FeedItem::CaughtUp(cursor) if cursor == feed.cursor()));
    }
}

#[tokio::test]
async fn a_program_that_was_killed_goes_on_after_what_it_committed() {
    let it = site().await;
    it.publish(1..=450).await;
    let (mut found, mut committed) = (Vec::new(), None::<String>);
    // It reads further than it commits, each time.
    for _ in 0..5 {
        let from = committed.as_ref().map_or(ReadFrom::Beginning, |text| ReadFrom::After(text.parse().unwrap()));
        let mut feed = it.open(from).await;
        for number in 0..95 {
            let received = next_event(&mut feed).await;
            if number < 90 {
                found.push(received.event.sequence);
                committed = Some(received.cursor.to_string());
            }
            if found.len() == 450 {
                break;
            }
        }
    }
    assert_eq!(found, numbers(1..=450));
}

#[tokio::test]
async fn a_read_that_was_dropped_loses_nothing() {
    let it = site().await;
    it.publish(1..=300).await;
    let mut feed = it.open(ReadFrom::Beginning).await;
    let (mut found, mut tries) = (Vec::new(), 0_u64);
    while found.len() < 300 {
        tries += 1;
        // Shorter than an answer takes, mostly, and at last long enough.
        let patience = Duration::from_micros(tries % 40 * 100);
        if let Ok(item) = Clock::real().timeout(patience, feed.next()).await
            && let FeedItem::Event(received) = item.unwrap()
        {
            found.push(received.event.sequence);
        }
        assert!(tries < 20_000, "{} of 300 events came", found.len());
    }
    assert_eq!(found, numbers(1..=300));
}

#[tokio::test]
async fn a_filter_lets_through_a_tenants_and_a_services_events_alone() {
    let it = site().await;
    let areas = ["transfer", "presence", "recording"];
    let tenants = ["acme", "globex"];
    let events: Vec<_> = (0..60_i64)
        .map(|n| {
            let area = areas[n as usize % 3].to_owned();
            Envelope { area, ..event_of(tenants[n as usize % 2], "agent.state_changed", n + 1) }
        })
        .collect();
    it.world.publish(&events).await;
    for (tenant, services) in [
        (None, vec![]),
        (Some("acme"), vec![]),
        (Some("acme"), vec!["transfer"]),
        (None, vec!["transfer", "recording"]),
        (Some("other"), vec![]),
    ] {
        let mut options = feed(&it.options);
        options.tenant = tenant.map(str::to_owned);
        options.services = services.iter().map(|&it| it.to_owned()).collect();
        let found = rest(&mut EventFeed::open(&nats(&it.options), options).await.unwrap()).await;
        let fits = |it: &&Envelope| {
            tenant.is_none_or(|tenant| tenant == it.tenant)
                && (services.is_empty() || services.contains(&it.area.as_str()))
        };
        let expected: Vec<_> = events.iter().filter(fits).map(|it| it.sequence).collect();
        assert_eq!(sequences(&found), expected, "{tenant:?} {services:?}");
    }
}

#[tokio::test]
async fn a_cursor_moves_over_what_a_filter_leaves_out() {
    let it = site().await;
    it.world.publish(&[event_of("acme", "a.b", 1)]).await;
    let mut options = feed(&it.options);
    options.tenant = Some("acme".to_owned());
    let mut feed = EventFeed::open(&nats(&it.options), options.clone()).await.unwrap();
    let own = rest(&mut feed).await.remove(0).cursor;
    let theirs: Vec<_> = (1..=20).map(|sequence| event_of("globex", "a.b", sequence)).collect();
    it.world.publish(&theirs).await;
    let moved: Cursor = soon("a cursor that is further", async {
        loop {
            match next(&mut feed).await.unwrap() {
                FeedItem::CaughtUp(cursor) if cursor != own => break cursor,
                FeedItem::CaughtUp(_) => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    it.world.publish(&[event_of("acme", "a.b", 2)]).await;
    assert_eq!(next_event(&mut feed).await.event.sequence, 2);
    options.from = ReadFrom::After(moved);
    let mut again = EventFeed::open(&nats(&it.options), options).await.unwrap();
    assert_eq!(sequences(&rest(&mut again).await), [2]);
}

#[tokio::test]
async fn reading_begins_now_or_at_a_time() {
    let it = site().await;
    it.publish(1..=5).await;
    let between = rest(&mut it.open(ReadFrom::Beginning).await).await[4].recorded + Duration::from_millis(1);
    Clock::real().sleep(Duration::from_millis(5)).await;
    let mut now = it.open(ReadFrom::Now).await;
    assert!(rest(&mut now).await.is_empty());
    it.publish(6..=7).await;
    assert_eq!(next_event(&mut now).await.event.sequence, 6);
    let mut later = it.open(ReadFrom::Recorded(between)).await;
    assert_eq!(sequences(&rest(&mut later).await), [6, 7]);
    let mut tail = it.open(ReadFrom::Recorded(between + Duration::from_hours(1))).await;
    assert!(rest(&mut tail).await.is_empty());
}

#[tokio::test]
async fn a_feed_is_a_stream_of_the_same_items() {
    let it = site().await;
    it.publish(1..=3).await;
    let feed = std::pin::pin!(it.open(ReadFrom::Beginning).await.into_stream());
    let items: Vec<_> = feed
        .try_take_while(|it| std::future::ready(Ok(!matches!(it, FeedItem::CaughtUp(_)))))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(items.len(), 3);
}
