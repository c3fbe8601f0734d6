//! A service that acts upon events: each has its effect once, in order, or becomes a dead letter with its cause.
//!
//! The effect, the inbox row and the cursor commit in one transaction of the consumer's own database. So a crash at any
//! point repeats an event that had no effect, and never one that had; and a log that was rebuilt, where positions mean
//! something else, is read from its start without any effect happening twice.
//!
//! Events are handled one after the other, so that none overtakes an earlier one of its aggregate. Events that wait together
//! share a transaction, so that a consumer keeps up with many; if one of them fails, each is handled by itself. An event that
//! fails is tried [`MAX_TRIES`] times by itself and then becomes a dead letter (E5), so that one bad event does not stop the
//! service. A failure that is not the event's fault ([`Failure::Later`]) is retried without limit: giving up a good event
//! because a disk was full would lose it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use baton_runtime::client::Backoff;
use baton_runtime::clock::Clock;
use baton_store::inbox::{self, DeadLetter};
use baton_store::{ChangeError, Db, StoreError, Tx, change};
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::{Bus, BusError, EventMatcher, EventStream, Logged};

/// How often an event is tried before it becomes a dead letter.
pub const MAX_TRIES: i64 = 5;
/// The most events that share a transaction: it should stay short.
const TOGETHER: usize = 64;

/// A service's reaction to an event.
pub trait Handler: Send + Sync + 'static {
    /// The effect, within `tx` only: it is undone when this fails. Nothing that waits for the world belongs in it.
    fn handle(&self, tx: &mut Tx, event: &Logged) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Why an event could not be acted upon.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It is not the event's fault: retry without limit.
    #[error("not now: {0}")]
    Later(String),
    /// This event probably can't be acted upon: give up after a few tries.
    #[error("{0}")]
    Faulty(String),
    /// Another change was in the way: the same events once more, at once.
    #[error(transparent)]
    Overtaken(StoreError),
}

