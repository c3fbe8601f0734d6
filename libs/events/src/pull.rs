//! A consumer in the server, which is made anew whenever it is in doubt.
//!
//! It is ephemeral, in memory, and without acknowledgements: the server forgets what it has sent, and the consumer's own count
//! of messages shows what got lost on the way. A count that is not the next one, a connection that broke, or a pull that ended with less
//! than the server sent: in each case the feed makes another one after the last message that it has.
//!
//! async-nats has an ordered consumer, too. It is not used because it asks for ever when the stream is gone, and goes on silently at a
//! position of the old stream when there is a new one.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::{Batch, Config};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy};
use async_nats::jetstream::stream::ConsumerErrorKind;
use futures::StreamExt;

use crate::FeedError;
use crate::connection::{NatsLink, refused};

/// How many events are in memory at most.
pub const MAX_AHEAD: usize = 200;
/// How long the server keeps a pull to which it has nothing to say; then it is looked whether all is well.
const PULL_EXPIRES: Duration = Duration::from_secs(5);
/// After so long without a pull the server deletes the consumer: long enough for a slow commit, short enough not to pile up.
const INACTIVE: Duration = Duration::from_mins(1);

pub(crate) struct Pull {
    consumer: Consumer<Config>,
    batch: Option<Batch>,
    /// How many messages came on this consumer.
    count: u64,
    /// Of the connection, when the consumer was made.
    breaks: u64,
}

/// What came of a pull.
#[derive(Debug)]
pub(crate) enum Pulled {
    Message(Box<Message>),
    /// All that the server has sent has come, and it has so many more to send.
    Idle {
        waiting: u64,
    },
    /// This consumer is of no use any more.
    Broken,
}

impl Pull {
    /// Makes a consumer. Also says after which sequence number it begins, and how many messages it has to send.
    pub(crate) async fn begin(
        link: &NatsLink,
        stream: &str,
        mut subjects: Vec<String>,
        deliver_policy: DeliverPolicy,
    ) -> Result<(Self, u64, u64), FeedError> {
        const DOING: &str = "making a consumer";
        let breaks = link.breaks();
        let inbox = link.client.new_inbox();
        let name = format!("feed_{}", inbox.rsplit('.').next().unwrap_or_default());
        let mut config = Config {
            name: Some(name),
            deliver_policy,
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..Config::default()
        };
        // A single filter is in the subject of the request, where permissions can see it.
        if subjects.len() == 1 {
            config.filter_subject = subjects.remove(0);
        } else {
            config.filter_subjects = subjects;
        }
        let made = link.while_connected(link.stream(stream).await?.create_consumer(config)).await?;
        let consumer = made.map_err(|error| match error.kind() {
            ConsumerErrorKind::JetStream(error) => refused(DOING, stream, error),
            _ => link.unanswered(DOING),
        })?;
        let info = consumer.cached_info();
        let (after, waiting) = (info.delivered.stream_sequence, info.num_pending);
        Ok((Self { consumer, batch: None, count: 0, breaks }, after, waiting))
    }

    /// The next message. May be dropped at any moment: nothing gets lost.
    pub(crate) async fn next(&mut self, link: &NatsLink) -> Result<Pulled, FeedError> {
        if self.batch.is_none() {
            let asked = Box::pin(self.consumer.batch().max_messages(MAX_AHEAD).expires(PULL_EXPIRES).messages());
            let batch = link.while_connected(asked).await?.map_err(|_| link.unanswered("asking for messages"))?;
            self.batch = Some(batch);
        }
        let Some(batch) = &mut self.batch else { return Ok(Pulled::Broken) };
        let next = tokio::select! {
            biased;
            // First: what has come is good, also when the connection is gone.
            next = batch.next() => next,
            () = link.broken_since(self.breaks) => return Ok(Pulled::Broken),
        };
        match next {
            Some(Ok(message)) => Ok(self.counted(message)),
            Some(Err(_)) => Ok(Pulled::Broken),
            None => {
                let idle = Box::pin(self.check(link)).await?;
                self.batch = None;
                Ok(idle)
            }
        }
    }

    fn counted(&mut self, message: Message) -> Pulled {
        match message.info() {
            Ok(info) if info.consumer_sequence == self.count + 1 => {
                self.count += 1;
                Pulled::Message(Box::new(message))
            }
            _ => Pulled::Broken,
        }
    }

    /// Whether all that the server has sent has come: the last messages have none after them that would show it.
    async fn check(&mut self, link: &NatsLink) -> Result<Pulled, FeedError> {
        match link.while_connected(self.consumer.get_info()).await? {
            Ok(info) if info.delivered.consumer_sequence == self.count => {
                Ok(Pulled::Idle { waiting: info.num_pending })
            }
            Ok(_) => Ok(Pulled::Broken),
            Err(_) => match link.unanswered("reading how far the consumer is") {
                denied @ FeedError::Denied { .. } => Err(denied),
                _ => Ok(Pulled::Broken),
            },
        }
    }
}
