//! Events in order, one after the other, whatever happens to the connection and to the server.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::stream::Info;
use futures::{Stream, stream};

use crate::connection::{NatsLink, pause};
use crate::cursor::StreamId;
use crate::event::{Content, content};
use crate::pull::{Pull, Pulled};
use crate::{Cursor, FeedError, FeedOptions, NatsOptions, ReadFrom, ReceivedEvent, Unreadable};

/// Between two tries, when the server does not answer as it should.
const PAUSES_MS: [u64; 6] = [0, 50, 100, 250, 500, 1_000];

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedItem {
    /// An event.
    Event(Box<ReceivedEvent>),
    /// A message that is no event. Reading goes on after it.
    Unreadable(Unreadable),
    /// Nothing more is there now. It comes each time when the end is reached, and every few seconds while nothing comes.
    ///
    /// The cursor may be further than that of the last event, over what the options leave out. Keep it, too: one that stays behind for longer
    /// than the stream keeps events is refused ([`FeedError::Expired`]).
    CaughtUp(Cursor),
}

/// Reads a stream of events.
pub struct EventFeed {
    link: NatsLink,
    options: FeedOptions,
    stream: StreamId,
    /// All up to this sequence number was given to the caller, or is none of theirs.
    position: u64,
    pull: Option<Pull>,
    /// The end was reached, and the caller does not know yet.
    is_caught_up: bool,
    failures: usize,
}

impl fmt::Debug for EventFeed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EventFeed")
            .field("options", &self.options)
            .field("cursor", &self.cursor())
            .finish_non_exhaustive()
    }
}

impl EventFeed {
    /// Connects, and finds where to begin.
    ///
    /// # Errors
    /// Every [`FeedError`]: also that NATS does not answer, for which [`EventFeed::next`] would wait.
    pub async fn open(nats: &NatsOptions, options: FeedOptions) -> Result<Self, FeedError> {
        options.check()?;
        let link = NatsLink::connect(nats).await?;
        let (stream, position) = match &options.from {
            ReadFrom::After(cursor) => (cursor.stream.clone(), cursor.position),
            _ => (StreamId::from(&link.info(&options.stream).await?), 0),
        };
        let policy = first(&options.from);
        let mut feed = Self { link, options, stream, position, pull: None, is_caught_up: false, failures: 0 };
        Box::pin(feed.begin(policy)).await?;
        Ok(feed)
    }

    /// How far the caller has read.
    pub fn cursor(&self) -> Cursor {
        Cursor { stream: self.stream.clone(), position: self.position }
    }

    /// The next item. Waits while there is none, and while NATS is away.
    ///
    /// The future may be dropped at any moment, for example in a `select!`: nothing gets lost by that.
    ///
    /// # Errors
    /// Only what somebody has to do something about; never [`FeedError::is_passing`].
    pub async fn next(&mut self) -> Result<FeedItem, FeedError> {
        loop {
            if self.is_caught_up {
                self.is_caught_up = false;
                return Ok(FeedItem::CaughtUp(self.cursor()));
            }
            match self.step().await {
                Ok(Some(item)) => return Ok(item),
                Ok(None) => {}
                Err(error) => {
                    self.pull = None;
                    if !error.is_passing() {
                        return Err(error);
                    }
                    self.failures += 1;
                }
            }
        }
    }

    /// The same as a [`Stream`], which ends with the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<FeedItem, FeedError>> {
        stream::try_unfold(self, async |mut feed| {
            let item = feed.next().await?;
            Ok(Some((item, feed)))
        })
    }

    /// One thing after the other that leads to the next item.
    async fn step(&mut self) -> Result<Option<FeedItem>, FeedError> {
        let Some(pull) = &mut self.pull else {
            self.link.connected().await;
            let pause_ms = PAUSES_MS[self.failures.min(PAUSES_MS.len() - 1)];
            pause(Duration::from_millis(pause_ms)).await;
            // Seldom, and large: boxed, so that what is awaited all the time is small.
            Box::pin(self.begin(after(self.position))).await?;
            return Ok(None);
        };
        match pull.next(&self.link).await? {
            Pulled::Message(message) => Ok(self.take(&message)),
            Pulled::Idle { waiting } => {
                if waiting == 0 {
                    Box::pin(self.move_over()).await?;
                }
                self.is_caught_up = waiting == 0;
                self.failures = 0;
                Ok(None)
            }
            Pulled::Broken => {
                self.pull = None;
                self.failures += 1;
                Ok(None)
            }
        }
    }

    fn take(&mut self, message: &Message) -> Option<FeedItem> {
        // The pull has looked at it already.
        let Ok(info) = message.info() else { return None };
        self.failures = 0;
        self.position = info.stream_sequence;
        self.is_caught_up = info.pending == 0;
        match content(message, SystemTime::from(info.published), self.cursor()) {
            Content::Event(received) => Some(FeedItem::Event(received)),
            Content::Unreadable(message) => Some(FeedItem::Unreadable(message)),
            Content::Note => None,
        }
    }

    /// Makes a consumer, and looks whether the stream is still the one that was read.
    async fn begin(&mut self, policy: DeliverPolicy) -> Result<(), FeedError> {
        let stream = self.options.stream.clone();
        let (pull, after, waiting) = Pull::begin(&self.link, &stream, self.options.subjects(), policy).await?;
        // After the consumer: it is of this stream, or of one that was there before it.
        let state = self.info().await?.state;
        if state.last_sequence < self.position {
            return Err(FeedError::Rebuilt { stream });
        }
        if self.position > 0 && state.first_sequence > self.position.saturating_add(1) {
            return Err(FeedError::Expired { stream, position: self.position, first: state.first_sequence });
        }
        self.position = self.position.max(after);
        if waiting == 0 {
            self.move_over().await?;
        }
        self.is_caught_up = waiting == 0;
        self.pull = Some(pull);
        Ok(())
    }

    async fn info(&self) -> Result<Info, FeedError> {
        let info = self.link.info(&self.options.stream).await?;
        if StreamId::from(&info) != self.stream {
            return Err(FeedError::Rebuilt { stream: self.options.stream.clone() });
        }
        Ok(info)
    }

    /// Moves the position up to the end, over what the options leave out. The stream's leader is asked, because the server that has the
    /// consumer may be behind it: what that has not seen yet must not be passed over.
    async fn move_over(&mut self) -> Result<(), FeedError> {
        let last = self.info().await?.state.last_sequence;
        let mut to = last;
        if to > self.position {
            for subject in self.options.subjects() {
                let next = self.link.next_on(&self.options.stream, &subject, self.position + 1).await?;
                to = to.min(next.map_or(last, |next| next - 1));
            }
            self.position = self.position.max(to);
        }
        Ok(())
    }
}

fn after(position: u64) -> DeliverPolicy {
    DeliverPolicy::ByStartSequence { start_sequence: position.saturating_add(1) }
}

fn first(from: &ReadFrom) -> DeliverPolicy {
    match from {
        ReadFrom::Beginning => DeliverPolicy::All,
        ReadFrom::After(cursor) => after(cursor.position),
        ReadFrom::Recorded(time) => DeliverPolicy::ByStartTime { start_time: (*time).into() },
        ReadFrom::Now => DeliverPolicy::New,
    }
}