impl ChangeError for Failure {
    fn is_overtaken(&self) -> bool {
        matches!(self, Self::Overtaken(_))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            error @ StoreError::Overtaken(_) => Self::Overtaken(error),
            error if error.is_about_data() => Self::Faulty(with_source(&error)),
            error => Self::Later(with_source(&error)),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<prost::DecodeError> for Failure {
    fn from(error: prost::DecodeError) -> Self {
        Self::Faulty(error.to_string())
    }
}

/// A durable subscription: it goes on after the last event that it acted upon, whatever happened in between.
#[derive(Debug)]
pub struct Consumer {
    name: String,
    bus: Bus,
    db: Db,
    clock: Clock,
    filter: EventMatcher,
}

impl Consumer {
    /// `name` is the identity: under another name everything that the bus still has is read again.
    pub fn new(name: &str, bus: impl Into<Bus>, db: Db, clock: Clock, filter: EventMatcher) -> Self {
        Self { name: name.to_owned(), bus: bus.into(), db, clock, filter }
    }

    /// Acts upon events until `shutdown`; the event that is being handled is finished or undone.
    pub async fn run(self, handler: impl Handler, shutdown: CancellationToken) {
        let mut failures = 0;
        while let Some(Err(error)) = shutdown.run_until_cancelled(self.follow(&handler, &mut failures)).await {
            // The first of a series is worth a line; that it goes on is not.
            if failures == 0 {
                tracing::warn!(consumer = self.name, error = %error, "the event stream broke off; subscribing again");
            }
            failures += 1;
            let wait = self.clock.sleep(Backoff::default().pause(failures));
            if shutdown.run_until_cancelled(wait).await.is_none() {
                return;
            }
        }
    }

    /// Follows the stream until it ends or fails; each event that comes ends a series of failures.
    async fn follow(&self, handler: &impl Handler, failures: &mut u32) -> Result<(), BusError> {
        let (cursor, events) = self.subscribe().await?;
        let mut waiting = events.ready_chunks(TOGETHER);
        while let Some(chunk) = waiting.next().await {
            let mut events = Vec::with_capacity(chunk.len());
            let broken = chunk.into_iter().find_map(|event| event.map(|event| events.push(event)).err());
            self.deliver_all(&cursor, handler, &events).await?;
            if !events.is_empty() {
                *failures = 0;
            }
            if let Some(error) = broken {
                return Err(error);
            }
        }
        Ok(())
    }

    async fn deliver_all(&self, cursor: &str, handler: &impl Handler, events: &[Logged]) -> Result<(), BusError> {
        if events.len() > 1 {
            let _busy = self.clock.busy();
            if self.attempt(cursor, handler, events).await.is_ok() {
                return Ok(());
            }
        }
        for event in events {
            self.deliver(cursor, handler, event).await?;
        }
        Ok(())
    }

    /// The events, and the name of the cursor that moves with them: a position is valid in one generation of the log only.
    async fn subscribe(&self) -> Result<(String, EventStream), BusError> {
        let generation = self.bus.generation().await?;
        let cursor = format!("{}@{generation}", self.name);
        let position = inbox::cursor(&self.db, &cursor).await?;
        if position.is_none() {
            // This log was not read before: the logs that it replaces are gone.
            inbox::forget_cursors(&self.db, &format!("{}@", self.name)).await?;
        }
        let after = position.unwrap_or(0) as u64;
        Ok((cursor, self.bus.subscribe_in(Some(generation), after, self.filter.clone())))
    }

    /// Tries until the event has had its effect or is given up.
    async fn deliver(&self, cursor: &str, handler: &impl Handler, event: &Logged) -> Result<(), BusError> {
        let (mut failures, mut tries) = (0, 0);
        loop {
            let failure = {
                let _busy = self.clock.busy();
                match self.attempt(cursor, handler, std::slice::from_ref(event)).await {
                    Ok(()) => return Ok(()),
                    Err(failure) => failure,
                }
            };
            failures += 1;
            let wait = Backoff::default().pause(failures);
            tries += i64::from(matches!(failure, Failure::Faulty(_)));
            if tries >= MAX_TRIES {
                return Ok(self.give_up(cursor, event, tries, failure).await?);
            }
            self.warn(event, &failure, wait);
            self.clock.sleep(wait).await;
        }
    }

    /// The effects, the inbox rows and the cursor: all or nothing.
    async fn attempt(&self, cursor: &str, handler: &impl Handler, events: &[Logged]) -> Result<(), Failure> {
        let Some(last) = events.last() else { return Ok(()) };
        self.db
            .change(change!(|tx| {
                for event in events {
                    if inbox::first_time(tx, &self.name, event.envelope.id, self.clock.now_us()).await? {
                        // A bug that panics on one event must not stop the others. The transaction is undone either way.
                        let effect = AssertUnwindSafe(handler.handle(tx, event)).catch_unwind().await;
                        effect.unwrap_or_else(|panic| Err(Failure::Faulty(panic_text(panic.as_ref()))))?;
                    }
                }
                inbox::advance(tx, cursor, last.position as i64).await?;
                Ok(())
            }))
            .await
    }

    async fn give_up(&self, cursor: &str, event: &Logged, tries: i64, failure: Failure) -> Result<(), StoreError> {
        let cause = failure.to_string();
        tracing::error!(consumer = self.name, event.id = %event.envelope.id, event.r#type = event.envelope.event_type, cause,
            "an event was set aside");
        let letter = &self.dead_letter(event, tries, cause);
        self.db
            .change(change!(|tx| {
                inbox::first_time(tx, &self.name, event.envelope.id, letter.at_us).await?;
                inbox::add_dead_letter(tx, letter).await?;
                inbox::advance(tx, cursor, event.position as i64).await
            }))
            .await
    }

    fn dead_letter(&self, event: &Logged, tries: i64, cause: String) -> DeadLetter {
        let envelope = event.envelope.clone();
        DeadLetter {
            consumer: self.name.clone(),
            event_id: envelope.id,
            position: event.position as i64,
            tenant: envelope.tenant,
            aggregate: envelope.aggregate,
            sequence: envelope.sequence,
            event_type: envelope.event_type,
            payload: envelope.payload,
            tries,
            cause,
            at_us: self.clock.now_us(),
        }
    }

    fn warn(&self, event: &Logged, failure: &Failure, wait: Duration) {
        tracing::warn!(consumer = self.name, event.id = %event.envelope.id, cause = %failure, wait_ms = wait.as_millis(),
            "an event could not be acted upon; trying again");
    }
}

fn with_source(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("the handler panicked: {}", text.unwrap_or_default())
}
