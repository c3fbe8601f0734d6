//! Messages that the server has sent and nobody got: the feed has them sent again.

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{self, stream::Stream};
use baton_events::ReadFrom;
use futures::{StreamExt, TryStreamExt};

use crate::reader::{Site, feed, next_event, numbers, rest, sequences, site};

/// Takes so many of the messages that the server has for the feed: it counts them as sent.
async fn take_away(it: &Site, messages: usize) {
    let context = jetstream::new(async_nats::connect(&it.options.urls).await.unwrap());
    let stream: Stream = context.get_stream(feed(&it.options).stream).await.unwrap();
    let names: Vec<String> = stream.consumer_names().try_collect().await.unwrap();
    let consumer: PullConsumer = stream.get_consumer(&names[0]).await.unwrap();
    let taken = consumer.fetch().max_messages(messages).messages().await.unwrap().count().await;
    assert_eq!((names.len(), taken), (1, messages));
}

#[tokio::test]
async fn what_was_lost_before_an_event_comes_before_it() {
    let it = site().await;
    it.publish(1..=10).await;
    let mut feed = it.open(ReadFrom::Beginning).await;
    take_away(&it, 3).await;
    assert_eq!(sequences(&rest(&mut feed).await), numbers(1..=10));
}

#[tokio::test]
async fn what_was_lost_at_the_end_comes_after_a_moment() {
    let it = site().await;
    it.publish(1..=3).await;
    let mut feed = it.open(ReadFrom::Beginning).await;
    take_away(&it, 3).await;
    for sequence in 1..=3 {
        assert_eq!(next_event(&mut feed).await.event.sequence, sequence);
    }
}
