//! A stream of a test's own, and what a feed reads there.

use baton_bus::{Envelope, JetStreamOptions};
use baton_events::{EventFeed, FeedError, FeedItem, FeedOptions, NatsOptions, ReadFrom, ReceivedEvent};

use crate::support::{World, nats_options, soon, world};

pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) options: JetStreamOptions,
}

pub(crate) async fn site() -> Site {
    let world = world().await;
    let options = nats_options(&world.folder).unwrap();
    Site { world, options }
}

impl Site {
    pub(crate) async fn open(&self, from: ReadFrom) -> EventFeed {
        EventFeed::open(&nats(&self.options), feed(&self.options).from(from)).await.unwrap()
    }

    /// Events 1, 2, 3… about one subject.
    pub(crate) async fn publish(&self, sequences: std::ops::RangeInclusive<i64>) -> Vec<Envelope> {
        let events: Vec<_> = sequences.map(|sequence| crate::support::event("interaction/1", sequence)).collect();
        self.world.publish(&events).await;
        events
    }
}

pub(crate) fn nats(options: &JetStreamOptions) -> NatsOptions {
    NatsOptions { servers: options.urls.clone(), ..NatsOptions::default() }
}

/// All events of a stream of the tests.
pub(crate) fn feed(options: &JetStreamOptions) -> FeedOptions {
    FeedOptions {
        stream: format!("BATON_EVT_{}", options.namespace),
        namespace: options.namespace.clone(),
        ..FeedOptions::default()
    }
}

pub(crate) async fn next(feed: &mut EventFeed) -> Result<FeedItem, FeedError> {
    soon("the next item", feed.next()).await
}

/// The next event; that the end was reached before it is passed over.
pub(crate) async fn next_event(feed: &mut EventFeed) -> ReceivedEvent {
    soon("an event", async {
        loop {
            match feed.next().await.unwrap() {
                FeedItem::Event(received) => return *received,
                FeedItem::CaughtUp(_) => {}
                FeedItem::Unreadable(message) => panic!("{message:?}"),
            }
        }
    })
    .await
}

/// All events up to the end.
pub(crate) async fn rest(feed: &mut EventFeed) -> Vec<ReceivedEvent> {
    let mut found = Vec::new();
    loop {
        match next(feed).await.unwrap() {
            FeedItem::Event(received) => found.push(*received),
            FeedItem::CaughtUp(_) => return found,
            FeedItem::Unreadable(message) => panic!("{message:?}"),
        }
    }
}

pub(crate) fn sequences(events: &[ReceivedEvent]) -> Vec<i64> {
    events.iter().map(|it| it.event.sequence).collect()
}

pub(crate) fn numbers(range: std::ops::RangeInclusive<i64>) -> Vec<i64> {
    range.collect()
}
