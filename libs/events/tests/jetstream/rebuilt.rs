//! The stream is not the one that was read any more, and the caller has to know.

use async_nats::jetstream;
use baton_bus::JetStreamBus;
use baton_events::{Arrival, EventFeed, FeedError, ReadFrom};

use crate::reader::{Site, feed, nats, next, next_event, rest, sequences, site};
use crate::support::{ONE_SERVER, delete_stream, publish, soon};

/// The same stream with the same events, made anew.
async fn rebuild(it: &Site, events: &[baton_bus::Envelope]) {
    delete_stream(&it.options).await;
    JetStreamBus::ensure(&it.options, ONE_SERVER).await.unwrap();
    let bus = JetStreamBus::open(&it.options, it.world.clock.clone()).await.unwrap();
    publish(&bus.into(), events).await;
}

#[tokio::test]
async fn a_stream_that_is_made_anew_while_it_is_read_is_noticed() {
    let it = site().await;
    let events = it.publish(1..=5).await;
    let mut feed = it.open(ReadFrom::Beginning).await;
    let known = rest(&mut feed).await;
    rebuild(&it, &events).await;
    let error = soon("an error", async {
        loop {
            match next(&mut feed).await {
                // While there was none.
                Err(FeedError::NoStream { .. }) => {}
                Err(error) => break error,
                Ok(item) => assert!(matches!(item, baton_events::FeedItem::CaughtUp(_)), "{item:?}"),
            }
        }
    });
    assert!(matches!(error.await, FeedError::Rebuilt { .. }));
    let mut anew = it.open(ReadFrom::Beginning).await;
    let again = rest(&mut anew).await;
    let last = known.last().unwrap().event.sequence;
    assert_eq!(sequences(&again), [1, 2, 3, 4, 5]);
    assert!(again.iter().all(|it| it.arrival(last) == Arrival::Again));
    it.publish(6..=6).await;
    assert_eq!(next_event(&mut anew).await.arrival(last), Arrival::New);
}

#[tokio::test]
async fn a_cursor_of_the_old_stream_is_refused() {
    let it = site().await;
    let events = it.publish(1..=5).await;
    let cursor = rest(&mut it.open(ReadFrom::Beginning).await).await[1].cursor.clone();
    rebuild(&it, &events).await;
    let opened = EventFeed::open(&nats(&it.options), feed(&it.options).from(ReadFrom::After(cursor))).await;
    assert!(matches!(opened, Err(FeedError::Rebuilt { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_stream_that_is_shorter_than_what_was_read_is_refused() {
    let it = site().await;
    it.publish(1..=2).await;
    let text = rest(&mut it.open(ReadFrom::Beginning).await).await[1].cursor.to_string();
    let further = text.strip_suffix("/2").unwrap().to_owned() + "/9";
    let from = ReadFrom::After(further.parse().unwrap());
    let opened = EventFeed::open(&nats(&it.options), feed(&it.options).from(from)).await;
    assert!(matches!(opened, Err(FeedError::Rebuilt { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_cursor_of_another_stream_is_refused() {
    let (it, other) = (site().await, site().await);
    it.publish(1..=1).await;
    let cursor = rest(&mut it.open(ReadFrom::Beginning).await).await[0].cursor.clone();
    let opened = EventFeed::open(&nats(&other.options), feed(&other.options).from(ReadFrom::After(cursor))).await;
    assert!(matches!(opened, Err(FeedError::OtherStream { .. })), "{opened:?}");
}

#[tokio::test]
async fn events_that_were_deleted_before_they_were_read_are_not_passed_over_silently() {
    let it = site().await;
    it.publish(1..=10).await;
    let all = rest(&mut it.open(ReadFrom::Beginning).await).await;
    let context = jetstream::new(async_nats::connect(&it.options.urls).await.unwrap());
    let stream = context.get_stream(feed(&it.options).stream).await.unwrap();
    stream.purge().sequence(5).await.unwrap();
    let from = |index: usize| feed(&it.options).from(ReadFrom::After(all[index].cursor.clone()));
    let lost = EventFeed::open(&nats(&it.options), from(2)).await;
    assert!(matches!(lost, Err(FeedError::Expired { position: 3, first: 5, .. })), "{lost:?}");
    let whole = EventFeed::open(&nats(&it.options), from(3)).await.unwrap();
    assert_eq!(sequences(&rest(&mut { whole }).await), [5, 6, 7, 8, 9, 10]);
    let oldest = next_event(&mut it.open(ReadFrom::Beginning).await).await;
    assert_eq!(oldest.arrival(3), Arrival::AfterGap { missing: 1 });
}
